"""Small sources and files that data tests are made of."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carsynth.data.batch import CarSample
from carsynth.errors import UserError
from carsynth.labels import PART_ID, VIEW_TWINS, VIEWS, view_of_part_map


class NumberedCars:
    """Samples that tell their own number: photo and label hold it; the map has left parts."""

    classes = VIEWS
    class_twins = VIEW_TWINS

    def __init__(self, length: int, bad: tuple[int, ...] = ()) -> None:
        self.names = tuple(f"car-{i:03d}" for i in range(length))
        self.bad = bad
        self.reads: list[int] = []

    def read(self, index: int, size: tuple[int, int]) -> CarSample:
        self.reads.append(index)
        if index in self.bad:
            raise UserError(f"{self.names[index]} is broken: mend it")
        photo = np.full((*size, 3), index, np.uint8)
        photo[:, 0, 1] = 255  # tells left from right
        part_map = np.zeros(size, np.uint8)
        part_map[:, : size[1] // 2] = PART_ID["front_left_door"]
        part_map[: size[0] // 4, size[1] // 2 :] = PART_ID["hood"]
        return CarSample(photo, part_map, view_of_part_map(part_map))


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """An RGB picture (H, W, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(picture: NDArray[Any] | Image.Image, path: Path, **options: Any) -> Path:
    """Write a picture file, and its folder where that is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(picture)
    picture.save(path, **options)
    return path


def save_coco(root: Path, **lists: list[dict[str, Any]]) -> None:
    """Write ``annotations.json`` of images, annotations and categories."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "annotations.json").write_text(json.dumps(lists), encoding="utf-8")


def rectangle(left: float, top: float, right: float, bottom: float) -> list[float]:
    """A COCO polygon."""
    return [left, top, right, top, right, bottom, left, bottom]
