"""The ground of a scene: its pattern in perspective, and a car's shadow on it."""

from random import Random
from typing import NamedTuple

import numpy as np

from carsynth.data.toycars.camera import Camera
from carsynth.data.toycars.design import between, pick
from carsynth.data.toycars.finishes import Colour
from carsynth.data.toycars.light import Sun
from carsynth.data.toycars.mesh import Floats
from carsynth.data.toycars.shape import Shape

_WALL = 20.0
"""Distance of houses and hedges from the camera, in metres."""

_FARTHEST = 200.0


class Ground(NamedTuple):
    """Where the picture's lower rows meet the ground, in the car's frame."""

    first_row: int
    """First row below the horizon."""
    wall_row: int
    """First row whose ground is nearer than houses and hedges."""
    x: Floats
    """Metres before the car's middle, (rows, W)."""
    y: Floats
    """Metres to the car's left, (rows, W)."""
    blur: Floats
    """Metres that one pixel spans, (rows, 1)."""


def ground_below(camera: Camera, size: tuple[int, int]) -> Ground:
    """The ground's coordinates under every pixel below the horizon of a picture (H, W)."""
    height, width = size
    horizon = camera.horizon()
    first = int(min(max(horizon, 0.0), height - 1.0))
    wall = int(min(max(horizon + camera.scale * camera.place[2] / _WALL, first), height - 1.0))
    down = ((np.arange(first, height) + 0.5 - camera.middle[1]) / camera.scale)[:, None]
    across = (np.arange(width) + 0.5 - camera.middle[0]) / camera.scale
    fall = np.maximum(down * camera.up[2] - camera.ahead[2], camera.place[2] / _FARTHEST)
    reach = camera.place[2] / fall
    px, py, _ = camera.place
    x = px + reach * (camera.ahead[0] - down * camera.up[0]) + reach * camera.right[0] * across
    y = py + reach * (camera.ahead[1] - down * camera.up[1]) + reach * camera.right[1] * across
    blur = reach / camera.scale * (1.0 + 0.25 * reach / camera.place[2])
    return Ground(first, wall, x, y, blur)


def _band(distance: Floats, half: float, blur: Floats) -> Floats:
    """1 where ``distance`` from a line's middle is below ``half`` metres, soft over a pixel."""
    return np.minimum(np.maximum((half - np.abs(distance)) / blur + 0.5, 0.0), 1.0)


def _beyond(distance: Floats, blur: Floats) -> Floats:
    """1 where ``distance`` is above 0, soft over a pixel."""
    return np.minimum(np.maximum(distance / blur + 0.5, 0.0), 1.0)


def _mix(base: Floats, colour: Colour, share: Floats) -> Floats:
    mixed: Floats = base + (np.array(colour, dtype=np.float64) - base) * share[:, :, None]
    return mixed


def _repeat(values: Floats, period: float) -> Floats:
    """Distance to the middle of the nearest of marks that stand ``period`` metres apart."""
    turns: Floats = values - np.floor(values / period + 0.5) * period
    return turns


def covering(kind: str, ground: Ground, random: Random) -> Floats:
    """Colours of the ground in daylight, RGB 0 to 255, (rows, W, 3)."""
    side = pick(random, (-1.0, 1.0))
    tone = int(between(random, 84, 122))
    base = np.array((tone, tone + 1, tone + 4), dtype=np.float64)
    x, y, blur = ground.x, ground.y * side, ground.blur
    if kind == "street":
        colour = _mix(base, (166, 162, 154), _beyond(y - 1.5, blur))
        colour = _mix(colour, (196, 194, 188), _band(y - 1.5, 0.09, blur))
        dashes = _band(y + 2.1, 0.07, blur) * _band(_repeat(x, 4.0), 1.0, blur)
        return _mix(colour, (226, 226, 220), dashes)
    if kind == "country":
        grass = pick(random, ((96, 128, 62), (128, 136, 76), (82, 116, 60)))
        colour = _mix(
            base + 12.0, grass, np.maximum(_beyond(y - 1.9, blur), _beyond(-y - 4.6, blur))
        )
        return _mix(colour, (224, 224, 216), _band(y - 1.55, 0.06, blur))
    if kind == "parking":
        bays = _band(_repeat(y + 1.35, 2.7), 0.06, blur) * _band(x, 2.7, blur)
        ends = _band(x - side * 2.7, 0.06, blur)
        return _mix(base + 8.0, (232, 232, 226), np.maximum(bays, ends))
    joints = np.maximum(_band(_repeat(x, 2.4), 0.02, blur), _band(_repeat(y, 2.4), 0.02, blur))
    pale = pick(random, ((190, 182, 166), (176, 176, 172), (198, 184, 158)))
    return _mix(np.array(pale, dtype=np.float64), (138, 132, 122), joints * 0.7)


def shadow(ground: Ground, shape: Shape, sun: Sun) -> Floats:
    """Share of light that the car keeps from the ground, (rows, W)."""
    long, wide = shape.length / 2, shape.half_width
    contact = 0.62 * _patch(ground, (0.0, 0.0), (long - 0.10, wide - 0.02), 0.24)
    cast = np.zeros_like(contact)
    roof = shape.x((shape.cabin[1] + shape.cabin[2]) / 2)
    half_roof = (shape.cabin[2] - shape.cabin[1]) / 2 + 0.25
    for height, middle, half in (
        (0.72 * shape.shoulder(1.5), 0.0, (long - 0.1, wide - 0.02)),
        (0.92 * shape.height, roof, (half_roof, wide * 0.74)),
    ):
        offset = -height / sun.towards[2]
        place = middle + offset * sun.towards[0], offset * sun.towards[1]
        cast = np.maximum(cast, _patch(ground, place, half, 0.16))
    return 1.0 - (1.0 - contact) * (1.0 - 0.48 * sun.strength * cast)


def _patch(
    ground: Ground, middle: tuple[float, float], half: tuple[float, float], soft: float
) -> Floats:
    """A rectangle with rounded, soft edges: 1 inside, 0 outside, ``soft`` metres between."""
    dx = np.maximum(np.abs(ground.x - middle[0]) - (half[0] - soft), 0.0)
    dy = np.maximum(np.abs(ground.y - middle[1]) - (half[1] - soft), 0.0)
    depth = np.minimum(np.maximum(1.5 - np.sqrt(dx * dx + dy * dy) / (soft * 1.5), 0.0), 1.0)
    eased: Floats = depth * depth * (3.0 - 2.0 * depth)
    return eased
