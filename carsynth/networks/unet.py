"""A U-Net for small pictures and little time: part maps to photos, or photos to part maps."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carsynth.networks.layers import check_size

_LARGEST_GROWTH = 8
_RGB = 3


class CompactUNet(nn.Module):
    """A U-Net (Ronneberger et al. 2015, arXiv 1505.04597): (B, in, H, W) to (B, out, H, W).

    The network sees squares of ``patch`` x ``patch`` pixels as channels and answers for all their
    pixels at once (the rearrangement of Shi et al. 2016, arXiv 1609.05158), so that no layer works
    at full size. Convolutions keep the size and have batch norm.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        width: channels at the first level; each level down has twice as many, up to 8 widths.
        levels: how often the map of squares is halved.
        patch: pixels along the side of a square; 1 is the published network but for its width.
    """

    def __init__(
        self, in_channels: int, out_channels: int, width: int = 24, levels: int = 3, patch: int = 2
    ) -> None:
        super().__init__()
        self._patch = patch
        self._divisor = patch * 2**levels
        widths = [width * min(2**level, _LARGEST_GROWTH) for level in range(levels + 1)]
        inputs = [in_channels * patch**2, *widths]
        self.downs = nn.ModuleList(_double(i, o) for i, o in zip(inputs, widths, strict=False))
        self.ups = nn.ModuleList(_double(below + own, own) for own, below in pairwise(widths))
        self.head = nn.Conv2d(width, out_channels * patch**2, 1)

    def check_size(self, height: int, width: int) -> None:
        """Raises :class:`UserError` with the nearest sizes where one cannot be halved so often."""
        check_size(height, width, self._divisor)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_unshuffle(x, self._patch)
        passed: list[Tensor] = []
        for level, down in enumerate(self.downs):
            x = down(F.max_pool2d(x, 2) if level else x)
            passed.append(x)
        passed.pop()
        for up in reversed(self.ups):
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0), passed.pop()], dim=1))
        return F.pixel_shuffle(self.head(x), self._patch)


class UNetGenerator(nn.Module):
    """Conditions (B, in_channels, H, W) to photos (B, 3, H, W) in [-1, 1], as pix2pix has it.

    Its skip connections carry the outlines of parts past the bottleneck, through which those of
    :class:`~carsynth.networks.pix2pixhd.GlobalGenerator` have to go (Isola et al. 2017, section
    3.2.1): in minutes and at small sizes it is far ahead.
    """

    def __init__(self, in_channels: int, width: int = 32, levels: int = 3) -> None:
        super().__init__()
        self.body = CompactUNet(in_channels, _RGB, width, levels)

    def check_size(self, height: int, width: int) -> None:
        """Raises :class:`UserError` with the nearest sizes where one cannot be halved so often."""
        self.body.check_size(height, width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.body(x))


def _double(in_channels: int, out_channels: int) -> nn.Sequential:
    """Twice 3x3 convolution, batch norm, ReLU."""
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        conv = nn.Conv2d(channels, out_channels, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
