"""Paints a car's face: front bumper, grille, headlights, hood."""

from collections.abc import Callable

from carsynth.data.toycars import chart
from carsynth.data.toycars.atlas import Canvas, Polygon, box, disc, rounded, shrunk
from carsynth.data.toycars.cabin import Cabin
from carsynth.data.toycars.finishes import Finish
from carsynth.data.toycars.shell import Shell

_LAMPS: dict[str, Polygon] = {
    "swept": ((0.0, 0.30), (0.12, 0.08), (0.6, 0.12), (1.0, 0.62), (1.0, 0.98), (0.0, 0.78)),
    "twin": ((0.0, 0.05), (0.95, 0.10), (1.0, 0.95), (0.05, 0.95)),
    "round": (
        (0.05, 0.2),
        (0.2, -0.1),
        (0.6, -0.1),
        (0.8, 0.2),
        (0.8, 0.75),
        (0.6, 1.0),
        (0.2, 1.0),
        (0.05, 0.75),
    ),
    "square": ((0.0, -0.15), (0.8, -0.15), (0.85, 1.0), (0.0, 1.0)),
    "strip": ((-0.05, 0.58), (0.9, 0.55), (1.05, 1.0), (-0.05, 0.95)),
    "hammer": ((0.0, 0.0), (0.9, 0.1), (1.0, 1.0), (0.0, 0.95)),
    "almond": ((0.0, 0.35), (0.25, 0.02), (0.75, 0.2), (1.02, 1.0), (0.5, 1.0), (0.1, 0.8)),
    "angular": ((0.0, 0.55), (0.3, 0.0), (0.9, 0.22), (1.02, 1.0), (0.3, 0.85)),
}
"""Outlines of headlights: 0 to 1 outwards and 0 to 1 upwards."""

_BULBS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "swept": ((0.3, 0.42, 0.042), (0.62, 0.55, 0.032)),
    "twin": ((0.27, 0.5, 0.05), (0.7, 0.55, 0.05)),
    "round": ((0.42, 0.45, 0.058),),
    "square": ((0.4, 0.42, 0.058),),
    "strip": ((0.15, 0.77, 0.02), (0.4, 0.78, 0.02), (0.65, 0.8, 0.02)),
    "hammer": ((0.25, 0.3, 0.03), (0.6, 0.35, 0.03)),
    "almond": ((0.36, 0.5, 0.045),),
    "angular": ((0.4, 0.5, 0.04), (0.72, 0.62, 0.03)),
}
"""Light sources: place as in the outlines, radius in metres."""


def paint_front(canvas: Canvas, shell: Shell, cabin: Cabin) -> None:
    """Paints all that belongs to the front; the lower shell's chart must still be bare."""
    _bumper(canvas, shell)
    _hood(canvas, shell, cabin)
    top = shell.shape.shoulder(0.0)
    low = shell.shape.sill
    _GRILLES[shell.shape.make.grille](canvas, low + 0.60 * (top - low), top - 0.05)
    _headlights(canvas, shell)


def _bumper(canvas: Canvas, shell: Shell) -> None:
    shape = shell.shape
    top, low = shape.shoulder(0.0), shape.sill
    high = top - low
    edge = shell.u(shape.axles[0])
    canvas.fill(box(-0.1, 0.0, edge, shape.bumper_top), Finish.PAINT, "front_bumper")
    canvas.fill(box(-0.1, 0.0, shell.u(0.12), top), Finish.PAINT, "front_bumper")
    canvas.stroke(
        [(shell.u(0.2), shape.bumper_top), (edge, shape.bumper_top)], 0.02, Finish.SHUT_LINE
    )
    if shape.make.two_tone or shape.style.sill > 0.25:
        canvas.fill(box(-0.1, 0.0, edge, low + 0.20 * high), Finish.PLASTIC)
    width = shape.half_width
    intake = [
        (-0.5, low + 0.09 * high),
        (0.5 * width, low + 0.09 * high),
        (0.6 * width, low + 0.31 * high),
        (-0.5, low + 0.31 * high),
    ]
    canvas.fill(intake, Finish.MESH)
    canvas.stroke(
        [(-0.1, low + 0.2 * high), (0.53 * width, low + 0.2 * high)], 0.018, Finish.PLASTIC
    )
    fog = box(0.70 * width, low + 0.15 * high, 0.88 * width, low + 0.34 * high)
    canvas.fill(rounded(fog), Finish.MESH)
    canvas.fill(disc(0.79 * width, low + 0.25 * high, 0.035), Finish.LAMP)
    paint_plate(canvas, 0.0, low + 0.36 * high)


def paint_plate(canvas: Canvas, middle: float, bottom: float) -> None:
    """A number plate of 52 by 12 cm whose middle lies at u = ``middle``, an edge of the chart."""
    canvas.fill(box(middle - 0.275, bottom - 0.012, middle + 0.275, bottom + 0.132), Finish.RUBBER)
    canvas.fill(box(middle - 0.26, bottom, middle + 0.26, bottom + 0.12), Finish.PLATE)
    for start, end in ((0.02, 0.07), (0.10, 0.15), (0.175, 0.225)):
        for side in (-1, 1):
            canvas.fill(
                box(middle + side * start, bottom + 0.025, middle + side * end, bottom + 0.095),
                Finish.INK,
            )


def _hood(canvas: Canvas, shell: Shell, cabin: Cabin) -> None:
    shape = shell.shape
    nose_side = shell.u(0.12)
    top = shape.shoulder(0.0)
    canvas.fill(box(-0.1, top - 0.035, nose_side, chart.CABIN), Finish.PAINT, "hood")
    canvas.stroke([(-0.1, top - 0.035), (nose_side, top - 0.035)], 0.016, Finish.SHUT_LINE)
    end = shape.cabin[0]
    places = [0.03, 0.07, 0.12, 0.2, 0.3, 0.45, 0.7, 0.95, end, end + 0.16]
    outer = [
        (
            chart.LID_LEFT + d,
            chart.LID
            + min((1.1 if d <= 0.12 else 0.86) * shape.outline(d), shape.half_width * 0.82),
        )
        for d in places
    ]
    canvas.fill(
        [(chart.LID_LEFT - 0.2, chart.LID - 0.1), (chart.LID_LEFT - 0.2, outer[0][1]), *outer,
         (outer[-1][0], chart.LID - 0.1)],
        Finish.PAINT,
        "hood",
    )  # fmt: skip
    canvas.stroke(outer, 0.02, Finish.SHUT_LINE)
    foot = [
        (chart.LID_LEFT + cabin.foot(f) - 0.045, chart.LID + cabin.half_widths[0] * f)
        for f in (0.0, 0.3, 0.6, 0.8, 0.95, 1.0)
    ]
    canvas.fill(
        [
            *foot,
            (chart.LID_LEFT + end + 0.5, foot[-1][1]),
            (chart.LID_LEFT + end + 0.5, foot[0][1]),
        ],
        Finish.RUBBER,
        "body",
    )


def _headlights(canvas: Canvas, shell: Shell) -> None:
    shape = shell.shape
    kind = shape.make.headlight
    inner, outer = 0.52 * shape.half_width, shell.u(0.44)
    low = shape.sill + 0.66 * (shape.shoulder(0.0) - shape.sill)
    high = (shape.shoulder(0.02) - 0.045, shape.shoulder(0.42) - 0.05)

    def place(across: float, up: float) -> tuple[float, float]:
        ceiling = high[0] + (high[1] - high[0]) * across
        return inner + (outer - inner) * across, low + (ceiling - low) * up

    outline = rounded([place(a, b) for a, b in _LAMPS[kind]], 1 if kind == "square" else 2)
    canvas.fill(outline, Finish.LAMP_RIM, "front_left_light")
    canvas.fill(shrunk(outline, 0.016), Finish.LAMP)
    for across, up, radius in _BULBS[kind]:
        u, v = place(across, up)
        canvas.fill(disc(u, v, radius + 0.014), Finish.LAMP_RIM)
        canvas.fill(disc(u, v, radius), Finish.BULB)
    if kind == "hammer":
        canvas.stroke([place(0.05, 0.62), place(0.92, 0.7)], 0.028, Finish.BULB)
    if kind != "strip":
        u, v = place(0.88 if kind not in ("round", "square") else 0.7, 0.72)
        canvas.fill(disc(u, v, 0.03, 0.8), Finish.AMBER)


def _bars(canvas: Canvas, low: float, high: float) -> None:
    canvas.fill(rounded(box(-0.4, low, 0.40, high), 1), Finish.CHROME)
    canvas.fill(rounded(box(-0.4, low + 0.015, 0.385, high - 0.015), 1), Finish.MESH)
    for k in (1, 2, 3):
        v = low + (high - low) * k / 4
        canvas.stroke([(-0.1, v), (0.37, v)], 0.018, Finish.CHROME)
    _badge(canvas, (low + high) / 2)


def _kidneys(canvas: Canvas, low: float, high: float) -> None:
    kidney = rounded([(0.03, low), (0.24, low + 0.02), (0.29, high), (0.03, high)])
    canvas.fill(kidney, Finish.CHROME)
    canvas.fill(shrunk(kidney, 0.018), Finish.MESH)
    for k in (1, 2, 3):
        u = 0.03 + 0.06 * k
        canvas.stroke([(u, low + 0.03), (u + 0.005, high - 0.03)], 0.014, Finish.CHROME)


def _slot(canvas: Canvas, low: float, high: float) -> None:
    middle = (low + high) / 2
    canvas.fill(rounded(box(-0.4, middle - 0.035, 0.36, middle + 0.035)), Finish.MESH)
    canvas.stroke([(-0.1, middle), (0.33, middle)], 0.016, Finish.CHROME)
    _badge(canvas, middle)


def _slats(canvas: Canvas, low: float, high: float) -> None:
    canvas.fill(box(-0.4, low - 0.03, 0.42, high), Finish.MESH)
    for k in range(5):
        u = 0.04 + 0.085 * k
        canvas.fill(rounded(box(u - 0.022, low - 0.015, u + 0.022, high - 0.015), 1), Finish.CHROME)


def _closed(canvas: Canvas, low: float, high: float) -> None:
    canvas.stroke([(-0.1, high - 0.03), (0.44, high - 0.03)], 0.022, Finish.BULB)
    _badge(canvas, (low + high) / 2 - 0.01)


def _shield(canvas: Canvas, low: float, high: float) -> None:
    low -= 0.22
    shield = [(-0.3, low), (0.22, low), (0.36, (low + high) / 2 + 0.05), (0.33, high), (-0.3, high)]
    canvas.fill(shield, Finish.CHROME)
    canvas.fill([(u - 0.018, v + (0.016 if v < high else -0.016)) for u, v in shield], Finish.MESH)
    for k in range(1, 7):
        v = low + (high - low) * k / 7
        canvas.stroke([(-0.1, v), (0.22 + 0.05 * (k / 7), v)], 0.011, Finish.PLASTIC)
    paint_plate(canvas, 0.0, low + 0.05)
    _badge(canvas, high - 0.085)


def _mouth(canvas: Canvas, low: float, high: float) -> None:
    low -= 0.03
    mouth = rounded([(-0.4, low), (0.30, low), (0.40, high - 0.05), (0.2, high), (-0.4, high)])
    canvas.fill(mouth, Finish.MESH)
    for k in (1, 2, 3, 4):
        v = low + (high - low) * k / 5
        canvas.stroke([(-0.1, v), (0.31, v)], 0.009, Finish.PLASTIC)
    _badge(canvas, (low + high) / 2, 0.055)


def _wing(canvas: Canvas, low: float, high: float) -> None:
    canvas.fill([(-0.1, low), (0.26, low), (0.46, high), (-0.1, high)], Finish.MESH)
    canvas.stroke(
        [(-0.1, low + 0.05), (0.2, low + 0.05), (0.46, high - 0.02)], 0.026, Finish.CHROME
    )
    _badge(canvas, low + 0.06, 0.05)


def _badge(canvas: Canvas, v: float, radius: float = 0.045) -> None:
    canvas.fill(disc(0.0, v, radius), Finish.CHROME)
    canvas.fill(disc(0.0, v, radius * 0.55), Finish.LAMP_RIM)


_GRILLES: dict[str, Callable[[Canvas, float, float], None]] = {
    "bars": _bars,
    "kidneys": _kidneys,
    "slot": _slot,
    "slats": _slats,
    "closed": _closed,
    "shield": _shield,
    "mouth": _mouth,
    "wing": _wing,
}
