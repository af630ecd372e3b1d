"""What all models that draw pictures from latents have in common."""

import torch
from torch import Tensor

from carsynth.data.batch import CarBatch
from carsynth.errors import UserError
from carsynth.modules.canvas import Canvas, Shown
from carsynth.modules.generative import GenerativeModule


class LatentDrawing(GenerativeModule):
    """A generator of pictures from latents, with or without a class.

    A subclass sets ``canvas``, ``class_names`` and ``picture_size`` and writes :meth:`latents` and
    :meth:`paint`.
    """

    canvas: Canvas
    """What is drawn: photos or part maps."""
    class_names: tuple[str, ...] = ()
    """Classes that can be asked for; empty if none."""
    picture_size: tuple[int, int]
    """The one height and width that the networks draw."""

    def latents(
        self, count: int, draws: torch.Generator, truncation: float | None = None
    ) -> Tensor:
        """Latents (count, L) on the CPU, likelier and less various with a low ``truncation``."""
        raise NotImplementedError

    def paint(self, latent: Tensor, label: Tensor | None) -> Shown:
        """Pictures of latents (B, L) and class ids (B,) by the EMA generator."""
        raise NotImplementedError

    def check_size(self, height: int, width: int) -> None:
        """Raises :class:`UserError` for any size but that of the networks."""
        own = self.picture_size
        if (height, width) != own:
            raise UserError(
                f"size {height}x{width}: this model draws {own[0]}x{own[1]} and nothing else"
            )

    def generate(self, batch: CarBatch) -> Tensor:
        """As in the base class: latents of its own, the batch's classes."""
        shown = self.paint(self.latents(len(batch.photo), self._draws), batch.label)
        if self._trainer is not None and self.trainer.validating:
            self.log("val/snapped", shown.moved.mean(), on_epoch=True, sync_dist=True)
        return shown.photo

    def on_after_batch_transfer(self, batch: CarBatch, dataloader_idx: int) -> CarBatch:
        return self.canvas.repaint(batch)

    def seed_step(self, seed: int) -> None:
        """Makes all that is random in a training step a function of seed, photos seen and process,
        so that a resumed run goes on as if it had not stopped."""
        torch.manual_seed((seed * 1_000_003 + self.seen) * 1_009 + self.global_rank)
