"""GANs that draw from a latent, with or without a class: every noise-to-picture system."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carsynth.augment import DiffAugment
from carsynth.data.batch import CarBatch
from carsynth.errors import UserError
from carsynth.losses.adversarial import AdversarialLoss
from carsynth.losses.penalties import Penalty
from carsynth.losses.precision import widened
from carsynth.losses.terms import cosine_similarity
from carsynth.modules.adaptive import AdaptiveChance
from carsynth.modules.adversarial import AdversarialModule
from carsynth.modules.canvas import Canvas, Shown
from carsynth.modules.critic_objective import CriticObjective
from carsynth.modules.generative import COMPILING
from carsynth.modules.growth import LatentGrowth, held
from carsynth.modules.latent_drawing import LatentDrawing


class LatentGAN(AdversarialModule, LatentDrawing):
    """A generator of pictures from latents and a discriminator of whole pictures.

    Args:
        generator: makes the generator from ``channels``, ``latent`` and ``classes``.
        discriminator: makes the discriminator from ``channels``, ``classes`` and ``auxiliary``.
        canvas: what both draw on: photos or part maps.
        adversarial: the two players' adversarial losses.
        weights: of ``adversarial``, ``auxiliary`` (the class that D tells), ``cosine_similarity``
            and ``redraw`` (photos that D describes well enough to draw them again); a term of
            weight 0 is not computed.
        latent: entries alive from an epoch on, as :class:`LatentGrowth` takes them.
        classes: names of the class labels, where the data has some.
        conditional: whether the players are told the class.
        penalties: by name, on D's slope; those of weight 0 are left out.
        diffaug: changes of what D sees, drawn afresh for every look; None for none.
        adaptive_target: what :class:`AdaptiveChance` steers the changes' frequency for; None lets
            them happen always.
        adaptive_photos: real pictures in which the frequency can rise from never to always.
        d_steps: discriminator steps for one of the generator, each with fakes of its own.
        seed: of everything that training draws.
        training: what :class:`AdversarialModule` takes.

    Raises:
        UserError: parts that do not go together.
    """

    alive: Tensor

    def __init__(
        self,
        generator: Callable[..., nn.Module],
        discriminator: Callable[..., nn.Module],
        canvas: Canvas,
        adversarial: AdversarialLoss,
        weights: Mapping[str, float],
        *,
        latent: Sequence[Sequence[int]],
        classes: Sequence[str] | None = None,
        conditional: bool = False,
        penalties: Mapping[str, Penalty] | None = None,
        diffaug: DiffAugment | None = None,
        adaptive_target: float | None = None,
        adaptive_photos: int = 500_000,
        d_steps: int = 1,
        seed: int = 0,
        **training: Any,
    ) -> None:
        self.class_names = tuple(classes or ()) if conditional else ()
        used = {name: p for name, p in (penalties or {}).items() if p.weight > 0}
        if diffaug is not None and not diffaug.changes_anything:
            diffaug = None
        self._check(canvas, adversarial, weights, conditional, used, diffaug, adaptive_target)
        if d_steps < 1 or (d_steps > 1 and training.get("accumulate", 1) > 1):
            raise UserError(
                f"arch.d_steps={d_steps} with optim.accumulate={training.get('accumulate', 1)}: "
                "take one D step or more, and several only with optim.accumulate=1"
            )
        growth = LatentGrowth(latent)
        known = len(self.class_names)
        made = generator(channels=canvas.channels, latent=growth.full, classes=known)
        made.input.silence_from(growth.alive(0))  # type: ignore[union-attr, operator]
        judge = discriminator(
            channels=canvas.channels, classes=known, auxiliary=weights["auxiliary"] > 0
        )
        if weights["redraw"] and not hasattr(judge, "redraw"):
            raise UserError(
                "loss.weights.redraw needs a discriminator that can draw, such as arch=fastgan's: "
                "take it, or another loss"
            )
        super().__init__(made, judge, **training)
        if self.compiled:
            # Weights that spectral norm computes take the layout that the compiler likes anyway,
            # and it computes them fastest from contiguous ones.
            self.to(memory_format=torch.contiguous_format)
        self.canvas = canvas
        self.picture_size = made.size  # type: ignore[assignment]
        self.growth = growth
        self.register_buffer("alive", torch.tensor(growth.alive(0)))
        self.adaptive = None
        if adaptive_target is not None:
            self.adaptive = AdaptiveChance(adaptive_target, adaptive_photos)
        # D's decoder learns from the redrawing term alone.
        self.parameters_may_rest = hasattr(judge, "redraw") and not weights["redraw"]
        self._adversarial = adversarial
        self._weights = dict(weights)
        self._diffaug = diffaug
        self._d_steps = d_steps
        self._seed = seed
        self._d_updates = 0
        self._critic = CriticObjective(
            self.discriminator,
            adversarial,
            self._weights,
            used,
            canvas.squash,
            compiled=self.compiled,
        )
        self._fool = (
            torch.compile(self._fooling, options=COMPILING) if self.compiled else self._fooling
        )

    def _check(
        self,
        canvas: Canvas,
        adversarial: AdversarialLoss,
        weights: Mapping[str, float],
        conditional: bool,
        penalties: Mapping[str, Penalty],
        diffaug: DiffAugment | None,
        adaptive_target: float | None,
    ) -> None:
        if conditional and len(self.class_names) < 2:
            raise UserError(
                f"arch.conditional=true needs data with two classes or more, and this has "
                f"{len(self.class_names)}: choose other data, or arch.conditional=false"
            )
        if weights["auxiliary"] > 0 and not conditional:
            raise UserError(
                "loss.weights.auxiliary has D tell the class that G was asked for: set "
                "arch.conditional=true, or loss.weights.auxiliary=0"
            )
        if getattr(adversarial, "needs_bounded_slope", False) and not penalties:
            raise UserError(
                "loss: a Wasserstein critic without a penalty grows steep without end: set "
                "loss.penalties.gradient.weight=5"
            )
        if diffaug is not None and diffaug.colour and not canvas.takes_colour:
            raise UserError(
                "arch.diffaug.colour changes the colours that part maps are made of: set "
                "arch.diffaug.colour=false"
            )
        if adaptive_target is not None and diffaug is None:
            raise UserError(
                "arch.adaptive_target steers how often arch.diffaug changes pictures, and it "
                "changes nothing: set arch.diffaug.translation=0.125, or arch.adaptive_target=null"
            )

    # The step -----------------------------------------------------------------------------------

    def training_step(self, batch: CarBatch, batch_idx: int) -> None:
        self.seed_step(self._seed)
        real = self.canvas.real(batch).to(self.dtype)
        label = batch.label if self.class_names else None
        terms: dict[str, Tensor] = {}
        for step in range(self._d_steps):
            latent = self._latents(real)
            # The last fakes are G's too, whose weights stay as they are until its own step.
            with torch.set_grad_enabled(step == self._d_steps - 1):
                fake = self.canvas.squash(self.generator(latent, label)).to(real.dtype)
            with self.turn("discriminator") as backward:
                loss, d_terms, real_logits = self._critic(
                    self._changed(real), self._changed(fake.detach()), label, self._d_updates
                )
                backward(loss)
            self._d_updates += 1
            if self.adaptive is not None:
                self.adaptive.watch(real_logits)
            terms |= {f"d_{name}": value for name, value in d_terms.items()}
        with self.turn("generator") as backward:
            loss, g_terms = self._fool(self._changed(fake), latent, label)
            backward(loss)
        terms |= {f"g_{name}": value for name, value in g_terms.items()}
        if self.adaptive is not None:
            terms["diffaug_chance"] = self.adaptive.chance.clone()
        self.finish_batch(batch, terms)

    def _fooling(
        self, fake: Tensor, latent: Tensor, label: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        judged = self.discriminator(fake, label)
        terms = {"adversarial": self._adversarial.generator(judged.logits)}
        if judged.classes is not None and label is not None:
            terms["auxiliary"] = F.cross_entropy(judged.classes, label)
        if self._weights["cosine_similarity"]:
            terms["cosine_similarity"] = cosine_similarity(widened(judged.features), latent)
        loss = torch.stack([self._weights[k] * widened(v) for k, v in terms.items()]).sum()
        return loss, terms

    def _latents(self, like: Tensor) -> Tensor:
        drawn = torch.randn(len(like), self.growth.full, device=like.device, dtype=like.dtype)
        return held(drawn, self.alive)

    def _changed(self, pictures: Tensor) -> Tensor:
        if self._diffaug is None:
            return pictures
        return self._diffaug(pictures, 1.0 if self.adaptive is None else self.adaptive.chance)

    # Drawing ------------------------------------------------------------------------------------

    def latents(
        self, count: int, draws: torch.Generator, truncation: float | None = None
    ) -> Tensor:
        """Latents (count, L) on the CPU, standard normal where alive and 0 elsewhere.

        With ``truncation`` every entry beyond it, either way, is drawn again (Brock et al. 2019,
        section 3.1): likelier pictures and fewer kinds of them.
        """
        drawn = torch.randn(count, self.growth.full, generator=draws)
        while truncation is not None and (beyond := drawn.abs() > truncation).any():
            drawn[beyond] = torch.randn(int(beyond.sum()), generator=draws)
        return held(drawn, self.alive.cpu())

    @torch.no_grad()
    def paint(self, latent: Tensor, label: Tensor | None) -> Shown:
        """Pictures of latents (B, L) and class ids (B,) by the EMA generator."""
        latent = latent.to(self.device, cast(torch.dtype, self.dtype))
        label = label.to(self.device) if label is not None and self.class_names else None
        return self.canvas.show(self.canvas.squash(self.generator_ema.module(latent, label)))

    # What Lightning calls -----------------------------------------------------------------------

    def on_fit_start(self) -> None:
        """Raises :class:`UserError` where a penalty needs a derivative that D does not have."""
        super().on_fit_start()
        real = torch.zeros(
            2, self.canvas.channels, *cast(Any, self.generator.size), device=self.device
        )
        label = torch.zeros(2, dtype=torch.int64, device=self.device) if self.class_names else None
        self._critic.check_slopes(deepcopy(self.discriminator), real, label)

    def on_train_epoch_start(self) -> None:
        self.alive.fill_(self.growth.alive(self.trainer.current_epoch))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["d_updates"] = self._d_updates

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self._d_updates = checkpoint["d_updates"]
