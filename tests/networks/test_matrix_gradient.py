"""Convolutions whose weights' gradient is a matrix product are convolutions."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from carsynth.networks import matrix_gradient
from carsynth.networks.matrix_gradient import _Convolve, _product, _Transposed

SETTINGS = [(4, 2, 1), (3, 1, 0), (3, 2, 1)]
"""Kernel size, stride, padding."""


def down(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(2, 3, 6, 8) and the weights of a convolution to five channels."""
    torch.manual_seed(0)
    return (
        torch.randn(2, 3, 6, 8, dtype=torch.float64, requires_grad=True),
        torch.randn(5, 3, size, size, dtype=torch.float64, requires_grad=True),
    )


def up(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The same for a transposed one."""
    x, weight = down(size)
    return x, weight.detach().transpose(0, 1).contiguous().requires_grad_()


WAYS = [(down, _Convolve.apply, F.conv2d), (up, _Transposed.apply, F.conv_transpose2d)]


@pytest.mark.parametrize(("operands", "ours", "plain"), WAYS)
@pytest.mark.parametrize(("size", "stride", "padding"), SETTINGS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_the_plain_ones(
    operands: Callable[[int], tuple[torch.Tensor, torch.Tensor]],
    ours: Callable[..., torch.Tensor],
    plain: Callable[..., torch.Tensor],
    size: int,
    stride: int,
    padding: int,
    layout: torch.memory_format,
) -> None:
    x, weight = (t.detach().contiguous(memory_format=layout) for t in operands(size))
    x.requires_grad_(), weight.requires_grad_()
    a, b = ours(x, weight, stride, padding), plain(x, weight, None, stride, padding)
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    direction = torch.randn_like(b)
    of_ours = torch.autograd.grad(a, (x, weight), direction)
    of_plain = torch.autograd.grad(b, (x, weight), direction)
    torch.testing.assert_close(of_ours, of_plain, rtol=0, atol=1e-11)
    assert of_ours[1].is_contiguous(memory_format=layout)


@pytest.mark.parametrize(("operands", "ours", "plain"), WAYS)
def test_it_can_be_differentiated_twice(
    operands: Callable[[int], tuple[torch.Tensor, torch.Tensor]],
    ours: Callable[..., torch.Tensor],
    plain: Callable[..., torch.Tensor],
) -> None:
    def of_the_slopes(convolved: torch.Tensor, both: tuple[torch.Tensor, ...]) -> object:
        slopes = torch.autograd.grad(convolved.square().sum(), both, create_graph=True)
        return torch.autograd.grad(sum(slope.square().sum() for slope in slopes), both)

    both = operands(4)
    torch.testing.assert_close(
        of_the_slopes(ours(*both, 2, 1), both), of_the_slopes(plain(*both, None, 2, 1), both)
    )


def test_what_the_compiler_is_told_of_it_is_true() -> None:
    x, weight = (t.detach() for t in down(4))
    torch.library.opcheck(_product, (x, F.conv2d(x, weight, None, 2, 1), 4, 2, 1))


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
def test_it_is_for_many_channels_few_pixels_and_half_precision(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    product = matrix_gradient._product
    monkeypatch.setattr(matrix_gradient, "_product", lambda *a: [calls.append(1), product(*a)][1])
    convolve, plain = getattr(matrix_gradient, name), getattr(F, name)

    def products(side: int, autocast: bool) -> int:
        calls.clear()
        x = torch.randn(1, 16, side, side)
        weight = torch.randn(16, 16, 4, 4, requires_grad=True)
        bias = torch.randn(16, requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            y, expected = convolve(x, weight, bias, 2, 1), plain(x, weight, bias, 2, 1)
        assert y.dtype == expected.dtype
        torch.testing.assert_close(y, expected, rtol=0.02, atol=0.1)
        y.sum().backward()
        assert bias.grad is not None
        return len(calls)

    few, many = (22, 24) if name == "conv2d" else (11, 12)  # 8 pixels a channel are 128
    assert products(few, autocast=True) == 1
    assert products(many, autocast=True) == 0
    assert products(few, autocast=False) == 0
