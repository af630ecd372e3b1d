"""Penalties on the slope of a discriminator: how steep its logits may be, and where.

The discriminator's own loss is half the sum of two terms in carsynth, so that a weight here acts
as twice that weight does beside the published losses.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from carsynth.losses.precision import widened


class Penalty(Protocol):
    """Where a discriminator's slope is measured, and what it should be."""

    weight: float
    every: int
    """Discriminator steps from one penalty to the next; it then weighs that much more (lazy
    regularisation, Karras et al. 2020, appendix B)."""

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        """Pictures (B, C, H, W) at which the slope is measured."""
        ...

    def value(self, slopes: Tensor) -> Tensor:
        """Scalar, at least 0, of the logits' derivatives by those pictures (B, C, H, W)."""
        ...


def _rows(slopes: Tensor) -> Tensor:
    """(B, C * H * W), wide enough to sum squares in."""
    return widened(slopes.flatten(1))


@dataclass(frozen=True)
class GradientPenalty:
    """``E[(|slope| - 1)²]`` on lines between real and fake pictures, |.| over all values.

    Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", equation 3. The place on each
    line is uniform.
    """

    weight: float = 10.0
    every: int = 1

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        share = torch.rand(len(real), 1, 1, 1, device=real.device, dtype=real.dtype)
        return torch.lerp(fake, real, share)

    def value(self, slopes: Tensor) -> Tensor:
        steepness: Tensor = _rows(slopes).norm(dim=1)
        return (steepness - 1).square().mean()


@dataclass(frozen=True)
class R1:
    """``E[|slope|²] / 2`` at real pictures (Mescheder et al. 2018, equation 9)."""

    weight: float = 10.0
    every: int = 16

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        return real

    def value(self, slopes: Tensor) -> Tensor:
        return 0.5 * _rows(slopes).square().sum(1).mean()


@dataclass(frozen=True)
class R2(R1):
    """``E[|slope|²] / 2`` at fake pictures (Mescheder et al. 2018, section 4.1)."""

    def points(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake
