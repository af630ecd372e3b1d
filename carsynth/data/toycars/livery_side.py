"""Paints a car's sides: doors, windows, sills, and the small patches of one material."""

import math
from collections.abc import Callable
from itertools import pairwise

from carsynth.data.toycars import chart
from carsynth.data.toycars.atlas import Canvas, Place, box, disc, rounded
from carsynth.data.toycars.cabin import Cabin
from carsynth.data.toycars.finishes import Finish
from carsynth.data.toycars.shell import Shell

Upright = Callable[[float], float]
"""Chart place of a line on the cabin's side at each level t."""

_NAMES = ("front_left_door", "back_left_door")


def paint_sides(canvas: Canvas, shell: Shell, cabin: Cabin) -> None:
    """Paints doors and glass; front and rear must be painted already."""
    shape = shell.shape
    _trim(canvas, shell)
    lines = shape.door_lines
    for name, start, end in zip(_NAMES, lines, lines[1:], strict=False):
        _door(canvas, shell, name, start, end)
    _side_windows(canvas, cabin)
    _windshield(canvas, cabin)
    _rear_window(canvas, cabin)
    for middle, finish, part in (
        (chart.WELL, Finish.DARK, "body"),
        (chart.MIRROR, Finish.ACCENT, "left_mirror"),
        (chart.MIRROR_GLASS, Finish.GLASS, "left_mirror"),
        (chart.RAIL, Finish.PLASTIC, "body"),
    ):
        u, v = middle
        reach = chart.PATCH
        canvas.fill(box(u - reach, v - reach, u + reach, v + reach), finish, part)


def _trim(canvas: Canvas, shell: Shell) -> None:
    shape = shell.shape
    rugged = shape.make.two_tone or shape.sill > 0.25
    front, rear = (shell.u(axle) for axle in shape.axles)
    canvas.fill(box(front, 0.0, rear, shape.sill + 0.05), Finish.PLASTIC)
    if rugged:
        canvas.fill(box(front, 0.0, rear, shape.sill + 0.11), Finish.PLASTIC)
        for u in (front, rear):
            canvas.fill(disc(u, shape.wheel_radius, shape.arch_radius + 0.06), Finish.PLASTIC)


def _door(canvas: Canvas, shell: Shell, name: str, start: float, end: float) -> None:
    """The metal below the window; the rear wheel's arch bites into a door that reaches it."""
    shape = shell.shape
    bottom = shape.sill + 0.075
    left, right = shell.u(start), shell.u(end)
    outline = [(left, chart.CABIN), (left, bottom + 0.05), (left + 0.04, bottom)]
    reach = shape.arch_radius + 0.07
    if end > shape.axles[1] - reach:
        inside = reach * reach - (shape.axles[1] - end) ** 2
        top = shape.wheel_radius + math.sqrt(max(0.0, inside))
        arch = shell.u(shape.axles[1] - reach)
        outline += [
            (arch - 0.01, bottom),
            (arch, shape.wheel_radius + 0.1),
            ((arch + right) / 2 - 0.03, (top + shape.wheel_radius) / 2 + 0.1),
            (right, top + 0.05),
        ]
    else:
        outline += [(right - 0.04, bottom), (right, bottom + 0.05)]
    outline.append((right, chart.CABIN))
    canvas.fill(outline, Finish.PAINT, name)
    if shape.make.two_tone or shape.sill > 0.25:
        canvas.fill(box(left + 0.02, bottom, right - 0.02, bottom + 0.07), Finish.PLASTIC)
    canvas.stroke(outline, 0.022, Finish.SHUT_LINE)
    v = min(shape.shoulder(start), shape.shoulder(end)) - 0.15
    canvas.fill(rounded(box(right - 0.27, v - 0.028, right - 0.07, v + 0.03), 1), Finish.SHUT_LINE)
    grip = Finish.CHROME if shape.make.grille in ("bars", "kidneys", "shield") else Finish.PAINT
    canvas.fill(rounded(box(right - 0.27, v, right - 0.07, v + 0.026), 1), grip)


def _side_windows(canvas: Canvas, cabin: Cabin) -> None:
    """The doors' upper halves, then the glass in them and behind them."""
    shape = cabin.shape
    start, last = cabin.front_span, cabin.front_span + cabin.side_span
    limit = last - (0.16 if shape.style.rear == "trunk" else 0.13)

    def upright(d: float) -> Upright:
        """A line that stands upright on the car, kept out of the pillars at the corners."""
        return lambda t: min(max(cabin.u_side(d, t), start + 0.045), limit)

    rise = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.95)
    uprights: list[Upright] = [lambda _: start + 0.045, *map(upright, shape.door_lines[1:])]
    for name, front, rear in zip(_NAMES, uprights, uprights[1:], strict=False):
        outline = [(front(t), cabin.v(t)) for t in rise]
        outline += [(rear(t), cabin.v(t)) for t in reversed(rise)]
        canvas.fill(outline, Finish.PAINT, name)
        canvas.stroke(outline, 0.02, Finish.SHUT_LINE)
    if limit - uprights[-1](0.0) > 0.2:
        uprights.append(lambda _: limit)
    _paint_panes(canvas, cabin, uprights)


def _paint_panes(canvas: Canvas, cabin: Cabin, uprights: list[Upright]) -> None:
    """Glass between uprights, which stand in a black band; the first is the windshield's pillar."""
    rise = (0.13, 0.3, 0.45, 0.6, 0.75, 0.885)

    def line(upright: Upright, aside: float) -> list[Place]:
        return [(upright(t) + aside, cabin.v(t)) for t in rise]

    first, last = line(uprights[0], 0.02), line(uprights[-1], -0.008)
    grown = [*first, *reversed(last)]
    low, high = cabin.v(rise[0]) - 0.02, cabin.v(rise[-1]) + 0.02
    sill, head = (
        [(first[0][0], low), (last[0][0], low)],
        [(last[-1][0], high), (first[-1][0], high)],
    )
    canvas.fill(grown, Finish.RUBBER)
    canvas.fill([first[0], *sill, last[0]], Finish.RUBBER)
    canvas.fill([last[-1], *head, first[-1]], Finish.RUBBER)
    if cabin.shape.make.grille in ("bars", "kidneys", "shield", "slats"):
        canvas.stroke([(u, v - 0.01) for u, v in sill], 0.02, Finish.CHROME)
    for left, right in pairwise(uprights):
        start, end = line(left, 0.04 if left is uprights[0] else 0.028), line(right, -0.028)
        if end[0][0] - start[0][0] > 0.1:
            canvas.fill([*start, *reversed(end)], Finish.GLASS)
            middle = (start[0][0] + end[0][0]) / 2 + 0.08
            canvas.fill(
                _seat(middle, cabin, min(0.15, (end[0][0] - start[0][0]) / 4)), Finish.CABIN
            )


def _seat(u: float, cabin: Cabin, half: float) -> list[Place]:
    low, high = cabin.v(0.15), cabin.v(0.66)
    middle = (low + high) / 2
    back = [(u - half, low), (u - half * 0.8, middle), (u - half * 0.45, high)]
    front = [(u + half * 0.45, high), (u + half * 0.9, middle), (u + half, low)]
    return rounded([*back, *front], 1)


def _windshield(canvas: Canvas, cabin: Cabin) -> None:
    glass = [
        (-0.3, cabin.v(0.07)),
        (cabin.u_front(0.93), cabin.v(0.07)),
        (cabin.u_front(0.91), cabin.v(0.93)),
        (-0.3, cabin.v(0.93)),
    ]
    canvas.fill(box(-0.1, chart.CABIN - 0.03, cabin.u_front(0.97), cabin.v(0.055)), Finish.RUBBER)
    canvas.fill(glass, Finish.RUBBER, "front_glass")
    canvas.fill([(u - 0.02, v + (0.014 if v < cabin.v(0.5) else -0.014)) for u, v in glass],
                Finish.GLASS)  # fmt: skip
    canvas.fill(_seat(0.36, cabin, 0.17), Finish.CABIN)
    canvas.fill(box(-0.1, cabin.v(0.86), 0.09, cabin.v(0.92)), Finish.CABIN)
    wiper = [(0.06, cabin.v(0.085)), (0.56, cabin.v(0.12))]
    canvas.stroke(wiper, 0.016, Finish.RUBBER)


def _rear_window(canvas: Canvas, cabin: Cabin) -> None:
    low = 0.16 if cabin.shape.style.rear == "tailgate" else 0.09
    left, right = cabin.u_rear(0.88), cabin.u_rear(0.0) + 0.3
    glass = [(left, cabin.v(low)), (right, cabin.v(low)), (right, cabin.v(0.88)),
             (left + 0.03, cabin.v(0.88))]  # fmt: skip
    canvas.fill(glass, Finish.RUBBER, "back_glass")
    canvas.fill([(u + 0.02, v + (0.014 if v < cabin.v(0.5) else -0.014)) for u, v in glass],
                Finish.GLASS)  # fmt: skip
    canvas.fill(_seat(cabin.u_rear(0.5), cabin, 0.15), Finish.CABIN)
