"""Snapping to a palette and overlay: pictures a second, and against a loop over pixels."""

import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from carsynth.data.toycars import ToyCars
from carsynth.labels import BACKGROUND, BODY
from carsynth.preparation.isolation import coloured
from carsynth.preparation.overlay import overlay
from carsynth.preparation.palette import load_palette
from carsynth.preparation.snapping import Snapper

SIZE = (128, 128)
PICTURES = 200
LOOPED = 3
ROUNDS = 5

Picture = NDArray[np.uint8]


def pictures(paint: NDArray[np.uint8]) -> tuple[list[Picture], list[NDArray[np.bool_]]]:
    """Drawn cars' maps in colours with soft edges and JPEG's noise, and their whole cars."""
    cars = ToyCars(PICTURES)
    drawn = [cars.draw(index, SIZE) for index in range(PICTURES)]
    soft = [cv2.GaussianBlur(paint[car.part_map], (3, 3), 0) for car in drawn]
    packed = [cv2.imencode(".jpg", one, [cv2.IMWRITE_JPEG_QUALITY, 90])[1] for one in soft]
    noisy = [np.asarray(cv2.imdecode(one, cv2.IMREAD_COLOR), np.uint8) for one in packed]
    return noisy, [car.car_mask for car in drawn]


def snapped_by_loop(picture: Picture, colours: NDArray[np.uint8]) -> Picture:
    """The nearest colour's index of every pixel, one after the other."""
    palette = [tuple(colour) for colour in colours.tolist()]
    rows = []
    for line in picture.tolist():
        row = []
        for red, green, blue in line:
            best, nearest = 1 << 20, 0
            for index, (r, g, b) in enumerate(palette):
                square = (red - r) ** 2 + (green - g) ** 2 + (blue - b) ** 2
                if square < best:
                    best, nearest = square, index
            row.append(nearest)
        rows.append(row)
    return np.array(rows, np.uint8)


def speed(work: Callable[[int], object], count: int) -> float:
    """Pictures a second, by number, in one pass over them."""
    began = time.perf_counter()
    for number in range(count):
        work(number)
    return count / (time.perf_counter() - began)


def line(name: str) -> str:
    """The measures of one palette."""
    palette = load_palette(name)
    some, cars = pictures(palette.paint)
    parts = [coloured(picture, 80) for picture in some]
    ground, body = palette.paint[BACKGROUND], palette.paint[BODY]
    noise = np.random.default_rng(0).integers(0, 256, (PICTURES, *SIZE, 3), np.uint8)

    for picture in some[:LOOPED]:
        loop = snapped_by_loop(picture, palette.colours)
        assert np.array_equal(Snapper(palette.colours)(picture).indices, loop)
    loops = speed(lambda i: snapped_by_loop(some[i], palette.colours), LOOPED)

    snap, unseen = Snapper(palette.colours), Snapper(palette.colours)
    first = speed(lambda i: snap(some[i]), PICTURES)
    later = statistics.median(speed(lambda i: snap(some[i]), PICTURES) for _ in range(ROUNDS))
    worst = speed(lambda i: unseen(noise[i]), PICTURES)
    laid = statistics.median(
        speed(lambda i: overlay(some[i], parts[i], cars[i], ground, body), PICTURES)
        for _ in range(ROUNDS)
    )
    return (
        f"palette {name} at {SIZE[0]}x{SIZE[1]}, pictures a second: snapping {first:.0f} with an "
        f"empty table, {later:.0f} with a filled one, {worst:.0f} on noise; loop over pixels "
        f"{loops:.1f}: {first / loops:.0f} x, {later / loops:.0f} x and {worst / loops:.0f} x; "
        f"overlay {laid:.0f}"
    )


def main() -> None:
    """Prints one line a palette."""
    for name in ("carsynth", "report"):
        print(line(name), flush=True)


if __name__ == "__main__":
    main()
