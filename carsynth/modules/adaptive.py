"""How often DiffAugment meets a picture, steered by how sure D is of the real ones."""

import torch
import torch.distributed as dist
from torch import Tensor, nn


class AdaptiveChance(nn.Module):
    """Raises the chance of a change while D calls too many real pictures real, and lowers it else.

    Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", section 3.1:
    r = E[sign(D(real))] near 0 means no overfitting and near 1 much of it.

    Args:
        target: r to steer for.
        photos: real pictures in which the chance can rise from 0 to 1.
        interval: batches over which r is taken.
    """

    chance: Tensor
    signs: Tensor

    def __init__(self, target: float = 0.6, photos: int = 500_000, interval: int = 4) -> None:
        super().__init__()
        self._target = target
        self._photos = photos
        self._interval = interval
        self.register_buffer("chance", torch.zeros(()))
        self.register_buffer("signs", torch.zeros(3))  # sum of signs, logits, batches

    @torch.no_grad()
    def watch(self, real_logits: Tensor) -> None:
        """Takes note of D's logits of a batch of real pictures; a collective call."""
        count = torch.tensor(float(real_logits.numel()), device=self.signs.device)
        self.signs += torch.stack([real_logits.sign().sum().float(), count, torch.ones_like(count)])
        if self.signs[2] < self._interval:
            return
        sums = self.signs.clone()
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(sums)
        step = sums[1] / self._photos * torch.sign(sums[0] / sums[1] - self._target)
        self.chance.copy_((self.chance + step).clamp(0.0, 1.0))
        self.signs.zero_()
