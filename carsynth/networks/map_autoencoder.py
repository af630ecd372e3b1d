"""A convolutional variational autoencoder of part maps."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carsynth.networks.latent import doubled, doublings

_PATCH = 2
_LARGEST_GROWTH = 4
_LOG_VARIANCE = (-8.0, 4.0)
"""Range of a code's log variance: beyond it, exponentials and their slopes are of no use."""


class Posterior(NamedTuple):
    """What codes a map may have: a normal distribution, entry by entry (B, latent)."""

    mean: Tensor
    log_variance: Tensor


class MapAutoencoder(nn.Module):
    """Maps to codes and codes to maps (Kingma and Welling 2014, arXiv 1312.6114).

    Both halves work on squares of 2x2 pixels as channels, so that no layer works at full size.

    Args:
        channels: of a map, one for each part.
        size: its height and width, which doubling must reach from a small map.
        latent: length of a code.
        width: channels of the largest maps; each halving has twice as many, up to 4 widths.

    Raises:
        UserError: doubling does not reach the size; names the nearest.
    """

    def __init__(
        self, channels: int, size: Sequence[int], latent: int = 64, width: int = 32
    ) -> None:
        super().__init__()
        base, times = doublings(size[0], size[1])
        self.size = (int(size[0]), int(size[1]))
        self.latent = latent
        widths = [width * min(2**level, _LARGEST_GROWTH) for level in range(times)]
        self._small = (widths[-1], *base)
        ends = math.prod(self._small)
        encoder = _block(channels * _PATCH**2, widths[0])
        for fine, coarse in pairwise(widths):
            encoder += _block(fine, coarse, stride=2)
        self.encoder = nn.Sequential(*encoder, nn.Flatten(), nn.Linear(ends, 2 * latent))
        self.first = nn.Linear(latent, ends)
        self.open = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.SiLU())
        self.ups = nn.ModuleList(
            nn.Sequential(*_block(coarse, fine), *_block(fine, fine))
            for fine, coarse in reversed(list(pairwise(widths)))
        )
        self.output = nn.Conv2d(widths[0], channels * _PATCH**2, 3, padding=1)

    def encode(self, one_hot_map: Tensor) -> Posterior:
        """Of maps (B, channels, H, W)."""
        both = self.encoder(F.pixel_unshuffle(one_hot_map, _PATCH))
        mean, log_variance = both.chunk(2, dim=1)
        return Posterior(mean, log_variance.clamp(*_LOG_VARIANCE))

    def decode(self, code: Tensor) -> Tensor:
        """Codes (B, latent) to logits (B, channels, H, W)."""
        x = self.open(self.first(code).unflatten(1, self._small))
        for up in self.ups:
            x = up(doubled(x))
        return F.pixel_shuffle(self.output(x), _PATCH)

    def forward(self, one_hot_map: Tensor, noise: Tensor) -> tuple[Tensor, Posterior]:
        """Logits of a code drawn for each map by standard normal noise (B, latent)."""
        posterior = self.encode(one_hot_map)
        code = posterior.mean + torch.exp(posterior.log_variance / 2) * noise
        return self.decode(code), posterior


def _block(before: int, after: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(after), nn.SiLU()]
