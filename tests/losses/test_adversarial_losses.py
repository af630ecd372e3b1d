"""Values worked out by hand, with their signs."""

import math

import pytest
import torch
from torch import Tensor

from carsynth.losses.adversarial import BCE, AdversarialLoss, Hinge, LeastSquares

LOSSES: list[AdversarialLoss] = [LeastSquares(), Hinge(), BCE()]

REAL = [[2.0, 0.5], [1.0, -1.0]]
FAKE = [[-2.0, 0.0], [0.5, 1.0]]


def logistic_loss(*logits: float) -> float:
    """Mean of log(1 + exp(-x))."""
    return sum(math.log1p(math.exp(-x)) for x in logits) / len(logits)


@pytest.mark.parametrize(
    ("loss", "discriminator", "generator"),
    [
        # D: real (1 + 0.25 + 0 + 4)/4, fake (4 + 0 + 0.25 + 1)/4; G: (9 + 1 + 0.25 + 0)/4
        (LeastSquares(), 0.5 * (1.3125 + 1.3125), 2.5625),
        # D: real (0 + 0.5 + 0 + 2)/4, fake (0 + 1 + 1.5 + 2)/4; G: -(-2 + 0 + 0.5 + 1)/4
        (Hinge(), 0.5 * (0.625 + 1.125), 0.125),
        (
            BCE(),
            0.5 * (logistic_loss(2.0, 0.5, 1.0, -1.0) + logistic_loss(2.0, 0.0, -0.5, -1.0)),
            logistic_loss(-2.0, 0.0, 0.5, 1.0),
        ),
    ],
)
def test_hand_computed(loss: AdversarialLoss, discriminator: float, generator: float) -> None:
    real, fake = torch.tensor(REAL).double(), torch.tensor(FAKE).double()
    assert loss.discriminator(real, fake).item() == pytest.approx(discriminator, rel=1e-12)
    assert loss.generator(fake).item() == pytest.approx(generator, rel=1e-12)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_directions(loss: AdversarialLoss) -> None:
    real = torch.zeros(2, 1, 3, 3, requires_grad=True)
    fake = torch.zeros(2, 1, 3, 3, requires_grad=True)
    loss.discriminator(real, fake).backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert (real.grad < 0).all()  # descent raises real logits...
    assert (loss.generator(fake) == loss.generator(fake.detach())).all()
    (for_generator,) = torch.autograd.grad(loss.generator(fake), fake)
    assert (for_generator < 0).all()  # ...and the generator raises fake ones,
    if not isinstance(loss, LeastSquares):
        assert (fake.grad > 0).all()  # which the discriminator lowers
    else:
        assert (fake.grad == 0).all()  # unless they lie on its target


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_the_perfect_discriminator_has_no_loss(loss: AdversarialLoss) -> None:
    far = torch.full((4,), 1.0 if isinstance(loss, LeastSquares) else 60.0)
    low = torch.zeros(4) if isinstance(loss, LeastSquares) else -far
    assert loss.discriminator(far, low).item() == pytest.approx(0.0, abs=1e-12)
    assert loss.discriminator(low, far).item() >= 1.0


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_real_and_fake_may_differ_in_number(loss: AdversarialLoss) -> None:
    real, fake = torch.randn(8, 1, 5, 7), torch.randn(2, 1, 3, 3)
    once = loss.discriminator(real, fake)
    assert torch.allclose(loss.discriminator(torch.cat([real, real]), fake), once)


def both(loss: AdversarialLoss, real: Tensor, fake: Tensor) -> Tensor:
    return loss.discriminator(real, fake) + loss.generator(fake)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_one_graph_in_the_dtype_given(loss: AdversarialLoss, dtype: torch.dtype) -> None:
    real, fake = torch.tensor(REAL, dtype=dtype), torch.tensor(FAKE, dtype=dtype)
    torch.compiler.reset()  # one function for all cases: its recompilations are limited
    compiled = torch.compile(both, backend="eager", fullgraph=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        result = compiled(loss, real, fake)
    assert result.dtype == dtype
    assert result.shape == ()
    expected = both(loss, real.double(), fake.double()).item()
    # bf16 has eight bits: each of the sum's terms is rounded to one part in 256.
    tolerance = 3e-2 if dtype == torch.bfloat16 else 1e-6
    assert result.item() == pytest.approx(expected, abs=tolerance)
