"""The compiled Mish is torch's."""

import pytest
import torch
from torch.nn import functional as F

from carsynth.networks.mish import Mish


def value_and_slope(activation: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    x = x.clone().requires_grad_()
    y = activation(x)
    return y, *torch.autograd.grad(y.sum(), x)


@pytest.mark.parametrize(
    ("dtype", "error"), [(torch.float64, 1e-13), (torch.float32, 4e-6), (torch.bfloat16, 0.15)]
)
def test_it_is_mish_near_and_far_from_zero(dtype: torch.dtype, error: float) -> None:
    x = torch.linspace(-40, 40, 4001, dtype=dtype)
    exact = value_and_slope(torch.nn.Mish(), x.double())
    compiled = torch.compile(Mish(), backend="aot_eager")
    for ours, theirs in zip(value_and_slope(compiled, x), exact, strict=True):
        assert ours.dtype == dtype
        assert (ours - theirs).abs().max() < error


def test_it_takes_one_exponential_and_no_other_function() -> None:
    seen: list[str] = []

    def look(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> torch.fx.GraphModule:
        seen.extend(str(node.target) for node in graph.graph.nodes)
        return graph

    x = torch.randn(3)
    backend = torch._dynamo.backends.common.aot_autograd(fw_compiler=look)
    torch.testing.assert_close(torch.compile(Mish(), backend=backend)(x), F.mish(x))
    assert sum("exp" in name for name in seen) == 1
    assert not any(name.startswith(("aten.tanh", "aten.log")) for name in seen)


def test_far_below_zero_nothing_is_left_and_far_above_everything() -> None:
    compiled = torch.compile(Mish(), backend="aot_eager")
    y, slope = value_and_slope(compiled, torch.tensor([-1e4, -200.0, 200.0, 1e4]))
    assert y.tolist() == [0, 0, 200, 1e4]
    assert slope.tolist() == [0, 0, 1, 1]
