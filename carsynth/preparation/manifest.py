"""The manifest of a prepared set: where every file came from and what was done."""

import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from carsynth import __version__
from carsynth.data.files import sha256_of
from carsynth.preparation.weighting import Group

MANIFEST = "manifest.json"


@dataclass
class Sample:
    """One car of the set."""

    name: str
    files: dict[str, str]
    """By kind (photo, mask, map, moved), below the set's folder."""
    source: dict[str, Any]
    """``files``, each with its SHA-256, or what the car was drawn from."""
    steps: list[dict[str, Any]]
    """In their order, with parameters and what came of them."""
    view: str | None
    view_from: str | None
    doors: int | None
    doors_from: str | None
    body: str | None
    """Where known."""
    size: float
    """In the frame, before rescaling."""
    notes: list[str] = field(default_factory=list)
    weight: float = 1.0
    """Of sampling; 1 in the mean."""

    def group(self) -> Group:
        """View, and body, for which doors stand in where it is unknown."""
        doors = None if self.doors is None else f"{self.doors} doors"
        return (self.view, self.body or doors)


@dataclass
class LeftOut:
    """A car that the set has not."""

    name: str
    reason: str
    source: dict[str, Any]


def source_of(files: tuple[Path, ...], drawn: dict[str, Any]) -> dict[str, Any]:
    """What a sample came from: its files with their SHA-256, or what it was drawn from."""
    listed = [{"file": path.as_posix(), "sha256": sha256(path)} for path in files if path.is_file()]
    return {"files": listed, **drawn}


def sha256(path: Path) -> str:
    """Of a file's content, hexadecimal; worked out once for as long as the file stays as it is."""
    state = path.stat()
    return _digest(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _digest(path: Path, modified: int, size: int) -> str:
    return sha256_of(path)


def as_json(
    settings: dict[str, Any],
    samples: list[Sample],
    left_out: list[LeftOut],
    sheets: dict[str, Any],
    views_without_pictures: list[str],
) -> str:
    """The manifest as text; the same for the same inputs."""
    content = {
        "carsynth": __version__,
        "settings": _rounded(settings),
        "views_without_pictures": views_without_pictures,
        "samples": [_rounded(asdict(sample)) for sample in samples],
        "left_out": [asdict(one) for one in left_out],
        "sheets": sheets,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value
