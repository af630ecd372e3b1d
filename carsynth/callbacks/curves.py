"""The course of a training in one picture, kept up to date while it runs."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_warn

from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.callbacks.loggers import AppendingCSVLogger
from carsynth.reporting.history import read_history
from carsynth.reporting.plots import save, training_figure


class TrainingCurves(Callback):
    """Writes ``curves.png`` in the Trainer's root folder after each validation.

    Left are all terms logged as ``train/<term>``, averaged over each epoch; right the score of
    each epoch with its floor and the best epoch. They are read from what the Trainer's
    :class:`AppendingCSVLogger` has written, so that the curves of a resumed run go on where they
    were; without that logger or :class:`GenerationMetrics` there is no picture. One that cannot be
    drawn or written is a warning. Only the first process works, and waits for no other.
    """

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        scores = next((c for c in callbacks if isinstance(c, GenerationMetrics)), None)
        logger = next((c for c in trainer.loggers if isinstance(c, AppendingCSVLogger)), None)
        if scores is None or logger is None:
            return
        path = Path(trainer.default_root_dir, "curves.png")
        try:
            # Each row is in the file at once, this validation's among them.
            rows = read_history(Path(logger.save_dir, "metrics.csv"))
            floor = None if scores.floor is None else scores.floor.mean
            save(training_figure(rows, scores.monitor, floor), path)
        except Exception as error:  # a picture is never worth the training
            rank_zero_warn(f"{path} could not be drawn: {error}")
