"""The networks of pix2pixHD: Wang et al. 2018, arXiv 1711.11585, section 3 and appendix.

Photos are floats in [-1, 1], (B, 3, H, W). Convolutions before an instance norm have no bias: the
norm would take it away again. That is the one difference from the published parameter lists.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carsynth.networks.layers import (
    InstanceNorm,
    LogitConv,
    PhotoConv,
    check_size,
    down,
    halve,
    init_weights,
    stem,
    up,
)
from carsynth.networks.residual import ResidualBlock
from carsynth.networks.winograd_rows import WideConv


class GlobalGenerator(nn.Module):
    """G1: from a condition (B, in_channels, H, W) to photos (B, out_channels, H, W) in [-1, 1].

    ``width`` is the number of channels at full size; it doubles with each of the
    ``downsamplings`` up to ``max_width``. ``blocks`` residual blocks work at the smallest size.
    """

    def __init__(
        self,
        in_channels: int,
        width: int = 64,
        downsamplings: int = 4,
        blocks: int = 9,
        max_width: int = 1024,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        widths = [min(width * 2**level, max_width) for level in range(downsamplings + 1)]
        levels = list(pairwise(widths))
        parts = stem(in_channels, widths[0])
        for fine, coarse in levels:
            parts += down(fine, coarse)
        parts += [ResidualBlock(widths[-1]) for _ in range(blocks)]
        for fine, coarse in reversed(levels):
            parts += up(coarse, fine)
        self.divisor = 2**downsamplings
        self.body = nn.Sequential(*parts)
        self.output = PhotoConv(widths[0], out_channels, 7)
        init_weights(self.modules())

    def check_size(self, height: int, width: int) -> None:
        """Raise UserError unless both are multiples of 2**downsamplings, and at least two."""
        check_size(height, width, self.divisor)

    def features(self, x: Tensor) -> Tensor:
        """What the output layer sees, (B, width, H, W): the enhancer adds it to its own."""
        features: Tensor = self.body(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        self.check_size(x.shape[2], x.shape[3])
        return torch.tanh(self.output(self.features(x)))


class LocalEnhancer(nn.Module):
    """G2 (and G3, ...) around G1: twice the size for each of the ``enhancers`` (section 3.2).

    The condition, halved once per enhancer, goes through G1; each enhancer halves its own features
    once, adds those from below, and brings the sum to its full size through ``local_blocks``
    residual blocks. ``width`` is the number of channels at full size; G1 has
    ``width * 2**enhancers``. Only the last enhancer has an output layer in use: G1's own,
    ``global_generator.output``, serves G1 alone and gets no gradient here.

    Coarse to fine: train ``global_generator`` on halved pictures (its state is that of a
    :class:`GlobalGenerator` of the same numbers), then all with ``global_generator`` frozen by
    ``requires_grad_(False)``, then all.
    """

    def __init__(
        self,
        in_channels: int,
        width: int = 32,
        global_downsamplings: int = 4,
        global_blocks: int = 9,
        max_width: int = 1024,
        enhancers: int = 1,
        local_blocks: int = 3,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.divisor = 2 ** (global_downsamplings + enhancers)
        self.global_generator = GlobalGenerator(
            in_channels,
            width * 2**enhancers,
            global_downsamplings,
            global_blocks,
            max_width,
            out_channels,
        )
        self.halvers = nn.ModuleList()
        self.doublers = nn.ModuleList()
        widths = [min(width * 2**level, max_width) for level in range(enhancers + 1)]
        for fine, coarse in reversed(list(pairwise(widths))):
            blocks = [ResidualBlock(coarse) for _ in range(local_blocks)]
            self.halvers.append(nn.Sequential(*stem(in_channels, fine), *down(fine, coarse)))
            self.doublers.append(nn.Sequential(*blocks, *up(coarse, fine)))
        self.output = PhotoConv(widths[0], out_channels, 7)
        init_weights(self.modules())

    def check_size(self, height: int, width: int) -> None:
        """Raise UserError unless both are multiples of 2**(global_downsamplings + enhancers)."""
        check_size(height, width, self.divisor)

    def features(self, x: Tensor) -> Tensor:
        """What the output layer sees, (B, width, H, W)."""
        pyramid = [x]
        for _ in self.halvers:
            pyramid.append(halve(pyramid[-1]))
        features = self.global_generator.features(pyramid.pop())
        for halver, doubler in zip(self.halvers, self.doublers, strict=True):
            features = doubler(halver(pyramid.pop()) + features)
        return features

    def forward(self, x: Tensor) -> Tensor:
        self.check_size(x.shape[2], x.shape[3])
        return torch.tanh(self.output(self.features(x)))


class PatchDiscriminator(nn.Module):
    """A PatchGAN: ``layers`` halvings, one convolution at stride 1, then logits of patches.

    Three layers see 70x70 pixels. Kernels are 4x4 with padding 2, as published; the width doubles
    up to eight times. The first layer has no norm; LeakyReLU slopes are 0.2.
    """

    def __init__(self, in_channels: int, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(layers + 1)]
        self.first = nn.Conv2d(in_channels, widths[0], 4, stride=2, padding=2)
        *halving, (before, after) = pairwise(widths)
        self.middle = nn.ModuleList(
            nn.Conv2d(fine, coarse, 4, stride=2, padding=2, bias=False) for fine, coarse in halving
        )
        self.middle.append(WideConv(before, after, padding=2))
        self.norm = InstanceNorm()
        self.last = LogitConv(widths[-1], 4, padding=2)

    def embed(self, condition: Tensor) -> Tensor:
        """The condition's share of the first layer, bias included, (B, width, ., .)."""
        weight = self.first.weight[:, : condition.shape[1]]
        return F.conv2d(condition, weight, self.first.bias, stride=2, padding=2)

    def forward(self, embedded: Tensor, photo: Tensor) -> list[Tensor]:
        """Features of every layer, from ``embed(condition)`` and a photo; the logits are last."""
        weight = self.first.weight[:, -photo.shape[1] :]
        x = F.leaky_relu(embedded + F.conv2d(photo, weight, stride=2, padding=2), 0.2)
        features = [x]
        for conv in self.middle:
            x = F.leaky_relu(self.norm(conv(x)), 0.2)
            features.append(x)
        return [*features, self.last(x)]


class MultiScaleDiscriminator(nn.Module):
    """D1 to D3: the same PatchGAN on the picture, its half and its quarter (section 3.2).

    ``in_channels`` counts condition and photo together. The first layer is linear, so that its
    share of the condition can be had once (:meth:`embed`) and used with several photos.
    """

    def __init__(self, in_channels: int, width: int = 64, layers: int = 3, scales: int = 2) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            PatchDiscriminator(in_channels, width, layers) for _ in range(scales)
        )
        init_weights(self.modules())

    def embed(self, condition: Tensor) -> list[Tensor]:
        """What the first layers make of a condition (B, C, H, W), finest scale first."""
        return [scale.embed(c) for scale, c in self._scaled(condition)]

    def judge(self, embedded: list[Tensor], photo: Tensor) -> list[list[Tensor]]:
        """As :meth:`forward`, with the condition's share at hand."""
        return [scale(e, p) for e, (scale, p) in zip(embedded, self._scaled(photo), strict=True)]

    def forward(self, condition: Tensor, photo: Tensor) -> list[list[Tensor]]:
        """The features of every scale, finest first, of a photo under a condition.

        Each scale gives the maps of its layers in order; the last, (B, 1, ., .), are the logits.
        """
        return self.judge(self.embed(condition), photo)

    def _scaled(self, x: Tensor) -> list[tuple[PatchDiscriminator, Tensor]]:
        """Every scale's discriminator with the input of its size."""
        pairs = []
        for index, scale in enumerate(self.scales):
            assert isinstance(scale, PatchDiscriminator)
            x = halve(x) if index else x
            pairs.append((scale, x))
        return pairs


class FeatureEncoder(nn.Module):
    """E: what a part of a photo looks like, in ``out_channels`` numbers (section 3.4).

    An instance is a part of one picture. A generator that is given the encoder's map beside the
    part map learns to paint parts as asked: ``in_channels = parts + out_channels``.
    """

    def __init__(
        self, in_channels: int = 3, out_channels: int = 3, width: int = 16, downsamplings: int = 4
    ) -> None:
        super().__init__()
        levels = list(pairwise(width * 2**level for level in range(downsamplings + 1)))
        parts = stem(in_channels, width)
        for fine, coarse in levels:
            parts += down(fine, coarse)
        for fine, coarse in reversed(levels):
            parts += up(coarse, fine)
        self.divisor = 2**downsamplings
        self.out_channels = out_channels
        self.body = nn.Sequential(*parts, PhotoConv(width, out_channels, 7), nn.Tanh())
        init_weights(self.modules())

    def check_size(self, height: int, width: int) -> None:
        """Raise UserError unless both are multiples of 2**downsamplings, and at least two."""
        check_size(height, width, self.divisor)

    def means(self, photo: Tensor, regions: Tensor) -> Tensor:
        """The mean feature of every part, (B, K, out_channels) in [-1, 1].

        ``regions`` is a one-hot part map (B, K, H, W) of the photo's size. A part that is absent
        from a picture has 0 there.
        """
        self.check_size(photo.shape[2], photo.shape[3])
        return mean_of_parts(self.body(photo), regions)

    def forward(self, photo: Tensor, regions: Tensor) -> Tensor:
        """Every part of every photo filled with its mean feature, (B, out_channels, H, W)."""
        return torch.einsum("bkhw,bkc->bchw", regions, self.means(photo, regions))


class ColourEncoder(nn.Module):
    """What a part of a photo looks like, told by its mean colour: nothing has to be learnt.

    In the place of :class:`FeatureEncoder` where there is time for a few thousand steps only, in
    which a generator would not learn to heed features that are still being learnt themselves.
    """

    out_channels = 3

    def means(self, photo: Tensor, regions: Tensor) -> Tensor:
        """The mean colour of every part, (B, K, 3) in [-1, 1]; 0 where a part is absent.

        ``regions`` is a one-hot part map (B, K, H, W) of the photo's size.
        """
        return mean_of_parts(photo, regions)


def mean_of_parts(features: Tensor, regions: Tensor) -> Tensor:
    """Means (B, K, C) of features (B, C, H, W) over regions (B, K, H, W), 0 where there is none."""
    areas = regions.sum(dim=(2, 3)).clamp(min=1)
    return torch.einsum("bkhw,bchw->bkc", regions, features) / areas[:, :, None]
