"""Penalties on a linear critic, whose slope is known by hand."""

import pytest
import torch
from torch import Tensor

from carsynth.losses.penalties import R1, R2, GradientPenalty, Penalty

PENALTIES: list[Penalty] = [GradientPenalty(), R1(), R2()]


def slopes_of(norms: list[float], dtype: torch.dtype = torch.float64) -> Tensor:
    """Derivatives by pictures (B, 3, 2, 2) of linear critics of these steepnesses."""
    torch.manual_seed(0)
    weights = torch.randn(len(norms), 3, 2, 2, dtype=torch.float64)
    lengths = torch.tensor(norms, dtype=torch.float64) / weights.flatten(1).norm(dim=1)
    weights = (weights * lengths[:, None, None, None]).to(dtype)
    pictures = torch.randn_like(weights).requires_grad_()
    logits = (weights * pictures).flatten(1).sum(1) + 7.0
    (slopes,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return slopes


@pytest.mark.parametrize(
    ("penalty", "norms", "expected"),
    [
        (GradientPenalty(), [5.0], 16.0),
        (GradientPenalty(), [0.5], 0.25),
        (GradientPenalty(), [1.0, 3.0, 0.0], (0 + 4 + 1) / 3),
        (R1(), [5.0], 12.5),
        (R1(), [1.0, 3.0, 0.0], (1 + 9) / 2 / 3),
        (R2(), [1.0, 3.0, 0.0], (1 + 9) / 2 / 3),
    ],
)
def test_hand_computed(penalty: Penalty, norms: list[float], expected: float) -> None:
    value = penalty.value(slopes_of(norms))
    assert value.shape == ()
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_where_slopes_are_measured() -> None:
    real, fake = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    assert torch.equal(R1().points(real, fake), real)
    assert torch.equal(R2().points(real, fake), fake)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_interpolation_has_one_place_on_each_line(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    fake = torch.zeros(2000, 2, 2, 1, dtype=dtype)
    real = torch.tensor([1.0, -2.0, 4.0, 8.0], dtype=dtype).view(1, 2, 2, 1).expand_as(fake)
    points = GradientPenalty().points(real, fake)
    assert points.dtype == dtype
    assert points.shape == fake.shape
    shares = (points / real).double()
    torch.testing.assert_close(shares, shares[:, :1, :1].expand_as(shares))
    shares = shares[:, 0, 0, 0]
    assert ((shares >= 0) & (shares <= 1)).all()
    assert shares.mean().item() == pytest.approx(0.5, abs=0.02)  # uniform
    assert shares.std().item() == pytest.approx(12**-0.5, abs=0.01)
    again = GradientPenalty().points(real, fake)
    assert not torch.equal(again, points)


def test_interpolation_of_a_picture_with_itself_is_the_picture() -> None:
    real = torch.randn(4, 3, 8, 8)
    torch.testing.assert_close(GradientPenalty().points(real, real), real)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: type(penalty).__name__)
def test_half_precision_is_summed_in_float32(penalty: Penalty) -> None:
    torch.manual_seed(0)
    slopes = (torch.rand(3, 3, 64, 64) * 0.02).bfloat16()
    value = penalty.value(slopes)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(penalty.value(slopes.double()).item(), rel=1e-4)
    assert penalty.value(slopes.double()).dtype == torch.float64


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: type(penalty).__name__)
def test_descent_leads_to_the_slope_that_is_asked_for(penalty: Penalty) -> None:
    weight = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    slopes = weight.view(1, 2, 1, 1).expand(2, -1, -1, -1)
    (gradient,) = torch.autograd.grad(penalty.value(slopes), weight)
    if isinstance(penalty, GradientPenalty):
        expected = 2 * (5 - 1) * torch.tensor([0.6, 0.8])
    else:
        expected = torch.tensor([3.0, 4.0])
    torch.testing.assert_close(gradient, expected.double())


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: type(penalty).__name__)
def test_a_flat_critic_has_a_finite_gradient(penalty: Penalty) -> None:
    slopes = torch.zeros(2, 3, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(penalty.value(slopes), slopes)
    assert gradient.isfinite().all()


def test_settings() -> None:
    assert (GradientPenalty().weight, GradientPenalty().every) == (10.0, 1)
    assert (R1().weight, R1().every) == (10.0, 16)
    assert (R2(weight=2.0, every=4).weight, R2(weight=2.0, every=4).every) == (2.0, 4)
