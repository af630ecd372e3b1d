"""The labelled pictures that were made: how many, what was thrown away, balance, examples."""

import math
from functools import partial
from pathlib import Path
from typing import Any

from carsynth.labels import PALETTE
from carsynth.report.balance import balance
from carsynth.report.markup import Html, element, joined, paragraph
from carsynth.report.pictures import Pictures
from carsynth.report.reading import Lacking, all_shown, read_json, shown, suffixes
from carsynth.report.shards import examples
from carsynth.report.tables import Figures, table
from carsynth.report.wording import choice, counted, number, share, size
from carsynth.reporting.sheets import sheet

_SHOWN = 12
_SHOWN_OF_FEW = 4
"""Examples of a set whose generators saw few labels."""


def generated(root: Path, pictures: Pictures) -> Html:
    """Each set by itself, the one from all labelled pictures first."""
    ends = suffixes(root, "generated")
    if not ends:
        raise Lacking("no generated set is there.")
    parts: list[str] = [
        paragraph(
            "These pictures are synthetic: made by a generator, not photographed. Part maps are "
            "drawn, checked against rules learnt from real maps, and painted; a drawing that "
            "breaks a rule, shows another kind than was asked for, or is painted as a copy of a "
            "training photo is thrown away."
        )
    ]
    for end in ends:
        parts.append(element("h3", f"From {choice(end)}"))
        parts.append(
            all_shown(
                [
                    partial(_made, root, end),
                    partial(balance, root, end, pictures),
                    partial(_examples, root, end, pictures),
                ]
            )
        )
    return joined(parts)


def _made(root: Path, end: str) -> Html:
    found = read_json(root, f"generated{end}/generated.json")
    maps = math.ceil(found["pictures"] / found["photos_per_map"])
    drawings = maps + sum(found["rejected"].values())
    said = (
        f"{counted(found['pictures'], 'picture')} at {size(found['size'])} from "
        f"{counted(maps, 'part map')}, seed {found['seed']}; {_asked(found['balance'])}."
    )
    rows = [["kept", number(maps), share(maps / max(1, drawings))]]
    rows += [
        [str(reason), number(count), share(count / max(1, drawings))]
        for reason, count in found["rejected"].items()
    ]
    columns = ["What became of it", Figures("Drawings"), Figures("Share")]
    caption = f"{drawings:,} drawings of part maps, {choice(end)}"
    return paragraph(said) + table(caption, columns, rows)


def _asked(wanted: dict[str, Any]) -> str:
    if not wanted:
        return "no balance was asked for"
    kinds = []
    for kind, shares in wanted.items():
        if isinstance(shares, dict):
            shares = ", ".join(f"{value}: {part:g}" for value, part in shares.items())
        kinds.append(f"{kind} {shares}")
    return "asked for " + "; ".join(kinds)


def _examples(root: Path, end: str, pictures: Pictures) -> Html:
    found = examples(root / f"generated{end}", _SHOWN_OF_FEW if end else _SHOWN)
    figures = []
    for one in found:
        kinds = [f"{kind} {one.info[kind]}" for kind in ("view", "doors", "class")
                 if one.info.get(kind) is not None]  # fmt: skip
        told = ", ".join(kinds) or "kind unknown"
        pair = sheet([PALETTE[one.part_map], one.photo], 2)
        name = f"generated{end}_{one.name}"
        alt = f"Synthetic: part map and photo, {told}"
        figures.append(shown(partial(pictures.photo, pair, name, alt, f"{told}.")))
    lead = "Part maps (left) and the photos painted from them; the first of each shard, not chosen."
    return paragraph(lead) + element("div", *figures, class_="tiles")
