"""An evaluation to look at: figures over their floors, distances, where pictures lie, epochs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle, zip_longest
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from carsynth.evaluation.assessment import Assessment
from carsynth.evaluation.report import short_names
from carsynth.reporting.history import Row, last_per_epoch, names, read_history
from carsynth.reporting.plots import COLOURS, GREY, new_figure

_MOST = 6
"""Sets of pictures that can be told apart."""
_STEEP = 5.0
"""Ratio from which their axis is logarithmic."""
_DOTS = 1500
"""Pictures of a set that are drawn as dots."""


def evaluation_figure(assessments: Sequence[Assessment]) -> Figure:
    """Three panels for the first sets of pictures, and one for every figure their runs logged."""
    beyond, assessments = len(assessments) - _MOST, assessments[:_MOST]
    runs: dict[str, list[Row]] = {}
    read: set[Path] = set()
    for assessment, name, _ in _coloured(assessments):
        if (run := assessment.material.run) is not None and run.absolute() not in read:
            read.add(run.absolute())
            runs[name] = read_history(run / "metrics.csv")
    logged = [name for name in _logged(runs) if _changes(runs, name)]
    lines = 1 + math.ceil(len(logged) / 3)
    figure = new_figure(16.0, 1.0 + 4.2 * lines)
    panels = figure.subplots(lines, 3, squeeze=False).ravel().tolist()
    if beyond > 0:
        figure.suptitle(f"the first {_MOST} sets of pictures; {beyond} more are in metrics.json")
    _ratios(panels[0], assessments)
    _components(panels[1], assessments)
    _distances(panels[2], assessments)
    for axes, name in zip_longest(panels[3:], logged):
        if name is None:
            axes.remove()
        else:
            _epochs(axes, name, runs)
    return figure


def _logged(runs: Mapping[str, Sequence[Row]]) -> dict[str, None]:
    return dict.fromkeys(name for rows in runs.values() for name in names(rows, "val/"))


def _changes(runs: Mapping[str, Sequence[Row]], name: str) -> bool:
    values = [value for rows in runs.values() for value in last_per_epoch(rows, name).values]
    return len(values) == 1 or len(set(values)) > 1


def _ratios(axes: Axes, assessments: Sequence[Assessment]) -> None:
    """Every figure that has a floor, as a multiple of it."""
    names_of = dict.fromkeys(
        (s.name, s.better) for a in assessments for s in a.scores if s.ratio is not None
    )
    height = 0.8 / max(1, len(assessments))
    for number, (assessment, name, colour) in enumerate(_coloured(assessments)):
        ratios = {s.name: s.ratio for s in assessment.scores if s.ratio is not None}
        places = [p + number * height for p, (key, _) in enumerate(names_of) if key in ratios]
        values = [ratios[key] for key, _ in names_of if key in ratios]
        axes.barh(places, values, height, color=colour, label=name)
        for place, value in zip(places, values, strict=True):
            axes.annotate(f" {value:.2f}", (value, place), va="center", fontsize=8)
    axes.axvline(1.0, color=GREY, linestyle="--", label="real photos")
    middle = height * (len(assessments) - 1) / 2
    shown = [f"{name}\n({better} is better)" for name, better in names_of]
    axes.set_yticks([place + middle for place in range(len(names_of))], shown, fontsize=8)
    axes.invert_yaxis()
    if max([1.0, *(s.ratio or 0.0 for a in assessments for s in a.scores)]) > _STEEP:
        axes.set_xscale("log")
    _dress(axes, "figures over their floor", "", "multiples of what real photos reach")


def _components(axes: Axes, assessments: Sequence[Assessment]) -> None:
    """Real and generated pictures on the first two principal components of the real ones."""
    real = assessments[0].material.real.features.double()
    mean = real.mean(0)
    _, _, axes_of_real = torch.linalg.svd(_thinned(real) - mean, full_matrices=False)
    plane = axes_of_real[:2].T

    def dots(features: Tensor) -> tuple[list[float], list[float]]:
        places = (_thinned(features.double()) - mean) @ plane
        return places[:, 0].tolist(), places[:, -1].tolist()

    axes.scatter(*dots(real), s=12, color=GREY, alpha=0.6, label="real")
    for assessment, name, colour in _coloured(assessments):
        fake = assessment.material.fake
        axes.scatter(*dots(fake.features), s=12, color=colour, alpha=0.6, label=name)
    _dress(axes, "features, by the real ones' principal components", "second", "first")


def _distances(axes: Axes, assessments: Sequence[Assessment]) -> None:
    """How near pictures come to a training photo, held-out real ones and generated ones."""
    first = assessments[0].memorisation
    if first is None:
        axes.set_axis_off()
        return
    whose = "held-out photos" if first.held_out else "training photos, each left out"
    sets = [(whose, GREY, first.real.looks.ratio)]
    for assessment, name, colour in _coloured(assessments):
        if (own := assessment.memorisation) is None:
            continue
        sets.append((name, colour, own.fake.looks.ratio))
    for name, colour, ratios in sets:
        axes.hist(
            ratios.tolist(), bins=40, range=(0.0, 1.2), density=True, histtype="step",
            linewidth=2, color=colour, label=name,
        )  # fmt: skip
    axes.axvline(first.look_threshold, color="black", linestyle=":", label="nearer is suspicious")
    title = "pixels: nearest training photo against the next ten"
    _dress(axes, title, "density", "distance over that of the next ten")


def _epochs(axes: Axes, name: str, runs: Mapping[str, Sequence[Row]]) -> None:
    for (run, rows), colour in zip(runs.items(), cycle(COLOURS)):
        curve = last_per_epoch(rows, name)
        axes.plot(*curve, color=colour, marker="o" if len(curve.epochs) < 12 else None, label=run)
        floor = last_per_epoch(rows, name.replace("val/", "floor/"))
        if floor.values:
            axes.axhline(floor.values[-1], color=colour, linestyle="--", linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _dress(axes, f"{name}, dashed: its floor", "", "epoch")


def _coloured(assessments: Sequence[Assessment]) -> Iterator[tuple[Assessment, str, str]]:
    return zip(assessments, short_names(assessments), cycle(COLOURS), strict=False)


def _thinned(features: Tensor) -> Tensor:
    return features[:: max(1, len(features) // _DOTS)]


def _dress(axes: Axes, title: str, ylabel: str, xlabel: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
