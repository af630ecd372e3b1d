"""What training says while it runs: a bar on a terminal, a line an epoch elsewhere."""

import math
import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Timer, TQDMProgressBar
from tqdm import tqdm


class TrainingProgress(TQDMProgressBar):
    """Shows the last loss terms and score, real photos a second, and the time left of the run.

    The terms are all that is logged as ``train/<term>``; asking for them costs a device
    synchronisation each time, hence not every batch. Where the output is no terminal (a file, a
    scheduler's log) one line is printed at each epoch's end in place of the bar.

    Args:
        refresh_rate: batches between two updates of the bar; 0 shows no bar.
    """

    def __init__(self, refresh_rate: int = 10) -> None:
        super().__init__(refresh_rate=refresh_rate)
        self._line_per_epoch = False
        self._run_began = self._epoch_began = self._validation_began = 0.0
        self._progress_before = 0.0
        self._seen_before = 0
        self._validating = 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if not (sys.stdout.isatty() or "ipykernel" in sys.modules):
            self._line_per_epoch = self.is_enabled
            self.disable()

    def on_train_start(self, *arguments: Any) -> None:
        super().on_train_start(*arguments)
        self._run_began = time.perf_counter()
        self._progress_before = float(self.trainer.current_epoch)

    def on_train_epoch_start(self, trainer: Trainer, *arguments: Any) -> None:
        super().on_train_epoch_start(trainer, *arguments)
        self._epoch_began = time.perf_counter()
        self._validating = 0.0
        self._seen_before = int(trainer.lightning_module.seen)  # type: ignore[arg-type]

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_validation_start(trainer, pl_module)
        self._validation_began = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validating += time.perf_counter() - self._validation_began
        super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        if self._line_per_epoch:
            shown = self.get_metrics(trainer, pl_module).items()
            words = [f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in shown]
            print(f"epoch {trainer.current_epoch}:", *words, flush=True)

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """What the bar shows: loss terms without their prefix, scores, ``img/s``, ``left``."""
        shown: dict[str, int | str | float | dict[str, float]] = {
            name.removeprefix("train/"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(("train/", "val/"))
        }
        seconds = time.perf_counter() - self._epoch_began - self._validating
        seen = int(pl_module.seen) - self._seen_before  # type: ignore[arg-type]
        if seen > 0:
            shown["img/s"] = seen / max(seconds, 1e-9)
        if (left := self._seconds_left(trainer)) is not None:
            shown["left"] = tqdm.format_interval(left)
        return shown

    def _seconds_left(self, trainer: Trainer) -> float | None:
        """None where nothing tells when the run ends, or no batch is done yet."""
        timers = [c for c in trainer.callbacks if isinstance(c, Timer)]  # type: ignore[attr-defined]
        limits = [left for timer in timers if (left := timer.time_remaining()) is not None]
        if (left := self._of_epochs(trainer)) is not None:
            limits.append(left)
        return min(limits, default=None)

    def _of_epochs(self, trainer: Trainer) -> float | None:
        batches = trainer.num_training_batches
        if not trainer.max_epochs or trainer.max_epochs < 0 or math.isinf(batches) or not batches:
            return None
        progress = trainer.current_epoch + (trainer.fit_loop.batch_idx + 1) / batches
        done = progress - self._progress_before
        if done <= 0:
            return None
        elapsed = time.perf_counter() - self._run_began
        return elapsed * max(trainer.max_epochs - progress, 0.0) / done
