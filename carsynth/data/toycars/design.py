"""What is drawn by lot about a car and the scene around it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from carsynth.data.toycars.bodies import BODY_STYLES, MAKES, BodyStyle, Make
from carsynth.data.toycars.finishes import Colour

T = TypeVar("T")

PAINTS: tuple[Colour, ...] = (
    (204, 206, 209), (204, 206, 209), (168, 172, 178), (106, 110, 116), (34, 36, 40), (22, 24, 30),
    (166, 22, 28), (112, 16, 30), (26, 62, 140), (20, 36, 80), (70, 134, 190), (28, 84, 62),
    (80, 100, 58), (196, 176, 140), (112, 76, 48), (222, 164, 26), (214, 92, 26), (58, 140, 136),
    (92, 60, 112), (148, 160, 168),
)  # fmt: skip
"""Body colours; common ones come more than once."""

RIMS: tuple[Colour, ...] = ((184, 187, 192), (160, 164, 170), (204, 206, 208), (92, 94, 98))

BACKDROPS: tuple[str, ...] = ("studio", "street", "country", "parking", "seaside")


@dataclass(frozen=True)
class CarDesign:
    """A car to be drawn; colours are RGB."""

    style: BodyStyle
    make: Make
    paint: Colour
    accent: Colour
    """Colour of the mirrors, and of the roof where it differs from the paint."""
    rim: Colour


@dataclass(frozen=True)
class Scene:
    """Where a car stands, in what light, and from where it is seen."""

    yaw: float
    """Degrees, 0 from the front, 90 from the car's left."""
    distance: float
    """Metres from camera to car."""
    height: float
    """Metres of the camera above the ground."""
    fill: float
    """Share of the picture's tighter side that the car takes."""
    shift: tuple[float, float]
    """Place in the room that is left, each -1 to 1, right and down."""
    sun: tuple[float, float]
    """Degrees: the sun's direction as the camera sees it (0 behind the camera, positive to its
    right), and its height over the horizon."""
    sunlight: float
    """Strength of the sun against the sky's, 0 on a grey day to 1."""
    backdrop: str
    """One of :data:`BACKDROPS`."""
    backdrop_seed: int
    """Decides houses, trees and clouds."""


def sample_random(seed: int, index: int) -> Random:
    """The source of all choices of one sample: the same on every machine and in every process."""
    digest = hashlib.sha256(f"toycars {seed} {index}".encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))


def pick(random: Random, options: Sequence[T]) -> T:
    """One of the options, by a single draw of ``random()``, whose sequence Python guarantees."""
    return options[int(random.random() * len(options))]


def between(random: Random, low: float, high: float) -> float:
    return low + (high - low) * random.random()


def draw_car(random: Random) -> CarDesign:
    """Any body style of any make, all equally likely."""
    style, make = pick(random, BODY_STYLES), pick(random, MAKES)
    paint = pick(random, PAINTS)
    tint = [int(between(random, -9, 10)) for _ in range(3)]
    red, green, blue = (min(255, max(0, c + t)) for c, t in zip(paint, tint, strict=True))
    contrast = random.random() < 0.15
    accent = (30, 31, 34) if contrast else (red, green, blue)
    return CarDesign(style, make, (red, green, blue), accent, pick(random, RIMS))


def draw_scene(random: Random) -> Scene:
    """A scene at any yaw, all equally likely."""
    return Scene(
        yaw=360.0 * random.random(),
        distance=between(random, 6.5, 13.0),
        height=between(random, 0.95, 2.7),
        fill=between(random, 0.82, 0.95),
        shift=(between(random, -1, 1), between(random, -0.5, 1)),
        sun=(between(random, -110, 110), between(random, 28, 68)),
        sunlight=pick(random, (0.35, 0.75, 0.9, 1.0)),
        backdrop=pick(random, BACKDROPS),
        backdrop_seed=int(random.random() * (1 << 32)),
    )
