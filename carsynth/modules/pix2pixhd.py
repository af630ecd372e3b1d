"""pix2pixHD (Wang et al. 2018, arXiv 1711.11585): photos from part maps."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carsynth.data.batch import CarBatch
from carsynth.labels import NUM_PARTS
from carsynth.losses.adversarial import AdversarialLoss
from carsynth.modules.adversarial import AdversarialModule
from carsynth.modules.image_pool import ImagePool
from carsynth.modules.look_clusters import LookClusters
from carsynth.modules.shared_pass import SharedPass, Verdict
from carsynth.networks.layers import halve
from carsynth.networks.pix2pixhd import (
    ColourEncoder,
    FeatureEncoder,
    LocalEnhancer,
    MultiScaleDiscriminator,
)

_RGB = 3


def outlines(part_map: Tensor) -> Tensor:
    """Where a part of a map (B, H, W) borders on another: floats 0 or 1, (B, 1, H, W).

    The paper's instance-boundary channel (section 3.3), with the connected regions of a part as
    its instances: two of them never touch, so that the ids alone tell every border.
    """
    edge = torch.zeros_like(part_map, dtype=torch.bool)
    across = part_map[:, :, 1:] != part_map[:, :, :-1]
    down = part_map[:, 1:] != part_map[:, :-1]
    edge[:, :, 1:] |= across
    edge[:, :, :-1] |= across
    edge[:, 1:] |= down
    edge[:, :-1] |= down
    return edge.unsqueeze(1).float()


def spread(means: Tensor, regions: Tensor) -> Tensor:
    """Each part of each picture filled with its own numbers.

    Args:
        means: (B, K, C), one row a part.
        regions: one-hot part map (B, K, H, W).

    Returns:
        (B, C, H, W).
    """
    return torch.einsum("bkhw,bkc->bchw", regions, means)


class Pix2PixHD(AdversarialModule):
    """The conditional GAN of the paper: global generator, enhancers, encoder, patch critics.

    Args:
        generator: makes the generator from its number of input channels.
        discriminator: makes the discriminators from theirs.
        adversarial: the two players' adversarial losses.
        weights: of the generator's terms: ``adversarial``, ``feature_matching``, ``perceptual``,
            and ``reconstruction``, the mean distance of a pixel from the real photo's (the L1 term
            of pix2pix, Isola et al. 2017, equation 3); that one is not computed at weight 0.
        perceptual: distance of a fake and a real photo batch; None leaves the term out.
        encoder: makes the feature encoder (section 3.4), learnt or of colours; None lets a map
            have one photo only.
        clusters: stored looks a part, what photos are drawn with when there is no real one.
        instance_edges: give the networks the outlines of the parts as one channel more.
        pool_size: past fakes that the discriminator sees again; 0 shows it the present ones.
        coarse_epochs: epochs that train the global generator alone on halved photos.
        fixed_epochs: epochs after those that train the enhancers with the global one held.
        training: what :class:`AdversarialModule` takes.
    """

    def __init__(
        self,
        generator: Callable[[int], nn.Module],
        discriminator: Callable[[int], MultiScaleDiscriminator],
        adversarial: AdversarialLoss,
        weights: Mapping[str, float],
        *,
        perceptual: nn.Module | None = None,
        encoder: Callable[[], FeatureEncoder | ColourEncoder] | None = None,
        clusters: int = 10,
        instance_edges: bool = False,
        pool_size: int = 0,
        coarse_epochs: int = 0,
        fixed_epochs: int = 0,
        **training: Any,
    ) -> None:
        encoder_network = encoder() if encoder is not None else None
        looks = encoder_network.out_channels if encoder_network is not None else 0
        condition = NUM_PARTS + int(instance_edges)
        super().__init__(
            generator(condition + looks),
            discriminator(condition + _RGB),
            **training,
        )
        self.encoder = encoder_network
        self.clusters = LookClusters(NUM_PARTS, clusters, looks) if looks else None
        self.perceptual = perceptual
        self._adversarial = adversarial
        self._weights = dict(weights)
        self._distances: dict[str, Callable[[Tensor, Tensor], Tensor]] = {}
        if perceptual is not None:
            self._distances["perceptual"] = perceptual
        if self._weights.get("reconstruction"):
            self._distances["reconstruction"] = F.l1_loss
        self._instance_edges = instance_edges
        # G1's own output layer rests once it has an enhancer around it, and all of it while held.
        self.parameters_may_rest = isinstance(self.generator, LocalEnhancer)
        self._pool = ImagePool(pool_size)
        self._coarse_epochs = coarse_epochs
        self._coarse = coarse_epochs > 0
        self._fixed_epochs = fixed_epochs
        self._look_rows: list[Tensor] = []
        self._shared_pass = SharedPass(
            cast(MultiScaleDiscriminator, self.discriminator),
            adversarial,
            self._weights,
            compiled=self.compiled,
        )

    # The paper's step ---------------------------------------------------------------------------

    def training_step(self, batch: CarBatch, batch_idx: int) -> None:
        photo = batch.photo.to(self.dtype) / 127.5 - 1
        condition = self.condition_of(batch.part_map)
        seen_by_g = self._with_looks_of(photo, condition)
        generator: nn.Module = self.generator
        if self._coarse:
            generator = cast(LocalEnhancer, generator).global_generator
            photo, condition, seen_by_g = map(self._halved, (photo, condition, seen_by_g))

        fake = generator(seen_by_g)
        verdict = self._judge(condition, photo, fake)
        with self.turn("discriminator") as backward:
            backward(verdict.d_loss)
        with self.turn("generator") as backward:
            backward(fake, verdict.photo_gradient.to(fake.dtype))
        terms = {f"g_{name}": value for name, value in verdict.terms.items()}
        self.finish_batch(batch, {"d_adversarial": verdict.d_loss, **terms})

    def _judge(self, condition: Tensor, photo: Tensor, fake: Tensor) -> Verdict:
        verdict = self._shared_pass(condition, photo, fake)
        if self._pool.size:
            past_condition, past = self._pool.query(condition, fake.detach().float())
            of_real = self.discriminator(condition, photo)
            of_past = self.discriminator(past_condition, past)
            losses = [
                self._adversarial.discriminator(real[-1], fakes[-1])
                for real, fakes in zip(of_real, of_past, strict=True)
            ]
            verdict = verdict._replace(d_loss=torch.stack(losses).sum())
        for name, distance in self._distances.items():
            leaf = fake.detach().float().requires_grad_()
            term = distance(leaf, photo)
            (gradient,) = torch.autograd.grad(self._weights[name] * term, leaf)
            verdict = verdict._replace(
                terms={**verdict.terms, name: term.detach()},
                photo_gradient=verdict.photo_gradient + gradient,
            )
        return verdict

    def _with_looks_of(self, photo: Tensor, condition: Tensor) -> Tensor:
        """The generator's input: the condition and, with an encoder, the looks of the photo."""
        if self.encoder is None:
            return condition
        regions = condition[:, :NUM_PARTS]
        means = self.encoder.means(photo, regions)
        present = regions.flatten(2).any(2, keepdim=True)
        self._look_rows.append(means.detach().where(present, torch.nan))
        return torch.cat([condition, spread(means, regions)], dim=1)

    # Drawing ------------------------------------------------------------------------------------

    def condition_of(self, part_map: Tensor) -> Tensor:
        """What the networks see of part maps (B, H, W): floats (B, C, H, W), one-hot ids first."""
        dtype = cast(torch.dtype, self.dtype)
        blank = torch.zeros(*part_map.shape, NUM_PARTS, dtype=dtype, device=part_map.device)
        one_hot = blank.scatter_(3, part_map.unsqueeze(3), 1).movedim(3, 1)
        if not self._instance_edges:
            return one_hot
        return torch.cat([one_hot, outlines(part_map).to(dtype)], dim=1)

    @torch.no_grad()
    def draw(self, part_map: Tensor, draws: torch.Generator) -> Tensor:
        """As in the base class; with an encoder, every part draws one of its stored looks."""
        condition = self.condition_of(part_map)
        if self.clusters is not None:
            looks = self.clusters.sample(condition[:, :NUM_PARTS], draws)
            condition = torch.cat([condition, looks], dim=1)
        generator = self.generator_ema.module
        if not self._coarse:
            return cast(Tensor, generator(condition))
        small = cast(LocalEnhancer, generator).global_generator(self._halved(condition))
        return F.interpolate(small, part_map.shape[1:], mode="bilinear")

    def generate(self, batch: CarBatch) -> Tensor:
        return self.draw(batch.part_map, self._draws)

    def on_validation_start(self) -> None:
        super().on_validation_start()
        self._store_looks()

    def _store_looks(self) -> None:
        """Clusters what the encoder found since the last time, on every rank alike."""
        if self.clusters is None or not self._look_rows:
            return
        rows = cast(Tensor, self.all_gather(torch.cat(self._look_rows))).flatten(0, -3)
        self._look_rows.clear()
        self.clusters.fit(rows, torch.Generator().manual_seed(0))

    # Coarse to fine -----------------------------------------------------------------------------

    def on_train_epoch_start(self) -> None:
        if not isinstance(self.generator, LocalEnhancer):
            return
        epoch = self.trainer.current_epoch
        self._coarse = epoch < self._coarse_epochs
        held = not self._coarse and epoch < self._coarse_epochs + self._fixed_epochs
        self.generator.global_generator.requires_grad_(not held)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["coarse"] = self._coarse

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self._coarse = checkpoint["coarse"]

    def _halved(self, x: Tensor) -> Tensor:
        for _ in cast(LocalEnhancer, self.generator).doublers:
            x = halve(x)
        return x

    # Who plays ----------------------------------------------------------------------------------

    def players(self) -> Mapping[str, nn.Module]:
        players = dict(super().players())
        if self.encoder is not None:
            players["generator"] = nn.ModuleList([self.generator, self.encoder])
        return players
