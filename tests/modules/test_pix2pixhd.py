"""pix2pixHD as a module: what it conditions on, its schedule, its looks, its start."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from carsynth.data.batch import CarBatch
from carsynth.errors import UserError
from carsynth.labels import NUM_PARTS
from carsynth.losses.adversarial import LeastSquares
from carsynth.modules.pix2pixhd import Pix2PixHD, outlines, spread
from carsynth.networks.pix2pixhd import (
    ColourEncoder,
    FeatureEncoder,
    GlobalGenerator,
    LocalEnhancer,
    MultiScaleDiscriminator,
)
from carsynth.networks.unet import UNetGenerator
from tests.modules.tiny import fit

WEIGHTS = {"adversarial": 1.0, "feature_matching": 10.0, "perceptual": 10.0}
GLOBAL = partial(GlobalGenerator, width=4, downsamplings=2, blocks=1)
ENHANCED = partial(LocalEnhancer, width=4, global_downsamplings=2, global_blocks=1, local_blocks=1)


def module(
    generator: Any = GLOBAL, weights: dict[str, float] = WEIGHTS, **settings: Any
) -> Pix2PixHD:
    torch.manual_seed(0)
    adam = partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.999))
    return Pix2PixHD(
        generator,
        partial(MultiScaleDiscriminator, width=4, layers=2),
        LeastSquares(),
        weights,
        optimizer_g=adam,
        optimizer_d=adam,
        **settings,
    )


def batches(count: int = 2, size: int = 2) -> DataLoader[CarBatch]:
    draws = torch.Generator().manual_seed(1)
    made = []
    for _ in range(count):
        photo = torch.randint(0, 256, (size, 3, 32, 32), generator=draws, dtype=torch.uint8)
        part_map = torch.randint(0, 4, (size, 4, 4), generator=draws)
        part_map = part_map.repeat_interleave(8, 1).repeat_interleave(8, 2)
        made.append(CarBatch(photo, part_map, torch.zeros(size, dtype=torch.int64)))
    return DataLoader(made, batch_size=None)


def one(loader: DataLoader[CarBatch]) -> CarBatch:
    return next(iter(loader))


def test_outlines_mark_both_sides_of_every_border() -> None:
    part_map = torch.tensor([[[1, 1, 2], [1, 1, 2], [1, 1, 1]]])
    expected = torch.tensor([[[0, 1, 1], [0, 1, 1], [0, 0, 1]]]).float()
    assert torch.equal(outlines(part_map), expected[:, None])


def test_spread_fills_every_part_with_its_own_numbers() -> None:
    regions = torch.nn.functional.one_hot(torch.tensor([[[0, 1], [1, 1]]]), 2).movedim(3, 1).float()
    filled = spread(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), regions)
    assert filled[0, :, 0, 0].tolist() == [1.0, 2.0]
    assert filled[0, :, 1, 0].tolist() == [3.0, 4.0]


@pytest.mark.parametrize("edges", [False, True])
def test_the_condition_is_one_hot_with_outlines_where_asked(edges: bool) -> None:
    condition = module(instance_edges=edges).condition_of(one(batches()).part_map)
    assert condition.shape == (2, NUM_PARTS + edges, 32, 32)
    assert torch.equal(condition[:, :NUM_PARTS].argmax(1), one(batches()).part_map)
    assert torch.equal(condition[:, :NUM_PARTS].sum(1), torch.ones(2, 32, 32))


def test_a_step_equals_the_published_one(tmp_path: Path) -> None:
    trained = module().double()
    fit(trained, batches(1), tmp_path, precision="64-true")

    plain = module().double()
    batch = one(batches(1))
    photo = batch.photo.double() / 127.5 - 1
    condition = plain.condition_of(batch.part_map)
    g, d, loss = plain.generator, plain.discriminator, LeastSquares()
    adam_g = torch.optim.Adam(g.parameters(), 1e-3, (0.5, 0.999))
    adam_d = torch.optim.Adam(d.parameters(), 1e-3, (0.5, 0.999))
    fake = g(condition)
    real_features, fake_features = d(condition, photo), d(condition, fake)
    past_features = d(condition, fake.detach())
    g_loss: Any = 0.0
    d_loss: Any = 0.0
    for r, f, p in zip(real_features, fake_features, past_features, strict=True):
        g_loss = g_loss + (f[-1] - 1).square().mean()
        for a, b in zip(r[:-1], f[:-1], strict=True):
            g_loss = g_loss + 10 / 2 * 4 / len(r[:-1]) * (a.detach() - b).abs().mean()
        d_loss = d_loss + loss.discriminator(r[-1], p[-1])
    g_loss.backward()
    d.zero_grad()
    d_loss.backward()
    adam_g.step()
    adam_d.step()
    for ours, theirs in zip(
        [*trained.generator.parameters(), *trained.discriminator.parameters()],
        [*g.parameters(), *d.parameters()],
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


class Watch(Callback):
    """Which weights moved in each epoch."""

    NAMES = ("global_generator.body.0.weight", "global_generator.output.weight", "output.weight")

    def __init__(self) -> None:
        self.moved: list[tuple[bool, ...]] = []
        self._before: list[Tensor] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: Any) -> None:
        named = dict(pl_module.generator.named_parameters())
        self._before = [named[name].detach().clone() for name in self.NAMES]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        named = dict(pl_module.generator.named_parameters())
        now = [named[name] for name in self.NAMES]
        moved = [not torch.equal(a, b) for a, b in zip(now, self._before, strict=True)]
        self.moved.append(tuple(moved))


def test_coarse_to_fine_trains_g1_then_g2_then_both(tmp_path: Path) -> None:
    watch = Watch()
    trained = module(ENHANCED, coarse_epochs=1, fixed_epochs=1)
    fit(trained, batches(), tmp_path, epochs=3, callbacks=[watch])
    # G1's body, G1's own output layer, the enhancer's output layer
    assert watch.moved == [(True, True, False), (False, False, True), (True, False, True)]


def test_the_coarse_stage_draws_at_full_size_and_is_kept_in_the_checkpoint(tmp_path: Path) -> None:
    coarse = module(ENHANCED, coarse_epochs=2)
    fit(coarse, batches(), tmp_path, epochs=1)
    part_map = one(batches()).part_map
    photos = coarse.draw(part_map, torch.Generator())
    assert photos.shape == (2, 3, 32, 32)
    checkpoint: dict[str, Any] = {}
    coarse.on_save_checkpoint(checkpoint)
    restored = module(ENHANCED)
    restored.load_state_dict(coarse.state_dict())
    assert not torch.equal(restored.draw(part_map, torch.Generator()), photos)
    restored.on_load_checkpoint(checkpoint)
    assert torch.equal(restored.draw(part_map, torch.Generator()), photos)


def validated(
    trained: Pix2PixHD, loader: DataLoader[CarBatch], folder: Path, **options: Any
) -> None:
    """A fit that ends with a validation, which stores looks."""
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **options,
    )
    trainer.fit(trained, loader, loader)


def test_looks_are_stored_and_give_one_map_several_photos(tmp_path: Path) -> None:
    trained = module(encoder=partial(FeatureEncoder, width=4, downsamplings=2), clusters=3)
    before = trained.encoder.body[0].weight.detach().clone()
    loader = batches(4)
    validated(trained, loader, tmp_path)
    assert not torch.equal(trained.encoder.body[0].weight, before)
    assert (trained.clusters.codes >= 0).any(1).sum() == 8  # every photo seen
    part_map = one(loader).part_map
    draws = torch.Generator().manual_seed(0)
    first, second = trained.draw(part_map, draws), trained.draw(part_map, draws)
    assert not torch.equal(first, second)
    assert torch.equal(first, trained.draw(part_map, torch.Generator().manual_seed(0)))


def painted(count: int) -> DataLoader[CarBatch]:
    """Photos whose parts 1 and 2 have colours of their own: red and green, or blue and white."""
    colours = torch.tensor(
        [[[0, 0, 0], [255, 0, 0], [0, 255, 0]], [[0, 0, 0], [0, 0, 255], [255] * 3]]
    )
    part_map = torch.zeros(2, 32, 32, dtype=torch.int64)
    part_map[:, 8:24, 4:16], part_map[:, 8:24, 16:28] = 1, 2
    photo = torch.stack([own[ids] for own, ids in zip(colours, part_map, strict=True)])
    whole = CarBatch(photo.movedim(3, 1).to(torch.uint8), part_map, torch.zeros(2))
    return DataLoader([whole] * count, batch_size=None)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_looks_that_are_colours_are_stored_as_they_are(tmp_path: Path, precision: str) -> None:
    trained = module(partial(UNetGenerator, width=4, levels=2), encoder=ColourEncoder, clusters=4)
    assert len(list(trained.players()["generator"].parameters())) == len(
        list(trained.generator.parameters())
    )
    loader = painted(30)
    validated(trained, loader, tmp_path, precision=precision)
    centres = [{tuple(c) for c in part.tolist()} for part in trained.clusters.centres[:4].round()]
    assert centres[0] == {(-1.0,) * 3, (0.0,) * 3}  # two of a part's four centres are unused
    assert centres[1] == {(1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (0.0,) * 3}
    assert centres[2] == {(-1.0, 1.0, -1.0), (1.0, 1.0, 1.0), (0.0,) * 3}
    assert centres[3] == {(0.0,) * 3}
    part_map, draws = one(loader).part_map[:1], torch.Generator().manual_seed(0)
    photos = torch.cat([trained.draw(part_map, draws) for _ in range(12)])
    seen = {one.numpy().tobytes(): one for one in photos}
    assert len(seen) == 2  # red goes with green and blue with white
    first, second = seen.values()
    assert (first - second).abs().max() > 0.05


def test_the_reconstruction_term_adds_the_sign_of_what_is_amiss() -> None:
    batch = one(batches())
    photo = batch.photo / 127.5 - 1
    fake = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2)) * 2 - 1
    verdicts = []
    for weight in (0.0, 7.0):
        judging = module(weights={**WEIGHTS, "reconstruction": weight})
        condition = judging.condition_of(batch.part_map)
        verdicts.append(judging._judge(condition, photo, fake.clone().requires_grad_()))
    without, with_term = verdicts
    added = with_term.photo_gradient - without.photo_gradient
    torch.testing.assert_close(added, 7 * (fake - photo).sign() / fake.numel(), rtol=0, atol=1e-7)
    assert without.photo_gradient.any()
    away = np.abs(fake.numpy() - photo.numpy()).mean()
    assert float(with_term.terms["reconstruction"]) == pytest.approx(float(away), rel=1e-5)
    assert with_term.terms.keys() - without.terms.keys() == {"reconstruction"}
    assert torch.equal(with_term.d_loss, without.d_loss)


def test_the_reconstruction_term_is_told_and_not_even_computed_at_weight_0(tmp_path: Path) -> None:
    def fitted(**weights: float) -> tuple[dict[str, Tensor], set[str]]:
        trained = module(weights={**WEIGHTS, **weights})
        trainer = fit(trained, batches(4), tmp_path)
        return trained.state_dict(), {*trainer.callback_metrics, *trained.last_terms}

    plain, told = fitted()
    silent, silent_told = fitted(reconstruction=0.0)
    taught, taught_told = fitted(reconstruction=5.0)
    assert silent_told == told
    assert taught_told - told == {"g_reconstruction", "train/g_reconstruction"}
    name = "generator.output.weight"
    assert torch.equal(plain[name], silent[name])
    assert not torch.equal(plain[name], taught[name])


def test_a_u_net_learns_photos_sooner_by_the_reconstruction_term(tmp_path: Path) -> None:
    batch = one(painted(1))._replace(photo=one(painted(1)).photo[:1].expand(2, -1, -1, -1))

    def distance(weight: float) -> float:
        unet = partial(UNetGenerator, width=4, levels=2)
        trained = module(unet, {**WEIGHTS, "reconstruction": weight}, ema_decay=0.5)
        trained._optimizer_factories = (partial(torch.optim.Adam, lr=1e-2),) * 2
        fit(trained, DataLoader([batch] * 40, batch_size=None), tmp_path)
        drawn = trained.draw(batch.part_map, torch.Generator())
        return float((drawn - (batch.photo / 127.5 - 1)).abs().mean())

    assert distance(100.0) < 0.75 * distance(0.0)


def test_the_pool_shows_d_past_fakes(tmp_path: Path) -> None:
    def d_weights(pool_size: int) -> list[Tensor]:
        trained = module(pool_size=pool_size)
        fit(trained, batches(6), tmp_path)
        return list(trained.discriminator.parameters())

    with_pool, without = d_weights(2), d_weights(0)
    assert not all(torch.equal(a, b) for a, b in zip(with_pool, without, strict=True))


def test_a_perceptual_term_reaches_the_generator(tmp_path: Path) -> None:
    class Mean(torch.nn.Module):
        def forward(self, fake: Tensor, real: Tensor) -> Tensor:
            return (fake - real).square().mean()

    def trained(perceptual: Any) -> Pix2PixHD:
        made = module(perceptual=perceptual)
        fit(made, batches(), tmp_path)
        return made

    with_term, without = trained(Mean()), trained(None)
    assert with_term.last_terms["g_perceptual"] > 0
    ours, theirs = with_term.generator.output.weight, without.generator.output.weight
    assert not torch.equal(ours, theirs)


def test_a_size_that_cannot_be_halved_is_refused_before_anything_runs() -> None:
    with pytest.raises(UserError, match="30x32 cannot be halved"):
        module().check_size(30, 32)
    module().check_size(32, 48)
