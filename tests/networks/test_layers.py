import pytest
import torch
from torch.nn import functional as F

from carsynth.errors import UserError
from carsynth.networks.layers import (
    InstanceNorm,
    LogitConv,
    PhotoConv,
    ReflectConv,
    check_size,
    halve,
)


def _reference_norm(x: torch.Tensor, eps: float = 1e-5) -> torch.Tensor:
    """Equation 1 of Ulyanov et al. in float64, a plane at a time."""
    planes = []
    for plane in x.double().flatten(0, 1):
        centred = plane - plane.sum() / plane.numel()
        planes.append(centred / torch.sqrt((centred**2).sum() / plane.numel() + eps))
    return torch.stack(planes).view(x.shape)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_instance_norm_gradient_against_float64(batch: int, layout: torch.memory_format) -> None:
    """torch 2.15's own is wrong by up to 5 here at batch 1 under a channels-last gradient."""
    torch.manual_seed(0)
    x = torch.randn(batch, 24, 12, 10).to(memory_format=layout)
    incoming = torch.randn(batch, 24, 12, 10).to(memory_format=layout)
    wide = x.double().requires_grad_()
    (expected,) = torch.autograd.grad(_reference_norm(wide), wide, incoming.double())
    x.requires_grad_()
    normed = InstanceNorm()(x)
    (gradient,) = torch.autograd.grad(normed, x, incoming)
    torch.testing.assert_close(normed.double(), _reference_norm(wide), atol=1e-5, rtol=0)
    torch.testing.assert_close(gradient.double(), expected, atol=1e-5, rtol=0)


def test_instance_norm_passes_gradcheck_twice_in_channels_last() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 4, 3, 5, dtype=torch.float64).to(memory_format=torch.channels_last)
    x.requires_grad_()
    torch.autograd.gradcheck(InstanceNorm(), x)
    torch.autograd.gradgradcheck(InstanceNorm(), x)


def test_instance_norm_keeps_layout_and_type() -> None:
    x = torch.randn(2, 8, 6, 6).to(memory_format=torch.channels_last).bfloat16()
    x.requires_grad_()
    normed = InstanceNorm()(x)
    assert normed.dtype == torch.bfloat16
    assert normed.is_contiguous(memory_format=torch.channels_last)
    (gradient,) = torch.autograd.grad(normed, x, torch.randn_like(normed))
    assert gradient.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(normed.double(), _reference_norm(x), atol=0.02, rtol=0)


def test_instance_norm_of_a_large_mean() -> None:
    """Variance as the mean of squares less the squared mean would lose every digit here."""
    torch.manual_seed(0)
    x = torch.randn(1, 8, 32, 32) + 3000.0
    torch.testing.assert_close(InstanceNorm()(x).double(), _reference_norm(x), atol=2e-3, rtol=0)


def test_reflect_conv_mirrors_without_repeating_the_edge() -> None:
    conv = ReflectConv(1, 1, 3, bias=False)
    torch.nn.init.zeros_(conv.weight)
    conv.weight.data[0, 0, 1, 0] = 1.0  # reads the left neighbour
    row = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]] * 4]])
    assert conv(row)[0, 0, 0].tolist() == [2.0, 1.0, 2.0, 3.0]


def test_halve_leaves_out_what_lies_outside() -> None:
    assert torch.equal(halve(torch.ones(1, 2, 5, 8)), torch.ones(1, 2, 3, 4))
    x = torch.arange(16.0).view(1, 1, 4, 4)
    # The corner window holds 0, 1, 4, 5; the next one below right 5 to 15 around 10.
    torch.testing.assert_close(halve(x)[0, 0], torch.tensor([[2.5, 4.0], [8.5, 10.0]]))
    assert torch.equal(F.interpolate(halve(x), scale_factor=2).mean(), halve(x).mean())


@pytest.mark.parametrize(
    ("height", "width", "nearest"),
    [
        (128, 225, "128x224 or 128x240"),
        (130, 224, "128x224 or 144x224"),
        (8, 224, "32x224"),
        (16, 16, "32x32"),
    ],
)
def test_size_that_cannot_be_halved_is_a_users_mistake(
    height: int, width: int, nearest: str
) -> None:
    with pytest.raises(UserError) as caught:
        check_size(height, width, 16)
    message = str(caught.value)
    assert f"{height}x{width}" in message
    assert "multiples of 16" in message
    assert message.endswith(": " + nearest)
    assert "\n" not in message


def test_size_that_fits() -> None:
    check_size(32, 48, 16)


@pytest.mark.parametrize("size", [(12, 18), (11, 18)])
def test_photo_conv_is_a_reflect_conv(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    conv = PhotoConv(5, 3, 7).double()
    plain = ReflectConv(5, 3, 7).double()
    plain.load_state_dict(conv.state_dict())
    _assert_same_with_gradients(conv, plain, torch.randn(2, 5, *size, dtype=torch.float64))


def test_logit_conv_is_a_convolution() -> None:
    torch.manual_seed(0)
    conv = LogitConv(6, 4, padding=2).double()
    plain = torch.nn.Conv2d(6, 1, 4, padding=2).double()
    plain.load_state_dict(conv.state_dict())
    _assert_same_with_gradients(conv, plain, torch.randn(2, 6, 7, 9, dtype=torch.float64))


def _assert_same_with_gradients(
    layer: torch.nn.Module, plain: torch.nn.Module, x: torch.Tensor
) -> None:
    x.requires_grad_()
    ours, theirs = layer(x), plain(x)
    torch.testing.assert_close(ours, theirs)
    incoming = torch.randn_like(ours)
    mine = torch.autograd.grad(ours, [x, *layer.parameters()], incoming)
    expected = torch.autograd.grad(theirs, [x, *plain.parameters()], incoming)
    torch.testing.assert_close(mine, expected)
