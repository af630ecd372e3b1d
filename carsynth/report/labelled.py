"""The data set: its splits, and what its training pictures look like."""

from functools import partial
from pathlib import Path

from carsynth.report.markup import Html, paragraph
from carsynth.report.overview import data_name
from carsynth.report.pictures import Pictures
from carsynth.report.reading import Lacking, all_shown, mapping_in, read_config, read_json
from carsynth.report.tables import Figures, table
from carsynth.report.wording import choice, number

_SPLITS = ("train", "validation", "test")


def labelled(root: Path, pictures: Pictures) -> Html:
    """Which labelled pictures were seen by whom."""
    return all_shown([partial(_splits, root), partial(_examples, pictures)])


def _splits(root: Path) -> Html:
    paths = [path for path in (root / "data").glob("splits*.json") if _end(path)[1:].isdigit()]
    paths.sort(key=lambda path: -int(_end(path)[1:]))
    whole = root / "data" / "splits.json"
    rows = []
    for path in ([whole] if whole.is_file() else []) + paths:
        splits = read_json(root, f"data/{path.name}")
        rows.append([choice(_end(path)), *(number(len(splits[name])) for name in _SPLITS)])
    if not rows:
        raise Lacking("data/splits.json is not there.")
    source = data_name(mapping_in(read_config(root), "data"))
    told = (
        "Generators and segmenters learn from training pictures and choose their epochs by "
        "validation pictures; all scores below are taken on test pictures, which nothing else sees."
    )
    columns = ["Choice", *map(Figures, ("Training", "Validation", "Test"))]
    lead = f"Photos with part maps from {source}. {told}" if source else told
    return paragraph(lead) + table("Labelled real pictures", columns, rows)


def _examples(pictures: Pictures) -> Html:
    return pictures.photo(
        "data/examples.png",
        "data_examples",
        "Part maps of training pictures above the photos that they belong to",
        "Part maps and photos from the training split, not generated.",
    )


def _end(path: Path) -> str:
    return path.stem.removeprefix("splits")
