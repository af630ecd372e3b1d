"""A termination signal ends training in order: a checkpoint first, on every process alike."""

import signal
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info
from lightning.pytorch.utilities.exceptions import SIGTERMException

from carsynth.callbacks.best_checkpoint import BestCheckpoint

EXIT_CODE = 128 + signal.SIGTERM
"""What shells report of a process that SIGTERM ended: 143."""

ASK_EVERY = 10
"""Batches between two questions to the other processes, each of which waits for the device."""


class StopOnSigterm(Callback):
    """Saves ``last.ckpt`` behind the batch after SIGTERM came to any process, and leaves training.

    The signal's handler only sets a flag; Lightning's own runs a collective inside the signal and
    can deadlock. Training ends by ``SIGTERMException``, so that callbacks hear of it in
    ``on_exception``; the first process's exit code is then 143 and the others' 0, for Lightning
    kills the first when another fails.
    """

    def __init__(self) -> None:
        self._received = False
        self._previous: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._received = False
        self._previous = signal.signal(signal.SIGTERM, self._note)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if trainer.world_size > 1 and batch_idx % ASK_EVERY:
            return
        if not trainer.strategy.reduce_boolean_decision(self._received, all=False):
            return
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, BestCheckpoint):
                callback.save_last_now(trainer)
                rank_zero_info(f"SIGTERM: saved {callback.last_model_path}; resume from it")
        raise SIGTERMException(EXIT_CODE if trainer.is_global_zero else 0)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._restore()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._restore()

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self._received = True

    def _restore(self) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGTERM, self._previous)
            self._previous = None
