"""Test photos beside their true parts and what each segmenter takes them for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from carsynth.data.files import replace_atomically
from carsynth.labels import PALETTE
from carsynth.reporting.sheets import sheet

_BANNER = 22
_FONT = 13


class Example(NamedTuple):
    """One test picture."""

    photo: NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    part_map: NDArray[np.uint8]
    """True ids of ``labels.PARTS``, (H, W), as all maps."""
    predicted: Mapping[str, NDArray[np.uint8]]
    """By column title, the same ones in every example."""


def example_sheet(examples: Sequence[Example], path: Path) -> None:
    """Writes a PNG, an example a row: photo, true parts, predicted parts."""
    titles = ["photo", "true parts", *examples[0].predicted]
    tiles = [
        tile
        for one in examples
        for tile in (one.photo, *(PALETTE[m] for m in (one.part_map, *one.predicted.values())))
    ]
    grid = sheet(tiles, len(titles))
    picture = Image.new("RGB", (grid.width, grid.height + _BANNER), "white")
    picture.paste(grid, (0, _BANNER))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=_FONT)
    for column, title in enumerate(titles):
        middle = (column + 0.5) * grid.width / len(titles)
        draw.text((middle, _BANNER / 2), title, fill="black", font=font, anchor="mm")
    replace_atomically(path, lambda file: picture.save(file, format="PNG"))
