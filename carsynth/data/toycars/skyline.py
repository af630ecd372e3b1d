"""Hills, trees and houses at the end of the ground, drawn straight into a picture."""

from random import Random

import numpy as np
from numpy.typing import NDArray

from carsynth.data.toycars.design import between, pick
from carsynth.data.toycars.finishes import Colour

Picture = NDArray[np.uint8]

_WALLS: tuple[Colour, ...] = (
    (178, 160, 138), (156, 96, 76), (196, 190, 178), (124, 130, 138), (206, 184, 146),
    (148, 142, 150),
)  # fmt: skip


def draw_silhouette(
    picture: Picture, foot: int, reach: float, colour: Colour, random: Random, knots: int
) -> None:
    """Fills from the row ``foot`` up to a wavy line at most ``reach`` rows above it.

    Many ``knots`` make a line of trees, few a range of hills.
    """
    height, width = picture.shape[:2]
    foot = min(foot, height)
    low = between(random, 0.35, 0.55)
    ripple = 0.8 * _wave(width, knots, random) + 0.2 * _wave(width, 4 * knots, random)
    tops = (foot - reach * (low + (1.0 - low) * ripple)).astype(np.int64)
    first = max(0, int(tops.min()))
    rows = np.arange(first, foot)[:, None]
    region = picture[first:foot]
    light = np.minimum(rows - tops + 6, 18) * 0.02 + 0.76
    shades = light[:, :, None] * np.array(colour, dtype=np.float64)
    np.copyto(region, shades.astype(np.uint8), where=(rows >= tops)[:, :, None])


def _wave(width: int, knots: int, random: Random) -> NDArray[np.float64]:
    """A smooth random line from 0 to 1, (width,)."""
    heights = np.array([random.random() for _ in range(knots + 2)])
    place = np.arange(width) * (knots / width)
    index = place.astype(np.int64)
    share = place - index
    share = share * share * (3.0 - 2.0 * share)
    wave: NDArray[np.float64] = heights[index] + (heights[index + 1] - heights[index]) * share
    return wave


def draw_houses(picture: Picture, foot: int, random: Random) -> None:
    """A row of houses that stand on the row ``foot``."""
    height, width = picture.shape[:2]
    left = -between(random, 0.0, 0.2) * width
    while left < width:
        wide = between(random, 0.16, 0.42) * width
        wall = np.array(pick(random, _WALLS), dtype=np.int32)
        top = foot - round(between(random, 0.24, 0.62) * height)
        floor = max(4, round(between(random, 0.085, 0.12) * height))
        bay = max(3, round(between(random, 0.05, 0.08) * width))
        start, end = max(0, round(left)), min(width, round(left + wide))
        roof = max(1, height // 64)
        picture[max(0, top) : max(0, foot), start:end] = wall
        picture[max(0, top) : max(0, top + roof), start:end] = wall * 5 // 8
        pane = np.array(pick(random, ((66, 78, 92), (92, 108, 124), (52, 58, 66))), dtype=np.int32)
        for row in range(top + floor // 2, foot - floor // 2, floor):
            if row + floor // 2 > 0:
                for column in range(round(left) + bay // 2, round(left + wide) - bay // 2, bay):
                    window = slice(max(0, column), max(0, column + bay // 2))
                    picture[max(0, row) : max(0, row + floor // 2), window] = pane
        picture[max(0, foot - 1) : max(0, foot), start:end] = wall // 2
        left += wide + max(0.0, between(random, -0.1, 0.08)) * width
