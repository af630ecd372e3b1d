"""3x3 convolution with 4 multiplications for 9 (Winograd 1980; Lavin and Gray 2016, 1509.09308).

A 2x2 tile of outputs depends on 4x4 inputs. Transformed by small sums along both axes (equations 7
and 8 of the paper, F(2x2, 3x3)), each of the 16 entries is a matrix product of its own: tiles by
input channels, times input by output channels. Gradients are the same steps transposed.

The sums are compiled; written out term by term they would cost more than the products save.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from carsynth.networks.winograd_rows import weighted_sum

_OUTPUTS, _TAPS = 2, 3
_INPUTS = _OUTPUTS + _TAPS - 1
_OF_INPUT = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))
_OF_WEIGHT = ((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1))
_OF_OUTPUT = ((1, 1, 1, 0), (0, 1, -1, -1))
_WORTH_IT = 512
"""Channels from which the sums before and after cost less than the products save."""

Table = Sequence[Sequence[float]]


def tiles_pay(x: Tensor, weight: Tensor) -> bool:
    """Whether :func:`conv3x3` can do this convolution without padding, and sooner than conv2d.

    In compiled code on a CPU, in float32 and float64, between 512 channels and more, to an even
    height and width. Half precision would not bear the sums.
    """
    return (
        torch.compiler.is_compiling()
        and x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and x.dtype == weight.dtype
        and x.dtype in (torch.float32, torch.float64)
        and min(weight.shape[:2]) >= _WORTH_IT
        and x.shape[2] % _OUTPUTS == 0
        and x.shape[3] % _OUTPUTS == 0
    )


@torch.library.custom_op("carsynth::conv3x3", mutates_args=())
@torch.no_grad()
def conv3x3(x: Tensor, weight: Tensor) -> Tensor:
    """conv2d(x, weight), stride 1, no padding: (B, C, H, W) to (B, K, H - 2, W - 2), both even."""
    taps = _compiled(_of_weight)(weight)
    rows = _compiled(_of_input)(x)
    products = [_product(v, u) for v, u in zip(rows, taps, strict=True)]
    return _woven(_compiled(_of_products)(products), x.shape)


@torch.library.custom_op("carsynth::conv3x3_dx", mutates_args=())
@torch.no_grad()
def _input_gradient(dy: Tensor, weight: Tensor) -> Tensor:
    taps = _compiled(_of_weight)(weight)
    rows = _compiled(_of_gradient)(dy)
    products = [_product(m, u.t()) for m, u in zip(rows, taps, strict=True)]
    return _added_up(_compiled(_of_input_products)(products), dy.shape)


@torch.library.custom_op("carsynth::conv3x3_dw", mutates_args=())
@torch.no_grad()
def _weight_gradient(dy: Tensor, x: Tensor) -> Tensor:
    rows = _compiled(_of_input)(x)
    of_dy = _compiled(_of_gradient)(dy)
    products = [_product(m.t(), v.t()) for m, v in zip(of_dy, rows, strict=True)]
    dw: Tensor = _compiled(_of_weight_products)(products)
    return dw


@conv3x3.register_fake
def _(x: Tensor, weight: Tensor) -> Tensor:
    batch, _, height, width = x.shape
    border = _TAPS - 1
    return _channels_last(x.new_empty(batch, height - border, width - border, len(weight)))


@_input_gradient.register_fake
def _(dy: Tensor, weight: Tensor) -> Tensor:
    batch, _, height, width = dy.shape
    border = _TAPS - 1
    return _channels_last(dy.new_empty(batch, height + border, width + border, weight.shape[1]))


@_weight_gradient.register_fake
def _(dy: Tensor, x: Tensor) -> Tensor:
    return _channels_last(dy.new_empty(dy.shape[1], _TAPS, _TAPS, x.shape[1]))


def _keep_inputs(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _gradients(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
    x, weight = ctx.saved_tensors
    return (
        _input_gradient(dy, weight) if ctx.needs_input_grad[0] else None,
        _weight_gradient(dy, x) if ctx.needs_input_grad[1] else None,
    )


conv3x3.register_autograd(_gradients, setup_context=_keep_inputs)


@functools.cache
def _compiled(sums: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(sums)


def _product(rows: Tensor, columns: Tensor) -> Tensor:
    """(T, C) and (K, C) to rows @ columns.T, (T, K)."""
    if rows.dtype == torch.float32 and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        # oneDNN, as the compiler's own linear layers: torch's matmul is MKL's, which takes twice
        # as long on processors that are not Intel's.
        product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, columns, None, "none", [], "")
        return product
    return rows @ columns.t()


def _of_input(x: Tensor) -> list[Tensor]:
    """(B, C, H, W) to 16 matrices, tiles by C."""
    height, width = x.shape[2] - _INPUTS + 1, x.shape[3] - _INPUTS + 1
    pixels = x.permute(0, 2, 3, 1)
    corners = [
        pixels[:, i : i + height : _OUTPUTS, j : j + width : _OUTPUTS]
        for i in range(_INPUTS)
        for j in range(_INPUTS)
    ]
    return [_matrix(sums) for sums in _both_ways(_OF_INPUT, corners)]


def _of_weight(weight: Tensor) -> list[Tensor]:
    """(K, C, 3, 3) to 16 matrices, K by C."""
    taps = [weight[:, :, i, j] for i in range(_TAPS) for j in range(_TAPS)]
    return [_matrix(sums) for sums in _both_ways(_OF_WEIGHT, taps)]


def _of_products(products: list[Tensor]) -> list[Tensor]:
    """16 matrices, tiles by K, to the 4 positions of a tile, tiles by K."""
    return _both_ways(_OF_OUTPUT, products)


def _of_gradient(dy: Tensor) -> list[Tensor]:
    """(B, K, H, W) to 16 matrices, tiles by K."""
    pixels = dy.permute(0, 2, 3, 1)
    positions = [
        pixels[:, i::_OUTPUTS, j::_OUTPUTS] for i in range(_OUTPUTS) for j in range(_OUTPUTS)
    ]
    return [_matrix(sums) for sums in _both_ways(_transposed(_OF_OUTPUT), positions)]


def _of_input_products(products: list[Tensor]) -> list[Tensor]:
    """16 matrices, tiles by C, to the 16 inputs of a tile, tiles by C."""
    return _both_ways(_transposed(_OF_INPUT), products)


def _of_weight_products(products: list[Tensor]) -> Tensor:
    """16 matrices, K by C, to (K, C, 3, 3), channels last."""
    taps = torch.stack(_both_ways(_transposed(_OF_WEIGHT), products), dim=1)
    return _channels_last(taps.view(len(taps), _TAPS, _TAPS, -1))


def _both_ways(table: Table, terms: Sequence[Tensor]) -> list[Tensor]:
    """``table @ square @ table.T`` for a square of tensors, given and returned row by row."""
    side = len(table[0])
    rows = [[weighted_sum(terms[column::side], row) for column in range(side)] for row in table]
    return [weighted_sum(row, weights) for row in rows for weights in table]


def _transposed(table: Table) -> Table:
    return list(zip(*table, strict=True))


def _matrix(sums: Tensor) -> Tensor:
    return sums.reshape(-1, sums.shape[-1]).contiguous()


def _woven(positions: list[Tensor], x_shape: Sequence[int]) -> Tensor:
    """The outputs, (B, K, H - 2, W - 2), from the four positions of the tiles."""
    batch, _, height, width = x_shape
    tiles = (batch, (height - _TAPS + 1) // _OUTPUTS, (width - _TAPS + 1) // _OUTPUTS)
    channels = positions[0].shape[1]
    y = positions[0].new_empty(batch, tiles[1] * _OUTPUTS, tiles[2] * _OUTPUTS, channels)
    for index, values in enumerate(positions):
        i, j = divmod(index, _OUTPUTS)
        y[:, i::_OUTPUTS, j::_OUTPUTS] = values.view(*tiles, channels)
    return _channels_last(y)


def _added_up(parts: list[Tensor], dy_shape: Sequence[int]) -> Tensor:
    """The gradient of the inputs, (B, C, H + 2, W + 2): tiles overlap by half."""
    batch, _, height, width = dy_shape
    down, across = height // _OUTPUTS, width // _OUTPUTS
    channels = parts[0].shape[1]
    dx = parts[0].new_zeros(batch, height + _TAPS - 1, width + _TAPS - 1, channels)
    for index, values in enumerate(parts):
        i, j = divmod(index, _INPUTS)
        inputs = dx[:, i : i + height : _OUTPUTS, j : j + width : _OUTPUTS]
        inputs += values.view(batch, down, across, channels)
    return _channels_last(dx)


def _channels_last(pixels: Tensor) -> Tensor:
    return pixels.permute(0, 3, 1, 2)
