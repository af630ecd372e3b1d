"""Pictures a second of the loader alone against those that the training step consumes."""

import statistics
import time

from benchmarks.beside import TURN, Beside, fit
from benchmarks.pix2pixhd_step import ROWS, Row, batch_of, module_of
from carsynth.data.datamodule import CarDataModule
from carsynth.data.toycars import ToyCars

SAMPLES = 320


def loader_speed(row: Row) -> float:
    """Pictures a second of the training loader, cached and flipped, without workers."""
    import albumentations as A

    data = CarDataModule(
        ToyCars(SAMPLES), (row.size, row.size), row.batch, [A.HorizontalFlip(p=0.5)]
    )
    data.setup("fit")
    loader = data.train_dataloader()
    speeds = []
    for epoch in range(5):
        loader.sampler.set_epoch(epoch)
        began = time.perf_counter()
        pictures = sum(len(batch.photo) for batch in loader)
        speeds.append(pictures / (time.perf_counter() - began))
    return statistics.median(speeds)


def step_speed(row: Row) -> float:
    """Pictures a second of the eager step."""
    beside = Beside()
    fit(module_of(row), batch_of(row), 3 * TURN, "32-true", beside)
    return row.batch / statistics.median(beside.ours[1:])


def main() -> None:
    """Prints one line a setting."""
    for row in ROWS:
        loader, step = loader_speed(row), step_speed(row)
        print(
            f"loader at {row.size}x{row.size}: {loader:.0f} pictures a second, "
            f"{loader / step:.0f} x the step's {step:.1f}",
            flush=True,
        )
