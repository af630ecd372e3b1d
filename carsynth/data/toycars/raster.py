"""Triangles to pixels: an exact rasteriser with a depth buffer.

Corners come in fixed point and every sum is of integers or of single IEEE operations, so that the
result is the same on every machine. Triangles that share an edge neither overlap nor leave a gap.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carsynth.data.toycars.mesh import Floats, Ints

SUBPIXEL = 16
"""Fixed-point units a pixel side; a pixel's centre is at half of it."""

_FACE_BITS = 13
_DEPTH_SCALE = float(1 << 36)


class Cover(NamedTuple):
    """What is seen: one entry a covered pixel, pixels ascending, (P,)."""

    pixel: Ints
    """Row times width plus column."""
    face: Ints
    """Index of the nearest triangle."""
    values: Floats
    """The vertices' values, interpolated, (A, P)."""


def draw_triangles(
    corners: Ints, inverse_depth: Floats, values: Floats, faces: Ints, size: tuple[int, int]
) -> Cover:
    """The nearest front-facing triangle of every pixel.

    Args:
        corners: vertices in fixed point, x right and y down from the top left, (2, V); all must
            lie inside the picture.
        inverse_depth: one over the distance along the line of sight, 0 to 1, (V,).
        values: what to interpolate, (A, V).
        faces: vertex indices, (F, 3), clockwise on the picture where they face the camera.
        size: (height, width).
    """
    x, y = corners[0][faces], corners[1][faces]
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    low = (y.min(axis=1) + SUBPIXEL // 2 - 1) // SUBPIXEL
    high = (y.max(axis=1) + SUBPIXEL // 2 - 1) // SUBPIXEL
    kept = np.flatnonzero((area < 0) & (high > low))
    faces, x, y, area = faces[kept], x[kept], y[kept], area[kept]
    planes = _planes(np.concatenate([values, inverse_depth[None]]), faces, x, y, area)
    pixels, keys = _fill(x, y, low[kept], high[kept] - low[kept], planes[:, -1], size[1])
    nearest = np.zeros(size[0] * size[1], dtype=np.int64)
    np.maximum.at(nearest, pixels, keys)
    pixel = np.flatnonzero(nearest)
    seen = nearest[pixel] & ((1 << _FACE_BITS) - 1)
    across = (pixel % size[1] * SUBPIXEL + SUBPIXEL // 2).astype(np.float64)
    down = (pixel // size[1] * SUBPIXEL + SUBPIXEL // 2).astype(np.float64)
    slopes_x, slopes_y, origins = planes[:, :-1]
    interpolated = np.stack(
        [
            slopes_x[a][seen] * across + slopes_y[a][seen] * down + origins[a][seen]
            for a in range(len(values))
        ]
    )
    return Cover(pixel, kept[seen], interpolated)


def _planes(values: Floats, faces: Ints, x: Ints, y: Ints, area: Ints) -> Floats:
    """Slope across, slope down and value at the origin of every value on every triangle.

    Returns (3, A, F).
    """
    first, second, third = (values[:, faces[:, i]] for i in range(3))
    second, third = second - first, third - first
    slope_x = (second * (y[:, 2] - y[:, 0]) - third * (y[:, 1] - y[:, 0])) / area
    slope_y = (third * (x[:, 1] - x[:, 0]) - second * (x[:, 2] - x[:, 0])) / area
    return np.stack([slope_x, slope_y, first - slope_x * x[:, 0] - slope_y * y[:, 0]])


def _fill(x: Ints, y: Ints, low: Ints, count: Ints, depth: Floats, width: int) -> tuple[Ints, Ints]:
    """Every pixel of every triangle, and a key that is larger the nearer the triangle is there."""
    order = np.argsort(y, axis=1, kind="stable")
    x, y = np.take_along_axis(x, order, axis=1), np.take_along_axis(y, order, axis=1)
    face = np.repeat(np.arange(len(x)), count)
    row = np.arange(len(face)) + np.repeat(low - (np.cumsum(count) - count), count)
    at = row * SUBPIXEL + SUBPIXEL // 2
    lower = (at >= y[face, 1]).astype(np.int64)
    one = _crossing(x[face, 0], y[face, 0], x[face, 2], y[face, 2], at)
    two = _crossing(x[face, lower], y[face, lower], x[face, lower + 1], y[face, lower + 1], at)
    left, length = np.minimum(one, two), np.abs(one - two)
    slope_x, slope_y, origin = (plane[face] for plane in depth)
    start = slope_x * (left * SUBPIXEL + SUBPIXEL // 2) + slope_y * at + origin
    key = (np.rint(start * _DEPTH_SCALE).astype(np.int64) << _FACE_BITS) + face
    step = np.rint(slope_x * (SUBPIXEL * _DEPTH_SCALE)).astype(np.int64) << _FACE_BITS
    total = int(length.sum())
    offset = np.arange(total) - np.repeat(np.cumsum(length) - length, length)
    pixels = np.repeat(row * width + left, length) + offset
    return pixels, np.repeat(key, length) + offset * np.repeat(step, length)


def _crossing(x0: Ints, y0: Ints, x1: Ints, y1: Ints, at: Ints) -> Ints:
    """The first column whose centre is not left of an edge, on rows at height ``at``."""
    high = y1 - y0
    exact = ((x0 - SUBPIXEL // 2) * high + (x1 - x0) * (at - y0)) / (high * SUBPIXEL)
    columns: NDArray[np.int64] = np.ceil(exact).astype(np.int64)
    return columns
