"""Pictures to export, and masks with all that is hard to draw."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from carsynth.data.toycars import ToyCars
from carsynth.export.labelled import LabelledPicture
from carsynth.export.provenance import Checkpoint, Provenance
from carsynth.labels import PART_ID, VIEWS

PROVENANCE = Provenance(
    models={"maps": Checkpoint("maps/best.ckpt", "ab" * 32)},
    config={"data": {"size": [64, 64]}, "name": "Škoda"},
    seed=7,
    version="0.1.0",
    created="2025-03-01",
)


def toy_pictures(count: int, size: tuple[int, int], seed: int = 0) -> Iterator[LabelledPicture]:
    """Drawn cars at (height, width)."""
    cars = ToyCars(count, seed)
    for index, name in enumerate(cars.names):
        car = cars.draw(index, size)
        info = {"index": index, "view": VIEWS[car.view], "make": car.make}
        yield LabelledPicture(name, car.photo, car.part_map, info)


def plain(name: str, part_map: NDArray[np.uint8] | None = None) -> LabelledPicture:
    """A grey photo; unless told otherwise it shows one bonnet."""
    if part_map is None:
        part_map = np.zeros((12, 20), np.uint8)
        part_map[3:6, 4:9] = PART_ID["hood"]
    return LabelledPicture(name, np.full((*part_map.shape, 3), 90, np.uint8), part_map, {"seed": 3})


def hard_mask() -> NDArray[np.uint8]:
    """Holes, an island in a hole, pixels alone or touching by corners, lines of one pixel."""
    mask = np.zeros((40, 60), np.uint8)
    mask[2:22, 3:40] = 1
    mask[4:8, 5:9] = mask[4:8, 10:12] = mask[9, 5:30] = 0  # holes side by side and below another
    mask[11:20, 8:30] = 0
    mask[13:18, 12:25] = 1
    mask[15, 14] = 0  # a hole in the island in a hole
    mask[39, 59] = mask[0, 0] = 1
    mask[25, 2:50] = mask[28:38, 45] = 1
    cv2.line(mask, (5, 28), (13, 36), 1)
    mask[30:34:2, 20:40:2] = mask[31:34:2, 21:40:2] = 1  # a chessboard
    return mask


def overlap(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """Intersection over union of two masks."""
    one, other = one != 0, other != 0
    return float((one & other).sum() / (one | other).sum())
