"""Scores of both stages on test pictures, each beside its floor."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from carsynth.report.evaluated import (
    STAGES,
    Evaluation,
    first_figure,
    nearest_floor,
    read_evaluation,
)
from carsynth.report.markup import Html, breakable, bullets, element, joined, paragraph
from carsynth.report.pictures import Pictures
from carsynth.report.reading import all_shown
from carsynth.report.tables import Figures, table, two_lines
from carsynth.report.wording import NONE, counted, number, ratio, size, spread

_HEADINGS = {"maps": "Part maps (stage I)", "photos": "Photos (stage II)"}
_GROUPS = 24
"""Classes and views that are shown."""


def scores(root: Path, pictures: Pictures) -> Html:
    """Tables and the plot of each stage."""
    told = (
        "A figure says something only beside its floor: what real pictures reach against other "
        "real ones, mean and standard deviation of ten draws. It is taken with as many pictures as "
        "the score where there are enough, else with the halves of the test pictures."
    )
    parts = [element("h3", _HEADINGS[s]) + _stage(root, s, pictures) for s in STAGES]
    return joined([paragraph(told), *parts])


def _stage(root: Path, stage: str, pictures: Pictures) -> Html:
    plot = partial(
        pictures.plot,
        f"scores/{stage}/metrics.png",
        f"scores_{stage}",
        f"{_HEADINGS[stage]}: figures over their floor, features, distances and epochs",
        "Figures over their floor, features of real and generated pictures, nearness to training "
        "pictures, and the course of the logged figures.",
    )
    return all_shown([lambda: _tables(read_evaluation(root, stage)), plot])


def _tables(found: Evaluation) -> Html:
    parts = [lambda: _setting(found), lambda: _pretraining(found), lambda: _figures(found)]
    return all_shown([*parts, lambda: _groups(found), lambda: _warnings(found)])


def _setting(found: Evaluation) -> Html:
    one = found.sets[0].told
    used = found.told["extractor"]
    lines = [
        f"{counted(one['num_fake'], 'generated picture')} ({_sizes(one, 'fake')}) against "
        f"{counted(one['num_real'], 'real picture')} ({_sizes(one, 'real')}) of the "
        f"{found.told['real']}.",
        f"Features: {used['name']}, {used['num_features']} of them; resize: {used['resize']}.",
    ]
    return paragraph(" ".join(lines))


def _pretraining(found: Evaluation) -> Html:
    """The distance alone, of the models with and without pre-training; nothing for one model."""
    if len(found.sets) < 2:
        return Html()
    name, first = first_figure(found.sets[0].told)
    rows = []
    for one in found.sets:
        figure = one.told["figures"][name]
        rows.append([one.title, spread(figure["value"], figure["spread"]), ratio(figure["ratio"])])
    if (floor := nearest_floor(first)) is not None:
        title = f"Floor: real photos against real photos, {floor['n_per_half']} a side"
        rows.append([title, spread(floor["mean"], floor["std"]), NONE])
    columns = ["Model", Figures("Value"), Figures("Over floor")]
    return table(f"What pre-training changes: {name}, {first['better']} is better", columns, rows)


def _figures(found: Evaluation) -> Html:
    better = {n: f["better"] for one in found.sets for n, f in one.told["figures"].items()}
    rows = []
    for name, way in better.items():
        cells = [_cell(one.told["figures"].get(name)) for one in found.sets]
        rows.append([two_lines(breakable(name), f"{way} is better"), *cells])
    columns = ["Figure", *(Figures(one.title) for one in found.sets)]
    return table("All figures: value ± spread, with floor and ratio below", columns, rows)


def _cell(figure: dict[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "not measured"
    said = ""
    if (floor := nearest_floor(figure)) is not None:
        said = f"floor {spread(floor['mean'], floor['std'])} ({floor['n_per_half']} a side)"
        if figure["ratio"] is not None:
            said += f", ratio {ratio(figure['ratio'])}"
    return two_lines(spread(figure["value"], figure["spread"]), said)


def _groups(found: Evaluation) -> Html:
    """The first figure of each class and view."""
    sizes: dict[str, tuple[int, int]] = {}
    for one in found.sets:
        for name, group in one.told["groups"].items():
            sizes.setdefault(name, (group["num_real"], group["num_fake"]))
    if not sizes:
        return Html()
    kept = sorted(sorted(sizes, key=lambda name: -sizes[name][0])[:_GROUPS])
    rows = []
    for name in kept:
        groups = [one.told["groups"].get(name) for one in found.sets]
        cells = [NONE if group is None else _cell(first_figure(group)[1]) for group in groups]
        rows.append([name, *map(number, sizes[name]), *cells])
    figure, told = first_figure(found.sets[0].told)
    columns = ["Group", Figures("Real"), Figures("Generated")]
    columns += [Figures(one.title) for one in found.sets]
    caption = f"{figure} by class and view, {told['better']} is better"
    if more := len(sizes) - len(kept):
        caption += f"; {more} smaller ones are in metrics.json"
    return table(caption, columns, rows)


def _warnings(found: Evaluation) -> Html:
    """Each with the sets that it is about."""
    about: dict[str, list[str]] = {}
    for one in found.sets:
        for line in _doubts(one.told):
            about.setdefault(line, []).append(one.title)
    lines = [f"{' and '.join(titles)}: {line}." for line, titles in about.items()]
    return element("div", bullets(lines), class_="warnings") if lines else Html()


def _doubts(one: dict[str, Any]) -> Iterator[str]:
    yield from map(str, one["notes"])
    for name, figure in one["figures"].items():
        if figure["why"] is not None:
            yield f"{name} is not measured: {figure['why']}"
    few = [
        f"{name} ({figure['enough']:,})"
        for name, figure in one["figures"].items()
        if figure["why"] is None and figure["enough"] is not None
    ]
    if few:
        count = min(one["num_real"], one["num_fake"])
        yield (
            f"{count} pictures a side are few, and these figures say little (about so many would "
            f"do): {', '.join(few)}"
        )
    for name, why in one["skipped"].items():
        yield f"{name} was left out: {why}"


def _sizes(one: dict[str, Any], side: str) -> str:
    return ", ".join(size(sides) for sides in one["sizes"][side])
