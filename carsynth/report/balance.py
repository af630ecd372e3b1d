"""How views, doors and classes are spread: in the training pictures and in the generated ones."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carsynth.report.markup import Html, joined
from carsynth.report.pictures import Pictures
from carsynth.report.reading import read_json
from carsynth.report.shards import infos
from carsynth.report.tables import Figures, table
from carsynth.report.wording import choice, number, share
from carsynth.reporting.plots import COLOURS, GREY, new_figure

_UNKNOWN = "unknown"
_BAR = 0.4


class Kind(NamedTuple):
    """Pictures by one thing that they show."""

    name: str
    before: dict[str, int]
    """Of training pictures, by value."""
    after: dict[str, int]
    """Of generated pictures; the same values in the same order."""


def balance(root: Path, end: str, pictures: Pictures) -> Html:
    """A chart and a table of one generated set beside the training pictures behind it.

    Raises:
        Lacking: one of the two is not there.
    """
    kinds = _kinds(root, end)
    columns = ["Kind", "Value", Figures("Training"), Figures("Share"), Figures("Generated")]
    rows = []
    for kind in kinds:
        for value in kind.before:
            of_before, of_after = _part(kind.before, value), _part(kind.after, value)
            cells = [number(kind.before[value]), share(of_before)]
            rows.append([kind.name, value, *cells, number(kind.after[value]), share(of_after)])
    said = choice(end)
    chart = pictures.plot(
        balance_figure(kinds),
        f"balance{end}",
        f"Bars of the shares of {', '.join(kind.name for kind in kinds)} before and after",
        f"Balance before (training pictures) and after (generated pictures), {said}.",
    )
    caption = f"Balance before and after, {said}"
    return joined([chart, table(caption, [*columns, Figures("Share")], rows)])


def balance_figure(kinds: list[Kind]) -> Figure:
    """A panel a kind; a pair of bars a value with its counts."""
    tallest = max(len(kind.before) for kind in kinds)
    figure = new_figure(11.0, 1.6 + 0.42 * max(3, tallest))
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        _draw(axes, kind)
    panels[0].legend(*panels[0].get_legend_handles_labels(), fontsize=8)
    return figure


def _draw(axes: Axes, kind: Kind) -> None:
    values = list(kind.before)
    sides = (("training pictures", GREY, kind.before), ("generated", COLOURS[0], kind.after))
    largest = 0.0
    for number_, (label, colour, counts) in enumerate(sides):
        places = [place + (number_ - 0.5) * _BAR for place in range(len(values))]
        shares = [100.0 * _part(counts, value) for value in values]
        axes.barh(places, shares, _BAR, color=colour, label=label)
        for place, part, value in zip(places, shares, values, strict=True):
            axes.annotate(f" {counts[value]:,}", (part, place), va="center", fontsize=8)
        largest = max(largest, *shares)
    axes.set_xlim(0.0, max(largest, 1.0) * 1.2)
    axes.set_yticks(range(len(values)), values)
    axes.invert_yaxis()
    axes.set_title(kind.name)
    axes.set_xlabel("share of the pictures, %")
    axes.grid(axis="x", alpha=0.3)


def _kinds(root: Path, end: str) -> list[Kind]:
    told = read_json(root, "data/counts.json")
    before = told[end.removeprefix("_") or "all"]
    kinds = [name for name, counts in before.items() if isinstance(counts, dict)]
    seen: dict[str, Counter[str]] = {name: Counter() for name in kinds}
    for info in infos(root / f"generated{end}"):
        for name in kinds:
            value = info.get(name)
            seen[name][_UNKNOWN if value is None else str(value)] += 1
    found = []
    for name in kinds:
        values = dict.fromkeys([*before[name], *sorted(seen[name])])
        kept = [
            value
            for value in values
            if value != _UNKNOWN or before[name].get(value, 0) or seen[name][value]
        ]
        was = {value: int(before[name].get(value, 0)) for value in kept}
        found.append(Kind(name, was, {value: seen[name][value] for value in kept}))
    return found


def _part(counts: dict[str, int], value: str) -> float:
    return counts[value] / max(1, sum(counts.values()))
