"""When each stage ran, by the marks that stages leave."""

import datetime
from pathlib import Path
from typing import NamedTuple

from carsynth.report.reading import Lacking, read_json


class Mark(NamedTuple):
    """Of one stage."""

    name: str
    """Of its folder below the root."""
    folder: Path
    ended: datetime.datetime
    """In UTC, by the time of the file."""
    seconds: float | None
    """None where the stage is not finished."""


def marks(root: Path) -> list[Mark]:
    """Of all stages, in the order in which they ended; earlier results that were moved aside and
    damaged marks are left out."""
    found = []
    for path in [*root.glob("*/stage.json"), *root.glob("*/*/stage.json")]:
        if "_before_" in path.parent.name:
            continue
        try:
            told = read_json(root, path.relative_to(root).as_posix())
        except Lacking:
            continue
        ended = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
        seconds = told.get("seconds") if told.get("finished") else None
        name = path.parent.relative_to(root).as_posix()
        found.append(Mark(name, path.parent, ended, seconds))
    return sorted(found, key=lambda mark: mark.ended)


def span(root: Path) -> tuple[datetime.datetime, datetime.datetime, float] | None:
    """Begin of the first stage, end of the last, and the seconds of all; None without stages."""
    done = [(mark, mark.seconds) for mark in marks(root) if mark.seconds is not None]
    if not done:
        return None
    began = min(mark.ended - datetime.timedelta(seconds=taken) for mark, taken in done)
    return began, max(mark.ended for mark, _ in done), sum(taken for _, taken in done)
