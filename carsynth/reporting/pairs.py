"""Generated pictures beside the training pictures that they are suspected to copy."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from carsynth.data.files import replace_atomically
from carsynth.data.photos import resize_photo
from carsynth.reporting.sheets import Tile, sheet

_GAP = 8
_FONT = 14
_LARGEST = 256
"""Pixels of the longer side above which pictures are shrunk."""


class PicturePair(NamedTuple):
    """A generated picture and its nearest training picture, of any sizes."""

    generated: Tile
    training: Tile
    """As it was trained on, also where its mirror image is what matches."""
    mirrored: bool
    closeness: float
    """Distance over the threshold: below 1 the pair is suspicious."""
    generated_name: str
    training_name: str


def pair_sheet(pairs: Sequence[PicturePair], path: Path) -> None:
    """Writes one pair or more as a PNG, a pair a row.

    Left stands the generated picture, right the training picture, brought to the same size and
    turned over where it was its mirror image that matched, then what is known of the pair.
    """
    font = ImageFont.load_default(size=_FONT)
    rows = [sheet(_tiles(pair), 2) for pair in pairs]
    texts = [_text(pair) for pair in pairs]
    drawn = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    lengths = [drawn.multiline_textbbox((0, 0), text, font=font)[2] for text in texts]
    margin = max(row.width for row in rows) + _GAP
    height = sum(row.height + _GAP for row in rows) - _GAP
    picture = Image.new("RGB", (margin + int(max(lengths)) + 2 * _GAP, height), "white")
    draw = ImageDraw.Draw(picture)
    top = 0
    for row, text in zip(rows, texts, strict=True):
        picture.paste(row, (0, top))
        middle = (margin, top + row.height // 2)
        draw.multiline_text(middle, text, fill="black", font=font, anchor="lm")
        top += row.height + _GAP
    replace_atomically(path, lambda draft: picture.save(draft, format="PNG"))


def _tiles(pair: PicturePair) -> list[Tile]:
    height, width = pair.generated.shape[:2]
    shrunk = min(1.0, _LARGEST / max(height, width))
    size = (max(1, round(height * shrunk)), max(1, round(width * shrunk)))
    training = pair.training[:, ::-1] if pair.mirrored else pair.training
    return [resize_photo(np.ascontiguousarray(tile), size) for tile in (pair.generated, training)]


def _text(pair: PicturePair) -> str:
    verdict = "suspicious" if pair.closeness < 1.0 else "not suspicious"
    turned = " (mirrored)" if pair.mirrored else ""
    names = f"{pair.generated_name}\n{pair.training_name}{turned}"
    return f"{names}\n{pair.closeness:.2f} of the threshold\n{verdict}"
