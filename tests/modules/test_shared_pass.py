"""One look of D at the fake gives what the published three passes give."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from carsynth.losses.adversarial import BCE, AdversarialLoss, Hinge, LeastSquares
from carsynth.losses.terms import feature_matching
from carsynth.modules.shared_pass import SharedPass
from carsynth.networks.pix2pixhd import MultiScaleDiscriminator

WEIGHTS = {"adversarial": 1.0, "feature_matching": 10.0}


def inputs() -> tuple[MultiScaleDiscriminator, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    discriminator = MultiScaleDiscriminator(5 + 3, width=4, layers=2, scales=2).double()
    condition = torch.rand(2, 5, 32, 48, dtype=torch.float64)
    real, fake = torch.rand(2, 2, 3, 32, 48, dtype=torch.float64) * 2 - 1
    return discriminator, condition, real, fake


@pytest.mark.parametrize(
    ("loss", "compiled"),
    [
        (LeastSquares(), False),
        (Hinge(), False),
        (BCE(), False),
        pytest.param(LeastSquares(), True, marks=pytest.mark.slow),
    ],
)
def test_gradients_equal_those_of_three_passes(loss: AdversarialLoss, compiled: bool) -> None:
    discriminator, condition, real, fake = inputs()
    verdict = SharedPass(discriminator, loss, WEIGHTS, compiled)(condition, real, fake)
    verdict.d_loss.backward()
    ours = {name: p.grad.clone() for name, p in discriminator.named_parameters()}

    discriminator.zero_grad()
    leaf = fake.clone().requires_grad_()
    of_fake = discriminator(condition, fake)
    of_real = discriminator(condition, real)
    of_leaf = discriminator(condition, leaf)
    d_loss = sum(loss.discriminator(r[-1], f[-1]) for r, f in zip(of_real, of_fake, strict=True))
    adversarial = sum(loss.generator(f[-1]) for f in of_leaf)
    matching = feature_matching(of_real, of_leaf)
    (gradient,) = torch.autograd.grad(adversarial + 10 * matching, leaf)
    d_loss.backward()

    exact = {"rtol": 0, "atol": 1e-10}
    torch.testing.assert_close(verdict.d_loss, d_loss, **exact)
    torch.testing.assert_close(verdict.terms["adversarial"], adversarial.detach(), **exact)
    torch.testing.assert_close(verdict.terms["feature_matching"], matching.detach(), **exact)
    torch.testing.assert_close(verdict.photo_gradient, gradient, **exact)
    for name, parameter in discriminator.named_parameters():
        torch.testing.assert_close(ours[name], parameter.grad, **exact)
    assert any(gradient.any() for gradient in ours.values())


def test_the_generators_terms_leave_d_and_the_fakes_graph_alone() -> None:
    discriminator, condition, real, fake = inputs()
    origin = fake.clone().requires_grad_()
    verdict = SharedPass(discriminator, LeastSquares(), WEIGHTS, False)(condition, real, origin * 1)
    verdict.d_loss.backward()
    assert origin.grad is None
    assert not verdict.photo_gradient.requires_grad
    assert not any(term.requires_grad for term in verdict.terms.values())


@pytest.mark.slow
def test_compiled_gradients_keep_the_parameters_layout_for_fused_adam() -> None:
    """Fused Adam on the CPU updates wrongly, without a word, where the strides differ."""
    discriminator, condition, real, fake = inputs()
    stock, *_ = inputs()
    discriminator.to(memory_format=torch.channels_last)
    fused = torch.optim.Adam(discriminator.parameters(), 1e-2, fused=True)
    plain = torch.optim.Adam(stock.parameters(), 1e-2)
    shared = SharedPass(discriminator, LeastSquares(), WEIGHTS, compiled=True)
    for _ in range(3):
        fused.zero_grad()
        shared(condition, real, fake).d_loss.backward()
        fused.step()
        plain.zero_grad()
        SharedPass(stock, LeastSquares(), WEIGHTS, False)(condition, real, fake).d_loss.backward()
        plain.step()
    assert discriminator.scales[0].middle[0].weight.is_contiguous(memory_format=torch.channels_last)
    for ours, theirs in zip(discriminator.parameters(), stock.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


class Gradients(TorchDispatchMode):
    """Counts the gradients that convolutions compute: of their inputs, of their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.of_inputs = self.of_weights = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution_backward.default:
            of_input, of_weight, _ = args[-1]
            self.of_inputs += of_input
            self.of_weights += of_weight
        return func(*args, **(kwargs or {}))


def test_what_is_compiled_computes_no_gradient_that_nobody_asks_for() -> None:
    """The generator's loss stops at the photo, the discriminator's at its parameters."""
    discriminator, condition, real, fake = inputs()
    shared = SharedPass(discriminator, LeastSquares(), WEIGHTS, compiled=False)
    values = {k: v.detach() for k, v in shared._pair.named_parameters()}
    with Gradients() as of_compiled:
        shared._all_gradients(values, condition, real, fake)
    with Gradients() as of_eager:
        shared(condition, real, fake).d_loss.backward()
    assert of_eager.of_weights > 0
    assert of_compiled.of_weights == of_eager.of_weights
    assert of_compiled.of_inputs <= of_eager.of_inputs
