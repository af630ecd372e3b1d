"""The variational autoencoder of part maps, in real fits of the networks that the config makes."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import albumentations as A
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from omegaconf import OmegaConf
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from carsynth.callbacks.run_record import CHECKPOINT_KEY
from carsynth.checkpoint import module_from_checkpoint
from carsynth.data.batch import CarBatch
from carsynth.data.datamodule import CarDataModule
from carsynth.data.toycars import ToyCars
from carsynth.errors import UserError
from carsynth.labels import NUM_PARTS, PALETTE, PART_ID, PARTS
from carsynth.metrics.part_statistics import maps_of_palette
from carsynth.metrics.pixels import to_pictures, to_uint8
from tests.modules.latent_runs import config_of, data_of, fit, module_of

SIZE = (32, 32)
WORDS = ("data.size=[32,32]", "arch.latent=6", "optim=constant", "optim.clip_norm=null")
LEARNING = ("data.size=[32,32]", "arch.latent=16", "arch.width=16", "optim.lr=5e-3")


def vae(*words: str) -> Any:
    return module_of("map_vae", *WORDS, *words)


class Watch(Callback):
    """What every training batch was, and its loss terms."""

    def __init__(self) -> None:
        self.batches: list[CarBatch] = []
        self.terms: list[dict[str, Tensor]] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.batches.append(batch)
        self.terms.append(dict(pl_module.last_terms))  # type: ignore[arg-type]


class Learnt(NamedTuple):
    module: Any
    data: CarDataModule
    terms: list[dict[str, Tensor]]
    trainer: Trainer
    folder: Path


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    """A model that has seen 32 drawn cars and their mirror images often; look, do not touch."""
    folder, watch = tmp_path_factory.mktemp("vae"), Watch()
    flips = [A.HorizontalFlip(p=0.5)]
    data = CarDataModule(ToyCars(40, seed=1), SIZE, 8, flips, fractions=(0.8, 0.2, 0.0))
    module = module_of("map_vae", *LEARNING)
    often = {"limit_val_batches": 1.0, "check_val_every_n_epoch": 90}
    trainer = fit(module, data, folder, 90, watch, **often)
    return Learnt(module.eval(), data, watch.terms, trainer, folder)


def maps_of(data: CarDataModule, split: str) -> Tensor:
    return torch.cat([batch.part_map for batch in data.split_dataloader(split)])


def one_hot(part_map: Tensor) -> Tensor:
    return torch.stack([part_map == part for part in range(NUM_PARTS)], dim=1).float()


@torch.no_grad()
def codes_of(module: Any, part_map: Tensor) -> Tensor:
    codes: Tensor = module.generator_ema.module.encode(one_hot(part_map)).mean
    return codes


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_step_follows_the_evidence_bound(tmp_path: Path, accumulate: int) -> None:
    words = (f"optim.accumulate={accumulate}", "loss.weights.reconstruction=2")
    module = vae(*words, "loss.weights.divergence=3")
    module._optimizer_factories = (partial(torch.optim.SGD, lr=1e-3),)
    watch, given = Watch(), []
    module.generator.register_forward_hook(lambda _, inputs, __: given.append(inputs))
    steps = {"limit_train_batches": accumulate, "precision": "64-true"}
    trainer = fit(module, data_of(size=SIZE), tmp_path, 1, watch, **steps)
    assert trainer.global_step == 1
    assert module.seen == accumulate * 4

    network = vae().double().generator
    sgd = torch.optim.SGD(network.parameters(), lr=1e-3)
    for (maps, noise), batch, terms in zip(given, watch.batches, watch.terms, strict=True):
        assert torch.equal(maps, one_hot(batch.part_map).double())
        logits, (mean, log_variance) = network(maps, noise)
        by_map = [
            -sum(chance.log_softmax(0)[own].trace() for chance, own in zip(rows, ids, strict=True))
            for rows, ids in zip(logits.movedim(1, 2), batch.part_map, strict=True)
        ]
        reconstruction = sum(by_map) / 4
        own = Normal(mean, log_variance.exp().sqrt())
        divergence = kl_divergence(own, Normal(0.0, 1.0)).sum(1).mean()
        told = {"g_reconstruction": reconstruction, "g_divergence": divergence}
        assert terms.keys() == told.keys()
        for name, value in told.items():
            assert float(terms[name]) == pytest.approx(value.item(), rel=1e-5)
        ((2 * reconstruction + 3 * divergence) / accumulate).backward()
    sgd.step()
    before = dict(vae().double().generator.named_parameters())
    for name, parameter in network.named_parameters():
        ours = module.generator.get_parameter(name)
        moved = (parameter - before[name]).abs().max()
        torch.testing.assert_close(ours, parameter, rtol=0, atol=1e-4 * float(moved))


def test_noise_is_normal_and_another_for_every_map_and_step(tmp_path: Path) -> None:
    module, noises = vae(), []
    module.generator.register_forward_hook(lambda _, inputs, __: noises.append(inputs[1]))
    fit(module, data_of(size=SIZE), tmp_path, 8)
    drawn = torch.cat(noises)
    assert drawn.shape == (8 * 16, 6)
    assert len(drawn.unique(dim=0)) == len(drawn)
    assert abs(float(drawn.mean())) < 0.15
    assert float(drawn.std()) == pytest.approx(1, abs=0.1)


def test_an_open_window_is_closed_by_the_epochs_end(tmp_path: Path) -> None:
    module = vae("optim.accumulate=3")
    trainer = fit(module, data_of(size=SIZE), tmp_path, 2)
    assert trainer.global_step == 2 * 2  # of four batches, in one window of three and one of one
    assert int(module.generator_ema.n_averaged) == 4
    assert all(parameter.grad is None for parameter in module.parameters())


def test_it_learns_maps_and_tells_apart_those_that_it_has_not_seen(learnt: Learnt) -> None:
    first, last = learnt.terms[0]["g_reconstruction"], learnt.terms[-1]["g_reconstruction"]
    assert last < first / 8
    usual = maps_of(learnt.data, "train").mode(0).values

    def agreement(split: str) -> tuple[float, float, float]:
        maps = maps_of(learnt.data, split)
        with torch.no_grad():
            drawn = learnt.module.generator_ema.module.decode(codes_of(learnt.module, maps))
        right, car = drawn.argmax(1) == maps, maps > 0
        known = float((usual == maps)[car].float().mean())
        return float(right.float().mean()), float(right[car].float().mean()), known

    everywhere, on_cars, _ = agreement("train")
    assert everywhere > 0.9
    assert on_cars > 0.7
    everywhere, on_cars, known = agreement("validation")
    assert everywhere > 0.8
    assert on_cars > 0.25 > known


def test_what_is_drawn_are_maps_in_the_palette(learnt: Learnt) -> None:
    codes = learnt.module.latents(40, torch.Generator().manual_seed(0))
    shown = learnt.module.paint(codes, None)
    assert shown.photo.shape == (40, 3, *SIZE)
    assert not shown.moved.any()
    colours = {tuple(c) for c in to_pictures(shown.photo).reshape(-1, 3).tolist()}
    assert colours <= {tuple(c) for c in PALETTE.tolist()}
    assert len(colours) > 8
    maps = maps_of_palette(to_pictures(shown.photo))
    assert len({one.tobytes() for one in maps}) > 30
    # and cars: about as much of the picture as in those that were learnt
    real = (maps_of(learnt.data, "train") > 0).float().mean()
    assert float((maps > 0).mean()) == pytest.approx(float(real), rel=0.3)
    assert float(learnt.trainer.callback_metrics["val/snapped"]) == 0


def test_a_drawn_map_is_the_ema_networks(learnt: Learnt) -> None:
    codes = learnt.module.latents(40, torch.Generator().manual_seed(0))
    drawn = maps_of_palette(to_pictures(learnt.module.paint(codes, None).photo))
    with torch.no_grad():
        averaged = learnt.module.generator_ema.module.decode(codes).argmax(1)
        live = learnt.module.generator.decode(codes).argmax(1)
    assert torch.equal(torch.as_tensor(drawn).long(), averaged)
    assert not torch.equal(live, averaged)


def test_codes_of_all_training_maps_and_their_mirror_images_are_stored(learnt: Learnt) -> None:
    maps, stored = maps_of(learnt.data, "train"), learnt.module.codes
    assert len(stored.codes) == 2 * len(maps) == 64
    twin = torch.tensor([PART_ID[part.twin] for part in PARTS])
    assert bool((twin[maps] != maps).flatten(1).any(1).all())
    mirrored = maps.flip(2).apply_(lambda part: int(twin[part]))
    expected = torch.cat([codes_of(learnt.module, maps), codes_of(learnt.module, mirrored)])
    distance = torch.cdist(expected.double(), stored.codes.double())
    assert distance.min(1).values.max() < 1e-4
    assert len(distance.argmin(1).unique()) == 64
    # A mirror image whose parts kept their names is none of them.
    renamed = torch.cdist(codes_of(learnt.module, maps.flip(2)).double(), stored.codes.double())
    assert renamed.min(1).values.min() > 1e-2
    assert stored.nearest.shape == (64, 5)


def test_codes_are_of_maps_that_are_not_augmented(tmp_path: Path) -> None:
    small = [A.Affine(scale=(0.5, 0.5), p=1)]
    data = CarDataModule(ToyCars(20, seed=1), SIZE, 4, small, fractions=(0.8, 0.2, 0.0))
    module = vae("optim.lr=0.01")
    fit(module, data, tmp_path, 1, limit_val_batches=1.0)
    expected = codes_of(module, maps_of(data, "train"))
    assert torch.cdist(expected, expected).fill_diagonal_(torch.inf).min() > 1e-3
    distance = torch.cdist(expected.double(), module.codes.codes.double())
    assert distance.min(1).values.max() < 1e-4


def stored_in(folder: Path) -> dict[str, Any]:
    """The checkpoint of a fit with the config beside it, as a run leaves it."""
    checkpoint: dict[str, Any] = torch.load(folder / "last.ckpt", weights_only=True)
    config = config_of("map_vae", *LEARNING)
    told = {name: OmegaConf.to_container(config[name], resolve=True) for name in ("arch", "data")}
    return checkpoint | {CHECKPOINT_KEY: {"config": told}}


@pytest.mark.parametrize("count", [0, 1, 64])
def test_codes_survive_the_checkpoint_whatever_their_number(learnt: Learnt, count: int) -> None:
    checkpoint = stored_in(learnt.folder)
    for name in ("codes", "nearest"):
        kept = checkpoint["state_dict"][f"codes.{name}"]
        kept = kept if count == 64 else kept[:count] * 0 if name == "nearest" else kept[:count]
        checkpoint["state_dict"][f"codes.{name}"] = kept
    restored = module_from_checkpoint(checkpoint, "last.ckpt")
    assert len(restored.codes.codes) == count
    if not count:
        return
    codes = restored.latents(6, torch.Generator().manual_seed(1))
    if count == 64:
        assert torch.equal(codes, learnt.module.latents(6, torch.Generator().manual_seed(1)))
        assert torch.equal(
            restored.paint(codes, None).photo, learnt.module.paint(codes, None).photo
        )
    elif count == 1:
        assert torch.equal(codes, learnt.module.codes.codes[:1].expand(6, -1))


def test_a_resumed_run_is_the_run_that_did_not_stop(tmp_path: Path) -> None:
    each = {"limit_val_batches": 1.0}
    whole = vae()
    fit(whole, data_of(size=SIZE), tmp_path / "whole", 3, **each)

    fit(vae(), data_of(size=SIZE), tmp_path / "parts", 1, **each)
    torch.manual_seed(999)  # another process has another random state
    resumed = vae()
    last = tmp_path / "parts" / "last.ckpt"
    fit(resumed, data_of(size=SIZE), tmp_path / "parts", 3, ckpt_path=last, **each)

    assert resumed.state_dict().keys() == whole.state_dict().keys()
    for name, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name
    assert len(whole.codes.codes) == 32
    assert resumed.seen == whole.seen == 3 * 16


def test_the_seed_tells_the_draws(learnt: Learnt) -> None:
    def drawn(seed: int) -> Tensor:
        learnt.module.seed_draws(seed)
        batch = next(iter(learnt.data.val_dataloader()))
        return to_uint8(learnt.module.generate(batch))

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_before_any_validation_it_says_what_is_missing_and_a_trial_counts(tmp_path: Path) -> None:
    stored: list[int] = []

    class AtFirst(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            stored.append(len(module.codes.codes))

    module = vae()
    with pytest.raises(UserError, match="train it until the first one"):
        module.latents(1, torch.Generator().manual_seed(0))
    options = {"num_sanity_val_steps": 2, "limit_val_batches": 1.0}
    fit(module, data_of(size=SIZE), tmp_path, 1, AtFirst(), **options)
    assert stored == [32]
    assert len(module.codes.codes) == 32


def test_bf16_trains_in_half_and_keeps_float32_weights(tmp_path: Path) -> None:
    module, watch, types = vae("optim.lr=5e-3"), Watch(), set()
    module.generator.output.register_forward_hook(lambda _, __, out: types.add(out.dtype))
    half = {"precision": "bf16-mixed", "limit_val_batches": 1.0}
    fit(module, data_of(size=SIZE), tmp_path, 6, watch, **half)
    assert types == {torch.bfloat16}
    assert watch.terms[-1]["g_reconstruction"] < 0.7 * watch.terms[0]["g_reconstruction"]
    assert all(torch.isfinite(value) for terms in watch.terms for value in terms.values())
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert module.codes.codes.dtype == torch.float32
    assert len(module.codes.codes) == 32


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
def test_weights_of_another_type_draw_too(tmp_path: Path, precision: str) -> None:
    module = vae()
    kinds = {"precision": precision, "limit_val_batches": 1.0}
    fit(module, data_of(size=SIZE), tmp_path, 1, **kinds)
    last = tmp_path / "last.ckpt"
    resumed = vae()
    fit(resumed, data_of(size=SIZE), tmp_path, 2, ckpt_path=last, precision=precision)
    codes = resumed.latents(2, torch.Generator().manual_seed(0))
    assert resumed.paint(codes, None).photo.shape == (2, 3, *SIZE)


def mistake_of(act: Any) -> str:
    with pytest.raises(Exception) as caught:
        act()
    cause: BaseException | None = caught.value
    while cause is not None and not isinstance(cause, UserError):
        cause = cause.__cause__
    assert isinstance(cause, UserError), caught.value
    assert "\n" not in str(cause)
    return str(cause)


def test_what_it_cannot_do_is_said() -> None:
    module = vae()
    draws = torch.Generator()
    assert "truncation=0.5: this model" in mistake_of(lambda: module.latents(2, draws, 0.5))
    assert "draws 32x32 and nothing else" in mistake_of(lambda: module.check_size(64, 32))
    assert "loss=evidence" in mistake_of(lambda: vae("loss=hinge"))
    assert "the nearest that fit: 32x32" in mistake_of(lambda: vae("data.size=[32,33]"))
