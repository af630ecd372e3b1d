"""The folder of one order: claimed by all of its processes, summed up by those that end it."""

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

from carsynth.data.files import write_atomically
from carsynth.errors import UserError
from carsynth.generation.shards import is_there, not_written, record_path, shard_path

_ORDER = "order.json"
_SUMMARY = "generated.json"


def claim(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Makes the folder this order's own; several processes may do so at once.

    Args:
        order: plain values, all that the pictures depend on, and where its ``models`` lie, which
            may change between two runs of one order.

    Returns:
        The order as the folder has it.

    Raises:
        UserError: the folder is another order's, or not to be written to.
    """
    path = folder / _ORDER
    # In this order: another process may be writing its order and its first shard just now.
    holds_shards = folder.is_dir() and any(folder.glob("shard-*.tar"))
    if path.exists():
        held = _read(path)
        if differing := sorted(_differing(_identity(held), _identity(order))):
            changes = ", ".join(f"{key} {held.get(key)}, not {order.get(key)}" for key in differing)
            raise UserError(
                f"output_dir={folder} holds another order ({changes}): name a new folder"
            )
        return held
    if holds_shards:
        raise UserError(f"output_dir={folder} holds shards of no order: name a new folder")
    _write(path, order)
    return order


def summarise(folder: Path, num_shards: int, order: dict[str, Any]) -> dict[str, Any]:
    """Adds up the records of all shards into ``generated.json``; empty where some are not there.

    Processes that end at once write the same.
    """
    paths = [shard_path(folder, number) for number in range(num_shards)]
    if waiting := sum(not is_there(path) for path in paths):
        print(f"{waiting} of {num_shards} shards are other processes' or still to be made")
        return {}
    records = [json.loads(record_path(path).read_text()) for path in paths]
    rejected: Counter[str] = Counter()
    for record in records:
        rejected.update(record["rejected"])
    pictures = sum(record["pictures"] for record in records)
    result = order | {"pictures": pictures, "rejected": dict(rejected.most_common())}
    _write(folder / _SUMMARY, result)
    for name in (_ORDER, _SUMMARY):
        for stale in folder.glob(f".{name}.*"):  # of processes that were killed
            stale.unlink(missing_ok=True)
    print(f"{pictures} labelled pictures in {num_shards} shards in {folder}")
    if rejected:
        shown = ", ".join(f"{count} {reason}" for reason, count in rejected.most_common())
        print(f"drawings thrown away: {shown}")
    return result


def _write(path: Path, content: dict[str, Any]) -> None:
    try:
        write_atomically(path, json.dumps(content, indent=2, sort_keys=True) + "\n")
    except FileNotFoundError as error:
        # Another process of the order has written the same, and cleared this one's draft away.
        if not path.exists():
            raise not_written(path, error) from error
    except OSError as error:
        raise not_written(path, error) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        held = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): name a new folder") from error
    return held if isinstance(held, dict) else {}


def _identity(order: dict[str, Any]) -> dict[str, Any]:
    own = copy.deepcopy(order)
    for model in own.get("models", {}).values():
        model.pop("path", None)
    return own


def _differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
