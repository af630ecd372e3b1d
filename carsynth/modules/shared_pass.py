"""One look of the discriminator at a fake, used by both players' losses."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call, vjp

from carsynth.losses.adversarial import AdversarialLoss
from carsynth.losses.terms import feature_matching
from carsynth.networks.pix2pixhd import MultiScaleDiscriminator


class Verdict(NamedTuple):
    """What both players learn from one look at a real and a fake photo."""

    d_loss: Tensor
    """Scalar; its backward reaches the discriminator's parameters and nothing else."""
    terms: dict[str, Tensor]
    """The generator's unweighted terms, detached scalars."""
    photo_gradient: Tensor
    """Gradient of their weighted sum with respect to the fake photo, (B, 3, H, W)."""


class SharedPass:
    """pix2pixHD's losses of both players from one pass of D over the real and one over the fake.

    The published step runs D three times: on the detached fake, on the real and on the fake again.
    Both players' losses use the same weights there, so one pass over the fake serves both, with the
    graph cut at the photo: the generator's terms are followed back to the photo only, where its
    own backward takes up their gradient, and the discriminator's to its parameters only.

    Compiled, the two passes, the losses and all their gradients are one graph, in which the
    compiler leaves out what neither side needs; a backward of ``d_loss`` then hands out gradients
    that are there already.

    Args:
        discriminator: judges (condition, photo) pairs.
        adversarial: the two players' losses; summed over the discriminator's scales.
        weights: of ``adversarial`` and ``feature_matching`` among the generator's terms.
        compiled: whether to run through ``torch.compile``.
    """

    def __init__(
        self,
        discriminator: MultiScaleDiscriminator,
        adversarial: AdversarialLoss,
        weights: Mapping[str, float],
        compiled: bool,
    ) -> None:
        self._pair = _Pair(discriminator, adversarial)
        self._weights = weights
        self._fused: Callable[..., Any] | None = None
        if compiled:
            self._fused = torch.compile(self._all_gradients)

    def __call__(self, condition: Tensor, real: Tensor, fake: Tensor) -> Verdict:
        """The verdict on photos (B, 3, H, W) in [-1, 1] under a condition (B, C, H, W)."""
        fake = fake.detach().to(real.dtype)
        if self._fused is None:
            return self._eager(condition, real, fake)
        parameters = dict(self._pair.named_parameters())
        values = {name: parameter.detach() for name, parameter in parameters.items()}
        d_loss, terms, gradients, photo_gradient = self._fused(values, condition, real, fake)
        ordered = [gradients[name] for name in parameters]
        d_loss = _Known.apply(d_loss, ordered, *parameters.values())
        return Verdict(d_loss, terms, photo_gradient)

    def _eager(self, condition: Tensor, real: Tensor, fake: Tensor) -> Verdict:
        fake = fake.requires_grad_()
        d_loss, terms = self._pair(condition, real, fake)
        weighted = self._weighted(terms)
        (photo_gradient,) = torch.autograd.grad(weighted, fake, retain_graph=True)
        return Verdict(d_loss, {k: v.detach() for k, v in terms.items()}, photo_gradient)

    def _all_gradients(
        self, parameters: dict[str, Tensor], condition: Tensor, real: Tensor, fake: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor], Tensor]:
        # Two levels, so that each loss is followed to what it is for and no convolution computes a
        # gradient that nobody asks for: the compiler cannot leave out half of one's backward.
        def g_side(fake: Tensor) -> tuple[Tensor, Any]:
            def d_side(parameters: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
                losses: tuple[Tensor, dict[str, Tensor]] = functional_call(
                    self._pair, parameters, (condition, real, fake)
                )
                return losses

            d_loss, pull_back, terms = vjp(d_side, parameters, has_aux=True)  # type: ignore[misc]
            (gradients,) = pull_back(torch.ones_like(d_loss))
            return self._weighted(terms), (d_loss, terms, gradients)

        g_loss, pull_back, (d_loss, terms, gradients) = vjp(g_side, fake, has_aux=True)  # type: ignore[misc]
        (photo_gradient,) = pull_back(torch.ones_like(g_loss))
        return d_loss, terms, gradients, photo_gradient

    def _weighted(self, terms: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([self._weights[name] * term for name, term in terms.items()]).sum()


class _Pair(nn.Module):
    """Losses of both players as one function of D's parameters and the photos."""

    def __init__(
        self, discriminator: MultiScaleDiscriminator, adversarial: AdversarialLoss
    ) -> None:
        super().__init__()
        self.discriminator = discriminator
        self._adversarial = adversarial

    def forward(
        self, condition: Tensor, real: Tensor, fake: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        embedded = self.discriminator.embed(condition)
        of_real = self.discriminator.judge(embedded, real)
        of_fake = self.discriminator.judge(embedded, fake)
        loss = self._adversarial
        d_losses = [loss.discriminator(r[-1], f[-1]) for r, f in zip(of_real, of_fake, strict=True)]
        terms = {
            "adversarial": torch.stack([loss.generator(f[-1]) for f in of_fake]).sum(),
            "feature_matching": feature_matching(of_real, of_fake),
        }
        return torch.stack(d_losses).sum(), terms


class _Known(torch.autograd.Function):
    """A scalar whose gradients are known already: its backward hands them out, scaled."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor], *inputs: Tensor) -> Tensor:
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outgoing: Tensor) -> tuple[Tensor | None, ...]:
        (scale,) = outgoing
        # They are nobody else's: scaled where they lie, for a second copy costs as much as Adam.
        torch._foreach_mul_(ctx.gradients, scale)
        return (None, None, *ctx.gradients)
