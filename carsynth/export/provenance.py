"""Where exported pictures came from, as every format carries it along."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

PROVENANCE = "provenance.json"

NOTICE = "synthetic: made by a generator, not photographed"


class Checkpoint(NamedTuple):
    """A model that took part."""

    path: str
    sha256: str
    """Of the file, hexadecimal."""


class Provenance(NamedTuple):
    """Of all pictures of an export; what differs from picture to picture is in their ``info``."""

    models: Mapping[str, Checkpoint]
    """By their part in the work, such as ``maps`` and ``photos``."""
    config: Mapping[str, Any]
    """Resolved, of plain values for JSON."""
    seed: int
    version: str
    """Of carsynth."""
    created: str
    """Date or moment in ISO 8601. The exporter never asks the clock, so that the same pictures
    give the same bytes."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which say that the pictures are synthetic."""
        return {
            "synthetic": True,
            "notice": NOTICE,
            "carsynth": self.version,
            "created": self.created,
            "seed": self.seed,
            "models": {part: model._asdict() for part, model in self.models.items()},
            "config": dict(self.config),
        }

    def save(self, folder: Path) -> None:
        """Writes ``provenance.json``."""
        text = json.dumps(self.as_dict(), indent=2, allow_nan=False)
        (folder / PROVENANCE).write_text(text + "\n", encoding="utf-8")
