"""The residual blocks at the generator's smallest size, where most of its arithmetic is."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

from carsynth.networks.layers import InstanceNorm, ReflectConv
from carsynth.networks.winograd_tiles import conv3x3, tiles_pay


class ResidualBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))) with 3x3 convolutions: pix2pixHD's block of G."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            DeepConv(channels, 3),
            InstanceNorm(),
            nn.ReLU(),
            DeepConv(channels, 3),
            InstanceNorm(),
        )

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.branch(x)
        return x + branch


class DeepConv(ReflectConv):
    """:class:`ReflectConv` between many channels at a small size, without bias.

    On a CPU, compiled convolutions take the tiles of :mod:`carsynth.networks.winograd_tiles` where
    they pay. In bfloat16 the weights' gradient is one matrix product, which is almost twice as fast
    there as the kernel made for large pictures. Everything else convolves as usual.
    """

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__(channels, channels, kernel_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return super().forward(x)
        border = self.kernel_size[0] // 2
        padded = F.pad(x, (border, border, border, border), mode="reflect")
        if not torch.is_autocast_enabled("cpu"):
            convolve = conv3x3 if tiles_pay(padded, self.weight) else F.conv2d
            convolved: Tensor = convolve(padded, self.weight)
            return convolved
        dtype = torch.get_autocast_dtype("cpu")
        in_half: Tensor = _DeepConvolve.apply(padded.to(dtype), self.weight.to(dtype))
        return in_half


@torch.library.custom_op("carsynth::conv_weight_gradient", mutates_args=())
def _weight_gradient(x: Tensor, dy: Tensor, size: int) -> Tensor:
    """d(conv2d(x, w)) / dw for dy, of stride 1 and without padding, as a matrix product."""
    (_, out, height, width), into = dy.shape, x.shape[1]
    rows = x.permute(0, 2, 3, 1)
    taps = [rows[:, i : i + height, j : j + width] for i in range(size) for j in range(size)]
    columns = torch.cat(taps, dim=3).flatten(0, 2)
    product = dy.permute(0, 2, 3, 1).reshape(-1, out).t() @ columns
    return product.view(out, size, size, into).permute(0, 3, 1, 2)


@_weight_gradient.register_fake
def _(x: Tensor, dy: Tensor, size: int) -> Tensor:
    return x.new_empty(dy.shape[1], size, size, x.shape[1]).permute(0, 3, 1, 2)


class _DeepConvolve(torch.autograd.Function):
    """conv2d of stride 1 without padding, whose weight gradient is a matrix product."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(x, weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        dx = dw = None
        if ctx.needs_input_grad[0]:
            dx = conv2d_input(x.shape, weight, dy)  # type: ignore[no-untyped-call]
        if ctx.needs_input_grad[1]:
            dw = _weight_gradient(x, dy, weight.shape[2])
        return dx, dw
