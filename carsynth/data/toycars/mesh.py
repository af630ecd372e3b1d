"""Triangle meshes with smooth normals, put together from grids and their mirror images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]
"""Metres in the car's frame: x forward, y to the car's left, z up from the ground."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Mesh(NamedTuple):
    """A car as triangles; everything is per vertex unless it says otherwise."""

    points: Floats
    """Metres, (V, 3)."""
    normals: Floats
    """Outward unit vectors, (V, 3)."""
    chart: Floats
    """Place in the atlas of the car's surfaces, metres, (V, 2)."""
    openness: Floats
    """Share of the sky's light that arrives, 0 in a wheel well to 1 on the roof, (V,)."""
    faces: Ints
    """Vertex indices, counter-clockwise seen from outside, (F, 3)."""
    right: NDArray[np.bool_]
    """Whether the triangle lies on the car's right, where parts take their twin's name, (F,)."""


class MeshBuilder:
    """Collects the left half of a car; :meth:`build` adds the right half."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._chart: list[tuple[float, float]] = []
        self._openness: list[float] = []
        self._group: list[int] = []
        self._faces: list[tuple[int, int, int]] = []
        self._groups = 0

    def smooth_group(self) -> int:
        """A new group: normals are averaged over triangles that touch within one group."""
        self._groups += 1
        return self._groups

    def grid(
        self,
        rows: Sequence[Sequence[Point]],
        chart: Sequence[Sequence[tuple[float, float]]],
        openness: Sequence[Sequence[float]],
        group: int,
    ) -> None:
        """Adds a quilt of triangles; the outside is where (column step) x (row step) points."""
        first = len(self._points)
        columns = len(rows[0])
        for line, places, open_ in zip(rows, chart, openness, strict=True):
            self._points += line
            self._chart += places
            self._openness += open_
            self._group += [group] * columns
        for row in range(len(rows) - 1):
            for column in range(columns - 1):
                a = first + row * columns + column
                b, c, d = a + 1, a + 1 + columns, a + columns
                self._faces += [(a, b, c), (a, c, d)]

    def patch(
        self, rows: Sequence[Sequence[Point]], place: tuple[float, float], openness: float
    ) -> None:
        """Adds a grid of one material, ``place`` in the atlas, with its own smooth normals."""
        self.grid(
            rows,
            [[place] * len(line) for line in rows],
            [[openness] * len(line) for line in rows],
            self.smooth_group(),
        )

    def build(self) -> Mesh:
        """Both halves as one mesh; coordinates are rounded so that every machine's are the same."""
        left = np.round(np.array(self._points, dtype=np.float64), 5)
        count = len(left)
        points = np.concatenate([left, left * np.array([1.0, -1.0, 1.0])])
        half = np.array(self._faces, dtype=np.int64)
        faces = np.concatenate([half, half[:, ::-1] + count])
        groups = np.tile(np.array(self._group, dtype=np.int64), 2)
        normals = _smooth_normals(points, faces, groups)
        solid = _areas(points, faces) > 1e-9
        return Mesh(
            points=points,
            normals=normals,
            chart=np.tile(np.round(np.array(self._chart, dtype=np.float64), 5), (2, 1)),
            openness=np.tile(np.round(np.array(self._openness, dtype=np.float64), 5), 2),
            faces=faces[solid],
            right=(np.arange(len(faces)) >= len(half))[solid],
        )


def _face_normals(points: Floats, faces: Ints) -> Floats:
    corner, first, second = (points[faces[:, i]] for i in range(3))
    a, b = first - corner, second - corner
    return np.stack(
        [
            a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1],
            a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
            a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
        ],
        axis=1,
    )


def _length(vectors: Floats) -> Floats:
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    length: Floats = np.sqrt(x * x + y * y + z * z)
    return length


def _areas(points: Floats, faces: Ints) -> Floats:
    return _length(_face_normals(points, faces))


def _smooth_normals(points: Floats, faces: Ints, groups: Ints) -> Floats:
    """Area-weighted vertex normals, joined where points of one group coincide, (V, 3)."""
    keys = np.concatenate([np.rint(points * 1e4), groups[:, None]], axis=1).astype(np.int64)
    _, joined = np.unique(keys, axis=0, return_inverse=True)
    joined = joined.reshape(-1)
    total = np.zeros((int(joined.max()) + 1, 3))
    normals = _face_normals(points, faces)
    for corner in range(3):
        np.add.at(total, joined[faces[:, corner]], normals)
    length = _length(total)
    flat = length < 1e-12
    total[flat] = (0.0, 0.0, 1.0)
    length[flat] = 1.0
    return np.round((total / length[:, None])[joined], 6)
