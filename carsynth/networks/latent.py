"""From a latent vector to the first small map, and the sizes that doubling can reach from there."""

import itertools
import math
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from carsynth.errors import UserError

SMALLEST = 4
"""Pixels of the shorter side of the first map: 4x4 for squares, 4x7 for 128x224."""


class Doublings(NamedTuple):
    """How a picture size is reached: ``times`` doublings of a ``base`` (height, width)."""

    base: tuple[int, int]
    times: int


def doublings(height: int, width: int) -> Doublings:
    """The doublings that reach a size from a base whose shorter side is 4 to 15 pixels.

    Raises:
        UserError: doubling cannot reach the size; names the nearest that it can.
    """
    reached = _reached(height, width)
    if reached is not None:
        return reached
    step = 2 ** max(_most(height, width) - 1, 1)
    near = itertools.product(_multiples_near(height, step), _multiples_near(width, step))
    sizes = " or ".join(f"{h}x{w}" for h, w in near if _reached(h, w) is not None)
    raise UserError(
        f"size {height}x{width} cannot be reached by doubling a small map: height and width must "
        f"be multiples of {step} and at least {2 * SMALLEST}; the nearest that fit: {sizes}"
    )


def _reached(height: int, width: int) -> Doublings | None:
    count = _most(height, width)
    for fewer in (count, count - 1):
        if fewer >= 1 and height % 2**fewer == 0 and width % 2**fewer == 0:
            return Doublings((height >> fewer, width >> fewer), fewer)
    return None


def _most(height: int, width: int) -> int:
    """Halvings that leave the shorter side :data:`SMALLEST` pixels or more."""
    shorter = min(height, width)
    return int(math.log2(shorter / SMALLEST)) if shorter >= 2 * SMALLEST else 0


def _multiples_near(length: int, step: int) -> list[int]:
    below = max(length // step * step, 2 * SMALLEST)
    return [below] if below >= length else [below, below + step]


class LatentInput(nn.Module):
    """A linear map of a latent, and of a learned embedding of the class, to the first small map.

    A transposed convolution of a 1x1 input, as DCGAN begins with, is the same linear map.

    Args:
        latent: length of the latent.
        classes: how many there are; 0 takes no class.
        embedding: length of a class's embedding.
        channels: of the map.
        base: its height and width.
        bias: whether the map has one; a batch norm behind it would take it away again.
        spectral: hold the map's largest singular value at 1.
    """

    def __init__(
        self,
        latent: int,
        classes: int,
        embedding: int,
        channels: int,
        base: tuple[int, int],
        bias: bool = True,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.latent = latent
        self._shape = (channels, *base)
        self.embedding = nn.Embedding(classes, embedding) if classes else None
        inputs = latent + (embedding if classes else 0)
        linear = nn.Linear(inputs, math.prod(self._shape), bias=bias)
        self.linear = spectral_norm(linear) if spectral else linear

    def forward(self, latent: Tensor, label: Tensor | None) -> Tensor:
        """(B, latent) floats and class ids (B,), None without classes, to (B, C, h, w)."""
        if self.embedding is not None:
            assert label is not None, "this generator draws by class"
            latent = torch.cat([latent, self.embedding(label).to(latent.dtype)], dim=1)
        small: Tensor = self.linear(latent).unflatten(1, self._shape)
        return small.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def silence_from(self, start: int) -> None:
        """Zeroes the weights of the latent's entries from ``start`` on.

        Entries that are held at zero then neither act nor learn, and where they come to life the
        pictures of a latent stay what they were until the next step.
        """
        raw = cast(Tensor, self.linear.weight)
        if parametrize.is_parametrized(self.linear):
            raw = cast(Any, self.linear).parametrizations.weight.original
        raw[:, start : self.latent] = 0.0


class PixelNorm(nn.Module):
    """Every pixel's channels scaled to unit mean square (Karras et al. 2018, section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


def minibatch_deviation(x: Tensor) -> Tensor:
    """Appends the mean deviation over the batch as one more channel (Karras et al. 2018, 3).

    (B, C, H, W) becomes (B, C + 1, H, W); the deviation of a batch of one is 0.
    """
    deviation = (x.float().var(dim=0, correction=0) + 1e-8).sqrt().mean()
    height, width = x.shape[2:]
    plane = deviation.to(x.dtype).expand(len(x), 1, height, width)
    return torch.cat([x, plane], dim=1)


def flat(x: Tensor) -> Tensor:
    """(B, C, H, W) of any layout as (B, C * H * W)."""
    return x.flatten(1)


def doubled(x: Tensor) -> Tensor:
    """Nearest upsampling by two."""
    return F.interpolate(x, scale_factor=2, mode="nearest")
