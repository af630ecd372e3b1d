"""The lower body: one skin from sill to shoulder around the car, closed by hood and deck."""

import math
from dataclasses import dataclass
from functools import cached_property

from carsynth.data.toycars import chart
from carsynth.data.toycars.mesh import MeshBuilder, Point
from carsynth.data.toycars.shape import Shape, corner

_ACROSS = (0.0, 0.2, 0.4, 0.56, 0.7, 0.8, 0.88, 0.94)
"""Half widths, as shares, of the columns that go round a nose or a tail."""

_ARCH_STEPS = 12
_ROUNDING = 0.09
"""Radius of the edge between side and hood."""


@dataclass(frozen=True)
class Column:
    """One upright line of the skin."""

    d: float
    y: float
    bottom: float
    arch: bool


@dataclass(frozen=True)
class Shell:
    """Places on the lower body's skin, for its mesh and for who paints on it."""

    shape: Shape

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """From the middle of the nose along the left side to the middle of the tail."""
        shape = self.shape
        nose = [corner(y, *shape.nose_outline) * shape.nose for y in _ACROSS]
        tail = [
            shape.length - corner(y, *shape.tail_outline) * shape.style.tail
            for y in reversed(_ACROSS)
        ]
        columns: list[Column] = []
        places = [*nose, *self._side(nose[-1], tail[0]), *tail]
        for d in places:
            if not any(abs(d - axle) < shape.arch_radius + 0.02 for axle in shape.axles):
                y = shape.outline(d) if 1e-9 < d < shape.length - 1e-9 else 0.0
                columns.append(Column(d, y, shape.sill, arch=False))
        for axle in shape.axles:
            columns += self._arch(axle)
        return tuple(sorted(columns, key=lambda column: column.d))

    def _side(self, start: float, end: float) -> list[float]:
        steps = 18
        places = [start + (end - start) * k / steps for k in range(1, steps)]
        if self.shape.bed:
            first, last = self.shape.bed
            places += [first - 0.01, first + 0.01, last - 0.01, last + 0.01]
        return places

    def _arch(self, axle: float) -> list[Column]:
        shape = self.shape
        radius, centre = shape.arch_radius, shape.wheel_radius
        columns = [
            Column(axle + side * (radius + 0.006), shape.half_width, shape.sill, arch=True)
            for side in (-1, 1)
        ]
        for step in range(_ARCH_STEPS + 1):
            angle = math.pi * step / _ARCH_STEPS
            d = axle - radius * math.cos(angle)
            columns.append(
                Column(d, shape.outline(d), centre + radius * math.sin(angle), arch=True)
            )
        return columns

    @cached_property
    def along(self) -> tuple[float, ...]:
        """Distance of every column from the nose's middle, measured along the outline."""
        total, places = 0.0, [0.0]
        for before, after in zip(self.columns, self.columns[1:], strict=False):
            total += math.sqrt((after.d - before.d) ** 2 + (after.y - before.y) ** 2)
            places.append(total)
        return tuple(places)

    def u(self, d: float) -> float:
        """Chart place of the point of the outline at ``d``."""
        for index in range(len(self.columns) - 1):
            a, b = self.columns[index], self.columns[index + 1]
            if d <= b.d:
                share = (d - a.d) / (b.d - a.d)
                return self.along[index] + share * (self.along[index + 1] - self.along[index])
        return self.along[-1]

    def levels(self, column: Column) -> list[float]:
        """Heights of a column's points, from its lower edge to the shoulder."""
        top = self.shape.shoulder(column.d)
        span = top - _ROUNDING - column.bottom
        shares = [column.bottom + span * t for t in (0.0, 0.06, 0.28, 0.52, 0.76, 1.0)]
        return [*shares, top - 0.5 * _ROUNDING, top - 0.14 * _ROUNDING, top]

    def point(self, index: int, level: int) -> Point:
        """Where a column's point stands, with barrel shape, insets and rounded edges."""
        shape, column = self.shape, self.columns[index]
        z = self.levels(column)[level]
        top = shape.shoulder(column.d)
        nose = max(0.0, 1.0 - column.d / shape.nose)
        tail = max(0.0, 1.0 - (shape.length - column.d) / shape.style.tail)
        d = column.d + shape.nose_inset(z) * nose - shape.tail_inset(z) * tail
        y = column.y * shape.barrel(z, top)
        inset = 0.0
        below = top - z
        if below < _ROUNDING:
            rise = 1.0 - below / _ROUNDING
            inset = _ROUNDING * (1.0 - math.sqrt(max(0.0, 1.0 - rise * rise)))
        if level == 0:
            inset = -0.016 if column.arch else 0.035
        elif level == 1 and column.arch:
            inset = -0.014
        along, across = self._inward(index)
        return shape.x(d + inset * along), max(0.0, y + inset * across), z

    def _inward(self, index: int) -> tuple[float, float]:
        """Unit vector (d, y) into the car, seen from above."""
        if index in (0, len(self.columns) - 1):
            return (1.0, 0.0) if index == 0 else (-1.0, 0.0)
        before, after = self.columns[index - 1], self.columns[index + 1]
        d, y = after.d - before.d, after.y - before.y
        size = math.sqrt(d * d + y * y)
        return y / size, -d / size

    def lid(self, index: int) -> list[Point]:
        """The line from a column's top to the car's middle, over hood, deck or a pickup's bed."""
        x, y, z = self.point(index, -1)
        d = self.columns[index].d
        if self.shape.bed and self.shape.bed[0] < d < self.shape.bed[1]:
            floor = self.shape.sill + 0.32
            return [(x, y * f, h) for f, h in ((0.95, z), (0.94, floor), (0.5, floor), (0, floor))]
        crown = (0.055 if d < self.shape.length / 2 else 0.03) * y / self.shape.half_width
        return [(x, y * f, z + crown * (1 - f * f)) for f in (0.84, 0.6, 0.3, 0.0)]


def add_shell(builder: MeshBuilder, shell: Shell) -> None:
    """Adds skin, lid and wheel wells of the left half."""
    count = len(shell.columns)
    levels = range(len(shell.levels(shell.columns[0])))
    skin = [[shell.point(index, level) for index in range(count)] for level in levels]
    sill = shell.shape.sill
    group = builder.smooth_group()
    builder.grid(
        skin,
        [[(shell.along[i], line[i][2]) for i in range(count)] for line in skin],
        [[min(1.0, 0.5 + (p[2] - sill) * 0.9) for p in line] for line in skin],
        group,
    )
    lids = [[skin[-1][i], *shell.lid(i)] for i in range(count)]
    lid = [[lids[i][row] for i in range(count)] for row in range(len(lids[0]))]
    builder.grid(
        lid,
        [
            [(chart.LID_LEFT + shell.columns[i].d, chart.LID + line[i][1]) for i in range(count)]
            for line in lid
        ],
        [[1.0 if p[2] > sill + 0.4 else 0.45 for p in line] for line in lid],
        group,
    )
    for axle in shell.shape.axles:
        _add_well(builder, shell, skin[0], axle)


def _add_well(builder: MeshBuilder, shell: Shell, edge: list[Point], axle: float) -> None:
    """The dark room behind a wheel arch."""
    shape = shell.shape
    rim = [
        point
        for point, column in zip(edge, shell.columns, strict=True)
        if column.arch and abs(column.d - axle) < shape.arch_radius + 0.01
    ]
    inner = [(x, 0.3, z) for x, _, z in rim]
    floor = [(x, 0.3, shape.sill - 0.02) for x, _, _ in rim]
    builder.patch([inner, rim], chart.WELL, 0.25)
    builder.patch([floor, inner], chart.WELL, 0.2)
