"""FastGAN (Liu et al. 2021, arXiv 2101.04775): a GAN for a few hundred pictures and little time.

Its generator is shallow, and skip-layer excitation carries the small maps' choices to the large
ones; its discriminator has to describe the real photos well enough to redraw them, which keeps it
from learning few photos by heart.
"""

import itertools
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from carsynth.networks.heads import Critic, HeadFactory, PlainHead
from carsynth.networks.latent import LatentInput, doublings, flat

_LEAK = 0.2
_LEAP = 4
"""Doublings between a small map and the large one whose channels it weighs (8x8 and 128x128)."""


def _conv(before: int, after: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Module:
    return spectral_norm(nn.Conv2d(before, after, kernel, stride, padding, bias=False))


class SkipExcitation(nn.Module):
    """Weighs the channels of a large map by what a small one shows (section 3.1, equation 1)."""

    def __init__(self, small_channels: int, large_channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(4),
            _conv(small_channels, large_channels, 4),
            nn.SiLU(),
            _conv(large_channels, large_channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, small: Tensor, large: Tensor) -> Tensor:
        """(B, c, h, w) and (B, C, H, W) to (B, C, H, W)."""
        return large * cast(Tensor, self.weigh(small))


class _Noise(nn.Module):
    """Gaussian noise, one value a pixel for all channels, by a learned strength from 0."""

    def __init__(self) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        noise = torch.randn(len(x), 1, *x.shape[2:], device=x.device, dtype=x.dtype)
        return x + self.strength * noise


def _doubling(before: int, after: int, noisy: bool) -> nn.Sequential:
    """Nearest upsampling, then one convolution, or two with noise behind each, and GLU."""
    layers: list[nn.Module] = [nn.Upsample(scale_factor=2)]
    for inputs in (before, after) if noisy else (before,):
        layers.append(_conv(inputs, 2 * after, 3, padding=1))
        if noisy:
            layers.append(_Noise())
        layers += [nn.BatchNorm2d(2 * after), nn.GLU(dim=1)]
    return nn.Sequential(*layers)


class FastGenerator(nn.Module):
    """The generator of figure 3: one or two convolutions a doubling, joined across four of them.

    Args:
        channels: of the picture.
        size: its height and width.
        latent: length of the latent.
        classes: how many class labels there are; 0 takes none.
        width: channels of the picture-sized map, doubled a halving, 16 times at most.
    """

    def __init__(
        self,
        channels: int,
        size: Sequence[int],
        latent: int,
        classes: int = 0,
        width: int = 32,
    ) -> None:
        super().__init__()
        base, count = doublings(size[0], size[1])
        self.size = (int(size[0]), int(size[1]))
        widths = [width * 2 ** min(count - level, 4) for level in range(count + 1)]
        self.input = LatentInput(latent, classes, 50, 2 * widths[0], base, False, spectral=True)
        self.first = nn.Sequential(nn.BatchNorm2d(2 * widths[0]), nn.GLU(dim=1))
        self.levels = nn.ModuleList(
            _doubling(before, after, noisy=level % 2 == 1)
            for level, (before, after) in enumerate(itertools.pairwise(widths))
        )
        self.excitations = nn.ModuleDict(
            {
                str(level): SkipExcitation(widths[level - _LEAP], widths[level])
                for level in range(_LEAP, count + 1)
            }
        )
        self.output = _conv(widths[-1], channels, 3, padding=1)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, latent) and class ids (B,) to (B, channels, H, W), not yet squashed."""
        maps = [self.first(self.input(latent, label))]
        for level, doubling in enumerate(self.levels, 1):
            grown = doubling(maps[-1])
            if str(level) in self.excitations:
                grown = self.excitations[str(level)](maps[level - _LEAP], grown)
            maps.append(grown)
        return cast(Tensor, self.output(maps[-1]))


class _Halving(nn.Module):
    """A strided path and a pooled one, averaged (figure 4)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.strided = nn.Sequential(
            _conv(before, after, 4, 2, 1),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(_LEAK),
            _conv(after, after, 3, padding=1),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(_LEAK),
        )
        self.pooled = nn.Sequential(
            nn.AvgPool2d(2), _conv(before, after, 1), nn.BatchNorm2d(after), nn.LeakyReLU(_LEAK)
        )

    def forward(self, x: Tensor) -> Tensor:
        return (cast(Tensor, self.strided(x)) + cast(Tensor, self.pooled(x))) / 2


class FastDiscriminator(Critic):
    """The discriminator of figure 4, whose features a small decoder can turn back into the photo.

    ``width`` channels behind the first halving, doubled a halving, 8 times at most. Other arguments
    as for :class:`~carsynth.networks.conditional.BrandDiscriminator`.
    """

    def __init__(
        self,
        channels: int,
        size: Sequence[int],
        classes: int = 0,
        width: int = 32,
        head: HeadFactory = PlainHead,
        auxiliary: bool = False,
    ) -> None:
        base, count = doublings(size[0], size[1])
        halvings = max(count - 1, 1)
        widths = [width * 2 ** min(level, 3) for level in range(halvings)]
        last = (base[0] << (count - halvings), base[1] << (count - halvings))
        super().__init__(widths[-1] * last[0] * last[1], classes, head, auxiliary, spectral=True)
        self.first = nn.Sequential(_conv(channels, widths[0], 4, 2, 1), nn.LeakyReLU(_LEAK))
        self.halvings = nn.ModuleList(
            _Halving(before, after) for before, after in itertools.pairwise(widths)
        )
        self._last = (widths[-1], *last)
        decoder: list[nn.Module] = []
        before = widths[-1]
        for level in range(min(3, halvings)):
            after = max(width * 2 // 2**level, 8)
            decoder.append(_doubling(before, after, noisy=False))
            before = after
        decoder.append(_conv(before, channels, 3, padding=1))
        self.decoder = nn.Sequential(*decoder)

    def features(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for halving in self.halvings:
            x = halving(x)
        return flat(x)

    def redraw(self, features: Tensor) -> Tensor:
        """The picture (B, channels, h, w), not yet squashed, that features (B, F) speak of.

        Its sides are an eighth to a whole of the input's: three doublings of the last map.
        """
        return cast(Tensor, self.decoder(features.view(-1, *self._last)))


def resized_to(picture: Tensor, other: Tensor) -> Tensor:
    """A picture by area to the height and width of another."""
    return F.adaptive_avg_pool2d(picture, (other.shape[2], other.shape[3]))
