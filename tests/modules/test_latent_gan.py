"""GANs that draw from latents, in real fits of the networks that the config makes."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from carsynth.errors import UserError
from carsynth.losses.adversarial import Hinge
from carsynth.losses.penalties import R1, R2, GradientPenalty
from carsynth.metrics.pixels import to_uint8
from carsynth.modules.critic_objective import CriticObjective
from tests.modules.latent_runs import Corners, data_of, fit, module_of

MAKES = data_of().classes
CARBRAND = ("data.size=[32,56]", "arch.latent=[[0,6],[2,12]]")


def brand(*words: str) -> Any:
    return module_of("carbrand", *CARBRAND, *words, classes=MAKES)


class Watch(Callback):
    """The loss terms of every batch."""

    def __init__(self) -> None:
        self.terms: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.terms.append(dict(pl_module.last_terms))  # type: ignore[arg-type]


def assert_same_weights(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def test_a_resumed_run_is_the_run_that_did_not_stop(tmp_path: Path) -> None:
    words = ("arch.adaptive_target=-0.9", "arch.adaptive_photos=50", "loss.penalties.r1.weight=1")
    words = (*words, "loss.penalties.r1.every=3")
    whole = brand(*words)
    fit(whole, data_of(), tmp_path / "whole", 3)

    fit(brand(*words), data_of(), tmp_path / "parts", 1)
    torch.manual_seed(999)  # another process has another random state
    resumed = brand(*words)
    fit(resumed, data_of(), tmp_path / "parts", 3, ckpt_path=tmp_path / "parts" / "last.ckpt")

    assert_same_weights(resumed.state_dict(), whole.state_dict())
    assert resumed.seen == whole.seen == 3 * 16
    assert float(whole.adaptive.chance) > 0


def test_growing_leaves_pictures_as_they_are_and_then_learns(tmp_path: Path) -> None:
    class Compare(Callback):
        difference = -1.0
        columns: Tensor

        def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            # Callbacks come before the module, whose latent grows next.
            if trainer.current_epoch != 2:
                return
            assert int(module.alive) == 6
            before = module.paint(latents(6), labels).photo
            after = module.paint(latents(12), labels).photo
            self.difference = float((before - after).abs().max())
            self.columns = first_layer()[:, 6:12].clone()

    def latents(alive: int) -> Tensor:
        module.alive.fill_(alive)
        drawn = module.latents(len(MAKES), torch.Generator().manual_seed(5))
        module.alive.fill_(6)
        assert bool((drawn != 0).any(0).sum() == alive)
        return drawn

    def first_layer() -> Tensor:
        weight: Tensor = module.generator.input.linear.parametrizations.weight.original
        return weight.detach()

    module = brand()
    labels = torch.arange(len(MAKES))
    compare = Compare()
    assert not first_layer()[:, 6:12].any()
    fit(module, data_of(), tmp_path, 3, compare)
    assert 0 <= compare.difference < 1e-5
    assert not compare.columns.any()  # held at zero, they did not learn
    assert first_layer()[:, 6:12].any()  # alive, they do
    assert int(module.alive) == 12


def test_a_drawn_picture_is_the_ema_generators(tmp_path: Path) -> None:
    module = brand()
    fit(module, data_of(), tmp_path, 1)
    latents = module.latents(3, torch.Generator().manual_seed(0))
    label = torch.tensor([0, 1, 2])
    live = copy.deepcopy(module.generator).eval()
    drawn = module.paint(latents, label).photo
    torch.testing.assert_close(drawn, module.generator_ema.module(latents, label).tanh())
    assert (drawn - live(latents, label).tanh()).abs().max() > 1e-3


def test_several_d_steps_see_fakes_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    judge = CriticObjective.__call__

    def watched(critic: CriticObjective, real: Tensor, fake: Tensor, *rest: Any) -> Any:
        seen.extend([real.clone(), fake.clone()])
        return judge(critic, real, fake, *rest)

    monkeypatch.setattr(CriticObjective, "__call__", watched)
    module = brand("arch.d_steps=3")
    fit(module, data_of(), tmp_path, 1, limit_train_batches=1)
    reals, fakes = seen[::2], seen[1::2]
    assert len(fakes) == 3
    for others in (fakes, reals):  # reals are changed afresh for every look
        assert not torch.equal(others[0], others[1])
        assert not torch.equal(others[1], others[2])
    assert module._d_updates == 3


def test_a_lazy_penalty_comes_every_so_many_d_steps_and_weighs_more(tmp_path: Path) -> None:
    words = ("loss.penalties.gradient.weight=0", "loss.penalties.r1.weight=2", "arch.d_steps=1")
    watch = Watch()
    module = brand(*words, "loss.penalties.r1.every=3")
    fit(module, data_of(), tmp_path, 2, watch)
    assert ["d_r1" in terms for terms in watch.terms] == [i % 3 == 0 for i in range(8)]
    real, fake = torch.randn(2, 3, 32, 56), torch.randn(2, 3, 32, 56)
    label = torch.tensor([0, 1])
    module.discriminator.eval()
    due, terms, _ = module._critic(real, fake, label, 3)
    torch.testing.assert_close(due, terms["adversarial"] + 2 * 3 * terms["r1"])
    other, _, _ = module._critic(real, fake, label, 4)
    torch.testing.assert_close(other, terms["adversarial"])


@pytest.mark.parametrize("head", ["embedding", "projection"])
def test_the_slope_written_out_is_the_slope_differentiated(head: str) -> None:
    module = brand(f"arch.head={head}", "arch.input_noise=0").double()
    penalties = {"gradient": GradientPenalty(3.0), "r1": R1(2.0, 1), "r2": R2(1.0, 1)}
    weights = {"adversarial": 1.0, "auxiliary": 0.0, "redraw": 0.0}
    real, fake = torch.randn(2, 3, 3, 32, 56, dtype=torch.float64).unbind()
    label = torch.tensor([0, 1, 5])
    module.discriminator.eval()
    outcomes = []
    for written_out in (True, False):
        critic = CriticObjective(
            module.discriminator, Hinge(), weights, penalties, torch.tanh, compiled=False
        )
        assert critic._written_out
        critic._written_out = written_out
        torch.manual_seed(1)
        loss, terms, _ = critic(real, fake, label, 0)
        parameters = list(module.discriminator.parameters())
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        outcomes.append((loss, terms, [g for g in gradients if g is not None]))
    torch.testing.assert_close(outcomes[0], outcomes[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("experiment", ["dcgan_upsample", "fewshot"])
def test_penalties_hold_for_networks_with_batch_norm_too(experiment: str, tmp_path: Path) -> None:
    words = ("loss.penalties.gradient.weight=1", "loss.penalties.r2.weight=1", "data.size=[32,56]")
    watch = Watch()
    fit(module_of(experiment, *words), data_of(), tmp_path, 1, watch)
    assert {"d_gradient", "d_r2"} <= watch.terms[0].keys()
    assert all(torch.isfinite(value) for terms in watch.terms for value in terms.values())


@pytest.mark.parametrize("encoding", ["rgb", "classes"])
def test_part_maps_are_drawn_as_palette_pictures(encoding: str, tmp_path: Path) -> None:
    module = module_of("dcgan_upsample", "data.size=[32,56]", f"arch.map_encoding={encoding}")
    data = data_of()
    fit(module, data, tmp_path, 1)
    batch = next(iter(data.val_dataloader()))
    repainted = module.on_after_batch_transfer(batch, 0)
    drawn = to_uint8(module.generate(repainted))
    palette = {tuple(colour) for colour in drawn.permute(0, 2, 3, 1).reshape(-1, 3).tolist()}
    from carsynth.labels import PALETTE

    known = {tuple(colour) for colour in PALETTE.tolist()}
    assert palette <= known
    real = {tuple(c) for c in repainted.photo.permute(0, 2, 3, 1).reshape(-1, 3).tolist()}
    assert real <= known
    assert len(real) > 5


def test_classes_told_apart_by_an_auxiliary_classifier_are_drawn_apart(tmp_path: Path) -> None:
    words = ("data.size=[16,16]", "arch.map_encoding=photo", "arch.latent=[[0,8]]", "optim.lr=1e-3")
    words = (*words, "optim.lr_d=1e-3", "data.batch_size=16", "arch.width=8")
    source = Corners(240)
    module = module_of("acgan_views", *words, classes=source.classes)
    fit(module, data_of(source, (16, 16), 16), tmp_path, 25)

    labels = torch.arange(4).repeat_interleave(50)
    drawn = module.paint(module.latents(200, torch.Generator().manual_seed(2)), labels).photo
    grey = drawn.mean(1)
    quarters = [grey[:, r, c].mean((1, 2)) for r in _halves(16) for c in _halves(16)]
    told = torch.stack(quarters, 1).argmax(1)
    assert float((told == labels).float().mean()) > 0.9
    assert float(drawn[labels == 0].std(0).mean()) > 0  # and not one picture a class


def _halves(size: int) -> tuple[slice, slice]:
    return slice(0, size // 2), slice(size // 2, size)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("arch.conditional=false",), "arch.head=embedding"),
        (("arch.latent=[[0,20],[3,10]]",), "shrinks from 20 to 10 at epoch 3"),
        (("arch.latent=[[1,20]]",), "from epoch 0 on"),
        (("arch.d_steps=0",), "arch.d_steps=0"),
        (("arch.d_steps=2", "optim.accumulate=2"), "optim.accumulate=1"),
        (("arch.map_encoding=rgb",), "arch.diffaug.colour=false"),
        (("data.size=[32,57]",), "the nearest that fit"),
        (("data.size=[31,56]",), "31x56"),
        (("arch.diffaug.cutout=2",), "diffaug.cutout=2"),
        (("loss=wgan", "loss.penalties.gradient.weight=0"), "loss.penalties.gradient.weight=5"),
        (("loss.weights.auxiliary=1", "arch.conditional=false", "arch.head=plain"), "conditional"),
        (
            (
                "arch.adaptive_target=0.6",
                "arch.diffaug.colour=false",
                "arch.diffaug.translation=0",
                "arch.diffaug.cutout=0",
            ),
            "arch.adaptive_target",
        ),
    ],
)
def test_what_does_not_go_together_is_said(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(Exception) as caught:
        brand(*words)
    cause: BaseException | None = caught.value
    while cause is not None and not isinstance(cause, UserError):
        cause = cause.__cause__
    assert isinstance(cause, UserError), caught.value
    assert said in str(cause)
    assert "\n" not in str(cause)


def test_one_class_is_too_few_to_draw_by() -> None:
    with pytest.raises(Exception, match="two classes or more"):
        module_of("carbrand", "data.size=[32,56]", classes=("car",))


class FusedAttention(torch.nn.Module):
    """Attention by a kernel that has a first derivative and no second."""

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(2).transpose(1, 2).unsqueeze(1)
        seen = torch.nn.functional.scaled_dot_product_attention(rows, rows, rows)
        return x + seen.squeeze(1).transpose(1, 2).reshape(x.shape)


def test_a_layer_that_cannot_be_differentiated_twice_is_said_before_training(
    tmp_path: Path,
) -> None:
    def with_fused(*words: str) -> Any:
        module = brand("arch.attention=true", *words)
        module.discriminator.attention = FusedAttention()
        return module

    with pytest.raises(UserError, match=r"loss.penalties.gradient .* arch.attention=false"):
        fit(with_fused(), data_of(), tmp_path, 1)
    fit(with_fused("loss.penalties.gradient.weight=0"), data_of(), tmp_path, 1)


def test_attention_goes_with_penalties(tmp_path: Path) -> None:
    watch = Watch()
    fit(brand("arch.attention=true"), data_of(), tmp_path, 1, watch)
    assert all(torch.isfinite(terms["d_gradient"]) for terms in watch.terms)


@pytest.mark.slow
def test_the_compiled_step_is_the_step(tmp_path: Path) -> None:
    still = ("arch.input_noise=0", "arch.diffaug.colour=false", "arch.diffaug.translation=0")
    still = (*still, "arch.diffaug.cutout=0", "loss.penalties.gradient.weight=0")
    still = (*still, "loss.penalties.r1.weight=1", "loss.penalties.r1.every=1", "arch.d_steps=1")
    eager, compiled = brand(*still).double(), brand(*still, "compile=true").double()
    for number, module in enumerate((eager, compiled)):
        fit(module, data_of(), tmp_path / str(number), 1, limit_train_batches=2)
    for name, tensor in eager.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[name], tensor, rtol=0, atol=1e-10)
