"""What the pipeline came to, in a few sentences before everything else."""

import datetime
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import carsynth
from carsynth.report.evaluated import STAGES, first_figure, nearest_floor, read_evaluation
from carsynth.report.marks import span
from carsynth.report.markup import Html, bullets, facts, joined
from carsynth.report.reading import Lacking, mapping_in, read_config, read_json
from carsynth.report.usefulness import STUDY
from carsynth.report.wording import counted, duration, ratio, size, spread


def heading(root: Path) -> tuple[str, Html]:
    """Name of the run, and when it ran, from which seed, on what."""
    config = read_config(root)
    data = mapping_in(config, "data")
    began, ended, seconds = span(root) or (None, None, None)
    told = [("Seed", str(config.get("seed", ""))), ("Data", data_name(data))]
    told += [("Height x width", size(data["size"]))] if "size" in data else []
    if began is not None and ended is not None:
        told = [("Ran", _period(began, ended)), *told]
    if seconds is not None:
        told.append(("All stages together", duration(seconds)))
    return str(config.get("name") or root.resolve().name), facts(
        [*told, ("carsynth", carsynth.__version__)]
    )


def data_name(data: dict[str, Any]) -> str:
    """Class of the data source and its folder."""
    source = str(mapping_in(data, "source").get("_target_", "")).rpartition(".")[2]
    return " in ".join(str(part) for part in (source, data.get("root")) if part)


def overview(root: Path) -> Html:
    """A line for each result that is there; what is not is said where it would stand."""
    parts: list[Callable[[], Iterator[str]]] = [partial(_scores, root, s) for s in STAGES]
    parts += [partial(_generated, root), partial(_usefulness, root)]
    lines: list[str] = []
    for part in parts:
        try:
            lines += part()
        except (Lacking, KeyError, IndexError, TypeError, ValueError, AttributeError):
            continue
    return bullets(lines) or joined(["No result is there yet."])


def _scores(root: Path, stage: str) -> Iterator[str]:
    for one in read_evaluation(root, stage).sets:
        name, figure = first_figure(one.told)
        line = f"{one.title}: {name} {spread(figure['value'], figure['spread'])}"
        if (floor := nearest_floor(figure)) is not None:
            line += f"; real pictures against real ones {spread(floor['mean'], floor['std'])}"
        yield f"{line} ({figure['better']} is better)."


def _generated(root: Path) -> Iterator[str]:
    found = read_json(root, "generated/generated.json")
    away = sum(found["rejected"].values())
    yield (
        f"{counted(found['pictures'], 'labelled picture')} made; "
        f"{counted(away, 'drawing')} of part maps thrown away on the way."
    )


def _usefulness(root: Path) -> Iterator[str]:
    rows = read_json(root, f"{STUDY}/usefulness.json")["rows"]
    counts = [row["real_count"] for row in rows]
    for count, mix, said in (
        (max(counts), "synthetic", "synthetic pictures alone"),
        (min(counts), "real+synthetic", "real and synthetic pictures"),
    ):
        row = next(row for row in rows if (row["real_count"], row["mix"]) == (count, mix))
        yield (
            f"A part segmenter trained on {said} reaches {ratio(row['distinct']['over_real'])} "
            f"times the mIoU of one trained on {count} real pictures alone."
        )


def _period(began: datetime.datetime, ended: datetime.datetime) -> str:
    """In UTC; the day once where it is one."""
    last = "%H:%M UTC" if began.date() == ended.date() else "%Y-%m-%d %H:%M UTC"
    return f"{began:%Y-%m-%d %H:%M} to {ended.strftime(last)}"
