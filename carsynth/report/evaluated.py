"""What ``carsynth.evaluate`` found of the two stages, as far as several sections need it."""

from pathlib import Path
from typing import Any, NamedTuple

from carsynth.report.reading import is_pretrained, read_json
from carsynth.report.wording import Trained, stage_in, trained_stage

STAGES = ("maps", "photos")


class Scored(NamedTuple):
    """One set of generated pictures."""

    title: str
    place: int
    """In the file, from 1."""
    told: dict[str, Any]
    """What ``metrics.json`` says of it."""


class Evaluation(NamedTuple):
    """Of one stage."""

    told: dict[str, Any]
    """The whole of ``metrics.json``."""
    sets: list[Scored]
    """Without pre-training first."""


def read_evaluation(root: Path, stage: str) -> Evaluation:
    """Of the pictures that ``maps`` or ``photos`` generate.

    Raises:
        Lacking: there is none.
    """
    told = read_json(root, f"scores/{stage}/metrics.json")
    pretrained = is_pretrained(root)
    sets = []
    for place, one in enumerate(told["evaluated"], 1):
        known = trained_stage(stage_in(str(one["name"])) or "")
        title = str(one["name"]) if known is None else known.title(pretrained)
        sets.append(Scored(title, place, one))
    alone = Trained("photos_scratch", None).title(pretrained)
    return Evaluation(told, sorted(sets, key=lambda one: one.title != alone))


def first_figure(one: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and record of the figure that stands first, a distance."""
    name: str = next(iter(one["figures"]))
    return name, one["figures"][name]


def nearest_floor(figure: dict[str, Any]) -> dict[str, Any] | None:
    """The floor to hold a figure against: that of its own size where there is one."""
    found: dict[str, Any] | None = figure["floor_at_size"] or figure["floor"]
    return found
