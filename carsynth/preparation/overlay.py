"""Overlay: parts laid over the whole car, in colours or in ids."""

import numpy as np
from numpy.typing import NDArray

from carsynth.labels import BACKGROUND, BODY


def overlay(
    picture: NDArray[np.uint8],
    parts: NDArray[np.bool_],
    car: NDArray[np.bool_],
    ground: NDArray[np.uint8],
    body: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """An RGB picture (H, W, 3) of parts over a car in one colour over a ground in another.

    Args:
        picture: RGB (H, W, 3); shows where ``parts`` is true.
        parts: (H, W).
        car: the whole car, (H, W); parts may reach beyond it.
        ground: RGB, (3,).
        body: RGB, (3,).
    """
    under = np.stack([ground, body])[car.astype(np.uint8)]
    return np.where(parts[..., None], picture, under)


def overlay_ids(part_map: NDArray[np.uint8], car: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A part map (H, W) in which the car (H, W) is body where there was background."""
    laid: NDArray[np.uint8] = np.where((part_map == BACKGROUND) & car, np.uint8(BODY), part_map)
    return laid
