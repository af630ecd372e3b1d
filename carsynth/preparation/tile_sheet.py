"""Sheets of pictures side by side with words under them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

MOST = 48
"""Tiles of one sheet."""

_HEIGHT = 128  # pixels of a picture, at most; small ones grow by whole factors towards it
_LINE = 15
_GAP = 8
_MARGIN = 12
_WIDTH = 1400
_HEADING = 34
_INK = (30, 30, 30)
_FAINT = (110, 110, 110)
_FONT = ImageFont.load_default(12)
_LARGE = ImageFont.load_default(18)


class Tile(NamedTuple):
    """Pictures of one car, RGB (H, W, 3) of one height, over some lines of text."""

    pictures: Sequence[NDArray[np.uint8]]
    lines: Sequence[str]


def tile_sheet(title: str, tiles: Sequence[Tile]) -> Image.Image:
    """The first 48 tiles in rows under a title; all have as many pictures, of one size, and lines.

    Args:
        tiles: may be none; the sheet then says so.
    """
    drawn = [_draw(tile) for tile in tiles[:MOST]]
    width, height = drawn[0].size if drawn else (_WIDTH // 4, _LINE)
    columns = max((_WIDTH - 2 * _MARGIN + _GAP) // (width + _GAP), 1)
    columns = min(columns, max(len(drawn), 1))
    rows = max(-(-len(drawn) // columns), 1)
    heading = title + (f", {len(drawn)} shown" if len(tiles) > len(drawn) else "")
    full = columns * (width + _GAP) - _GAP
    full = max(full, int(_LARGE.getlength(heading))) + 2 * _MARGIN
    sheet = Image.new(
        "RGB", (full, _HEADING + rows * (height + _GAP) - _GAP + 2 * _MARGIN), "white"
    )
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN), heading, _INK, _LARGE)
    if not drawn:
        draw.text((_MARGIN, _MARGIN + _HEADING), "no picture", _FAINT, _FONT)
    for number, picture in enumerate(drawn):
        row, column = divmod(number, columns)
        left, top = column * (width + _GAP), row * (height + _GAP)
        sheet.paste(picture, (_MARGIN + left, _MARGIN + _HEADING + top))
    return sheet


def _draw(tile: Tile) -> Image.Image:
    pictures = [_fit(picture) for picture in tile.pictures]
    width = sum(picture.width for picture in pictures) + 2 * (len(pictures) - 1)
    height = pictures[0].height
    cell = Image.new("RGB", (width, height + len(tile.lines) * _LINE), "white")
    left = 0
    for picture in pictures:
        cell.paste(picture, (left, 0))
        left += picture.width + 2
    draw = ImageDraw.Draw(cell)
    for number, line in enumerate(tile.lines):
        colour = _INK if number == 0 else _FAINT
        draw.text((0, height + number * _LINE), _cut(line, width), colour, _FONT)
    return cell


def _fit(picture: NDArray[np.uint8]) -> Image.Image:
    """Shrunk, or grown by a whole factor, to a tile's height."""
    height, width = picture.shape[:2]
    image = Image.fromarray(picture)
    if height > _HEIGHT:
        return image.resize(
            (max(round(width * _HEIGHT / height), 1), _HEIGHT), Image.Resampling.BOX
        )
    factor = _HEIGHT // height
    return image.resize((width * factor, height * factor), Image.Resampling.NEAREST)


def _cut(text: str, width: int) -> str:
    """The text, shortened at its end to fit."""
    shown = text
    while text and _FONT.getlength(shown) > width:
        text = text[:-1]
        shown = f"{text}..."
    return shown
