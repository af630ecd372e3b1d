"""The cabin above the shoulder: windshield, side windows, rear window and roof in one skin."""

import math
from dataclasses import dataclass
from functools import cached_property

from carsynth.data.toycars import chart
from carsynth.data.toycars.mesh import MeshBuilder, Point
from carsynth.data.toycars.shape import Shape, corner

_ACROSS = (0.0, 0.3, 0.55, 0.75, 0.88, 0.96)
_LEVELS = (0.0, 0.15, 0.4, 0.65, 0.86, 0.94, 0.985, 1.0)
_SIDE_STEPS = 10
_OUTLINE = (2.0, 3.6)
_ROUNDING = 0.06
_CROWN = 0.045


def _mix(a: float, b: float, t: float) -> float:
    return a + (b - a) * t


@dataclass(frozen=True)
class Cabin:
    """Places on the cabin's skin: ``t`` is 0 at the shoulder and 1 at the roof's edge."""

    shape: Shape

    @cached_property
    def half_widths(self) -> tuple[float, float]:
        """At the shoulder and at the roof."""
        foot = self.shape.half_width * 0.955 - 0.055
        rise = self.shape.height - self.shape.shoulder(self.shape.cabin[1])
        return foot, foot - (0.25 if self.shape.style.sill > 0.25 else 0.35) * rise

    def front(self, t: float) -> float:
        """Distance from the nose at which the side windows' skin starts."""
        foot, head, _, _ = self.shape.cabin
        return _mix(foot, head, t) - 0.10 * t * (1.0 - t) + _mix(0.16, 0.08, t)

    def rear(self, t: float) -> float:
        """Distance from the nose at which the side windows' skin ends."""
        _, _, head, foot = self.shape.cabin
        return _mix(foot, head, t) + 0.12 * t * (1.0 - t) - self._rear_bow(t)

    def _front_bow(self, t: float) -> float:
        return _mix(0.30, 0.16, t)

    def _rear_bow(self, t: float) -> float:
        return 0.04 if self.shape.bed else _mix(0.16, 0.10, t)

    @cached_property
    def front_span(self) -> float:
        """Chart width of half the windshield, up to the corner."""
        return self.half_widths[0]

    @cached_property
    def side_span(self) -> float:
        return self.rear(0.0) - self.front(0.0)

    def u_side(self, d: float, t: float) -> float:
        """Chart place on the side at distance ``d`` from the nose."""
        share = (d - self.front(t)) / (self.rear(t) - self.front(t))
        return self.front_span + share * self.side_span

    def u_front(self, across: float) -> float:
        """Chart place on the windshield, ``across`` from 0 in the middle to 1 at the corner."""
        return self.front_span * across

    def u_rear(self, across: float) -> float:
        return self.front_span + self.side_span + self.front_span * (1.0 - across)

    @staticmethod
    def v(t: float) -> float:
        return chart.CABIN + chart.CABIN_SPAN * t

    @cached_property
    def _columns(self) -> list[tuple[str, float]]:
        side = [("side", k / _SIDE_STEPS) for k in range(_SIDE_STEPS + 1)]
        return [
            *(("front", f) for f in _ACROSS),
            *side,
            *(("rear", f) for f in reversed(_ACROSS)),
        ]

    def _flat(self, wall: str, place: float, t: float) -> tuple[float, float]:
        """(d, y) of a column at level ``t`` before edges are rounded."""
        width = _mix(*self.half_widths, t) + 0.07 * t * (1.0 - t)
        if wall == "side":
            return _mix(self.front(t), self.rear(t), place), width
        back = corner(place, *_OUTLINE)
        if wall == "front":
            return self.front(t) - self._front_bow(t) * (1.0 - back), width * place
        return self.rear(t) + self._rear_bow(t) * (1.0 - back), width * place

    def foot(self, across: float) -> float:
        """Distance from the nose of the windshield's foot, ``across`` from the middle, 0 to 1."""
        return self._flat("front", across, 0.0)[0]

    def roof(self, d: float) -> float:
        """Height of the roof's edge."""
        front, rear = self.front(1.0), self.rear(1.0)
        rel = (d - (front + rear) / 2) / ((rear - front) / 2)
        drop = self.shape.style.roof_drop[0 if rel < 0 else 1]
        return self.shape.height - _CROWN - drop * rel * rel

    def point(self, index: int, t: float) -> Point:
        wall, place = self._columns[index]
        d, y = self._flat(wall, place, t)
        foot = self._flat(wall, place, 0.0)[0]
        low = self.shape.shoulder(foot) - 0.03
        high = self.roof(self._flat(wall, place, 1.0)[0])
        below = (1.0 - t) * (high - low)
        inset = 0.0
        if below < _ROUNDING:
            rise = 1.0 - below / _ROUNDING
            inset = _ROUNDING * (1.0 - math.sqrt(max(0.0, 1.0 - rise * rise)))
        if wall == "side":
            y -= inset
        else:
            d += (inset if wall == "front" else -inset) * (1.0 - place**4)
            y -= inset * place**4
        return self.shape.x(d), max(y, 0.0), _mix(low, high, t)

    def u(self, index: int) -> float:
        wall, place = self._columns[index]
        if wall == "side":
            return self.front_span + place * self.side_span
        return self.u_front(place) if wall == "front" else self.u_rear(place)

    @property
    def count(self) -> int:
        return len(self._columns)


def add_cabin(builder: MeshBuilder, cabin: Cabin) -> None:
    """Adds walls, roof and roof rails of the left half."""
    indices = range(cabin.count)
    walls = [[cabin.point(i, t) for i in indices] for t in _LEVELS]
    group = builder.smooth_group()
    builder.grid(
        walls,
        [[(cabin.u(i), cabin.v(t)) for i in indices] for t in _LEVELS],
        [[0.7 + 0.3 * min(1.0, 4 * t)] * cabin.count for t in _LEVELS],
        group,
    )
    edge = walls[-1]
    widest = max(y for _, y, _ in edge)
    roof = [
        [(x, y * f, z + _CROWN * (1 - f * f) * y / widest) for x, y, z in edge]
        for f in (1.0, 0.8, 0.45, 0.0)
    ]
    half = cabin.shape.length / 2
    builder.grid(
        roof,
        [[(chart.LID_LEFT + half - x, chart.LID + y) for x, y, _ in line] for line in roof],
        [[1.0] * cabin.count for _ in roof],
        group,
    )
    if cabin.shape.style.rails:
        _add_rail(builder, cabin)


def _add_rail(builder: MeshBuilder, cabin: Cabin) -> None:
    first, last = cabin.front(1.0) + 0.12, cabin.rear(1.0) - 0.08
    places = [first + (last - first) * k / 8 for k in range(9)]
    y = cabin.half_widths[1] - 0.085
    section = ((0.025, -0.03), (0.02, 0.03), (-0.02, 0.03), (-0.025, -0.03))
    rows: list[list[Point]] = []
    for across, up in section:
        line: list[Point] = []
        for k, d in enumerate(places):
            lift = -0.02 if k in (0, 8) else up
            z = cabin.roof(d) + 0.015 + lift
            line.append((cabin.shape.x(d), y + across, z))
        rows.append(line)
    builder.patch(rows, chart.RAIL, 1.0)
