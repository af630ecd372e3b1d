"""Adam gives the same update whatever the layout of what it is handed."""

from itertools import product

import pytest
import torch
from torch.profiler import profile

from carsynth.modules.adam import Adam

LAYOUTS = (torch.contiguous_format, torch.channels_last)
SHAPES = ((8, 4, 3, 3), (16, 1, 3, 3), (8, 4, 1, 1), (5,), (3, 4))


def laid(x: torch.Tensor, layout: torch.memory_format) -> torch.Tensor:
    return x.clone(memory_format=layout) if x.dim() == 4 else x.clone()


def parameters(layout: torch.memory_format) -> list[torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    return [laid(torch.randn(s, generator=draws), layout).requires_grad_() for s in SHAPES]


def gradients(step: int) -> list[torch.Tensor]:
    draws = torch.Generator().manual_seed(1 + step)
    return [torch.randn(shape, generator=draws) for shape in SHAPES]


def take(
    optimizer: torch.optim.Optimizer, of: list[torch.Tensor], step: int, layout: torch.memory_format
) -> None:
    for parameter, gradient in zip(of, gradients(step), strict=True):
        parameter.grad = laid(gradient, layout)
    optimizer.step()


@pytest.mark.parametrize(("layout", "of_gradients"), list(product(LAYOUTS, LAYOUTS)))
def test_fused_updates_are_the_plain_ones(
    layout: torch.memory_format, of_gradients: torch.memory_format
) -> None:
    ours, plain = parameters(layout), parameters(torch.contiguous_format)
    fused, stock = Adam(ours, lr=0.1, fused=True), torch.optim.Adam(plain, lr=0.1)
    for step in range(3):
        take(fused, ours, step, of_gradients)
        take(stock, plain, step, torch.contiguous_format)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    four = [p for p in ours if p.dim() == 4]
    assert all(p.is_contiguous(memory_format=layout) for p in four)


def test_with_its_decay_decoupled_it_is_adamw() -> None:
    ours, plain = parameters(torch.channels_last), parameters(torch.contiguous_format)
    settings = {"lr": 0.1, "weight_decay": 0.3}
    fused = Adam(ours, fused=True, decoupled_weight_decay=True, **settings)  # type: ignore[arg-type]
    stock = torch.optim.AdamW(plain, **settings)  # type: ignore[arg-type]
    for step in range(3):
        take(fused, ours, step, torch.contiguous_format)
        take(stock, plain, step, torch.contiguous_format)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_moments_that_come_from_a_run_of_another_layout() -> None:
    before, plain = parameters(torch.contiguous_format), parameters(torch.contiguous_format)
    saved, stock = Adam(before, lr=0.1, fused=True), torch.optim.Adam(plain, lr=0.1)
    take(saved, before, 0, torch.contiguous_format)
    take(stock, plain, 0, torch.contiguous_format)
    after = [laid(p.detach(), torch.channels_last).requires_grad_() for p in before]
    resumed = Adam(after, lr=0.1, fused=True)
    resumed.load_state_dict(saved.state_dict())
    for step in (1, 2):
        take(resumed, after, step, torch.channels_last)
        take(stock, plain, step, torch.contiguous_format)
    for a, b in zip(after, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_no_gradient_is_copied_that_lies_as_its_parameter_does() -> None:
    ours = parameters(torch.channels_last)
    fused = Adam(ours, lr=0.1, fused=True)
    take(fused, ours, 0, torch.channels_last)
    with profile() as seen:
        fused.step()
    assert not [event for event in seen.key_averages() if event.key == "aten::clone"]
