"""Pictures of scores and loss terms; no global state of matplotlib's, so that any process may."""

import io
import os
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from carsynth.reporting.history import Curve, Row, last_per_epoch, mean_per_epoch, names
from carsynth.reporting.table import Comparison, Group

_DPI = 120
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6a3d9a", "#8c564b")
"""Told apart by colour-blind people too (Okabe and Ito), but for the last two."""
_STYLES = ("-", "--", ":", "-.")
GREY = "#666666"
_STEEP = 20
"""Highest over lowest score from which an axis is logarithmic."""
_WRAP = 44  # letters of a label on one line
_MANY = 14
"""Groups from which on a legend would hide the curves."""


def training_figure(rows: Sequence[Row], monitor: str, floor: float | None) -> Figure:
    """The pair that shows how a training went: loss terms, and the score with its best epoch.

    Args:
        rows: the run's history.
        monitor: log name of the score, lower is better.
        floor: what real photos score against real photos; None leaves the line out.
    """
    figure = new_figure(11.0, 4.2)
    losses, scores = figure.subplots(1, 2)
    colours = cycle(COLOURS)
    for name in names(rows, "train/"):
        curve, term = mean_per_epoch(rows, name), name.removeprefix("train/")
        style = "-" if term.startswith("d") else "--"
        losses.plot(*curve, style, color=next(colours), label=term, marker=_marker(curve))
    _dress(losses, "loss terms, mean of each epoch (D solid, G dashed)", "loss")
    curve = last_per_epoch(rows, monitor)
    scores.plot(*curve, color=COLOURS[0], marker=_marker(curve), label=monitor)
    if floor is not None:
        scores.axhline(floor, color=GREY, linestyle="--", label=f"floor {floor:.4g}")
    if (best := curve.lowest) is not None:
        epoch, score = curve.epochs[best], curve.values[best]
        label = f"best: {score:.4g} at epoch {epoch}"
        scores.plot([epoch], [score], "*", color=COLOURS[1], markersize=15, label=label)
    _dress(scores, "score, lower is better", monitor)
    _scale(scores, [*curve.values, *([] if floor is None else [floor])])
    return figure


def comparison_figure(comparison: Comparison) -> Figure:
    """For each metric, the best scores beside the floor and the score of each epoch.

    Runs that differ by seed alone share a line and a colour, with mean and standard deviation
    where there are two or more. Runs without a score are named below.
    """
    scored = {
        monitor: [group for group in groups if group.scores]
        for monitor, groups in comparison.groups.items()
        if monitor is not None and any(group.scores for group in groups)
    }
    lines = {m: sum(_label(g).count("\n") + 1 for g in groups) for m, groups in scored.items()}
    heights = [max(3.4, 0.24 * count + 1.2) for count in lines.values()]
    figure = new_figure(11.0 + _WRAP * 0.06, sum(heights, 0.3 if scored else 1.0))
    if scored:
        grid = figure.subplots(len(scored), 2, squeeze=False, height_ratios=heights)
        for (left, right), (monitor, groups) in zip(grid, scored.items(), strict=True):
            _draw_scores(left, monitor, groups)
            _draw_curves(right, monitor, groups)
    silent = [
        f"{run.name} ({run.status})"
        for groups in comparison.groups.values()
        for group in groups
        for run in group.runs
        if run.best_score is None
    ]
    if silent:
        shown = ", ".join(silent[:6]) + (f" and {len(silent) - 6} more" if len(silent) > 6 else "")
        figure.supxlabel(f"without a score: {shown}", fontsize=9, color=GREY)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DPI)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(drawn.getvalue())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _draw_scores(axes: Axes, monitor: str, groups: list[Group]) -> None:
    floors: list[float] = []
    scores: list[float] = []
    for place, (group, colour) in enumerate(_coloured(groups)):
        shown = [run.best_score for run in group.runs if run.best_score is not None]
        axes.plot(shown, [place] * len(shown), "o", color=colour, alpha=0.7)
        scores += shown
        if group.mean is not None and group.std is not None:
            axes.errorbar(
                group.mean, place, xerr=group.std, fmt="D", color=colour, capsize=4, markersize=8
            )
        for floor in {run.floor for run in group.runs if run.floor is not None}:
            axes.plot([floor] * 2, [place - 0.4, place + 0.4], color=GREY, linewidth=2)
            floors.append(floor)
    if floors:
        axes.plot([], [], color=GREY, linewidth=2, label="floor")
    axes.plot([], [], "o", color=GREY, label="a run")
    if any(group.std is not None for group in groups):
        axes.errorbar([], [], xerr=[], fmt="D", color=GREY, capsize=4, label="mean ± std of seeds")
    axes.set_yticks(range(len(groups)), [_label(group) for group in groups])
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.set_title("best score, lower is better")
    axes.set_xlabel(monitor)
    axes.grid(axis="x", alpha=0.3)
    axes.legend(fontsize=8, frameon=True)
    _scale(axes, [*floors, *scores], "x")


def _draw_curves(axes: Axes, monitor: str, groups: list[Group]) -> None:
    shown: list[float] = []
    for group, colour in _coloured(groups):
        for number, run in enumerate(run for run in group.runs if run.curve.epochs):
            style = _STYLES[number % len(_STYLES)]
            named = not number and len(groups) <= _MANY
            label = fill(group.label, _WRAP) if named else None
            axes.plot(*run.curve, style, color=colour, marker=_marker(run.curve), label=label)
            shown += run.curve.values
    floors = {run.floor for group in groups for run in group.runs if run.floor is not None}
    for number, floor in enumerate(sorted(floors)):
        label = None if number else "floor"
        axes.axhline(floor, color=GREY, linestyle="--", linewidth=1, label=label)
    _dress(axes, "score of each epoch", monitor)
    _scale(axes, [*shown, *floors])


def _label(group: Group) -> str:
    if group.std is not None:
        figures = f"{group.mean:.4g} ± {group.std:.2g} (n={len(group.scores)})"
    else:
        figures = f"{group.runs[0].name}: {group.scores[0]:.4g}"
    return f"{fill(group.label, _WRAP)}\n{figures}"


def _coloured(groups: list[Group]) -> Iterator[tuple[Group, Any]]:
    """Colours of their own where there are enough, else from dark for the best to light."""
    if len(groups) <= len(COLOURS):
        return zip(groups, COLOURS, strict=False)
    shades = colormaps["viridis"]
    return ((group, shades(place / len(groups))) for place, group in enumerate(groups))


def new_figure(width: float, height: float) -> Figure:
    """Inches; with a canvas of its own."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _dress(axes: Axes, title: str, ylabel: str) -> None:
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.set_ylabel(ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=8)


def _scale(axes: Axes, values: list[float], axis: str = "y") -> None:
    """Logarithmic where the values need it and allow it."""
    if values and min(values) > 0 and max(values) / min(values) > _STEEP:
        getattr(axes, f"set_{axis}scale")("log")


def _marker(curve: Curve) -> Any:
    """Few points are seen better as such."""
    return "o" if len(curve.epochs) <= 12 else None
