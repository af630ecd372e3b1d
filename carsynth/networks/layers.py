"""Building blocks of the image-to-image networks."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carsynth.errors import UserError


class InstanceNorm(nn.Module):
    """Normalise every channel of every picture over its pixels (Ulyanov et al. 2016), no weights.

    Works on (B, C, H, W) of any layout, keeps that layout, and is differentiable any number of
    times. ``F.instance_norm`` turns channels-last tensors back to contiguous ones, and its CPU
    gradient is wrong at batch 1 under a channels-last incoming gradient. Statistics of half
    precision inputs are taken in float32; the result has the input's type.
    """

    def __init__(self, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        if torch.compiler.is_compiling():  # the compiler fuses the formula better than the function
            variance, mean = torch.var_mean(wide, dim=(2, 3), correction=0, keepdim=True)
            return ((wide - mean) * torch.rsqrt(variance + self.eps)).to(x.dtype)
        normed: Tensor = _Normalise.apply(wide, self.eps)[0]
        return normed.to(x.dtype)


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) and 1 / sqrt(variance + eps), in few passes over memory."""

    @staticmethod
    def forward(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        centred = x - x.mean(dim=(2, 3), keepdim=True)
        scale = torch.rsqrt(centred.square().mean(dim=(2, 3), keepdim=True) + eps)
        return centred.mul_(scale), scale

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*output)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, dscale: Tensor | None) -> tuple[Tensor | None, None]:
        y, scale = ctx.saved_tensors
        dx = None
        if dy is not None:
            inner = torch.addcmul(
                dy - dy.mean(dim=(2, 3), keepdim=True),
                y,
                (dy * y).mean(dim=(2, 3), keepdim=True),
                value=-1,
            )
            dx = inner * scale
        if dscale is not None:  # only in the gradient of a gradient, through the lines above
            from_scale = y * (-dscale * scale.square() / y[0, 0].numel())
            dx = from_scale if dx is None else dx + from_scale
        return dx, None


class ReflectConv(nn.Conv2d):
    """An odd-sized convolution, stride 1, over a border of mirrored pixels that keeps the size."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, bias: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        border = self.kernel_size[0] // 2
        return super().forward(F.pad(x, (border, border, border, border), mode="reflect"))


class PhotoConv(ReflectConv):
    """:class:`ReflectConv` to a few channels, as the last layer of a generator is.

    CPU kernels compute 16 output channels at a time, so that three waste most of the work. There,
    on even sizes, one convolution of stride 2 computes the four pixels of every 2x2 square: the
    same sums, by the same kernel in four positions. Other devices convolve as usual.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or x.shape[2] % 2 or x.shape[3] % 2:
            return super().forward(x)
        border = self.kernel_size[0] // 2
        positions = [F.pad(self.weight, (j, 1 - j, i, 1 - i)) for i in (0, 1) for j in (0, 1)]
        weight = torch.stack(positions, dim=1).flatten(0, 1)
        bias = self.bias.repeat_interleave(4) if self.bias is not None else None
        padded = F.pad(x, (border, border, border, border), mode="reflect")
        return F.pixel_shuffle(F.conv2d(padded, weight, bias, stride=2), 2)


class LogitConv(nn.Conv2d):
    """A convolution of stride 1 to one channel.

    CPU kernels compute 16 output channels at a time. There, a 1x1 convolution has one channel for
    each tap of the kernel, and the taps are added up where they belong: the same sums with a
    sixteenth of the work. Other devices convolve as usual.
    """

    def __init__(self, in_channels: int, kernel_size: int, padding: int) -> None:
        super().__init__(in_channels, 1, kernel_size, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or self.bias is None:
            return super().forward(x)
        size = self.kernel_size[0]
        border = int(self.padding[0])
        taps = F.conv2d(x, self.weight[0].flatten(1).t()[:, :, None, None])
        taps = F.pad(taps, (border, border, border, border))
        height, width = taps.shape[2] - size + 1, taps.shape[3] - size + 1
        logits = self.bias[:, None, None]
        for tap in range(size * size):
            i, j = divmod(tap, size)
            logits = logits + taps[:, tap : tap + 1, i : i + height, j : j + width]
        return logits


def stem(in_channels: int, out_channels: int) -> list[nn.Module]:
    """The paper's c7s1-k: 7x7 convolution at full size, norm, ReLU."""
    return [ReflectConv(in_channels, out_channels, 7, bias=False), InstanceNorm(), nn.ReLU()]


def down(in_channels: int, out_channels: int) -> list[nn.Module]:
    """The paper's dk: 3x3 convolution that halves height and width, norm, ReLU."""
    conv = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
    return [conv, InstanceNorm(), nn.ReLU()]


def up(in_channels: int, out_channels: int) -> list[nn.Module]:
    """The paper's uk: transposed 3x3 convolution that doubles height and width, norm, ReLU."""
    conv = nn.ConvTranspose2d(
        in_channels, out_channels, 3, stride=2, padding=1, output_padding=1, bias=False
    )
    return [conv, InstanceNorm(), nn.ReLU()]


def halve(x: Tensor) -> Tensor:
    """pix2pixHD's picture pyramid: 3x3 mean with stride 2 that leaves out what lies outside.

    (B, C, H, W) becomes (B, C, ceil(H / 2), ceil(W / 2)).
    """
    return F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


def check_size(height: int, width: int, divisor: int) -> None:
    """Hold a picture size against a network that needs multiples of ``divisor``, at least two.

    Raises :class:`~carsynth.errors.UserError` with the nearest sizes that fit.
    """

    def fits(length: int) -> bool:
        return length % divisor == 0 and length >= 2 * divisor

    def nearest(length: int) -> list[int]:
        below = max(length // divisor, 2) * divisor
        return [below] if fits(length) or below > length else [below, below + divisor]

    if fits(height) and fits(width):
        return
    sizes = " or ".join(f"{h}x{w}" for h in nearest(height) for w in nearest(width))
    raise UserError(
        f"size {height}x{width} cannot be halved often enough for this network: height and width "
        f"must be multiples of {divisor} and at least {2 * divisor}; the nearest that fit: {sizes}"
    )


def init_weights(modules: Iterable[nn.Module], std: float = 0.02) -> None:
    """Draw the weights of all convolutions from N(0, std), as DCGAN and pix2pixHD do.

    Biases keep torch's default.
    """
    for module in modules:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, std)
