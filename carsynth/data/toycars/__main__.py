"""``python -m carsynth.data.toycars OUT.png``: a sheet of cars and their part maps to look at."""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carsynth.data.toycars.dataset import ToyCars
from carsynth.labels import PALETTE

COUNT, COLUMNS = 48, 8


def contact_sheet(cars: ToyCars, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The first 48 cars, photos above their coloured part maps, eight a row, RGB."""
    rows = []
    for first in range(0, COUNT, COLUMNS):
        drawn = [cars.draw(index, size) for index in range(first, first + COLUMNS)]
        rows.append(np.concatenate([car.photo for car in drawn], axis=1))
        rows.append(np.concatenate([PALETTE[car.part_map] for car in drawn], axis=1))
    return np.concatenate(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m carsynth.data.toycars", description=__doc__)
    parser.add_argument("out", type=Path, help="PNG file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, nargs=2, default=(128, 192), metavar=("H", "W"))
    args = parser.parse_args()
    sheet = contact_sheet(ToyCars(length=COUNT, seed=args.seed), tuple(args.size))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(args.out, format="PNG")
    print(f"{COUNT} cars -> {args.out}")


if __name__ == "__main__":
    main()
