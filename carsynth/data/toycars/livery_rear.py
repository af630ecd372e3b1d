"""Paints a car's rear: bumper, trunk or tailgate, tail lights."""

from carsynth.data.toycars import chart
from carsynth.data.toycars.atlas import Canvas, Polygon, box, disc, rounded, shrunk
from carsynth.data.toycars.cabin import Cabin
from carsynth.data.toycars.finishes import Finish
from carsynth.data.toycars.livery_front import paint_plate
from carsynth.data.toycars.shell import Shell

_LAMPS: dict[str, Polygon] = {
    "wedge": ((0.0, 0.35), (0.5, 0.1), (1.0, 0.3), (1.0, 0.95), (0.0, 0.85)),
    "hook": ((-0.1, 0.45), (0.45, 0.45), (0.5, 0.0), (1.0, 0.05), (1.0, 0.95), (-0.1, 0.9)),
    "round": (
        (0.15, 0.3),
        (0.3, 0.05),
        (0.7, 0.05),
        (0.85, 0.3),
        (0.85, 0.7),
        (0.7, 0.95),
        (0.3, 0.95),
        (0.15, 0.7),
    ),
    "tower": ((0.35, -0.25), (0.9, -0.25), (1.0, 1.0), (0.35, 1.0)),
    "strip": ((-0.1, 0.5), (1.0, 0.45), (1.0, 0.9), (-0.1, 0.82)),
    "twin": ((0.0, 0.25), (0.95, 0.2), (1.0, 0.9), (0.0, 0.9)),
}
"""Outlines of tail lights: 0 to 1 outwards and 0 to 1 upwards."""


def paint_rear(canvas: Canvas, shell: Shell, cabin: Cabin) -> None:
    """Paints all that belongs to the rear; the lower shell's chart must still be bare."""
    shape = shell.shape
    middle = shell.along[-1]
    width, low = shape.half_width, shape.sill
    top, bumper = shape.shoulder(shape.length), shape.rear_bumper_top
    opening = shape.style.rear
    side = shell.u(shape.axles[1])
    canvas.fill(box(side, 0.0, middle + 0.2, bumper), Finish.PAINT, "back_bumper")
    lid_edge = middle - (0.80 if shape.bed else 0.74) * width
    canvas.fill(box(lid_edge, bumper, middle + 0.2, chart.CABIN), Finish.PAINT, opening)
    canvas.stroke([(side, bumper), (middle + 0.1, bumper)], 0.022, Finish.SHUT_LINE)
    canvas.stroke([(lid_edge, bumper), (lid_edge, top + 0.1)], 0.02, Finish.SHUT_LINE)
    if shape.make.two_tone or low > 0.25:
        canvas.fill(box(side, 0.0, middle + 0.2, low + 0.16 * (top - low)), Finish.PLASTIC)
    canvas.fill(
        box(middle - 0.55 * width, 0.0, middle + 0.2, low + 0.10 * (top - low)), Finish.MESH
    )
    canvas.fill(
        box(middle - 0.86 * width, bumper - 0.13, middle - 0.62 * width, bumper - 0.10), Finish.RED
    )
    if shape.bed:
        canvas.fill(box(side, bumper - 0.13, middle + 0.2, bumper - 0.01), Finish.CHROME)
        canvas.fill(
            rounded(box(middle - 0.13, top - 0.16, middle + 0.13, top - 0.09), 1), Finish.RUBBER
        )
        paint_plate(canvas, middle, bumper - 0.125)
    else:
        paint_plate(canvas, middle, bumper + 0.05)
        canvas.stroke(
            [(middle - 0.32, bumper + 0.20), (middle + 0.1, bumper + 0.20)], 0.02, Finish.CHROME
        )
    _lid(canvas, shell, cabin)
    _taillights(canvas, shell)


def _lid(canvas: Canvas, shell: Shell, cabin: Cabin) -> None:
    """Deck and, on hatchbacks, the tailgate's frame around the rear window."""
    shape = shell.shape
    opening = shape.style.rear
    if shape.bed:
        start, end = shape.bed
        half = shape.half_width * 0.93
        bed = box(chart.LID_LEFT + start, chart.LID - 0.1, chart.LID_LEFT + end, chart.LID + half)
        canvas.fill(bed, Finish.DARK, "body")
        gap = shell.u(start - 0.03)
        canvas.stroke([(gap, 0.0), (gap, chart.CABIN)], 0.03, Finish.SHUT_LINE)
        rim = box(chart.LID_LEFT + end, chart.LID - 0.1, chart.WIDTH, chart.LID + half)
        canvas.fill(rim, Finish.PAINT, opening)
        return
    start = cabin.rear(0.0) + 0.02
    half = 0.80 * shape.half_width
    edge = chart.LID_LEFT + start
    lid = box(edge, chart.LID - 0.1, chart.LID_LEFT + shape.length + 0.3, chart.LID + half)
    canvas.fill(lid, Finish.PAINT, opening)
    canvas.stroke([(edge, chart.LID + half), (lid[1][0], chart.LID + half)], 0.02, Finish.SHUT_LINE)
    if opening == "tailgate":
        frame = box(
            cabin.u_rear(1.0) + 0.03, chart.CABIN - 0.02, cabin.u_rear(0.0) + 0.2, cabin.v(0.97)
        )
        canvas.fill(frame, Finish.PAINT, "tailgate")
        canvas.stroke([(frame[0][0], frame[0][1]), (frame[0][0], cabin.v(0.97))], 0.02,
                      Finish.SHUT_LINE)  # fmt: skip


def _taillights(canvas: Canvas, shell: Shell) -> None:
    shape = shell.shape
    kind = shape.make.taillight
    if shape.bed or (shape.style.name == "suv" and kind in ("wedge", "hook")):
        kind = "tower"
    middle = shell.along[-1]
    inner = middle - (0.78 if kind == "tower" and shape.bed else 0.56) * shape.half_width
    outer = shell.u(shape.length - (0.14 if shape.bed else 0.40))
    low = shape.rear_bumper_top + 0.06
    high = shape.shoulder(shape.length - 0.2) - 0.06
    if kind not in ("tower", "hook"):
        low = max(low, high - 0.26)

    def place(across: float, up: float) -> tuple[float, float]:
        return inner + (outer - inner) * across, low + (high - low) * up

    outline = rounded([place(a, b) for a, b in _LAMPS[kind]], 1 if kind == "tower" else 2)
    canvas.fill(outline, Finish.RUBBER, "back_left_light")
    canvas.fill(shrunk(outline, 0.012), Finish.RED)
    if kind in ("round", "twin"):
        for across in (0.5,) if kind == "round" else (0.28, 0.72):
            u, v = place(across, 0.55)
            canvas.fill(disc(u, v, 0.075), Finish.RED_BULB)
            canvas.fill(disc(u, v, 0.03), Finish.BULB if kind == "round" else Finish.RED)
    elif kind == "tower":
        u = place(0.62, 0.0)[0]
        for bottom, end, finish in (
            (-0.15, 0.25, Finish.RED_BULB), (0.32, 0.45, Finish.LAMP), (0.52, 0.64, Finish.AMBER),
            (0.70, 0.95, Finish.RED_BULB),
        ):  # fmt: skip
            canvas.fill(box(u - 0.05, place(0, bottom)[1], u + 0.05, place(0, end)[1]), finish)
    else:
        canvas.stroke([place(0.06, 0.68), place(0.94, 0.68)], 0.045, Finish.RED_BULB)
        canvas.fill(rounded(box(*place(0.1, 0.46), *place(0.34, 0.56)), 1), Finish.LAMP)
    if kind == "strip":
        v = place(0, 0.68)[1]
        canvas.stroke([(inner, v), (middle + 0.1, v)], 0.03, Finish.RED_BULB)
