"""A study as a plot: mIoU against the number of real pictures."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from carsynth.reporting.plots import COLOURS, new_figure
from carsynth.usefulness_study.plan import MIXES
from carsynth.usefulness_study.result import StudyResult

_MARKERS = ("o", "s", "D")
_STYLES = ("-", "--", "-")
_APART = 1.03
"""Factor by which marks of the same count lie apart, so that their bars are seen."""


def study_figure(result: StudyResult) -> Figure:
    """A line a mix with mean and standard deviation, a dot a seed; left distinct, right merged."""
    figure = new_figure(11.0, 4.6)
    left, right = figure.subplots(1, 2, sharey=True)
    _draw(left, result, merged=False)
    _draw(right, result, merged=True)
    left.set_ylim(0.0, 1.05 * left.get_ylim()[1])  # of both, once both are drawn
    left.set_title("left and right told apart")
    right.set_title("left and right merged")
    left.set_ylabel("mIoU of parts on real test pictures")
    left.legend(fontsize=9, title="trained on")
    steps, seeds = result.settings["steps"], len(result.settings["seeds"])
    each = f"{steps} steps each, {seeds} seed{'s' if seeds != 1 else ''}"
    figure.suptitle(f"part segmenter from scratch, {each}", fontsize=11)
    return figure


def _draw(axes: Axes, result: StudyResult, merged: bool) -> None:
    for place, mix in enumerate(MIXES):
        rows = [result.row(count, mix) for count in result.counts]
        counts = [row.count * _APART ** (place - 1) for row in rows]
        spreads = [row.miou(merged) for row in rows]
        colour = COLOURS[place]
        axes.errorbar(
            counts,
            [spread.mean for spread in spreads],
            yerr=[spread.std or 0.0 for spread in spreads],
            fmt=_STYLES[place] + _MARKERS[place],
            color=colour,
            capsize=4,
            label=mix.replace("+", " + "),
        )
        for count, row in zip(counts, rows, strict=True):
            seeds = [overlap.mean for overlap in row.overlaps(merged)]
            axes.plot([count] * len(seeds), seeds, ".", color=colour, alpha=0.5)
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(result.counts, list(map(str, result.counts)))
    axes.set_xlabel("labelled real pictures")
    axes.grid(alpha=0.3)
