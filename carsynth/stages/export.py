"""The generated pictures in the formats that others read."""

import datetime
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import carsynth
from carsynth.errors import UserError
from carsynth.export.coco import export_coco
from carsynth.export.index_folders import export_index_folders
from carsynth.export.labelled import LabelledPicture
from carsynth.export.provenance import Checkpoint, Provenance
from carsynth.export.yolo import export_yolo
from carsynth.generation.shards import read_shard

FOLDERS = "folders"
_WRITERS: Mapping[str, Callable[..., int]] = {
    "coco": export_coco,
    "yolo": export_yolo,
    FOLDERS: export_index_folders,
}


def check_formats(formats: Sequence[str]) -> None:
    """Refuses a format that there is no writer for, before anything is trained.

    Raises:
        UserError: names it.
    """
    if unknown := [name for name in formats if name not in _WRITERS]:
        raise UserError(f"export: {unknown[0]} is unknown: choose among {', '.join(_WRITERS)}")


def export_all(
    generated: Path,
    splits: Path,
    told: Mapping[str, str],
    config: Mapping[str, Any],
    formats: Sequence[str],
    folder: Path,
) -> None:
    """Writes the shards of ``generated`` in each format that is not there yet.

    Args:
        splits: names of the labelled pictures that both generators saw, for the provenance.
        told: what else to say of how they came about.

    Raises:
        UserError: a disk that is full.
    """
    order = json.loads((generated / "order.json").read_text())
    seen = json.loads(splits.read_text())
    mark = folder / "created.txt"
    if not mark.exists():
        mark.write_text(datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))
    provenance = Provenance(
        {name: Checkpoint(**one) for name, one in order["models"].items() if "path" in one},
        {**config, **told, "labelled_pictures": sorted([*seen["train"], *seen["validation"]])},
        order["seed"],
        carsynth.__version__,
        mark.read_text(),
    )
    for name in dict.fromkeys([*formats, FOLDERS]):
        if not (folder / name).exists():
            _WRITERS[name](_pictures(generated), folder / name, provenance)


def _pictures(generated: Path) -> Iterator[LabelledPicture]:
    for path in sorted(generated.glob("shard-*.tar")):
        yield from read_shard(path)
