"""What lies around a car: sky, skyline, ground and the shadow on it."""

from random import Random

import numpy as np
from numpy.typing import NDArray

from carsynth.data.toycars.camera import Camera
from carsynth.data.toycars.design import Scene, between, pick
from carsynth.data.toycars.finishes import Colour
from carsynth.data.toycars.ground import Ground, covering, ground_below, shadow
from carsynth.data.toycars.light import Sun
from carsynth.data.toycars.mesh import Floats
from carsynth.data.toycars.shape import Shape
from carsynth.data.toycars.skyline import Picture, draw_houses, draw_silhouette

_SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((92, 142, 206), (206, 222, 236)),
    ((120, 160, 212), (228, 228, 222)),
    ((168, 178, 190), (222, 224, 226)),
    ((84, 116, 172), (246, 212, 172)),
)
"""Colours overhead and at the horizon; the third is that of grey days."""

_STUDIOS: tuple[Colour, ...] = (
    (214, 216, 218), (186, 190, 196), (150, 156, 166), (206, 198, 186), (110, 116, 126),
    (176, 190, 200),
)  # fmt: skip


def paint_backdrop(
    scene: Scene, camera: Camera, sun: Sun, shape: Shape, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """The picture without the car, RGB (H, W, 3), its shadow included."""
    random = Random(scene.backdrop_seed)
    picture = np.empty((*size, 3), dtype=np.uint8)
    ground = ground_below(camera, size)
    if scene.backdrop == "studio":
        colour = _studio(picture, ground, random)
    else:
        _sky(picture, ground.first_row, _SKIES[2] if scene.sunlight < 0.5 else pick(random, _SKIES))
        _far(scene, picture, ground, random)
        colour = covering(scene.backdrop, ground, random)
        grain = np.frombuffer(random.randbytes(64 * 64), dtype=np.uint8).reshape(64, 64)
        rows, columns = colour.shape[:2]
        tiles = np.tile(grain >> 4, (rows // 64 + 1, columns // 64 + 1))[:rows, :columns]
        colour = colour + (tiles.astype(np.float64) - 7.5)[:, :, None] * 0.8
    lit = 1.0 - shadow(ground, shape, sun)
    shaded = np.minimum(np.maximum(colour * lit[:, :, None], 0.0), 255.0)
    first = ground.wall_row
    picture[first:] = shaded[first - ground.first_row :].astype(np.uint8)
    return picture


def _sky(picture: Picture, horizon: int, colours: tuple[Colour, Colour]) -> None:
    rows = max(horizon, 1)
    share = (np.arange(picture.shape[0]) / rows).clip(0.0, 1.0)[:, None]
    top, bottom = (np.array(colour, dtype=np.float64) for colour in colours)
    picture[:] = (top + (bottom - top) * share).astype(np.uint8)[:, None, :]


def _studio(picture: Picture, ground: Ground, random: Random) -> Floats:
    """A seamless wall and floor; the floor's colours are returned, the wall's are drawn."""
    colour = np.array(pick(random, _STUDIOS), dtype=np.float64)
    height = picture.shape[0]
    rows = (np.arange(height) - ground.first_row) / height
    wall = 0.86 + 0.16 * (1.0 + rows.clip(-1.0, 0.0))
    floor = 1.02 + 0.22 * rows.clip(0.0, 0.5)
    light = np.where(rows < 0, wall, floor)
    tone = np.minimum(colour * light[:, None], 250.0)
    picture[:] = tone.astype(np.uint8)[:, None, :]
    shape = (height - ground.first_row, picture.shape[1], 3)
    return np.broadcast_to(tone[ground.first_row :, None, :], shape)


def _far(scene: Scene, picture: Picture, ground: Ground, random: Random) -> None:
    """What stands between ground and sky."""
    horizon, foot = ground.first_row, ground.wall_row
    height = picture.shape[0]
    below = foot - horizon
    if scene.backdrop == "street":
        draw_silhouette(picture, foot, below + 0.16 * height, (150, 160, 172), random, 5)
        draw_houses(picture, foot, random)
    elif scene.backdrop == "country":
        draw_silhouette(picture, foot, below + 0.20 * height, (132, 152, 160), random, 4)
        draw_silhouette(picture, foot, below + 0.12 * height, (100, 130, 92), random, 5)
        draw_silhouette(picture, foot, below + 0.08 * height, (62, 92, 52), random, 40)
    elif scene.backdrop == "parking":
        draw_silhouette(picture, foot, below + 0.17 * height, (88, 112, 78), random, 18)
        top = max(0, foot - round(between(random, 0.05, 0.14) * height))
        picture[top:foot] = pick(random, ((168, 164, 156), (70, 98, 58), (142, 92, 76)))
        picture[top : top + max(1, height // 90)] = (120, 122, 118)
    else:
        sea = max(0, horizon - round(0.03 * height))
        picture[sea:foot] = (64, 118, 146)
        picture[sea : sea + 1] = (112, 154, 176)
        draw_silhouette(picture, sea, 0.10 * height, (124, 146, 160), random, 4)
        rail = max(0, foot - round(0.05 * height))
        picture[rail : rail + max(1, height // 80)] = (226, 228, 228)
        picture[rail:foot, :: max(6, picture.shape[1] // 14)] = (226, 228, 228)
