"""How much of a validation pass is feature extraction, and how much is everything around it."""

import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import cast

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.data.batch import CarBatch
from carsynth.data.toycars import ToyCars
from carsynth.metrics.figure import Figure
from carsynth.metrics.inception import InceptionFeatures, random_inception
from carsynth.metrics.kernel import KernelDistance
from carsynth.metrics.manifold import Manifold

PICTURES, SIZE, BATCH = 208, 128, 16
ROUNDS = 3


class _Timed(InceptionFeatures):
    """Counts the seconds that features take."""

    seconds = 0.0

    def forward(self, photo: Tensor) -> Tensor:
        began = time.perf_counter()
        features = super().forward(photo)
        type(self).seconds += time.perf_counter() - began
        return features


class _Stored(LightningModule):
    """Gives other cars in the place of generated ones, so that no time goes into a generator."""

    def validation_step(self, batch: CarBatch, batch_idx: int) -> Tensor:
        return batch.photo.flip(0, 3) / 127.5 - 1.0

    def configure_optimizers(self) -> None:
        return None


class _Choice:
    def settle(self) -> "_Choice":
        return self

    def build(self) -> InceptionFeatures:
        extractor = random_inception()
        extractor.__class__ = _Timed
        return extractor


def measure(folder: Path) -> tuple[float, float]:
    """Seconds of a validation pass, and those of them that were spent on features."""
    cars = ToyCars(PICTURES)
    drawn = [cars.draw(index, (SIZE, SIZE)) for index in range(PICTURES)]
    photos = torch.stack([torch.from_numpy(car.photo).permute(2, 0, 1) for car in drawn])
    batches = [
        CarBatch(part, torch.zeros(len(part), SIZE, SIZE).long(), torch.zeros(len(part)).long())
        for part in torch.split(photos, BATCH)
    ]
    given = cast(Dataset[CarBatch], batches)
    figures: dict[str, Figure] = {"kernel": KernelDistance(), "manifold": Manifold()}
    totals, features = [], []
    for _ in range(ROUNDS + 1):
        metrics = GenerationMetrics(_Choice(), figures, cache_dir=str(folder / "cache"))
        trainer = Trainer(
            accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, callbacks=[metrics],
            default_root_dir=folder,
        )  # fmt: skip
        _Timed.seconds = 0.0
        began = time.perf_counter()
        trainer.validate(_Stored(), DataLoader(given, batch_size=None), verbose=False)
        totals.append(time.perf_counter() - began)
        features.append(_Timed.seconds)
    # The first pass fills the cache of real features.
    return statistics.median(totals[1:]), statistics.median(features[1:])


def main() -> None:
    """Prints the share."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        total, features = measure(Path(folder))
    print(
        f"validation of {PICTURES} generated against {PICTURES} real photos, whose features are "
        f"cached: {total:.2f} s, {1 - features / total:.1%} of them outside feature extraction "
        "(target 5 %)"
    )


if __name__ == "__main__":
    main()
