"""Exact snapping: every pixel to the palette's nearest colour, and a picture of those that moved.

Distances are Euclidean in RGB. What a colour snaps to is worked out once, when it is first met,
and kept in a table of all 2^24 colours; from then on a pixel costs a look-up.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_UNMET = 255
_BETWEEN = 128  # bit of the table beside the index
_CHUNK = 1 << 16  # colours worked out at a time

_STAYED = 0.3  # brightness of pixels that did not move
_MOVED = np.array((255, 255, 255), np.uint8)
_DOUBTFUL = np.array((255, 0, 0), np.uint8)


class Snapped(NamedTuple):
    """A picture in indices of a palette."""

    indices: NDArray[np.uint8]
    """Of the palette's colours, (H, W)."""
    moved: NDArray[np.bool_]
    """Where the colour was none of the palette's, (H, W)."""
    between: NDArray[np.bool_]
    """Where it lay between two: the second nearest is less than twice as far as the nearest."""


class Snapper:
    """Snaps pictures to one palette; of colours that are equally near the first is taken.

    Args:
        colours: distinct RGB, (K, 3), 2 to 120 of them.
    """

    def __init__(self, colours: NDArray[np.uint8]) -> None:
        self._colours = colours
        self._codes = _codes(colours)
        self._table = np.full(1 << 24, _UNMET, np.uint8)

    def __call__(self, picture: NDArray[np.uint8]) -> Snapped:
        """Of an RGB picture (H, W, 3)."""
        codes = _codes(picture)
        entries = self._table[codes]
        if (unmet := entries == _UNMET).any():
            self._meet(codes[unmet])
            entries = self._table[codes]
        indices = entries & np.uint8(_BETWEEN - 1)
        return Snapped(indices, self._codes[indices] != codes, entries >= _BETWEEN)

    def _meet(self, codes: NDArray[np.int32]) -> None:
        ours = self._colours.astype(np.float32)
        own = (ours**2).sum(axis=1)
        for start in range(0, len(codes), _CHUNK):
            chunk = codes[start : start + _CHUNK]
            rgb = np.stack([chunk >> 16, chunk >> 8 & 255, chunk & 255]).astype(np.float32)
            # squared distances less the square of the colour itself, which float32 holds exactly
            squares = own[:, None] - 2 * ours @ rgb
            nearest = np.zeros(len(chunk), np.uint8)
            first, second = squares[0], np.full(len(chunk), np.inf, np.float32)
            for index, square in enumerate(squares[1:], 1):
                nearest[square < first] = index
                second = np.minimum(second, np.maximum(first, square))
                first = np.minimum(first, square)
            # second < 4 x first of the distances themselves
            between = second < 4 * first + 3 * (rgb**2).sum(axis=0)
            self._table[chunk] = nearest | np.uint8(_BETWEEN) * between


def picture_of_moved(snapped: Snapped, colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The snapped picture, dimmed, RGB (H, W, 3): moved pixels white, those between colours red."""
    picture = (colours[snapped.indices] * _STAYED).astype(np.uint8)
    picture[snapped.moved] = _MOVED
    picture[snapped.between] = _DOUBTFUL
    return picture


def _codes(rgb: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Colours (..., 3) packed into one number each: red x 65536 + green x 256 + blue."""
    red, green, blue = (rgb[..., channel].astype(np.int32) for channel in range(3))
    codes: NDArray[np.int32] = red << 16 | green << 8 | blue
    return codes
