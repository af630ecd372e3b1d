"""The class-conditional GAN of the car brands, at 128x224 and any size that doubling reaches."""

import itertools
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from carsynth.errors import UserError
from carsynth.networks.attention import SelfAttention
from carsynth.networks.heads import Critic, Head, HeadFactory, Judgement, PlainHead
from carsynth.networks.latent import (
    LatentInput,
    PixelNorm,
    doublings,
    flat,
    minibatch_deviation,
)
from carsynth.networks.matrix_gradient import conv2d, conv_transpose2d
from carsynth.networks.mish import Mish

_LEAK = 0.2  # applied in place: the result tells the slope, and nothing else has to be kept
_KERNEL, _STRIDE, _PADDING = 4, 2, 1


def _widths(width: int, count: int) -> list[int]:
    """Channels after each halving: 64-64-128-256-512 where ``width`` is 64 and ``count`` 5."""
    return [width * 2 ** min(max(level - 1, 0), 3) for level in range(count)]


class BrandGenerator(nn.Module):
    """carbrandGAN's generator: a transposed convolution a doubling, spectral and batch norm, Mish.

    At 128x224 with ``width=64``: latent and class to 512x4x7, then 256, 128, 64, 64 channels and
    the picture.

    Args:
        channels: of the picture.
        size: its height and width.
        latent: length of the latent.
        classes: how many class labels there are; 0 takes none.
        width: channels of the last two hidden maps, doubled towards the latent, 8 times at most.
        attention: self-attention at an eighth of the size or, where the picture is doubled fewer
            than four times, behind the first doubling.
        pixel_norm: scale every pixel's channels to unit length behind each activation.
    """

    def __init__(
        self,
        channels: int,
        size: Sequence[int],
        latent: int,
        classes: int = 0,
        width: int = 64,
        attention: bool = False,
        pixel_norm: bool = False,
    ) -> None:
        super().__init__()
        base, count = doublings(size[0], size[1])
        self.size = (int(size[0]), int(size[1]))
        if attention and count < 2:
            raise UserError(
                f"arch.attention needs a picture that is doubled twice or more, and {size[0]}x"
                f"{size[1]} is doubled once: take a larger data.size, or arch.attention=false"
            )
        widths = _widths(width, count)[::-1]
        self.input = LatentInput(latent, classes, 50, widths[0], base, bias=False, spectral=True)
        layers = _between(widths[0], pixel_norm)
        for level, (before, after) in enumerate(itertools.pairwise(widths), 1):
            layers.append(spectral_norm(_Up(before, after, bias=False)))
            layers += _between(after, pixel_norm)
            if attention and level == max(count - 3, 1):
                layers.append(SelfAttention(after))
        layers.append(spectral_norm(_Up(widths[-1], channels, bias=True)))
        self.body = nn.Sequential(*layers)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, latent) and class ids (B,) to (B, channels, H, W), not yet squashed."""
        return cast(Tensor, self.body(self.input(latent, label)))


class BrandDiscriminator(Critic):
    """carbrandGAN's discriminator: noise on its input, then strided convolutions and LeakyReLU.

    At 128x224 with ``width=64``: 64-64-128-256-512 channels, the last of 4x7 pixels; the head is
    one linear layer over them all, and ``head`` says how the class joins there.

    Args:
        channels: of the picture.
        size: its height and width.
        classes: how many class labels there are; 0 knows none.
        width: channels of the first two maps.
        head: one of :mod:`carsynth.networks.heads`.
        auxiliary: whether to tell the class of a picture too.
        input_noise: deviation of the Gaussian noise that every input value is multiplied with
            (1 + noise) while training.
        attention: self-attention at an eighth of the size, or behind the first halving.
        minibatch_deviation: show the head how much the pictures of a batch differ.
    """

    def __init__(
        self,
        channels: int,
        size: Sequence[int],
        classes: int = 0,
        width: int = 64,
        head: HeadFactory = PlainHead,
        auxiliary: bool = False,
        input_noise: float = 0.1,
        attention: bool = False,
        minibatch_deviation: bool = False,
    ) -> None:
        base, count = doublings(size[0], size[1])
        widths = _widths(width, count)
        last = (widths[-1] + int(minibatch_deviation)) * base[0] * base[1]
        super().__init__(last, classes, head, auxiliary, spectral=True)
        self.per_picture = not minibatch_deviation
        self.input_noise = input_noise
        self._last = (widths[-1], *base)
        self.convs = nn.ModuleList(
            spectral_norm(_Down(before, after))
            for before, after in zip([channels, *widths], widths, strict=False)
        )
        self._attention_at = min(2, count - 1)
        self.attention = SelfAttention(widths[self._attention_at]) if attention else None
        self._minibatch_deviation = minibatch_deviation

    def features(self, x: Tensor) -> Tensor:
        x = x * self._noise(x)
        for level, conv in enumerate(self.convs):
            x = F.leaky_relu_(conv(x), _LEAK)
            if self.attention is not None and level == self._attention_at:
                x = self.attention(x)
        return flat(minibatch_deviation(x) if self._minibatch_deviation else x)

    @property
    def is_piecewise_linear(self) -> bool:
        """Whether :meth:`with_slopes` knows the derivative by the pictures."""
        return self.attention is None and not self._minibatch_deviation

    def with_slopes(
        self, x: Tensor, label: Tensor | None, between: Tensor, between_label: Tensor | None
    ) -> tuple[Judgement, Tensor]:
        """The judgement on ``x``, and the derivative of the logits of ``between`` by ``between``.

        Where all activations are LeakyReLU the derivative is the chain of transposed convolutions
        with each pixel's slope between them. Written out, it needs no graph of ``between``, can be
        compiled and is differentiable by the weights like any other expression; spectral norm's
        power iteration runs once for both.

        Args:
            x: pictures (B, C, H, W); ``label`` their classes (B,).
            between: pictures (N, C, H, W) to take the derivative at; ``between_label`` (N,).

        Returns:
            The judgement, and (N, C, H, W).
        """
        assert self.is_piecewise_linear
        x = x * self._noise(x)
        noise = self._noise(between)
        with torch.no_grad():
            point = between * noise
        points: list[Tensor] = []
        weights: list[Tensor] = []
        for layer in self.convs:
            conv = cast(nn.Conv2d, layer)
            weight = conv.weight
            weights.append(weight)
            x = F.leaky_relu_(conv2d(x, weight, conv.bias, _STRIDE, _PADDING), _LEAK)
            with torch.no_grad():
                point = F.conv2d(point, weight, conv.bias, _STRIDE, _PADDING)
                point = F.leaky_relu_(point, _LEAK)
            points.append(point)
        features = flat(x)
        classes = self.classifier(features) if self.classifier is not None else None
        judgement = Judgement(self.head(features, label), features, classes)
        slope = cast(Head, self.head).slope(between_label).expand(len(between), -1)
        slope = slope.reshape(-1, *self._last).contiguous(memory_format=torch.channels_last)
        for weight, point in zip(reversed(weights), reversed(points), strict=True):
            slope = _sloped(slope, point)
            slope = conv_transpose2d(slope, weight, None, _STRIDE, _PADDING)
        return judgement, slope * noise

    def _noise(self, x: Tensor) -> Tensor:
        if not self.training or self.input_noise == 0.0:
            return torch.ones((), device=x.device, dtype=x.dtype)
        return 1.0 + self.input_noise * torch.randn_like(x)


class _Down(nn.Conv2d):
    """Half the size."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, _KERNEL, _STRIDE, _PADDING)

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.weight, self.bias, _STRIDE, _PADDING)


class _Up(nn.ConvTranspose2d):
    """Twice the size."""

    def __init__(self, in_channels: int, out_channels: int, bias: bool) -> None:
        super().__init__(in_channels, out_channels, _KERNEL, _STRIDE, _PADDING, bias=bias)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return conv_transpose2d(x, self.weight, self.bias, _STRIDE, _PADDING)


def _sloped(gradient: Tensor, result: Tensor) -> Tensor:
    """A gradient behind LeakyReLU as one before it, from LeakyReLU's result."""
    if torch.compiler.is_compiling():
        # From signs and not from a comparison, whose mask would be written out slowly on a CPU.
        return gradient * ((1 + _LEAK) / 2 + (1 - _LEAK) / 2 * result.sign())
    before: Tensor = torch.ops.aten.leaky_relu_backward(gradient, result, _LEAK, True)
    return before


def _between(channels: int, pixel_norm: bool) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.BatchNorm2d(channels), Mish()]
    return [*layers, PixelNorm()] if pixel_norm else layers
