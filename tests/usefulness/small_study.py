"""A study of seconds, with pictures that tell which they are."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from carsynth.data.batch import CarBatch, CarSample
from carsynth.labels import NUM_PARTS
from carsynth.modules.segmenter import Segmenter, warm_then_cosine
from carsynth.networks.unet import CompactUNet
from carsynth.usefulness_study.plan import Plan
from carsynth.usefulness_study.synthetic import SyntheticSet
from tests.data.cars import NumberedCars

REAL, TEST, SYNTHETIC = 30, 6, 20
FIRST_SYNTHETIC = 100
"""What is added to the number of a synthetic picture."""


class SyntheticCars(NumberedCars):
    def read(self, index: int, size: tuple[int, int]) -> CarSample:
        photo, part_map, label = super().read(index, size)
        shifted = photo.copy()
        shifted[..., 0] += FIRST_SYNTHETIC
        return CarSample(shifted, part_map, label)


class Watched(Segmenter):
    """Notes the numbers of the pictures of every batch that it trains on."""

    seen: list[list[int]]

    def training_step(self, batch: Sequence[CarBatch], batch_idx: int) -> Tensor:
        self.seen.append([number for one in batch for number in one.photo[:, 0, 0, 0].tolist()])
        return super().training_step(batch, batch_idx)


def names(first: int, last: int) -> tuple[str, ...]:
    return tuple(f"car-{number:03d}" for number in range(first, last))


def made(saw: Sequence[str] | None = None, length: int = SYNTHETIC, **told: Any) -> SyntheticSet:
    known = None if saw is None else frozenset(saw)
    return SyntheticSet(SyntheticCars(length), "fakes", known, **told)


def plan(folder: Path, trained: list[Watched] | None = None, **changed: Any) -> Plan:
    """30 real pictures to train on, 6 to test, 20 synthetic ones; two seeds, five steps of four.

    Args:
        trained: collects the segmenters in the order in which they are made.
    """

    def segmenter() -> Segmenter:
        module = Watched(
            CompactUNet(3, NUM_PARTS, width=4, levels=2),
            optimizer=partial(torch.optim.AdamW, lr=1e-3),
            scheduler=warm_then_cosine,
        )
        module.seen = []
        if trained is not None:
            trained.append(module)
        return module

    make: Callable[[], Segmenter] = segmenter
    trainer = partial(Trainer, accelerator="cpu", devices=1, enable_model_summary=False)
    arguments: dict[str, Any] = {
        "real": NumberedCars(REAL + TEST),
        "splits": {
            "train": names(0, REAL),
            "validation": (),
            "test": names(REAL, REAL + TEST),
        },
        "size": (16, 24),
        "synthetic": {8: made(), 16: made()},
        "seeds": (0, 1),
        "steps": 5,
        "batch_size": 4,
        "segmenter": make,
        "trainer": trainer,
        "recipe": {"segmenter": "tiny"},
        "output_dir": folder,
        "augment": [A.HorizontalFlip(p=0.5)],
    }
    return Plan(**(arguments | changed))


def numbers(chosen: Sequence[str]) -> set[int]:
    return {int(name.removeprefix("car-")) for name in chosen}


def confusion(right: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Of two parts and the background, with so large a share of each found."""
    matrix = np.zeros((20, 20), np.int64)
    for part in (0, 13, 18):
        matrix[part, part] = round(100 * right)
        matrix[part, 0] += round(100 * (1 - right))
    return matrix
