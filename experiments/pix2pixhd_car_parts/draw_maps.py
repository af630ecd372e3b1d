"""Writes maps of drawn cars as polygons of the photos have them: no body. ``... DIR [COUNT]``."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from carsynth.data.toycars import ToyCars
from carsynth.labels import BACKGROUND, BODY


def main(folder: Path, count: int) -> None:
    """``count`` id PNGs of 128x128 into a new folder."""
    cars = ToyCars(count, seed=11)
    folder.mkdir(parents=True)
    for index in range(count):
        part_map = cars.draw(index, (128, 128)).part_map
        part_map = np.where(part_map == BODY, BACKGROUND, part_map).astype(np.uint8)
        Image.fromarray(part_map).save(folder / f"{index:02d}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 24)
