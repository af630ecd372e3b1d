"""Paints a wheel's outer face: tyre, rim, spokes and hub."""

import math

from carsynth.data.toycars import chart
from carsynth.data.toycars.atlas import Canvas, box, disc
from carsynth.data.toycars.finishes import Finish
from carsynth.data.toycars.fittings import RIM_EDGE
from carsynth.data.toycars.shape import Shape

_SPOKES: dict[str, tuple[int, float, float]] = {
    "five": (5, 0.075, 0.050),
    "six": (6, 0.060, 0.050),
    "seven": (7, 0.042, 0.034),
    "ten": (10, 0.026, 0.026),
    "blade": (4, 0.110, 0.075),
    "disc": (0, 0.0, 0.0),
}
"""Number of spokes, and their half widths at hub and rim over the wheel's radius."""


def paint_wheels(canvas: Canvas, shape: Shape) -> None:
    u, v = chart.WHEEL
    radius = shape.wheel_radius
    rim = RIM_EDGE * radius
    canvas.fill(box(u - 0.45, v - 0.45, u + 0.45, v + 0.45), Finish.TYRE, "wheel")
    canvas.fill(disc(u, v, rim), Finish.RIM)
    count, at_hub, at_rim = _SPOKES[shape.make.rim]
    if count == 0:
        canvas.fill(disc(u, v, rim * 0.92), Finish.RIM_GAP)
        canvas.fill(disc(u, v, rim * 0.82), Finish.RIM)
        for k in range(8):
            angle = 2.0 * math.pi * (k + 0.5) / 8
            place = u + 0.6 * rim * math.cos(angle), v + 0.6 * rim * math.sin(angle)
            canvas.fill(disc(*place, 0.1 * rim), Finish.RIM_GAP)
    else:
        canvas.fill(disc(u, v, rim * 0.90), Finish.RIM_GAP)
        for k in range(count):
            angle = math.pi / 2 + 2.0 * math.pi * k / count
            c, s = math.cos(angle), math.sin(angle)
            spoke = (
                (0.0, at_hub * radius), (0.95 * rim, at_rim * radius),
                (0.95 * rim, -at_rim * radius), (0.0, -at_hub * radius),
            )  # fmt: skip
            canvas.fill([(u + a * c - b * s, v + a * s + b * c) for a, b in spoke], Finish.RIM)
    canvas.fill(disc(u, v, 0.22 * rim), Finish.RIM)
    canvas.fill(disc(u, v, 0.10 * rim), Finish.RIM_GAP)
