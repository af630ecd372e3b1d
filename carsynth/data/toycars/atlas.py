"""The atlas of a car's surfaces: which part and which finish lies where."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carsynth.data.toycars import chart
from carsynth.data.toycars.finishes import Finish
from carsynth.labels import BODY, PART_ID

TEXELS = 160
"""Texels a metre."""

Place = tuple[float, float]
Polygon = Sequence[Place]


class Atlas(NamedTuple):
    """What :class:`Canvas` was painted with; texels hold an index into the two tables."""

    texels: NDArray[np.uint8]
    """(rows, columns)."""
    parts: NDArray[np.uint8]
    """Part id of every index, (n,)."""
    finishes: NDArray[np.uint8]
    """Finish of every index, (n,)."""


class Canvas:
    """Two layers, part and finish, painted with polygons in metres of :mod:`chart`."""

    def __init__(self) -> None:
        shape = (round(chart.HEIGHT * TEXELS), round(chart.WIDTH * TEXELS))
        self._part = np.full(shape, BODY, dtype=np.uint8)
        self._finish = np.full(shape, Finish.PAINT, dtype=np.uint8)

    def fill(self, polygon: Polygon, finish: Finish, part: str | None = None) -> None:
        """Fills a polygon; without a part it changes the finish of whatever parts lie there."""
        rows, columns = self._part.shape
        points = [(round(u * TEXELS - 0.5, 5), round(v * TEXELS - 0.5, 5)) for u, v in polygon]
        first = max(0, math.ceil(min(v for _, v in points)))
        last = min(rows - 1, math.floor(max(v for _, v in points)))
        for row in range(first, last + 1):
            crossings = []
            for (u0, v0), (u1, v1) in zip(points, [*points[1:], points[0]], strict=True):
                if (v0 <= row) != (v1 <= row):
                    crossings.append(u0 + (row - v0) / (v1 - v0) * (u1 - u0))
            crossings.sort()
            for start, end in zip(crossings[::2], crossings[1::2], strict=True):
                span = slice(max(0, math.ceil(start)), min(columns, max(0, math.ceil(end))))
                self._finish[row, span] = finish
                if part is not None:
                    self._part[row, span] = PART_ID[part]

    def stroke(self, line: Polygon, width: float, finish: Finish) -> None:
        """Draws a line of a width in metres over whatever parts lie there."""
        for (u0, v0), (u1, v1) in pairwise(line):
            du, dv = u1 - u0, v1 - v0
            size = math.sqrt(du * du + dv * dv)
            if size > 0:
                a, b = du / size * width / 2, dv / size * width / 2
                self.fill(
                    [
                        (u0 - a - b, v0 - b + a),
                        (u1 + a - b, v1 + b + a),
                        (u1 + a + b, v1 + b - a),
                        (u0 - a + b, v0 - b - a),
                    ],
                    finish,
                )

    def atlas(self) -> Atlas:
        both = self._part.astype(np.int64) * len(Finish) + self._finish
        kinds = np.flatnonzero(np.bincount(both.reshape(-1)))
        index = np.zeros(int(kinds[-1]) + 1, dtype=np.uint8)
        index[kinds] = np.arange(len(kinds))
        return Atlas(
            texels=index[both],
            parts=(kinds // len(Finish)).astype(np.uint8),
            finishes=(kinds % len(Finish)).astype(np.uint8),
        )


def box(u0: float, v0: float, u1: float, v1: float) -> list[Place]:
    return [(u0, v0), (u1, v0), (u1, v1), (u0, v1)]


def disc(u: float, v: float, radius: float, flat: float = 1.0) -> list[Place]:
    """A circle, or an ellipse ``flat`` times as high as wide."""
    angles = [2.0 * math.pi * k / 20 for k in range(20)]
    return [(u + radius * math.cos(a), v + radius * flat * math.sin(a)) for a in angles]


def rounded(polygon: Polygon, times: int = 2) -> list[Place]:
    """Cuts a polygon's corners, again and again, until they look round."""
    points = list(polygon)
    for _ in range(times):
        cut: list[Place] = []
        for (u0, v0), (u1, v1) in zip(points, [*points[1:], points[0]], strict=True):
            cut.append((0.8 * u0 + 0.2 * u1, 0.8 * v0 + 0.2 * v1))
            cut.append((0.2 * u0 + 0.8 * u1, 0.2 * v0 + 0.8 * v1))
        points = cut
    return points


def shrunk(polygon: Polygon, by: float) -> list[Place]:
    """The polygon moved towards its middle by about ``by`` metres on every side."""
    u_mid = (min(u for u, _ in polygon) + max(u for u, _ in polygon)) / 2
    v_mid = (min(v for _, v in polygon) + max(v for _, v in polygon)) / 2
    wide = max(1e-6, (max(u for u, _ in polygon) - u_mid))
    high = max(1e-6, (max(v for _, v in polygon) - v_mid))
    fu, fv = max(0.0, 1.0 - by / wide), max(0.0, 1.0 - by / high)
    return [(u_mid + (u - u_mid) * fu, v_mid + (v - v_mid) * fv) for u, v in polygon]
