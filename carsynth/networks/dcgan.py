"""The unconditional systems of the seeds: deconvolution, upsampling and SELU DCGANs.

Radford et al. 2016, "Unsupervised Representation Learning with Deep Convolutional GANs"; the shape
tables are figures 7 and 10 of the two-stage report. Both generators and both discriminators take
any size that :func:`~carsynth.networks.latent.doublings` reaches, and a class where there are some.
"""

import itertools
from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from carsynth.networks.heads import Critic, HeadFactory, PlainHead
from carsynth.networks.latent import LatentInput, doubled, doublings, flat
from carsynth.networks.layers import init_weights

_LEAK = 0.2


class DeconvGenerator(nn.Module):
    """Figure 7: a transposed convolution a doubling, batch norm and ReLU between them.

    The last hidden map has ``width`` channels and each before it twice as many, 16 times at most.

    Args:
        channels: of the picture.
        size: its height and width.
        latent: length of the latent.
        classes: how many class labels there are; 0 takes none.
        width: channels of the last hidden map; 64 is the report's.
        self_normalising: SELU in place of batch norm and ReLU (Klambauer et al. 2017), with the
            initialisation that it needs.
    """

    def __init__(
        self,
        channels: int,
        size: Sequence[int],
        latent: int,
        classes: int = 0,
        width: int = 64,
        self_normalising: bool = False,
    ) -> None:
        super().__init__()
        base, count = doublings(size[0], size[1])
        self.size = (int(size[0]), int(size[1]))
        widths = [width * 2 ** min(count - 1 - level, 4) for level in range(count)]
        self.input = LatentInput(latent, classes, 50, widths[0], base, bias=self_normalising)
        layers = _between(widths[0], self_normalising)
        for before, after in itertools.pairwise(widths):
            layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=self_normalising))
            layers += _between(after, self_normalising)
        layers.append(nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1))
        self.body = nn.Sequential(*layers)
        _initialise(self, self_normalising)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, latent) to (B, channels, H, W), before the squashing that the canvas adds."""
        return cast(Tensor, self.body(self.input(latent, label)))


class DeconvDiscriminator(Critic):
    """Figure 7: a strided convolution a halving, batch norm and LeakyReLU; then one logit.

    The report's last convolution covers the whole 4x4 map: a linear layer. Its sigmoid is in the
    loss. Arguments as for :class:`DeconvGenerator`; ``width`` is of the first map.
    """

    def __init__(
        self,
        channels: int,
        size: Sequence[int],
        classes: int = 0,
        width: int = 64,
        self_normalising: bool = False,
        head: HeadFactory = PlainHead,
        auxiliary: bool = False,
    ) -> None:
        base, count = doublings(size[0], size[1])
        widths = [width * 2 ** min(level, 4) for level in range(count)]
        super().__init__(widths[-1] * base[0] * base[1], classes, head, auxiliary, spectral=False)
        self.per_picture = self_normalising
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(zip([channels, *widths], widths, strict=False)):
            plain = self_normalising or level == 0
            layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=plain))
            if not plain:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.SELU() if self_normalising else nn.LeakyReLU(_LEAK))
        self.body = nn.Sequential(*layers)
        _initialise(self, self_normalising)

    def features(self, x: Tensor) -> Tensor:
        return flat(self.body(x))


class UpsampleGenerator(nn.Module):
    """Figure 10: nearest upsampling and two 3x3 convolutions a doubling, which leave no checks.

    ``width`` channels at full size and twice as many a halving, 8 times at most; 64 is the
    report's. Other arguments as for :class:`DeconvGenerator`.
    """

    def __init__(
        self,
        channels: int,
        size: Sequence[int],
        latent: int,
        classes: int = 0,
        width: int = 64,
    ) -> None:
        super().__init__()
        base, count = doublings(size[0], size[1])
        self.size = (int(size[0]), int(size[1]))
        widths = [width * 2 ** min(count - level, 3) for level in range(count + 1)]
        self.input = LatentInput(latent, classes, 50, widths[0], base)
        stages: list[nn.Module] = [_pair(widths[0], widths[0])]
        for before, after in itertools.pairwise(widths):
            stages.append(nn.Sequential(_Doubled(), _pair(before, after)))
        stages.append(_pair(width, width, norm=False))
        stages.append(nn.Conv2d(width, channels, 3, padding=1))
        self.body = nn.Sequential(*stages)
        _initialise(self, False)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, latent) to (B, channels, H, W), before the squashing that the canvas adds."""
        return cast(Tensor, self.body(self.input(latent, label)))


class UpsampleDiscriminator(Critic):
    """Figure 10: two 3x3 convolutions and a mean pooling a halving, down to one pixel.

    ``width // 4`` channels at full size and twice as many a halving, ``8 * width`` at most.
    Arguments as for :class:`DeconvDiscriminator`.
    """

    def __init__(
        self,
        channels: int,
        size: Sequence[int],
        classes: int = 0,
        width: int = 64,
        head: HeadFactory = PlainHead,
        auxiliary: bool = False,
    ) -> None:
        base, count = doublings(size[0], size[1])
        first = max(width // 4, 1)
        widths = [min(first * 2**level, 8 * width) for level in range(count + 1)]
        last = widths[-1]
        super().__init__(last, classes, head, auxiliary, spectral=False)
        stages: list[nn.Module] = [_pair(channels, first, norm=False)]
        for before, after in itertools.pairwise(widths):
            stages.append(nn.Sequential(_pair(before, after), nn.AvgPool2d(2)))
        stages.append(nn.Sequential(_pair(last, last), nn.AvgPool2d(base)))
        self.body = nn.Sequential(*stages)
        _initialise(self, False)

    def features(self, x: Tensor) -> Tensor:
        return flat(self.body(x))


class _Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return doubled(x)


def _pair(before: int, after: int, norm: bool = True) -> nn.Sequential:
    """Two 3x3 convolutions, each followed by batch norm, if asked for, and LeakyReLU."""
    layers: list[nn.Module] = []
    for inputs in (before, after):
        layers.append(nn.Conv2d(inputs, after, 3, padding=1, bias=not norm))
        if norm:
            layers.append(nn.BatchNorm2d(after))
        layers.append(nn.LeakyReLU(_LEAK))
    return nn.Sequential(*layers)


def _between(channels: int, self_normalising: bool) -> list[nn.Module]:
    return [nn.SELU()] if self_normalising else [nn.BatchNorm2d(channels), nn.ReLU()]


def _initialise(network: nn.Module, self_normalising: bool) -> None:
    """N(0, 0.02) as DCGAN draws weights, batch norm's gains N(1, 0.02); LeCun's for SELU.

    SELU keeps mean 0 and variance 1 only where the weights have variance 1 / inputs.
    """
    for module in network.modules():
        if self_normalising and isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, _inputs(module) ** -0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
    if not self_normalising:
        init_weights(network.modules())


def _inputs(module: nn.Conv2d | nn.ConvTranspose2d | nn.Linear) -> int:
    """How many numbers each output of a layer sums up."""
    if isinstance(module, nn.Linear):
        return module.in_features
    taps = module.kernel_size[0] * module.kernel_size[1]
    if isinstance(module, nn.ConvTranspose2d):  # each output pixel sees every stride-th tap
        taps //= module.stride[0] * module.stride[1]
    return module.in_channels * taps
