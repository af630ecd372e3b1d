"""Losses of GANs with one discriminator of whole pictures, worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from carsynth.losses.adversarial import BCE, AdversarialLoss, Hinge, LeastSquares, Wasserstein
from carsynth.losses.terms import cosine_similarity

REAL = [2.0, 0.5, 1.0, -1.0]
FAKE = [-2.0, 0.0, 0.5, 1.0]


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def smoothed(*logits: float) -> float:
    """Mean cross-entropy with a probability of 0.9: -0.9 log s(x) - 0.1 log(1 - s(x))."""
    return sum(0.9 * softplus(-x) + 0.1 * softplus(x) for x in logits) / len(logits)


@pytest.mark.parametrize(
    ("loss", "discriminator", "generator"),
    [
        # real (1.21 + 0.16 + 0.01 + 3.61)/4, fake (4 + 0 + 0.25 + 1)/4; G still aims at 1
        (LeastSquares(0.9), 0.5 * (1.2475 + 1.3125), (9 + 1 + 0.25 + 0) / 4),
        (
            BCE(0.9),
            0.5 * (smoothed(*REAL) + sum(map(softplus, FAKE)) / 4),
            sum(softplus(-x) for x in FAKE) / 4,
        ),
        # the mean of the real logits is 0.625, of the fake ones -0.125
        (Wasserstein(), 0.5 * (-0.125 - 0.625), 0.125),
    ],
)
def test_hand_computed(loss: AdversarialLoss, discriminator: float, generator: float) -> None:
    real, fake = torch.tensor(REAL).double(), torch.tensor(FAKE).double()
    assert loss.discriminator(real, fake).item() == pytest.approx(discriminator, rel=1e-12)
    assert loss.generator(fake).item() == pytest.approx(generator, rel=1e-12)


@pytest.mark.parametrize(("loss", "best"), [(LeastSquares(0.9), 0.9), (BCE(0.9), math.log(9))])
def test_smoothing_draws_real_logits_to_the_target(loss: AdversarialLoss, best: float) -> None:
    for logit, sign in ((best - 0.5, -1), (best, 0), (best + 0.5, 1)):
        real = torch.tensor([logit], dtype=torch.float64, requires_grad=True)
        loss.discriminator(real, torch.zeros(1)).backward()
        assert real.grad is not None
        assert torch.sign(real.grad.round(decimals=9)).item() == sign


@pytest.mark.parametrize("plain", [LeastSquares(), BCE()])
def test_a_target_of_one_smooths_nothing(plain: AdversarialLoss) -> None:
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    told = type(plain)(real_target=1.0)  # type: ignore[call-arg]
    assert torch.equal(told.discriminator(real, fake), plain.discriminator(real, fake))


def test_wasserstein_signs() -> None:
    real, fake = (torch.zeros(2, 1, 3, requires_grad=True) for _ in range(2))
    loss = Wasserstein().discriminator(real, fake)
    assert loss.item() == 0.0
    loss.backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert (real.grad == -0.5 / 6).all()  # descent raises real logits
    assert (fake.grad == 0.5 / 6).all()  # and lowers fake ones,
    (for_generator,) = torch.autograd.grad(Wasserstein().generator(fake), fake)
    torch.testing.assert_close(for_generator, torch.full_like(fake, -1 / 6))  # which G raises


def test_only_wasserstein_needs_a_bounded_slope() -> None:
    assert Wasserstein().needs_bounded_slope
    for loss in (BCE(), LeastSquares(), Hinge()):
        assert not getattr(loss, "needs_bounded_slope", False)


@pytest.mark.parametrize("loss", [LeastSquares(0.9), BCE(0.9), Wasserstein()])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_one_graph_in_the_dtype_given(loss: AdversarialLoss, dtype: torch.dtype) -> None:
    def both(real: Tensor, fake: Tensor) -> Tensor:
        return loss.discriminator(real, fake) + loss.generator(fake)

    real, fake = torch.tensor(REAL, dtype=dtype), torch.tensor(FAKE, dtype=dtype)
    torch.compiler.reset()
    result = torch.compile(both, backend="eager", fullgraph=True)(real, fake)
    assert (result.dtype, result.shape) == (dtype, ())
    tolerance = 3e-2 if dtype == torch.bfloat16 else 1e-12
    assert result.item() == pytest.approx(both(real.double(), fake.double()).item(), abs=tolerance)


# How alike fakes look beside how alike their latents are ----------------------------------------


def test_cosine_similarity_by_hand() -> None:
    features = torch.tensor([[1.0, 0.0], [0.0, 5.0], [2.0, 2.0]])
    latents = torch.tensor([[1.0, 0.0, 0.0], [-3.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    # features: 0, 1/sqrt 2 and 1/sqrt 2; latents: |-1|, 0 and 0
    expected = (2 * 0.5**0.5 / 3) / (1 / 3)
    assert cosine_similarity(features, latents).item() == pytest.approx(expected, rel=1e-6)
    # opposite features are as alike as equal ones: no gain from a sign alone
    mirrored = features * torch.tensor([[1.0], [1.0], [-1.0]])
    assert cosine_similarity(mirrored, latents).item() == pytest.approx(expected, rel=1e-6)


def test_equal_latents_excuse_equal_features() -> None:
    same = torch.ones(4, 6)
    assert cosine_similarity(same, same).item() == pytest.approx(1.0)


def test_orthogonal_latents_give_no_infinite_loss() -> None:
    value = cosine_similarity(torch.ones(2, 3), torch.eye(2))
    assert value.item() == pytest.approx(1000.0, rel=1e-5)


def test_its_gradient_is_the_features_alone() -> None:
    torch.manual_seed(0)
    features = torch.randn(4, 6, requires_grad=True)
    latents = torch.randn(4, 5, requires_grad=True)
    cosine_similarity(features, latents).backward()
    assert latents.grad is None
    assert features.grad is not None
    apart = features.detach() - 1e-2 * features.grad / features.grad.norm()
    assert cosine_similarity(apart, latents) < cosine_similarity(features, latents)


def test_a_batch_of_one_has_nothing_to_be_like() -> None:
    features = torch.randn(1, 6, requires_grad=True)
    value = cosine_similarity(features, torch.randn(1, 5))
    assert (value.item(), value.shape) == (0.0, ())
    (gradient,) = torch.autograd.grad(value, features)  # still part of the graph, for DDP
    assert (gradient == 0).all()


def test_cosine_similarity_is_one_graph() -> None:
    torch.manual_seed(0)
    features, latents = torch.randn(4, 6), torch.randn(4, 5)
    compiled = torch.compile(cosine_similarity, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(features, latents), cosine_similarity(features, latents))
