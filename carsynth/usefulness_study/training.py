"""One training of the segmenter and its test, kept in a file so that it is never repeated."""

import hashlib
import json
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.utilities.seed import isolate_rng
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

import carsynth
from carsynth.data.files import replace_atomically, write_atomically
from carsynth.data.photos import palette_picture
from carsynth.errors import UserError
from carsynth.metrics.segmentation import PartIoU, PartScores, scores_of
from carsynth.usefulness_study.batches import StepBatches
from carsynth.usefulness_study.pictures import Pictures
from carsynth.usefulness_study.plan import Plan

_LOSS_EVERY = 20
"""Steps between two readings of the loss, each of which waits for the device."""
_LAST = 5
"""Readings that the loss of a training is the mean of."""
_TEST_BATCH = 32
_TALKERS = ("pytorch", "fabric")

PartMaps = NDArray[np.uint8]
"""Ids of ``labels.PARTS``, (N, H, W)."""


class Share(NamedTuple):
    """What a training takes from one set."""

    pictures: Pictures
    names: tuple[str, ...]
    batch_size: int
    """Of this set's pictures in every batch."""


class Trained(NamedTuple):
    """What came of a training."""

    seed: int
    steps: int
    """That the optimiser really made."""
    loss: float | None
    """Mean of the last readings; None where it is not finite."""
    seconds: float
    scores: PartScores


class Training:
    """A training that may or may not have been done.

    Its files in ``folder`` are named after a digest of all that goes into it: pixels and maps of
    training and test, mix, recipe, seed and steps. A file that is there is thus the right one.

    Args:
        shares: one set, or two to mix.
        shown: names of the test pictures whose predicted maps are kept.
    """

    def __init__(
        self,
        plan: Plan,
        shares: Sequence[Share],
        test: Pictures,
        shown: Sequence[str],
        seed: int,
        folder: Path,
    ) -> None:
        self._plan = plan
        self._shares = shares
        self._test = test
        self._shown = shown
        self._seed = seed
        inputs = {
            "carsynth": carsynth.__version__,
            "size": list(plan.size),
            "steps": plan.steps,
            "recipe": plan.recipe,
            "seed": seed,
            "trained_on": [(s.batch_size, s.pictures.digest(s.names)) for s in shares],
            "tested_on": test.digest(test.names),
            "shown": list(shown),
        }
        key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:24]
        self._inputs = inputs
        self.record = folder / f"{key}.json"
        self._maps = folder / f"{key}.png"

    @property
    def done(self) -> bool:
        """Whether its record is there; it is written last."""
        return self.record.is_file()

    def run(self, bar: "tqdm[Any]") -> None:
        """Trains from the beginning, tests the last weights, and writes the files.

        Args:
            bar: moves by one for every step.

        Raises:
            UserError: the trainer has several devices.
            OSError: the files cannot be written.
        """
        began = time.perf_counter()
        ticks = _Ticks(bar)
        with isolate_rng(), _quiet():
            seed_everything(self._seed, verbose=False)
            segmenter = self._plan.segmenter()
            trainer = self._plan.trainer(
                max_epochs=1,
                callbacks=[ticks],
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
            )
            if trainer.world_size > 1:
                raise UserError(
                    f"a study trains on one device, not on {trainer.world_size}: take trainer=cpu "
                    "or gpu"
                )
            trainer.fit(segmenter, self._batches())
            if trainer.global_step != self._plan.steps:  # interrupted
                raise RuntimeError(
                    f"a training made {trainer.global_step} steps in place of {self._plan.steps}"
                )
            predicted = cast(
                list[torch.Tensor],
                trainer.predict(segmenter, self._test.in_order(_TEST_BATCH)),
            )
        iou = PartIoU()
        for some, batch in zip(predicted, self._test.in_order(_TEST_BATCH), strict=True):
            iou.update(some.cpu(), batch.part_map)
        scores: PartScores = iou.compute()
        maps = torch.cat(predicted).cpu().numpy()
        places = [self._test.names.index(name) for name in self._shown]
        _save_maps(maps[places], self._maps)
        record = {
            "steps": trainer.global_step,
            "loss": ticks.loss,
            "seconds": round(time.perf_counter() - began, 3),
            "confusion": scores.confusion.tolist(),
            "inputs": self._inputs,
        }
        write_atomically(self.record, json.dumps(record) + "\n")

    def result(self) -> Trained:
        """What the record says."""
        record: Mapping[str, Any] = json.loads(self.record.read_text())
        return Trained(
            self._seed,
            record["steps"],
            record["loss"],
            record["seconds"],
            scores_of(np.array(record["confusion"], np.int64)),
        )

    def shown(self) -> PartMaps:
        """Predicted maps of the test pictures that are shown."""
        strip = np.asarray(Image.open(self._maps))
        return strip.reshape(len(self._shown), *self._plan.size)

    def _batches(self) -> StepBatches:
        # Sets of one order, drawn from one seed, would show both a car and its copy in each batch.
        loaders = [
            share.pictures.shuffled(
                share.names,
                share.batch_size,
                self._plan.augment,
                self._seed * len(self._shares) + place,
            )
            for place, share in enumerate(self._shares)
        ]
        return StepBatches(loaders, self._plan.steps)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what Lightning says of every training from between the bar and its user."""
    loggers = [logging.getLogger(f"lightning.{name}.utilities.rank_zero") for name in _TALKERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _save_maps(maps: PartMaps, path: Path) -> None:
    """One below the other, as a palette picture."""
    strip = palette_picture(maps.reshape(-1, maps.shape[2]))
    replace_atomically(path, lambda file: strip.save(file, format="PNG"))


class _Ticks(Callback):
    """Moves a bar, and reads the loss now and then."""

    def __init__(self, bar: "tqdm[Any]") -> None:
        self._bar = bar
        self._read: list[float] = []

    @property
    def loss(self) -> float | None:
        last = self._read[-_LAST:]
        mean = sum(last) / max(len(last), 1)
        return mean if math.isfinite(mean) else None

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if batch_idx % _LOSS_EVERY == 0 or trainer.is_last_batch:
            self._read.append(float(outputs["loss"]))
            self._bar.set_postfix(loss=f"{self._read[-1]:.3f}", refresh=False)
        self._bar.update()
