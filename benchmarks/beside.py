"""The product's step in a real fit, and a plain reference step timed right after each."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader, Dataset

from carsynth.data.batch import CarBatch

WARM_UP = 2
ROUNDS = 7

VARIANTS: dict[str, dict[str, Any]] = {
    "eager": {"compile": False, "precision": "32-true"},
    "compiled": {"compile": True, "precision": "32-true"},
    "compiled bf16": {"compile": True, "precision": "bf16-mixed"},
}


class Times(NamedTuple):
    """Medians over the rounds."""

    reference: float
    """Seconds of a reference step."""
    ratio: float
    """The product's pictures a second over the reference's, round by round."""


class Beside(Callback):
    """Times the product's batches and a reference step after each of them."""

    def __init__(self, reference: Callable[[], object]) -> None:
        self._reference = reference
        self._began = 0.0
        self.ours: list[float] = []
        self.theirs: list[float] = []

    def on_train_batch_start(self, *arguments: Any) -> None:
        self._began = time.perf_counter()

    def on_train_batch_end(self, *arguments: Any) -> None:
        self.ours.append(time.perf_counter() - self._began)
        began = time.perf_counter()
        self._reference()
        self.theirs.append(time.perf_counter() - began)


def fit(
    module: LightningModule, batch: CarBatch, steps: int, precision: Any, *callbacks: Callback
) -> None:
    """A real fit of so many batches, quiet."""
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        precision=precision,
        max_epochs=1,
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    steps_of_it = cast(Dataset[CarBatch], [batch] * steps)
    trainer.fit(module, DataLoader(steps_of_it, batch_size=None))
