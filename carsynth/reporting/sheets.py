"""Pictures of pictures: sheets of tiles, and tiles that move."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from carsynth.data.files import replace_atomically

Tile = NDArray[np.uint8]
"""RGB, (H, W, 3)."""

_GAP = 4
_SMALLEST = 128
"""Pixels of width below which tiles are magnified, each pixel by a whole factor."""
_FONT = 14
_PROBED = 1_000_000
"""Pixels, of all frames together, that a palette is chosen for."""


def sheet(tiles: Sequence[Tile], columns: int, row_names: Sequence[str] = ()) -> Image.Image:
    """Tiles of one size in rows, white between them.

    Args:
        tiles: one or more, row by row.
        columns: tiles a row.
        row_names: written left of the rows; none leaves no room for them.
    """
    scale = -(-_SMALLEST // tiles[0].shape[1])
    height, width = (side * scale for side in tiles[0].shape[:2])
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    font = ImageFont.load_default(size=_FONT)
    margin = max((int(font.getlength(name)) + 2 * _GAP for name in row_names), default=0)
    size = (margin + columns * (width + _GAP) - _GAP, rows * (height + _GAP) - _GAP)
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        place = (margin + column * (width + _GAP), row * (height + _GAP))
        picture.paste(Image.fromarray(tile.repeat(scale, 0).repeat(scale, 1)), place)
    for row, name in enumerate(row_names):
        middle = row * (height + _GAP) + height // 2
        draw.text((margin - _GAP, middle), name, fill="black", font=font, anchor="rm")
    return picture


def save_gif(frames: Sequence[Image.Image], path: Path, milliseconds: int) -> None:
    """Writes frames of one size as a GIF that runs for ever and rests on its last frame.

    The palette is of all frames together, so that colours do not flicker.
    """
    step = math.ceil((len(frames) * frames[0].width * frames[0].height / _PROBED) ** 0.5)
    probed = [np.asarray(frame)[::step, ::step].reshape(1, -1, 3) for frame in frames]
    probe = Image.fromarray(np.concatenate(probed, axis=1))
    palette = probe.quantize(256, method=Image.Quantize.MEDIANCUT)
    mapped = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [milliseconds] * (len(frames) - 1) + [max(milliseconds, 1500)]
    replace_atomically(
        path,
        lambda draft: mapped[0].save(
            draft,
            format="GIF",
            save_all=True,
            append_images=mapped[1:],
            duration=durations,
            loop=0,
        ),
    )
