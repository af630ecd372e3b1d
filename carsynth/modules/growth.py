"""A latent of full size of which more and more comes to life while the GAN trains."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from carsynth.errors import UserError


class LatentGrowth:
    """How many entries of a latent are alive in which epoch; the rest is held at zero.

    The networks have their full size from the first step, so that weights, optimiser state and EMA
    need no carrying over, on one process or many, resumed or not.

    Args:
        schedule: pairs of an epoch, counted from 0, and the entries alive from it on, such as
            ``[[0, 100], [200, 300]]``.

    Raises:
        UserError: the schedule does not begin with epoch 0, or shrinks.
    """

    def __init__(self, schedule: Sequence[Sequence[int]]) -> None:
        try:
            shown = [list(pair) if isinstance(pair, Sequence) else pair for pair in schedule]
            steps = sorted((int(epoch), int(alive)) for epoch, alive in schedule)
        except (TypeError, ValueError) as error:
            raise UserError(
                f"arch.latent={schedule}: give pairs of an epoch and a length, such as [[0,100]]"
            ) from error
        if not steps or steps[0][0] != 0 or min(alive for _, alive in steps) < 1:
            raise UserError(
                f"arch.latent={shown}: give a length of 1 or more from epoch 0 on, such as "
                "[[0,100]]"
            )
        for (first, before), (epoch, after) in itertools.pairwise(steps):
            if epoch == first:
                raise UserError(f"arch.latent={shown} names epoch {epoch} twice: keep one length")
            if after < before:
                raise UserError(
                    f"arch.latent={shown} shrinks from {before} to {after} at epoch "
                    f"{epoch}: a latent can only grow"
                )
        self._steps = steps

    @property
    def full(self) -> int:
        """Length of the latent that the networks take."""
        return self._steps[-1][1]

    def alive(self, epoch: int) -> int:
        """Entries that are not held at zero in an epoch counted from 0."""
        return [alive for start, alive in self._steps if start <= epoch][-1]


def held(latent: Tensor, alive: Tensor) -> Tensor:
    """Latents (B, L) with every entry from ``alive`` () on at zero."""
    return latent * (torch.arange(latent.shape[1], device=latent.device) < alive)
