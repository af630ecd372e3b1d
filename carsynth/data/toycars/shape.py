"""The measures of one make's body style, worked out: profiles, outlines and where things sit."""

from dataclasses import dataclass
from functools import cached_property

from carsynth.data.toycars.bodies import BodyStyle, Curve, Make


def smooth(curve: Curve, at: float) -> float:
    """A curve through its knots with continuous slope, held constant beyond its ends."""
    if at <= curve[0][0]:
        return curve[0][1]
    for index in range(len(curve) - 1):
        (x0, y0), (x1, y1) = curve[index], curve[index + 1]
        if at <= x1:
            before, after = curve[max(index - 1, 0)], curve[min(index + 2, len(curve) - 1)]
            slope0 = (y1 - before[1]) / (x1 - before[0]) * (x1 - x0)
            slope1 = (after[1] - y0) / (after[0] - x0) * (x1 - x0)
            t = (at - x0) / (x1 - x0)
            return (
                y0 * (1 + 2 * t) * (1 - t) ** 2
                + slope0 * t * (1 - t) ** 2
                + y1 * t * t * (3 - 2 * t)
                + slope1 * t * t * (t - 1)
            )
    return curve[-1][1]


def corner(across: float, along_power: float, across_power: float) -> float:
    """How far back, 0 to 1, a rounded end has come where its half width is ``across``, 0 to 1."""
    return float(1.0 - (1.0 - across**across_power) ** (1.0 / along_power))


@dataclass(frozen=True)
class Shape:
    """A body style as a make builds it; lengths in metres, ``d`` backwards from the nose."""

    style: BodyStyle
    make: Make

    @cached_property
    def length(self) -> float:
        return self.style.length * self.make.stretch

    @cached_property
    def half_width(self) -> float:
        return self.style.width * self.make.spread / 2

    @cached_property
    def height(self) -> float:
        return self.lifted(self.style.height)

    @cached_property
    def sill(self) -> float:
        return self.style.sill

    @cached_property
    def wheel_radius(self) -> float:
        return self.style.wheel_radius

    @cached_property
    def arch_radius(self) -> float:
        return self.wheel_radius + (0.075 if self.style.sill > 0.25 else 0.055)

    @cached_property
    def axles(self) -> tuple[float, float]:
        front, rear = self.style.axles
        return front * self.make.stretch, rear * self.make.stretch

    @cached_property
    def cabin(self) -> tuple[float, float, float, float]:
        foot, head, rear_head, rear_foot = (d * self.make.stretch for d in self.style.cabin)
        return foot + self.make.hood, head + self.make.hood * 0.7, rear_head, rear_foot

    @cached_property
    def door_lines(self) -> tuple[float, ...]:
        first, *rest = (d * self.make.stretch for d in self.style.door_lines)
        return (max(first, self.axles[0] + self.arch_radius + 0.05), *rest)

    @cached_property
    def bed(self) -> tuple[float, float] | None:
        if self.style.bed is None:
            return None
        return self.style.bed[0] * self.make.stretch, self.style.bed[1] * self.make.stretch

    @cached_property
    def nose(self) -> float:
        """Length of the rounded nose."""
        return 0.72 if self.style.name == "coupe" else 0.62

    def x(self, d: float) -> float:
        """The car's x at distance ``d`` from the nose; x is 0 halfway along the car."""
        return self.length / 2 - d

    def lifted(self, z: float) -> float:
        return self.sill + (z - self.sill) * self.make.lift

    def shoulder(self, d: float) -> float:
        """Height where the side turns over into hood, deck or cabin."""
        away = (d - self.axles[0]) / 0.8
        return self._shoulder(d) + self._fender * max(0.0, 1.0 - away * away)

    def _shoulder(self, d: float) -> float:
        z = self.lifted(smooth(self.style.shoulder, d / self.make.stretch))
        return z + self.make.nose * max(0.0, 1.0 - d / 1.3)

    @cached_property
    def _fender(self) -> float:
        """How far the shoulder must rise over the front wheel to leave metal above its arch."""
        arch = self.wheel_radius + self.arch_radius
        return max(0.0, arch + 0.10 - self._shoulder(self.axles[0]))

    def outline(self, d: float) -> float:
        """Half width of the plan at ``d``, without the sides' barrel shape."""
        if d < self.nose:
            along, across = self.nose_outline
            left = 1.0 - max(d, 0.0) / self.nose
            return self.half_width * float((1.0 - left**along) ** (1.0 / across))
        rest = self.length - d
        if rest < self.style.tail:
            along, across = self.tail_outline
            left = 1.0 - max(rest, 0.0) / self.style.tail
            return self.half_width * float((1.0 - left**along) ** (1.0 / across))
        return self.half_width

    @cached_property
    def nose_outline(self) -> tuple[float, float]:
        """Exponents of the nose's rounding in plan, along and across."""
        return 2.3, self.make.square

    @cached_property
    def tail_outline(self) -> tuple[float, float]:
        """Exponents of the tail's rounding in plan; a pickup's is nearly a box."""
        return (2.2, 9.0) if self.bed else (2.3, 4.5)

    def barrel(self, z: float, top: float) -> float:
        """Factor on the half width at height ``z`` of a side that ends at ``top``."""
        rel = (z - self.sill) / (top - self.sill)
        return smooth(
            ((0.0, 0.965), (0.14, 0.985), (0.42, 0.99), (0.62, 1.0), (0.80, 0.985), (1.0, 0.955)),
            rel,
        )

    def nose_inset(self, z: float) -> float:
        """How far the front face stands behind the bumper's foremost point at height ``z``."""
        rel = (z - self.sill) / (self.shoulder(0.0) - self.sill)
        return smooth(
            ((0.0, 0.13), (0.12, 0.05), (0.3, 0.0), (0.5, 0.005), (0.62, 0.035), (1.0, 0.10)), rel
        )

    def tail_inset(self, z: float) -> float:
        """How far the rear face stands before the bumper's rearmost point at height ``z``."""
        rel = (z - self.sill) / (self.shoulder(self.length) - self.sill)
        return smooth(
            ((0.0, 0.13), (0.12, 0.05), (0.3, 0.0), (0.42, 0.005), (0.5, 0.045), (1.0, 0.09)), rel
        )

    @cached_property
    def bumper_top(self) -> float:
        """Height of the upper edge of the front bumper's corner."""
        return self.sill + 0.62 * (self.shoulder(0.0) - self.sill)

    @cached_property
    def rear_bumper_top(self) -> float:
        return self.sill + 0.46 * (self.shoulder(self.length) - self.sill)
