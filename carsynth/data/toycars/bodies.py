"""Body styles and makes: the proportions and the face that a car is known by.

Distances ``d`` along the car count backwards from the nose, in metres; heights from the ground.
"""

from dataclasses import dataclass

Curve = tuple[tuple[float, float], ...]
"""A smooth curve's knots, (argument, value), arguments ascending."""


@dataclass(frozen=True)
class BodyStyle:
    """One body style in its average make's proportions; lengths in metres."""

    name: str
    doors: int
    """As car people count: a tailgate is a door."""
    length: float
    width: float
    height: float
    axles: tuple[float, float]
    """Distance of the front and the rear axle from the nose."""
    wheel_radius: float
    sill: float
    """Height of the body's lower edge."""
    shoulder: Curve
    """Height of the line where the sides end, over distance from the nose."""
    cabin: tuple[float, float, float, float]
    """Distances of windshield foot and head, rear window head and foot."""
    roof_drop: tuple[float, float]
    """How far the roof falls towards its front and its rear."""
    door_lines: tuple[float, ...]
    """Distances of the doors' upright edges: two for one door a side, three for two."""
    tail: float
    """Length of the rounded tail."""
    rear: str
    """What opens at the rear: ``trunk`` or ``tailgate``."""
    bed: tuple[float, float] | None = None
    """Start and end of a pickup's bed."""
    rails: bool = False


BODY_STYLES: tuple[BodyStyle, ...] = (
    BodyStyle(
        name="sedan",
        doors=4,
        length=4.65,
        width=1.82,
        height=1.45,
        axles=(0.92, 3.66),
        wheel_radius=0.348,
        sill=0.19,
        shoulder=((0.0, 0.70), (0.4, 0.79), (1.25, 0.92), (2.5, 0.95), (3.9, 0.99), (4.65, 0.97)),
        cabin=(1.18, 2.02, 3.10, 4.02),
        roof_drop=(0.05, 0.07),
        door_lines=(1.36, 2.42, 3.36),
        tail=0.5,
        rear="trunk",
    ),
    BodyStyle(
        name="hatchback_3",
        doors=3,
        length=3.95,
        width=1.74,
        height=1.46,
        axles=(0.80, 3.28),
        wheel_radius=0.328,
        sill=0.18,
        shoulder=((0.0, 0.70), (0.35, 0.80), (1.05, 0.93), (2.5, 0.97), (3.7, 1.02), (3.95, 1.01)),
        cabin=(1.00, 1.74, 3.28, 3.86),
        roof_drop=(0.05, 0.06),
        door_lines=(1.20, 2.42),
        tail=0.42,
        rear="tailgate",
    ),
    BodyStyle(
        name="hatchback_5",
        doors=5,
        length=4.22,
        width=1.79,
        height=1.49,
        axles=(0.86, 3.48),
        wheel_radius=0.336,
        sill=0.18,
        shoulder=((0.0, 0.72), (0.35, 0.81), (1.1, 0.94), (2.5, 0.98), (3.9, 1.02), (4.22, 1.01)),
        cabin=(1.06, 1.84, 3.50, 4.10),
        roof_drop=(0.05, 0.06),
        door_lines=(1.28, 2.28, 3.16),
        tail=0.42,
        rear="tailgate",
    ),
    BodyStyle(
        name="suv",
        doors=5,
        length=4.60,
        width=1.88,
        height=1.74,
        axles=(0.92, 3.60),
        wheel_radius=0.375,
        sill=0.28,
        shoulder=((0.0, 0.90), (0.35, 1.00), (1.1, 1.09), (2.5, 1.12), (4.2, 1.15), (4.60, 1.14)),
        cabin=(1.12, 1.82, 4.02, 4.50),
        roof_drop=(0.05, 0.05),
        door_lines=(1.38, 2.42, 3.36),
        tail=0.40,
        rear="tailgate",
        rails=True,
    ),
    BodyStyle(
        name="pickup",
        doors=4,
        length=5.25,
        width=1.90,
        height=1.79,
        axles=(0.95, 4.05),
        wheel_radius=0.395,
        sill=0.34,
        shoulder=((0.0, 0.95), (0.3, 1.04), (1.2, 1.12), (2.5, 1.15), (3.5, 1.17), (5.25, 1.18)),
        cabin=(1.18, 1.90, 3.16, 3.40),
        roof_drop=(0.05, 0.03),
        door_lines=(1.42, 2.42, 3.30),
        tail=0.16,
        rear="tailgate",
        bed=(3.50, 5.12),
    ),
    BodyStyle(
        name="coupe",
        doors=2,
        length=4.48,
        width=1.85,
        height=1.34,
        axles=(0.90, 3.54),
        wheel_radius=0.358,
        sill=0.155,
        shoulder=((0.0, 0.62), (0.4, 0.75), (1.35, 0.86), (2.6, 0.88), (3.7, 0.94), (4.48, 0.92)),
        cabin=(1.32, 2.02, 2.88, 4.02),
        roof_drop=(0.04, 0.08),
        door_lines=(1.42, 2.66),
        tail=0.55,
        rear="trunk",
    ),
)


@dataclass(frozen=True)
class Make:
    """A fictional make: factors on a body style's proportions, and the shapes of its face."""

    name: str
    stretch: float
    """Factor on the length."""
    lift: float
    """Factor on heights above the sill."""
    spread: float
    """Factor on the width."""
    hood: float
    """Metres by which the windshield's foot moves back."""
    nose: float
    """Metres by which the hood's front edge is raised."""
    square: float
    """How square the nose is in plan: 2 is an ellipse, 6 nearly a box."""
    grille: str
    headlight: str
    taillight: str
    rim: str
    two_tone: bool
    """Whether bumper aprons and sills are of bare plastic."""


MAKES: tuple[Make, ...] = (
    Make("alvar", 1.00, 1.00, 1.00, 0.00, 0.00, 3.2, "bars", "swept", "wedge", "five", False),
    Make("brenna", 1.03, 0.98, 1.02, 0.06, 0.01, 4.2, "kidneys", "twin", "hook", "ten", False),
    Make("cordova", 0.97, 1.03, 0.98, -0.04, 0.02, 2.8, "slot", "round", "round", "disc", True),
    Make("dravik", 1.01, 1.02, 1.03, 0.05, 0.06, 6.0, "slats", "square", "tower", "six", True),
    Make("elowen", 1.00, 0.97, 1.01, -0.03, -0.02, 3.0, "closed", "strip", "strip", "blade", False),
    Make("fjordan", 1.02, 1.01, 1.00, 0.03, 0.03, 4.6, "shield", "hammer", "tower", "seven", False),
    Make("grimaldo", 0.98, 0.96, 1.03, 0.04, -0.02, 2.7, "mouth", "almond", "twin", "five", False),
    Make("hokusei", 0.96, 1.01, 0.97, -0.02, 0.01, 3.8, "wing", "angular", "wedge", "ten", True),
)
