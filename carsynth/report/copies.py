"""Whether generated pictures repeat training pictures."""

import csv
from functools import partial
from pathlib import Path
from typing import Any

from carsynth.report.evaluated import STAGES, read_evaluation
from carsynth.report.markup import Html, element, joined, paragraph
from carsynth.report.pictures import Pictures
from carsynth.report.reading import Lacking, all_shown, shown
from carsynth.report.tables import Figures, table
from carsynth.report.wording import share

_WORST = 8
"""Pairs that are listed."""
_COLUMNS = (
    "Pictures",
    Figures("Suspicious"),
    Figures("Of real ones"),
    Figures("Authenticity"),
    Figures("Of real ones"),
    "Real ones are",
)
_PAIR = ("Generated", "Training", "Mirrored", Figures("Of the threshold"))


def copies(root: Path, pictures: Pictures) -> Html:
    """Figures of both stages, and the pairs that look most like copies."""
    told = (
        "A generated picture is suspicious when it lies much nearer to one training picture than "
        "to the next ones, by features or by pixels; how near real pictures come by chance sets "
        "the threshold. Authenticity is the share of generated pictures that are farther from "
        "their nearest training picture than that one is from the nearest other."
    )
    pairs = [partial(_pairs, root, stage, pictures) for stage in STAGES]
    return paragraph(told) + all_shown([partial(_figures, root), *pairs])


def _figures(root: Path) -> Html:
    rows = []
    for stage in STAGES:
        try:
            sets = read_evaluation(root, stage).sets
        except Lacking:
            continue
        for one in sets:
            if (found := one.told["memorisation"]) is not None:
                shares = ("suspicious", "suspicious_of_real", "authenticity")
                cells = [share(found[key]) for key in (*shares, "authenticity_of_real")]
                rows.append([one.title, *cells, found["real_are"]])
    if not rows:
        raise Lacking("no evaluation looked for copies.")
    return table("Likeness to training pictures", _COLUMNS, rows)


def _pairs(root: Path, stage: str, pictures: Pictures) -> Html:
    """Of each set of generated pictures."""
    sets = read_evaluation(root, stage).sets
    parts = []
    for one in sets:
        if one.told["memorisation"] is None:
            continue
        end = "" if len(sets) == 1 else f"_{one.place}"
        sheet = partial(
            pictures.photo,
            f"scores/{stage}/copies{end}.png",
            f"copies_{stage}{end}",
            f"{one.title}: generated pictures beside the training pictures nearest to them",
            f"{one.title}: the most suspicious generated pictures (left) and their nearest "
            "training pictures (right).",
        )
        listed = partial(_listed, root, f"scores/{stage}/copies{end}.csv", one.title)
        parts.append(element("div", shown(sheet), shown(listed), class_="row"))
    return joined(parts)


def _listed(root: Path, name: str, title: str) -> Html:
    try:
        with (root / name).open(newline="", encoding="utf-8") as file:
            lines: list[dict[str, Any]] = list(csv.DictReader(file))
    except OSError as error:
        raise Lacking(f"{name} cannot be read: {error.strerror}.") from error
    rows = [
        [one["generated"], one["training"], _yes(one["mirrored"]), f"{float(one['closeness']):.2f}"]
        for one in lines[:_WORST]
    ]
    below = sum(float(one["closeness"]) < 1.0 for one in lines)
    caption = f"{title}: the worst pairs; {below} of {len(lines)} lie below the threshold"
    return table(caption, _PAIR, rows)


def _yes(told: str) -> str:
    return "yes" if told == "True" else "no"
