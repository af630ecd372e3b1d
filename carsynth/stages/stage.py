"""Work that is done once: skipped when its result is there and its inputs have not changed."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import carsynth
from carsynth.data.files import write_atomically

_MARK = "stage.json"


class Stage(NamedTuple):
    """A piece of work with a folder of its own."""

    name: str
    """Of the folder."""
    inputs: dict[str, Any]
    """Plain values that decide the result; the fingerprints of earlier stages among them."""
    run: Callable[[Path], None]
    """Fills the folder; called again on what an interrupted run has left there."""


class Done(NamedTuple):
    """A stage whose result is there."""

    name: str
    folder: Path
    fingerprint: str
    seconds: float
    """That the work took, whenever it was done; since its last interruption."""


def carry_out(stage: Stage, root: Path) -> Done:
    """Does the work below ``root`` unless it is done.

    A folder with the result of other inputs is moved aside, never written over.
    """
    folder = root / stage.name
    content = json.dumps([carsynth.__version__, stage.name, stage.inputs], sort_keys=True)
    fingerprint = hashlib.sha256(content.encode()).hexdigest()
    mark = _read(folder / _MARK)
    if mark.get("fingerprint") == fingerprint and mark.get("finished"):
        print(f"{stage.name}: done before", flush=True)
        return Done(stage.name, folder, fingerprint, mark["seconds"])
    if folder.exists() and mark.get("fingerprint") != fingerprint:
        aside = _free(folder)
        folder.rename(aside)
        print(f"{stage.name}: its inputs changed; the earlier result is now {aside}", flush=True)
    print(f"{stage.name}: {'going on' if folder.exists() else 'begins'}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    record = {"fingerprint": fingerprint, "inputs": stage.inputs, "finished": False}
    write_atomically(folder / _MARK, json.dumps(record, indent=2) + "\n")
    began = time.perf_counter()
    stage.run(folder)
    seconds = time.perf_counter() - began
    record |= {"finished": True, "seconds": seconds}
    write_atomically(folder / _MARK, json.dumps(record, indent=2) + "\n")
    return Done(stage.name, folder, fingerprint, seconds)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _free(folder: Path) -> Path:
    number = 1
    while (aside := folder.with_name(f"{folder.name}_before_{number}")).exists():
        number += 1
    return aside
