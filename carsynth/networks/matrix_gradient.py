"""Convolutions in half precision whose weights' gradient is one matrix product.

The CPU's kernel for that gradient is made for large pictures. Between many channels at a small
size, every pixel's neighbourhood laid out as a row and one product over all rows takes about half
as long. Forward and the input's gradient are torch's own.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

_PIXELS_A_CHANNEL = 8
"""Up to so many pixels of a batch for each channel, the product is the faster way."""


def conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1, padding: int = 0
) -> Tensor:
    """``F.conv2d``, with the quick gradient where autocast would convolve in half on a CPU."""
    size = weight.shape[2]
    height, width = ((n + 2 * padding - size) // stride + 1 for n in x.shape[2:])
    if not _pays(x, weight, height * width):
        return F.conv2d(x, weight, bias, stride, padding)
    dtype = torch.get_autocast_dtype("cpu")
    return _biased(_Convolve.apply(x.to(dtype), weight.to(dtype), stride, padding), bias)


def conv_transpose2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int = 1, padding: int = 0
) -> Tensor:
    """``F.conv_transpose2d``, likewise."""
    if not _pays(x, weight, x.shape[2] * x.shape[3]):
        return F.conv_transpose2d(x, weight, bias, stride, padding)
    dtype = torch.get_autocast_dtype("cpu")
    return _biased(_Transposed.apply(x.to(dtype), weight.to(dtype), stride, padding), bias)


def _pays(x: Tensor, weight: Tensor, pixels: int) -> bool:
    return (
        x.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and len(x) * pixels <= _PIXELS_A_CHANNEL * min(weight.shape[:2])
    )


def _biased(y: Tensor, bias: Tensor | None) -> Tensor:
    return y if bias is None else y + bias.to(y.dtype)[:, None, None]


class _ByProduct(torch.autograd.Function):
    """A convolution of x by weight, with a stride and padding, the same along both axes."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, ctx.stride, ctx.padding = inputs
        ctx.save_for_backward(x, weight)


class _Convolve(_ByProduct):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        return F.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        dx = None
        if ctx.needs_input_grad[0]:
            dx = conv2d_input(x.shape, weight, dy, ctx.stride, ctx.padding)  # type: ignore[no-untyped-call]
        return dx, _of_weight(ctx, x, dy), None, None


class _Transposed(_ByProduct):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        return F.conv_transpose2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        dx = None
        if ctx.needs_input_grad[0]:
            dx = F.conv2d(dy, weight, None, ctx.stride, ctx.padding)
        return dx, _of_weight(ctx, dy, x), None, None  # as the plain one's, the other way round


def _of_weight(ctx: Any, fine: Tensor, coarse: Tensor) -> Tensor | None:
    """d(conv2d(fine, weight)) / dweight for ``coarse``, in the weight's layout."""
    if not ctx.needs_input_grad[1]:
        return None
    _, weight = ctx.saved_tensors
    if torch.is_grad_enabled():  # the gradient is to be differentiated again
        dw: Tensor = conv2d_weight(fine, weight.shape, coarse, ctx.stride, ctx.padding)  # type: ignore[no-untyped-call]
        return dw
    dw = _product(fine, coarse, weight.shape[2], ctx.stride, ctx.padding)
    return dw.contiguous() if weight.is_contiguous() else dw


@torch.library.custom_op("carsynth::conv_weight_gradient", mutates_args=())
def _product(fine: Tensor, coarse: Tensor, size: int, stride: int, padding: int) -> Tensor:
    """(B, C, H, W) and (B, K, h, w) to (K, C, size, size), channels last."""
    (_, out, height, width), into = coarse.shape, fine.shape[1]
    pixels = F.pad(fine.permute(0, 2, 3, 1), (0, 0, padding, padding, padding, padding))
    down, across = stride * (height - 1) + 1, stride * (width - 1) + 1
    taps = [
        pixels[:, i : i + down : stride, j : j + across : stride]
        for i in range(size)
        for j in range(size)
    ]
    rows = torch.cat(taps, dim=3).flatten(0, 2)
    product = coarse.permute(0, 2, 3, 1).reshape(-1, out).t() @ rows
    return product.view(out, size, size, into).permute(0, 3, 1, 2)


@_product.register_fake
def _(fine: Tensor, coarse: Tensor, size: int, stride: int, padding: int) -> Tensor:
    return fine.new_empty(coarse.shape[1], size, size, fine.shape[1]).permute(0, 3, 1, 2)
