"""Keeps the best epoch and the last one, under names that never change."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.errors import UserError


class BestCheckpoint(ModelCheckpoint):
    """Writes ``checkpoints/best.ckpt`` and ``checkpoints/last.ckpt`` in the Trainer's root folder.

    The lowest finite score of the Trainer's :class:`GenerationMetrics` is the best one. ``last`` is
    a file of its own, written at every epoch's end, whether or not the epoch was scored. A run
    resumed in another folder takes the best checkpoint along from beside the one it resumes.
    """

    def __init__(self) -> None:
        super().__init__(filename="best", save_last=False, auto_insert_metric_name=False)
        self.best_epoch: int | None = None
        """Counted from 0, as in ``metrics.csv``; None before the first finite score."""
        self._scored = False

    @property
    def state_key(self) -> str:
        """Without the monitor's name, which ``metric=auto`` may choose otherwise when resumed."""
        return type(self).__name__

    @property
    def best_score(self) -> float | None:
        """The monitored score of :attr:`best_epoch`."""
        return None if self.best_model_score is None else float(self.best_model_score)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Finds folder and monitor; Lightning has this callback follow all others.

        Raises:
            UserError: the Trainer has no :class:`GenerationMetrics`.
        """
        scores = [c for c in trainer.callbacks if isinstance(c, GenerationMetrics)]  # type: ignore[attr-defined]
        if not scores:
            raise UserError(
                "BestCheckpoint has no score to go by: keep GenerationMetrics among the callbacks"
            )
        self.monitor = scores[0].monitor
        folder = os.path.join(os.path.abspath(trainer.default_root_dir), "checkpoints")
        self.dirpath = trainer.strategy.broadcast(folder)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.best_model_score is None:
            return
        kept = self._path("best")
        if trainer.is_global_zero and not os.path.exists(kept) and trainer.ckpt_path:
            beside = Path(trainer.ckpt_path).with_name("best.ckpt")
            if beside.is_file():
                os.makedirs(os.path.dirname(kept), exist_ok=True)
                shutil.copyfile(beside, kept)
        if trainer.strategy.broadcast(os.path.exists(kept)):
            self.best_model_path = kept
        else:
            rank_zero_warn(
                f"the best epoch so far ({self.best_epoch}) has left no best.ckpt: "
                "the best is looked for anew"
            )
            self._forget()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._skips(trainer):
            return
        if trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            # Saved behind the epoch, from where a resumed run goes on with the next.
            self._scored = True
        else:
            self._save_best(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._skips(trainer):
            return
        if self._scored:
            self._scored = False
            self._save_best(trainer)
        self.save_last_now(trainer)

    def save_last_now(self, trainer: Trainer) -> None:
        """Writes ``last.ckpt``; a collective call."""
        self.last_model_path = self._path("last")
        self._save_checkpoint(trainer, self.last_model_path)

    def state_dict(self) -> dict[str, Any]:
        return {
            "monitor": self.monitor,
            "best_model_score": self.best_model_score,
            "best_epoch": self.best_epoch,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict["monitor"] != self.monitor:
            rank_zero_warn(
                f"the checkpoint was chosen by {state_dict['monitor']}, this run goes by "
                f"{self.monitor}: the best is looked for anew"
            )
            return
        self.best_model_score = state_dict["best_model_score"]
        self.best_epoch = state_dict["best_epoch"]

    def _save_best(self, trainer: Trainer) -> None:
        score: Tensor | None = trainer.callback_metrics.get(self.monitor or "")
        if score is None:
            return
        better = bool(torch.isfinite(score)) and (
            self.best_score is None or float(score) < self.best_score
        )
        if not trainer.strategy.reduce_boolean_decision(better, all=True):
            return
        self.best_model_score = self.current_score = score.detach().cpu()
        self.best_epoch = trainer.current_epoch
        self.best_model_path = self._path("best")
        self._save_checkpoint(trainer, self.best_model_path)

    def _path(self, name: str) -> str:
        assert self.dirpath is not None
        return os.path.join(self.dirpath, name + self.FILE_EXTENSION)

    def _forget(self) -> None:
        self.best_model_score = self.current_score = self.best_epoch = None
        self.best_model_path = ""

    @staticmethod
    def _skips(trainer: Trainer) -> bool:
        return (
            trainer.state.fn != TrainerFn.FITTING
            or trainer.sanity_checking
            or bool(trainer.fast_dev_run)  # type: ignore[attr-defined]
        )
