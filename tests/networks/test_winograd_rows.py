"""The convolution with half the multiplications gives the sums of the plain one."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from carsynth.networks.winograd_rows import WideConv

WIDE = 256


def conv_and_input(height: int, width: int, channels: int = WIDE) -> tuple[WideConv, torch.Tensor]:
    torch.manual_seed(0)
    return WideConv(channels, 16, padding=2).double(), torch.randn(
        2, channels, height, width, dtype=torch.float64
    )


@pytest.mark.parametrize("size", [(8, 5), (9, 4), (10, 7), (2, 1)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_is_a_convolution(size: tuple[int, int], layout: torch.memory_format) -> None:
    conv, x = conv_and_input(*size)
    conv.to(memory_format=layout)  # type: ignore[call-overload]
    x = x.contiguous(memory_format=layout).requires_grad_()
    ours, plain = conv(x), F.conv2d(x, conv.weight, padding=2)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)
    direction = torch.randn_like(plain)
    for a, b in zip(
        torch.autograd.grad(ours, (x, conv.weight), direction),
        torch.autograd.grad(plain, (x, conv.weight), direction),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_it_takes_half_the_multiplications_where_there_are_many_channels() -> None:
    def flops(channels: int) -> tuple[int, int]:
        conv, x = conv_and_input(11, 9, channels)
        with FlopCounterMode(display=False) as ours:
            conv(x)
        with FlopCounterMode(display=False) as plain:
            F.conv2d(x, conv.weight, padding=2)
        return ours.get_total_flops(), plain.get_total_flops()

    ours, plain = flops(WIDE)
    assert ours * 2 == plain  # 12 outputs high: four tiles of six products for three outputs
    ours, plain = flops(32)
    assert ours == plain


def test_in_float32_its_error_is_of_the_plain_sums_size() -> None:
    conv, x = conv_and_input(12, 12)
    exact = F.conv2d(x, conv.weight, padding=2)
    conv, x = conv.float(), x.float()
    error = (conv(x) - exact).abs().max()
    plain = (F.conv2d(x, conv.weight, padding=2) - exact).abs().max()
    assert 0 < error < 6 * plain


def test_half_precision_convolves_as_usual() -> None:
    conv, x = conv_and_input(6, 6)
    conv, x = conv.float(), x.float()
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(conv(x), F.conv2d(x, conv.weight, padding=2), rtol=0, atol=0)
    conv, x = conv.bfloat16(), x.bfloat16()
    torch.testing.assert_close(conv(x), F.conv2d(x, conv.weight, padding=2), rtol=0, atol=0)
