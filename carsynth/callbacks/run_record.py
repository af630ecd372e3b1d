"""What a run leaves behind for others: its config in every checkpoint, and its summary."""

import json
import math
import os
import time
from pathlib import Path
from typing import Any, TypeVar

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from carsynth import __version__
from carsynth.callbacks.best_checkpoint import BestCheckpoint
from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.callbacks.loggers import AppendingCSVLogger, SeenWandbLogger
from carsynth.metrics.floor import Floor

CHECKPOINT_KEY = "carsynth"
"""Key of a checkpoint under which ``version``, ``config`` and ``classes`` lie."""

_Callback = TypeVar("_Callback", bound=Callback)


class RunRecord(Callback):
    """Marks every checkpoint with the run's origin and ends the run with ``summary.json``.

    The summary is also written where training is interrupted or fails; its ``status`` tells.
    ``seconds`` are those of this process and ``images_per_second`` the real photos that training
    consumed in them, all processes together, with validation left out. It also ties the loggers
    to the module's count of seen photos.

    Args:
        config: the resolved config in plain containers, which ``torch.load`` reads with
            ``weights_only=True``.

    Raises:
        TypeError: the config holds something else.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        _require_plain(config, "config")
        self._config = config
        self._began = time.perf_counter()
        self._validation_began = 0.0
        self._validating = 0.0
        self._seen_before = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, AppendingCSVLogger | SeenWandbLogger):
                logger.seen = lambda: int(pl_module.seen)  # type: ignore[arg-type]

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[CHECKPOINT_KEY] = {
            "version": __version__,
            "config": self._config,
            "classes": list(getattr(trainer.datamodule, "classes", ())),  # type: ignore[attr-defined]
        }

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._began = time.perf_counter()
        self._validating = 0.0
        self._seen_before = int(pl_module.seen)  # type: ignore[arg-type]

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validation_began = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validating += time.perf_counter() - self._validation_began

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close(trainer, pl_module, "finished")

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        stopped = isinstance(exception, KeyboardInterrupt | SIGTERMException)
        self._close(trainer, pl_module, "interrupted" if stopped else "failed")

    def _close(self, trainer: Trainer, pl_module: LightningModule, status: str) -> None:
        if not trainer.is_global_zero:
            return
        summary = self._summary(trainer, pl_module, status)
        path = Path(trainer.default_root_dir, "summary.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".json.partial")
        partial.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n")
        os.replace(partial, path)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.experiment.summary.update(summary)
        if summary["best_score"] is not None:
            print(_sentence(summary), flush=True)

    def _summary(self, trainer: Trainer, pl_module: LightningModule, status: str) -> dict[str, Any]:
        best = _find(trainer, BestCheckpoint)
        scores = _find(trainer, GenerationMetrics)
        floor: Floor | None = None if scores is None else scores.floor
        seconds = time.perf_counter() - self._began
        seen = int(pl_module.seen)  # type: ignore[arg-type]
        training = max(seconds - self._validating, 1e-9)
        saved = best is not None and bool(best.best_model_path)
        return {
            "status": status,
            "monitor": None if best is None else best.monitor,
            "best_epoch": None if best is None else best.best_epoch,
            "best_score": None if best is None else best.best_score,
            "best_checkpoint": "checkpoints/best.ckpt" if saved else None,
            "floor": None if floor is None else _floor_record(floor),
            "seconds": seconds,
            "images_per_second": (seen - self._seen_before) / training,
            "seen": seen,
            "epochs": trainer.current_epoch,
        }


def _floor_record(floor: Floor) -> dict[str, float | int | None]:
    std = floor.std if math.isfinite(floor.std) else None
    return {"mean": floor.mean, "std": std, "n_per_half": floor.half}


def _sentence(summary: dict[str, Any]) -> str:
    """The best epoch beside the floor, for the terminal."""
    line = (
        f"best epoch {summary['best_epoch']}: {summary['monitor']} {summary['best_score']:.4g}, "
        f"in {summary['best_checkpoint']}"
    )
    if (floor := summary["floor"]) is not None:
        line += (
            f"\nreal against real: {floor['mean']:.4g} ± {floor['std']:.2g} "
            f"({floor['n_per_half']} photos a half)"
        )
    return line


def _find(trainer: Trainer, kind: type[_Callback]) -> _Callback | None:
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next((c for c in callbacks if isinstance(c, kind)), None)


def _require_plain(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _require_plain(key, f"a key of {where}")
            _require_plain(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _require_plain(inner, f"{where}[{index}]")
    elif not (value is None or type(value) in (str, int, float, bool)):
        raise TypeError(f"{where} is a {type(value).__name__}: give plain containers")
