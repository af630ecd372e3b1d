"""Pictures a second of each export, PNG files included, on drawn cars that lie in memory."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2

from carsynth.data.toycars import ToyCars
from carsynth.export.coco import export_coco
from carsynth.export.index_folders import export_index_folders
from carsynth.export.labelled import LabelledPicture
from carsynth.export.provenance import Checkpoint, Provenance
from carsynth.export.yolo import export_yolo
from carsynth.labels import VIEWS

EXPORTS: Mapping[str, Callable[..., int]] = {
    "COCO": export_coco,
    "YOLO": export_yolo,
    "index folders": export_index_folders,
}
SIZES = ((128, 128), (256, 256))
PICTURES = 400
ROUNDS = 5
BOUND = 200.0
"""Pictures a second that the COCO export must make at 128x128 on two cores."""

_PROVENANCE = Provenance(
    models={"maps": Checkpoint("best.ckpt", "0" * 64), "photos": Checkpoint("best.ckpt", "1" * 64)},
    config={f"key_{number}": number for number in range(200)},  # about as long as a real one
    seed=0,
    version="0",
    created="2000-01-01",
)


def pictures_of(size: tuple[int, int]) -> list[LabelledPicture]:
    """Drawn cars, the same at every call."""
    cars = ToyCars(PICTURES)
    found = []
    for index, name in enumerate(cars.names):
        car = cars.draw(index, size)
        info = {"seed": index, "view": VIEWS[car.view], "class": car.make}
        found.append(LabelledPicture(name, car.photo, car.part_map, info))
    return found


def speed(export: Callable[..., int], pictures: list[LabelledPicture], threads: int) -> float:
    """Pictures a second, the median of five rounds, each into a new folder."""
    speeds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            began = time.perf_counter()
            export(pictures, Path(folder) / str(number), _PROVENANCE, threads)
            speeds.append(len(pictures) / (time.perf_counter() - began))
    return statistics.median(speeds)


def main() -> None:
    """Prints one row for each export, size and number of threads."""
    cv2.setNumThreads(1)
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores; the COCO export at 128x128 with 2 threads must reach {BOUND:.0f}\n")
    print("| export | size | threads | pictures a second |")
    print("| --- | --- | --- | --- |")
    for size in SIZES:
        pictures = pictures_of(size)
        for name, export in EXPORTS.items():
            for threads in (1, 2):
                reached = speed(export, pictures, threads)
                row = f"| {name} | {size[0]}x{size[1]} | {threads} | {reached:.0f} |"
                print(row, flush=True)


if __name__ == "__main__":
    main()
