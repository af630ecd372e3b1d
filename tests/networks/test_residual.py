"""The residual blocks' convolution, each of its ways against the plain one."""

import pytest
import torch

from carsynth.networks import winograd_tiles
from carsynth.networks.layers import ReflectConv
from carsynth.networks.residual import DeepConv, ResidualBlock


def test_deep_conv_is_a_reflect_conv() -> None:
    torch.manual_seed(0)
    conv = DeepConv(6, 3).double()
    plain = ReflectConv(6, 6, 3, bias=False).double()
    plain.load_state_dict(conv.state_dict())
    x = torch.randn(2, 6, 7, 9, dtype=torch.float64, requires_grad=True)
    ours, theirs = conv(x), plain(x)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    of_ours = torch.autograd.grad(ours.square().sum(), (x, conv.weight))
    of_theirs = torch.autograd.grad(theirs.square().sum(), (x, plain.weight))
    torch.testing.assert_close(of_ours, of_theirs, rtol=0, atol=1e-11)


def test_deep_conv_in_bfloat16_is_as_near_to_float64_as_a_reflect_conv() -> None:
    torch.manual_seed(0)
    conv, plain = DeepConv(64, 3), ReflectConv(64, 64, 3, bias=False)
    plain.load_state_dict(conv.state_dict())
    exact = ReflectConv(64, 64, 3, bias=False).double()
    exact.load_state_dict(conv.state_dict())
    x, incoming = torch.randn(2, 64, 16, 12), torch.randn(2, 64, 16, 12)

    def distances(layer: torch.nn.Module) -> list[float]:
        taken = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            y = layer(taken)
        assert y.dtype == torch.bfloat16
        y.backward(incoming.bfloat16())
        truth = x.double().requires_grad_()
        exact.zero_grad()
        exact(truth).backward(incoming.double())
        weight, dx = layer.weight.grad, taken.grad
        assert isinstance(weight, torch.Tensor)
        assert dx is not None
        pairs = [(weight, exact.weight.grad), (dx, truth.grad)]
        return [float((a - b).norm() / b.norm()) for a, b in pairs if b is not None]

    ours, theirs = distances(conv), distances(plain)
    assert max(ours) < 0.01
    for mine, expected in zip(ours, theirs, strict=True):
        assert mine < 1.2 * expected


@pytest.mark.slow
def test_compiled_between_many_channels_it_takes_tiles_and_gives_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    block = ResidualBlock(512).double()
    x = torch.randn(1, 512, 4, 6, dtype=torch.float64, requires_grad=True)
    weights = [x, *block.parameters()]
    products: list[int] = []
    product = winograd_tiles._product
    monkeypatch.setattr(winograd_tiles, "_product", lambda *a: [products.append(1), product(*a)][1])

    def outcome(block: torch.nn.Module) -> list[torch.Tensor]:
        y = block(x)
        return [y, *torch.autograd.grad(y.square().sum(), weights)]

    ours = outcome(torch.compile(block))
    assert len(products) == 2 * 3 * 16  # two convolutions, forward and two gradients each
    torch.testing.assert_close(ours, outcome(block), rtol=0, atol=1e-10)
