"""Figures, times and stages as they are written on the page."""

import re
from pathlib import Path
from typing import Any, NamedTuple

NONE = "-"
"""Where there is no figure."""

_STAGE = re.compile(r"(maps|pretrain|photos_scratch|photos)(?:_(\d+))?")
_TITLES = {
    "maps": "Part maps",
    "pretrain": "Pre-training of photos",
    "photos_scratch": "Photos without pre-training",
    "photos": "Photos",
}


class Trained(NamedTuple):
    """A stage that trains a generator, by the name of its folder."""

    kind: str
    """``maps``, ``pretrain``, ``photos_scratch`` or ``photos``."""
    labelled: int | None
    """Labelled pictures that it saw; None for the whole training split."""

    def title(self, pretrained: bool) -> str:
        """For people.

        Args:
            pretrained: whether the pipeline pre-trains its photo models.
        """
        told = _TITLES[self.kind]
        if pretrained and self.kind == "photos":
            told += " with pre-training"
        return told if self.labelled is None else f"{told}, {self.labelled} labelled pictures"


def trained_stage(name: str) -> Trained | None:
    """None where a folder's name is not one of a stage that trains."""
    found = _STAGE.fullmatch(name)
    return found and Trained(found[1], None if found[2] is None else int(found[2]))


def stage_in(path: str) -> str | None:
    """The folder of such a stage that a path of a checkpoint or run goes through."""
    return next((part for part in reversed(Path(path).parts) if trained_stage(part)), None)


def choice(end: str) -> str:
    """Which labelled pictures a folder with this end of its name is about."""
    return f"{end.removeprefix('_')} labelled pictures" if end else "all labelled pictures"


def number(value: float | None) -> str:
    """Four digits; whole numbers whole."""
    if value is None:
        return NONE
    return f"{value:,}" if isinstance(value, int) else _rounded(value, 4)


def _rounded(value: float, digits: int) -> str:
    """Without an exponent where the figure is large."""
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"


def spread(mean: float | None, std: float | None) -> str:
    """``0.95 ± 0.02``."""
    return number(mean) + ("" if std is None or mean is None else f" ± {_rounded(std, 2)}")


def ratio(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def share(value: float | None) -> str:
    return NONE if value is None else f"{value:.1%}"


def duration(seconds: float | None) -> str:
    """The two largest units that matter."""
    if seconds is None:
        return NONE
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def counted(count: int, one: str) -> str:
    """``1 picture``, ``1,000 pictures``."""
    return f"{count:,} {one}" + ("" if count == 1 else "s")


def size(sides: Any) -> str:
    """(height, width) as ``64x96``."""
    return "x".join(map(str, sides)) if isinstance(sides, list | tuple) else NONE
