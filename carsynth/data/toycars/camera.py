"""The camera: where it stands, what it frames, where the ground lies in its picture."""

import math
from typing import NamedTuple

import numpy as np

from carsynth.data.toycars.mesh import Floats
from carsynth.data.toycars.raster import SUBPIXEL

Vector = tuple[float, float, float]


class Camera(NamedTuple):
    """A camera without roll, in the car's frame, with the picture's scale and middle."""

    place: Vector
    ahead: Vector
    right: Vector
    up: Vector
    scale: float
    """Pixels a unit of tangent."""
    middle: tuple[float, float]
    """Column and row of the line of sight, in pixels."""

    def horizon(self) -> float:
        """Row of the horizon, in pixels."""
        flat = self.ahead[0] * self.ahead[0] + self.ahead[1] * self.ahead[1]
        rise = self.up[0] * self.ahead[0] + self.up[1] * self.ahead[1]
        return self.middle[1] - self.scale * rise / flat


def aim(yaw: float, distance: float, height: float) -> Camera:
    """A camera at ``yaw`` degrees that looks at the car's middle; framing is still to come.

    Args:
        yaw: 0 before the car, 90 to its left.
        distance: metres to the car's middle, along the ground.
        height: metres of the camera above the ground.
    """
    c, s = round(math.cos(math.radians(yaw)), 9), round(math.sin(math.radians(yaw)), 9)
    drop = height - 0.6
    size = math.sqrt(distance * distance + drop * drop)
    level, fall = distance / size, drop / size
    return Camera(
        place=(distance * c, distance * s, height),
        ahead=(-level * c, -level * s, -fall),
        right=(-s, c, 0.0),
        up=(-fall * c, -fall * s, level),
        scale=1.0,
        middle=(0.0, 0.0),
    )


def seen_from(camera: Camera, points: Floats) -> tuple[Floats, Floats, Floats]:
    """Tangents to the right and downwards, and one over the depth in 1/metres, each (V,)."""
    dx, dy, dz = (points[:, axis] - camera.place[axis] for axis in range(3))

    def along(direction: Vector) -> Floats:
        total: Floats = dx * direction[0] + dy * direction[1] + dz * direction[2]
        return total

    inverse = 1.0 / along(camera.ahead)
    return along(camera.right) * inverse, -along(camera.up) * inverse, inverse


def frame(
    camera: Camera,
    across: Floats,
    down: Floats,
    size: tuple[int, int],
    fill: float,
    shift: tuple[float, float],
) -> Camera:
    """The camera zoomed so that what it sees fills the picture's tighter side.

    Args:
        camera: where it stands.
        across: tangents to the right of all that must be seen, (V,).
        down: tangents downwards, (V,).
        size: (height, width) of the picture.
        fill: share of the tighter side to fill, below 1.
        shift: place of the car in the room that is left, each -1 to 1, right and down.
    """
    left, right = float(across.min()), float(across.max())
    top, bottom = float(down.min()), float(down.max())
    height, width = size
    scale = min(fill * width / (right - left), fill * height / (bottom - top))
    room = width - scale * (right - left), height - scale * (bottom - top)
    keep = 0.5 * (1.0 - fill) * min(size)
    column = width / 2 + shift[0] * max(0.0, room[0] / 2 - keep)
    row = height / 2 + shift[1] * max(0.0, room[1] / 2 - keep)
    middle = column - scale * (left + right) / 2, row - scale * (top + bottom) / 2
    return camera._replace(scale=scale, middle=middle)


def to_fixed(tangents: Floats, scale: float, middle: float, pixels: int) -> Floats:
    """Rounded places in the fixed point of the rasteriser, ``pixels`` samples a picture pixel.

    Rounding is symmetric about the line of sight, so that a mirrored car lands on mirrored places.
    """
    unit = SUBPIXEL * pixels
    places: Floats = np.rint(tangents * (scale * unit)) + round(middle * unit)
    return places
