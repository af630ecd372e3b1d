"""Wheels and mirrors."""

import math

from carsynth.data.toycars import chart
from carsynth.data.toycars.mesh import MeshBuilder, Point
from carsynth.data.toycars.shape import Shape

RIM_EDGE = 0.70
"""Radius of the rim as a share of the wheel's."""

_SEGMENTS = 24
_TYRE_WIDTH = 0.22

_PROFILE = (
    (0.00, -0.21),
    (0.60, -0.21),
    (0.96, -0.215),
    (1.00, -0.19),
    (1.00, -0.03),
    (0.955, -0.006),
    (0.84, 0.0),
    (RIM_EDGE, -0.006),
    (0.66, -0.03),
    (0.30, -0.045),
    (0.15, -0.025),
    (0.00, -0.022),
)
"""A wheel's section: share of the radius, metres outwards from its outer face."""


def add_wheels(builder: MeshBuilder, shape: Shape) -> None:
    """Adds the two left wheels, standing on the ground."""
    radius = shape.wheel_radius
    face = shape.half_width * 0.99 - (0.0 if shape.style.sill > 0.25 else 0.012)
    for axle in shape.axles:
        centre = shape.x(axle)
        rows: list[list[Point]] = []
        places: list[list[tuple[float, float]]] = []
        for share, out in _PROFILE:
            row: list[Point] = []
            line: list[tuple[float, float]] = []
            for step in range(_SEGMENTS + 1):
                angle = -2.0 * math.pi * (step % _SEGMENTS) / _SEGMENTS
                across, up = math.cos(angle), math.sin(angle)
                size = radius * share
                row.append((centre + size * across, face + out, radius + size * up))
                painted = 0.9 * radius if out < -0.1 else min(size, 0.97 * radius)
                line.append((chart.WHEEL[0] + painted * across, chart.WHEEL[1] + painted * up))
            rows.append(row)
            places.append(line)
        light = [[0.3 if out < -0.1 else 0.85] * (_SEGMENTS + 1) for _, out in _PROFILE]
        builder.grid(rows, places, light, builder.smooth_group())


def add_mirrors(builder: MeshBuilder, shape: Shape) -> None:
    """Adds the left mirror: a rounded housing on a foot, its glass to the rear."""
    d = shape.door_lines[0] + 0.14
    z = shape.shoulder(d) + 0.11
    y = shape.half_width * 0.955 + 0.07
    scale = 1.2 if shape.bed else 1.0
    deep, wide, high = 0.075 * scale, 0.115 * scale, 0.078 * scale
    sections = ((-1.0, 0.05), (-0.85, 0.55), (-0.45, 0.88), (0.2, 1.0), (1.0, 0.92))
    rows: list[list[Point]] = []
    for along, size in reversed(sections):
        ring: list[Point] = []
        for step in range(13):
            angle = 2.0 * math.pi * (step % 12) / 12
            across, up = math.cos(angle), math.sin(angle)
            ring.append(
                (
                    shape.x(d + along * deep),
                    y + size * wide * across * (1.08 - 0.08 * up),
                    z + size * high * up,
                )
            )
        rows.append(ring)
    builder.patch(rows, chart.MIRROR, 0.95)
    back = rows[0]
    middle: Point = (back[0][0], y, z)
    builder.patch([[middle] * 13, back], chart.MIRROR_GLASS, 0.9)
    foot_y = shape.half_width * 0.955 - 0.09
    section = ((0.03, -0.07), (0.03, -0.045), (-0.03, -0.045), (-0.03, -0.07), (0.03, -0.07))
    builder.patch(
        [
            [(shape.x(d) + a, foot_y, z - 0.04 + b) for a, b in section],
            [(shape.x(d) + a, y, z + 0.02 + b) for a, b in section],
        ],
        chart.MIRROR,
        0.7,
    )
