"""Synthetic sets, and what their folders tell of how they came about."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carsynth.data.batch import CarSource
from carsynth.data.folders import PairedFolders
from carsynth.errors import UserError

MANIFESTS = ("provenance.json", "manifest.json")
"""Files of a synthetic folder that may tell, under the two keys below and at any depth."""

SAW = "labelled_pictures"
"""A list of the names of all labelled pictures that any stage of the generator saw."""

PRETRAINING = "pretraining"
"""What the stages were trained on before, in words."""


@dataclass(frozen=True)
class SyntheticSet:
    """Labelled pictures that a generator made."""

    source: CarSource
    name: str
    """For people: its folder."""
    saw: frozenset[str] | None = None
    """Names of the labelled pictures that its generator saw, model choice included; None if that is
    not known."""
    pretraining: str | None = None
    """What its generator was trained on before; None if nothing is said."""


def synthetic_folder(
    folder: Path, saw: frozenset[str] | None = None, pretraining: str | None = None
) -> SyntheticSet:
    """The set in ``folder/photos`` and ``folder/masks``, with what its manifest tells.

    Args:
        saw: in place of the manifest's list.
        pretraining: in place of the manifest's words.

    Raises:
        UserError: the folder or its masks are missing, or cannot be used.
    """
    if not folder.is_dir():
        raise UserError(f"synthetic={folder} does not exist: check the path")
    for part in ("photos", "masks"):
        if not (folder / part).is_dir():
            raise UserError(
                f"synthetic={folder} has no folder {part}: it should hold photos/ and masks/ with "
                "files of the same names"
            )
    source = PairedFolders(folder / "photos", folder / "masks", label="car")
    for name in MANIFESTS:
        told = dict(_told(_json(folder / name)))
        if saw is None and SAW in told:
            saw = frozenset(map(str, told[SAW]))
        if pretraining is None and told.get(PRETRAINING):
            pretraining = str(told[PRETRAINING])
    return SyntheticSet(source, str(folder), saw, pretraining)


def _json(path: Path) -> Any:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no readable JSON ({error}): mend or remove it") from error


def _told(content: Any) -> Iterator[tuple[str, Any]]:
    """The known keys anywhere in a manifest."""
    if isinstance(content, dict):
        for key, value in content.items():
            if (key == SAW and isinstance(value, list)) or (
                key == PRETRAINING and isinstance(value, str)
            ):
                yield key, value
            else:
                yield from _told(value)
    elif isinstance(content, list):
        for value in content:
            yield from _told(value)
