"""Whether the generated pictures help a part segmenter on real ones."""

from functools import partial
from pathlib import Path
from typing import Any

from carsynth.report.markup import Html, bullets, element, joined, paragraph
from carsynth.report.pictures import Pictures
from carsynth.report.reading import all_shown, read_json, shown
from carsynth.report.tables import Figures, table
from carsynth.report.wording import NONE, counted, number, ratio

STUDY = "usefulness/study"
"""Folder of the study below the root."""
_WAYS = {"distinct": "left and right told apart", "merged": "left and right merged"}
_SHORT = {"real": "R", "synthetic": "S", "real+synthetic": "R+S"}


def usefulness(root: Path, pictures: Pictures) -> Html:
    """The protocol, figures with what each row has seen, and pictures."""
    found = read_json(root, f"{STUDY}/usefulness.json")
    plot = partial(
        pictures.plot,
        f"{STUDY}/usefulness.png",
        "usefulness",
        "mIoU on real test pictures against the number of labelled real pictures, a line for real, "
        "synthetic, and real plus synthetic training pictures",
        "mIoU against the number of labelled real pictures.",
    )
    examples = partial(
        pictures.photo,
        f"{STUDY}/examples.png",
        "usefulness_examples",
        "Real test photos beside their true parts and the parts that segmenters predict",
        "Real test photos, their true parts, and what segmenters take them for.",
    )
    tables = [partial(_rows, found), plot, partial(_seen, root, found), partial(_protocol, found)]
    parts = [shown(partial(_parts, found, way)) for way in _WAYS]
    both = element("div", *parts, class_="row")
    return all_shown([partial(_lead, found), *tables, examples]) + both


def _lead(found: dict[str, Any]) -> Html:
    told = found["settings"]
    return paragraph(
        f"A part segmenter is trained from scratch for {told['steps']:,} steps, each row from "
        f"{counted(len(told['seeds']), 'seed')}, and tested on "
        f"{counted(told['test_pictures'], 'real picture')}. mIoU is the mean over the parts of the "
        "car, ± its standard deviation over seeds."
    )


def _rows(found: dict[str, Any]) -> Html:
    columns = [Figures("Real pictures"), "Trained on", Figures("mIoU, distinct")]
    columns += [Figures("Over real"), Figures("mIoU, merged"), Figures("Over real")]
    rows = []
    for row in found["rows"]:
        cells = []
        for way in _WAYS:
            cells += [_miou(row[way]["miou"]), ratio(row[way]["over_real"])]
        rows.append([number(row["real_count"]), row["mix"], *cells, str(len(row["trainings"]))])
    caption = "mIoU on real test pictures; distinct tells left from right, merged does not"
    return table(caption, [*columns, Figures("Seeds")], rows)


def _seen(root: Path, found: dict[str, Any]) -> Html:
    above = f"{root.absolute()}/"
    columns = ["Real pictures", "Trained on", "The segmenter saw", "Its generator saw"]
    rows = [
        [
            number(row["real_count"]),
            row["mix"],
            row["segmenter_saw"].replace(above, ""),
            row["generator_saw"] or "no generator",
            row["generator_pretraining"] or NONE,
        ]
        for row in found["rows"]
    ]
    return table("Which data each row saw", [*columns, "Generator pre-trained on"], rows)


def _protocol(found: dict[str, Any]) -> Html:
    return bullets(f"{line}." for line in found["protocol"])


def _parts(found: dict[str, Any], way: str) -> Html:
    """A line a part, a column a row of the study."""
    rows = found["rows"]
    names = dict.fromkeys(name for row in rows for name in row[way]["parts"])
    columns = [Figures(f"{row['real_count']} {_SHORT.get(row['mix'], row['mix'])}") for row in rows]
    cells = [
        [name.replace("_", " "), *(_part(row[way]["parts"].get(name)) for row in rows)]
        for name in names
    ]
    grid = table(
        f"IoU of each part, {_WAYS[way]}: real (R), synthetic (S) and both (R+S), mean over seeds",
        ["Part", *columns],
        cells,
    )
    said = []
    for key, words in (
        ("absent_parts", "In no test picture and never predicted"),
        ("parts_only_predicted", "In no test picture but predicted by some, where it counts as 0"),
    ):
        if names_of := found[key][way]:
            said.append(paragraph(f"{words}: {', '.join(names_of).replace('_', ' ')}."))
    return element("div", joined([grid, *said]))


def _part(spread_: dict[str, Any] | None) -> str:
    return NONE if spread_ is None else f"{spread_['mean']:.2f}"


def _miou(spread_: dict[str, Any]) -> str:
    std = spread_["std"]
    return f"{spread_['mean']:.4f}" + ("" if std is None else f" ± {std:.4f}")
