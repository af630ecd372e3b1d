"""What a discriminator of whole pictures minimises: its loss on both kinds, and its penalties."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carsynth.errors import UserError
from carsynth.losses.adversarial import AdversarialLoss
from carsynth.losses.penalties import Penalty
from carsynth.losses.precision import widened
from carsynth.modules.generative import COMPILING
from carsynth.networks.conditional import BrandDiscriminator
from carsynth.networks.fastgan import FastDiscriminator, resized_to
from carsynth.networks.heads import Judgement

Terms = dict[str, Tensor]


class CriticObjective:
    """The discriminator's loss from one look at real and one at fake pictures.

    Pictures are judged in one pass where they do not influence each other. The slope of a
    piecewise linear discriminator is written out as an expression of its weights; of any other it
    is taken by a second differentiation, which torch cannot compile, so that steps with a penalty
    then run uncompiled.

    Args:
        discriminator: judges pictures (B, C, H, W).
        adversarial: its adversarial loss.
        weights: of ``adversarial``, ``auxiliary`` and ``redraw``.
        penalties: on its slope, by name.
        squash: brings what the discriminator redraws to the range of the pictures.
        compiled: whether to run through ``torch.compile``.
    """

    def __init__(
        self,
        discriminator: nn.Module,
        adversarial: AdversarialLoss,
        weights: Mapping[str, float],
        penalties: Mapping[str, Penalty],
        squash: Callable[[Tensor], Tensor],
        compiled: bool,
    ) -> None:
        self._discriminator = discriminator
        self._adversarial = adversarial
        self._weights = weights
        self._penalties = dict(penalties)
        self._squash = squash
        self._written_out = (
            isinstance(discriminator, BrandDiscriminator) and discriminator.is_piecewise_linear
        )
        self._compiled = (
            torch.compile(self._objective, options=COMPILING) if compiled else self._objective
        )

    def __call__(
        self, real: Tensor, fake: Tensor, label: Tensor | None, step: int
    ) -> tuple[Tensor, Terms, Tensor]:
        """The loss at D's step number ``step``, its unweighted terms, and the real logits."""
        due = tuple(name for name, p in self._penalties.items() if step % p.every == 0)
        objective = self._compiled if self._written_out or not due else self._objective
        loss, terms, logits = objective(real, fake, label, due)
        return loss, {k: v.detach() for k, v in terms.items()}, logits.detach()

    def check_slopes(self, discriminator: nn.Module, real: Tensor, label: Tensor | None) -> None:
        """Tries the penalties on a copy of the discriminator.

        Raises:
            UserError: it has a layer that cannot be differentiated twice.
        """
        if self._written_out or not self._penalties:
            return
        slopes = self._slopes(discriminator, real, label)
        for name, penalty in self._penalties.items():
            try:
                torch.autograd.grad(
                    penalty.value(slopes),
                    list(discriminator.parameters()),
                    allow_unused=True,
                    retain_graph=True,
                )
            except RuntimeError as error:
                raise UserError(
                    f"loss.penalties.{name} differentiates the discriminator twice, and one of its "
                    f"layers cannot be ({' '.join(str(error).split())[:90]}): leave the penalty "
                    "out, or that layer, such as arch.attention=false"
                ) from error

    def _objective(
        self, real: Tensor, fake: Tensor, label: Tensor | None, due: tuple[str, ...]
    ) -> tuple[Tensor, Terms, Tensor]:
        penalties = [self._penalties[name] for name in due]
        points = [penalty.points(real, fake) for penalty in penalties]
        of_real, of_fake, slopes = self._judge(real, fake, label, points)
        terms = {"adversarial": self._adversarial.discriminator(of_real.logits, of_fake.logits)}
        loss = self._weights["adversarial"] * widened(terms["adversarial"])
        if of_real.classes is not None and of_fake.classes is not None and label is not None:
            told = F.cross_entropy(of_real.classes, label)
            terms["auxiliary"] = 0.5 * (told + F.cross_entropy(of_fake.classes, label))
            loss = loss + self._weights["auxiliary"] * widened(terms["auxiliary"])
        if self._weights["redraw"]:
            drawn = cast(FastDiscriminator, self._discriminator).redraw(of_real.features)
            drawn = self._squash(drawn)
            terms["redraw"] = (drawn - resized_to(real, drawn)).abs().mean()
            loss = loss + self._weights["redraw"] * widened(terms["redraw"])
        for name, penalty, of_points in zip(due, penalties, slopes, strict=True):
            terms[name] = penalty.value(of_points)
            loss = loss + penalty.weight * penalty.every * widened(terms[name])
        return loss, terms, of_real.logits

    def _judge(
        self, real: Tensor, fake: Tensor, label: Tensor | None, points: list[Tensor]
    ) -> tuple[Judgement, Judgement, list[Tensor]]:
        judge: Any = self._discriminator
        if not judge.per_picture:
            slopes = [self._slopes(judge, at, label) for at in points]
            return judge(real, label), judge(fake, label), slopes
        both = torch.cat([real, fake])
        of_both = None if label is None else torch.cat([label, label])
        if points and self._written_out:
            at = torch.cat(points)
            of_points = None if label is None else label.repeat(len(points))
            judged, written = judge.with_slopes(both, of_both, at, of_points)
            slopes = list(written.chunk(len(points)))
        else:
            judged = judge(both, of_both)
            slopes = [self._slopes(judge, at, label) for at in points]
        halves = [None if part is None else part.chunk(2) for part in judged]
        of_real, of_fake = (
            Judgement(*(None if half is None else half[side] for half in halves))  # type: ignore[arg-type]
            for side in (0, 1)
        )
        return of_real, of_fake, slopes

    @staticmethod
    def _slopes(judge: nn.Module, at: Tensor, label: Tensor | None) -> Tensor:
        """Derivative of each picture's logit by the picture, with a graph of its own."""
        at = at.detach().requires_grad_()
        with torch.enable_grad():
            logits = judge(at, label).logits
            (slopes,) = torch.autograd.grad(logits.sum(), at, create_graph=True)
        return slopes
