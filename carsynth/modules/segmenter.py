"""A part segmenter: photos to part maps."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from carsynth.data.batch import CarBatch
from carsynth.labels import NUM_PARTS
from carsynth.losses.precision import widened
from carsynth.modules.freed_memory import keep_freed_memory
from carsynth.modules.generative import OptimizerFactory

_RAREST = 1e-4
"""Share of pixels below which a part weighs no more."""


def warm_then_cosine(optimizer: Optimizer, total_steps: int, warm: float = 0.1) -> LambdaLR:
    """A straight line up to the optimiser's own rate, then half a cosine down, stepped each step.

    With w = ``round(total_steps * warm)``, at least 1, and steps counted from 0, the factor is
    ``(step + 1) / w`` before step w, and 1 there; it would be 0 just behind the last step.
    (The fall: Loshchilov and Hutter 2017, arXiv 1608.03983.)
    """
    rising = max(1, round(total_steps * warm))
    falling = max(1, total_steps - rising)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - rising) / falling))

    return LambdaLR(optimizer, factor)


class Segmenter(LightningModule):
    """Cross-entropy over pixels, rare parts weighing more, with one optimiser and its schedule.

    A part's weight is the ``rarity``-th power of the inverse of its share of all pixels trained on
    so far: mirrors and lights are a thousandth of a picture, and count as much as doors where
    intersections over unions are averaged.

    Args:
        network: photos, floats (B, 3, H, W) in [-1, 1], to logits (B, K, H, W).
        optimizer: makes the optimiser from the parameters.
        scheduler: makes a per-step schedule from the optimiser and ``total_steps``.
        rarity: 0 weighs every pixel the same, 1 every part.
        clip_norm: largest norm of the gradient, in the units of the loss; None clips nothing.
    """

    pixels: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        optimizer: OptimizerFactory,
        scheduler: Callable[..., LRScheduler],
        rarity: float = 0.35,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self._optimizer_factory = optimizer
        self._scheduler_factory = scheduler
        self._rarity = rarity
        self._clip_norm = clip_norm
        self.register_buffer("pixels", torch.zeros(NUM_PARTS, dtype=torch.int64))

    def check_size(self, height: int, width: int) -> None:
        """Holds a picture size against the network before anything is trained.

        Raises:
            UserError: the network cannot work at that size.
        """
        self.network.check_size(height, width)  # type: ignore[operator]

    def forward(self, photo: Tensor) -> Tensor:
        """Logits (B, K, H, W), float32, of photos, uint8 (B, 3, H, W)."""
        scaled = photo.to(self.dtype).div(127.5).sub(1.0)
        logits: Tensor = self.network(scaled.contiguous(memory_format=torch.channels_last))
        return widened(logits)

    def training_step(self, batch: Sequence[CarBatch], batch_idx: int) -> Tensor:
        """One loss over the batches of all sources.

        Batch norm takes each source by itself, for real and synthetic photos differ as a whole; the
        averages that it keeps for testing are those of the first (in the manner of Xie et al. 2020,
        arXiv 1911.09665, section 4, with weights in common).
        """
        first, *others = batch
        logits = [self(first.photo)]
        with _averages_held(self.network):
            logits += [self(other.photo) for other in others]
        part_map = torch.cat([one.part_map for one in batch])
        self.pixels += torch.bincount(part_map.flatten(), minlength=NUM_PARTS)
        return F.cross_entropy(torch.cat(logits), part_map, weight=self.part_weights())

    def part_weights(self) -> Tensor:
        """Of each part's pixels in the loss, (K,); only their relation to each other counts."""
        share = self.pixels / self.pixels.sum()
        return share.clamp(min=_RAREST).pow(-self._rarity)

    def on_fit_start(self) -> None:
        if self.device.type == "cpu":
            keep_freed_memory()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        if self._clip_norm is not None:
            # Here, not in the step: under 16-mixed the gradients are unscaled only now.
            torch.nn.utils.clip_grad_norm_(self.parameters(), self._clip_norm)

    def predict_step(self, batch: CarBatch, batch_idx: int) -> Tensor:
        """Likeliest part of each pixel, uint8 (B, H, W)."""
        likeliest: Tensor = self(batch.photo).argmax(1)
        return likeliest.to(torch.uint8)

    def configure_optimizers(self) -> Any:
        optimizer = self._optimizer_factory(self.parameters())
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = self._scheduler_factory(optimizer, total_steps=steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


@contextmanager
def _averages_held(network: nn.Module) -> Iterator[None]:
    """Batch norms work as in training, and their running averages stay what they are."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, usual, strict=True):
            norm.momentum = momentum
