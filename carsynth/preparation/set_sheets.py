"""Contact sheets of a prepared set: one a view, the steps of some cars, and cars of odd size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from carsynth.data.files import replace_atomically
from carsynth.labels import VIEWS
from carsynth.preparation.manifest import Sample
from carsynth.preparation.set_files import SetFiles
from carsynth.preparation.tile_sheet import MOST, Tile, tile_sheet

FOLDER = "sheets"
UNKNOWN = "unknown"


def draw_sheets(
    folder: Path,
    files: SetFiles,
    samples: Sequence[Sample],
    steps: Sequence[Tile],
    odd_sizes: Sequence[Tile],
) -> dict[str, Any]:
    """Write the sheets into ``sheets/``; what each one shows, by its file below the folder.

    Each view has one, with or without pictures; cars of unknown view have one where there are any.
    Cars are spread over their view.
    """
    shown: dict[str, Any] = {}
    for view in (*VIEWS, None):
        ours = [sample for sample in samples if sample.view == view]
        if view is None and not ours:
            continue
        some = _spread(ours)
        tiles = [files.tile(sample.files, *_lines(sample)) for sample in some]
        title = f"view {view or UNKNOWN}: {len(ours)} car" + ("" if len(ours) == 1 else "s")
        title += f", {len(some)} shown" if len(some) < len(ours) else ""
        file = f"{FOLDER}/view_{view or UNKNOWN}.png"
        _save(folder / file, title, tiles)
        shown[file] = {"view": view, "samples": [sample.name for sample in some]}
    for name, title, some_tiles in (
        ("steps", "step by step", steps),
        ("odd_sizes", "far from the usual size", odd_sizes),
    ):
        if some_tiles:
            file = f"{FOLDER}/{name}.png"
            _save(folder / file, title, some_tiles)
            shown[file] = {"samples": [tile.lines[0] for tile in some_tiles]}
    return shown


def _spread(samples: Sequence[Sample]) -> list[Sample]:
    if len(samples) <= MOST:
        return list(samples)
    return [samples[number * len(samples) // MOST] for number in range(MOST)]


def _lines(sample: Sample) -> tuple[str, str]:
    body = sample.body or "" if sample.doors is None else f"{sample.doors} doors"
    if sample.body and sample.doors:
        body = f"{sample.body}, {body}"
    facts = [body or "doors unknown", f"weight {sample.weight:.2f}"]
    return sample.name, ", ".join(facts + sample.notes)


def _save(path: Path, title: str, tiles: Sequence[Tile]) -> None:
    sheet = tile_sheet(title, tiles)
    replace_atomically(path, lambda file: sheet.save(file, "png"))
