"""A fit by two gloo processes: Lightning starts this file once more for the second one.

Usage: ``python -m tests.callbacks.two_processes RUN_DIR EPOCHS SPOILED_FROM WHAT [CKPT_PATH]``,
``WHAT`` being ``fit``, ``sigterm`` (the second process is sent one in the second epoch),
``no_metric`` (the first process cannot have the metric) or ``uneven_metric`` (the second cannot).
Each process writes what it knows to ``RUN_DIR/process_<rank>.json``.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import nn

from carsynth.callbacks.best_checkpoint import BestCheckpoint
from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.callbacks.run_record import RunRecord
from carsynth.callbacks.sample_grid import SampleGrid
from carsynth.callbacks.signals import StopOnSigterm
from carsynth.data.batch import CarBatch
from carsynth.errors import UserError
from carsynth.metrics.gaussian import frechet_distance, gaussian_of_features
from carsynth.metrics.pixels import to_uint8
from tests.callbacks.tiny_players import (
    TinyData,
    TinyExtractor,
    TinyMetric,
    make_trainer,
    seeded_players,
)


class OneSided(TinyMetric):
    """Settles but by the first process, and fails there or builds only there."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.rank = int(os.environ.get("LOCAL_RANK", "0"))

    def settle(self) -> TinyMetric:
        assert self.rank == 0, "one process decides for all"
        if self.what == "no_metric":
            raise UserError("no weights here")
        return self

    def build(self) -> nn.Module:
        if self.what == "uneven_metric" and os.environ.get("LOCAL_RANK", "0") == "1":
            raise UserError("no weights there")
        return super().build()


class Witness(Callback):
    """Compares each score with that of all photos at once, scored by this process alone."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.scores: list[float] = []
        self.expected: list[float] = []

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        second = trainer.global_rank == 1
        if self.what == "sigterm" and second and (trainer.current_epoch, batch_idx) == (1, 0):
            os.kill(os.getpid(), signal.SIGTERM)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        batch = CarBatch(*map(torch.stack, zip(*trainer.datamodule.samples(1), strict=True)))
        extractor = TinyExtractor()
        real = gaussian_of_features(extractor(batch.photo))
        fake = gaussian_of_features(extractor(to_uint8(pl_module.validation_step(batch, 0))))
        self.expected.append(frechet_distance(real, fake))
        self.scores.append(float(trainer.callback_metrics["val/frechet_tiny"]))


def main(run_dir: Path, epochs: int, spoiled_from: int, what: str, ckpt_path: str | None) -> None:
    torch.set_num_threads(1)
    metrics = GenerationMetrics(OneSided(what))
    best, witness = BestCheckpoint(), Witness(what)
    stop, grid = StopOnSigterm(), SampleGrid(num_samples=3)
    callbacks = [witness, metrics, best, stop, grid, RunRecord({})]
    ddp = {"devices": 2, "strategy": "ddp_find_unused_parameters_true"}
    trainer = make_trainer(run_dir, callbacks, epochs, **ddp)
    # Nine validation photos: the first process has two batches, the second one.
    data, module = TinyData(train=16, val=9), seeded_players(spoiled_from=spoiled_from)
    error = None
    try:
        trainer.fit(module, data, ckpt_path=ckpt_path)
    except UserError as mistake:
        error = str(mistake)
    finally:
        report = {
            "error": error,
            "seen": module.seen,
            "scores": witness.scores,
            "expected": witness.expected,
            "best_epoch": best.best_epoch,
            "best_score": best.best_score,
            "floor": metrics.floor,
        }
        run_dir.mkdir(exist_ok=True)
        name = f"process_{os.environ.get('LOCAL_RANK', '0')}.json"
        (run_dir / name).write_text(json.dumps(report))
        if torch.distributed.is_initialized():
            # Left to the interpreter's end, gloo's threads can take the process down with them.
            torch.distributed.destroy_process_group()


if __name__ == "__main__":
    folder, count, spoiled, task, *resumed = sys.argv[1:]
    main(Path(folder), int(count), int(spoiled), task, resumed[0] if resumed else None)
