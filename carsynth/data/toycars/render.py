"""Draws a chosen car in a chosen scene."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carsynth.data.toycars.atlas import TEXELS
from carsynth.data.toycars.camera import aim, frame, seen_from, to_fixed
from carsynth.data.toycars.design import CarDesign, Scene
from carsynth.data.toycars.finishes import GLOSS, colours
from carsynth.data.toycars.light import light_up, sun_of
from carsynth.data.toycars.model import Model, build_model
from carsynth.data.toycars.raster import Cover, draw_triangles
from carsynth.data.toycars.scene import paint_backdrop
from carsynth.errors import UserError
from carsynth.labels import BACKGROUND, PART_TWINS, view_of_yaw

LEAST = 32
"""Smallest height and width of a picture."""

_SAMPLES = 2
"""Samples a pixel, along each side."""


class ToyCar(NamedTuple):
    """A picture and everything that is known about it."""

    photo: NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    part_map: NDArray[np.uint8]
    """Ids of ``labels.PARTS``, (H, W): the part that covers most of a pixel."""
    car_mask: NDArray[np.bool_]
    """Where the part map is not background, (H, W)."""
    make: str
    body: str
    doors: int
    """As car people count: a tailgate is a door."""
    yaw: float
    """Degrees from 0 to 360, as ``labels.VIEWS`` counts them."""
    view: int
    """Index in ``labels.VIEWS``."""


def render(design: CarDesign, scene: Scene, size: tuple[int, int]) -> ToyCar:
    """The car in the scene at ``size`` (height, width); the same bytes on every machine.

    Raises:
        UserError: a side of ``size`` is below 32 pixels.
    """
    if min(size) < LEAST:
        raise UserError(
            f"toy cars: size {size[0]}x{size[1]} is too small to show a car; "
            f"set height and width to {LEAST} or more"
        )
    model = build_model(design.style, design.make)
    camera = aim(scene.yaw, scene.distance, scene.height)
    across, down, inverse = seen_from(camera, model.mesh.points)
    camera = frame(camera, across, down, size, scene.fill, scene.shift)
    sun = sun_of(scene, camera)
    scattered, mirrored = light_up(model.mesh, camera, sun)
    fine = (size[0] * _SAMPLES, size[1] * _SAMPLES)
    cover = draw_triangles(
        np.stack(
            [
                to_fixed(across, camera.scale, camera.middle[0], _SAMPLES),
                to_fixed(down, camera.scale, camera.middle[1], _SAMPLES),
            ]
        ).astype(np.int64),
        inverse,
        np.stack(
            [
                model.mesh.chart[:, 0] * TEXELS,
                model.mesh.chart[:, 1] * TEXELS,
                scattered * 256.0,
                mirrored * 256.0,
            ]
        ),
        model.mesh.faces,
        fine,
    )
    colour, part = _materials(model, cover, design)
    backdrop = paint_backdrop(scene, camera, sun, model.shape, size)
    part_map = _most_common(_spread(part, cover.pixel, fine))
    return ToyCar(
        photo=_blend(colour, cover.pixel, backdrop),
        part_map=part_map,
        car_mask=part_map != BACKGROUND,
        make=design.make.name,
        body=design.style.name,
        doors=design.style.doors,
        yaw=scene.yaw % 360.0,
        view=view_of_yaw(scene.yaw),
    )


def _materials(
    model: Model, cover: Cover, design: CarDesign
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """RGB (P, 3), 0 to 255, and part id (P,) of every covered sample."""
    texels = model.atlas.texels
    place = cover.values.astype(np.int32)
    column = np.minimum(np.maximum(place[0], 0), texels.shape[1] - 1)
    row = np.minimum(np.maximum(place[1], 0), texels.shape[0] - 1)
    kind = texels.reshape(-1)[row * texels.shape[1] + column]
    right = model.mesh.right[cover.face]
    parts = np.concatenate([model.atlas.parts, PART_TWINS[model.atlas.parts]])
    part = parts[kind + right * np.int32(len(model.atlas.parts))]
    finishes = model.atlas.finishes
    base = colours(design.paint, design.accent, design.rim)[finishes][kind]
    shine = GLOSS[finishes][kind] * place[3] >> 8
    colour = (base * place[2][:, None] >> 8) + shine[:, None]
    return np.minimum(np.maximum(colour, 0), 255), part


def _spread(
    values: NDArray[np.uint8], pixel: NDArray[np.int64], fine: tuple[int, int]
) -> NDArray[np.uint8]:
    grid = np.zeros(fine[0] * fine[1], dtype=np.uint8)
    grid[pixel] = values
    return grid.reshape(fine)


def _most_common(fine: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The value that most of a pixel's four samples have; of equals, the larger."""
    samples = [fine[i::2, j::2] for i in (0, 1) for j in (0, 1)]
    result = samples[0].copy()
    first, *others = samples
    mixed = (first != others[0]) | (first != others[1]) | (first != others[2])
    some = np.stack([sample[mixed] for sample in samples])
    votes = np.stack([(some == sample).sum(axis=0) for sample in some])
    result[mixed] = (votes * 256 + some).max(axis=0) & 255
    return result


def _blend(
    colour: NDArray[np.int32], pixel: NDArray[np.int64], backdrop: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The mean over a pixel's four samples, those that no car covers showing the backdrop."""
    height, width, _ = backdrop.shape
    fine = np.repeat(np.repeat(backdrop, 2, axis=0), 2, axis=1).reshape(-1, 3)
    fine[pixel] = colour
    grid = fine.reshape(height, 2, width, 2, 3).astype(np.uint16)
    photo = (grid[:, 0, :, 0] + grid[:, 0, :, 1] + grid[:, 1, :, 0] + grid[:, 1, :, 1] + 2) >> 2
    return photo.astype(np.uint8)
