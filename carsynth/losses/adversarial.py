"""Adversarial losses: logits in, scalar out, every one of them to be minimised.

A discriminator loss is half the sum of its real and its fake term, so that one discriminator step
is as large as one generator step (so do CycleGAN and pix2pixHD in code).
Logits may have any shape, real and fake need not share it, and every mean runs over all of them;
with several discriminators, call once for each. The result is in the dtype of the logits.
"""

from dataclasses import dataclass
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor


class AdversarialLoss(Protocol):
    """What a module asks of the losses here; r are logits of real pictures, f of fakes."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Scalar that falls as real logits rise and fake logits fall."""
        ...

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Scalar that falls as fake logits rise (least squares: towards 1)."""
        ...


@dataclass(frozen=True)
class LeastSquares:
    """Least squares with targets 1 (real) and 0 (fake), both losses at least 0.

    D: 0.5 (E[(r - 1)²] + E[f²]); G: E[(f - 1)²]. Mao et al. 2017, "Least Squares Generative
    Adversarial Networks", equation 9; as in pix2pixHD the generator has no factor of one half.

    Args:
        real_target: what D is asked to say of real pictures; below 1 smooths the label.
    """

    real_target: float = 1.0

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """0 where every real logit is 1 and every fake one 0; 0.5 where all are 0 or all are 1."""
        of_real = (real_logits - self.real_target).square().mean()
        return 0.5 * (of_real + fake_logits.square().mean())

    def generator(self, fake_logits: Tensor) -> Tensor:
        """0 where every fake logit is 1; a logit beyond 1 is drawn back."""
        return (fake_logits - 1).square().mean()


@dataclass(frozen=True)
class Hinge:
    """Hinge with margin 1; the discriminator's loss is at least 0, the generator's has no bound.

    D: 0.5 (E[max(0, 1 - r)] + E[max(0, 1 + f)]); G: -E[f]. Lim and Ye 2017, "Geometric GAN";
    Miyato et al. 2018, "Spectral Normalization", equations 16 and 17, where D has no half.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """0, and without gradient, once every real logit is above 1 and every fake below -1."""
        return 0.5 * (F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean())

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Minus the mean fake logit: negative where the discriminator is deceived."""
        return -fake_logits.mean()


@dataclass(frozen=True)
class BCE:
    """Binary cross-entropy of the logits, with the non-saturating generator; both at least 0.

    D: -0.5 (E[log s(r)] + E[log(1 - s(f))]); G: -E[log s(f)], s the logistic function.
    Goodfellow et al. 2014, "Generative Adversarial Nets", equation 1 and the end of section 3.

    Args:
        real_target: probability that D is asked to give to real pictures, in (0, 1]; below 1 is
            one-sided label smoothing (Salimans et al. 2016, section 3.4).
    """

    real_target: float = 1.0

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """log 2 where the discriminator cannot tell (all logits 0)."""
        of_real = self.real_target * F.logsigmoid(real_logits)
        if self.real_target < 1.0:
            of_real = of_real + (1.0 - self.real_target) * F.logsigmoid(-real_logits)
        return -0.5 * (of_real.mean() + F.logsigmoid(-fake_logits).mean())

    def generator(self, fake_logits: Tensor) -> Tensor:
        """log 2 at logit 0; its gradient nears -1 where the discriminator is sure."""
        return -F.logsigmoid(fake_logits).mean()


@dataclass(frozen=True)
class Wasserstein:
    """The critic's estimate of the Wasserstein distance, halved; neither loss has a bound.

    D: 0.5 (E[f] - E[r]); G: -E[f]. Arjovsky et al. 2017, "Wasserstein GAN", algorithm 1. It means
    a distance only where something keeps the critic from growing steep.
    """

    needs_bounded_slope = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """0 where the critic cannot tell; falls without end as the logits part."""
        return 0.5 * (fake_logits.mean() - real_logits.mean())

    def generator(self, fake_logits: Tensor) -> Tensor:
        """Minus the mean fake logit."""
        return -fake_logits.mean()
