"""The two-player step in real fits."""

from functools import partial
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy
from torch import Tensor

from carsynth.errors import UserError
from carsynth.modules.schedules import constant_then_linear
from carsynth.modules.strategy import PlayerDDPStrategy, check_strategy
from tests.modules.tiny import TinyGan, batches, fit


def assert_equal_weights(ours: dict[str, Tensor], theirs: dict[str, Tensor], atol: float) -> None:
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=atol, msg=name)


def test_one_turn_each_equals_two_plain_optimisers(tmp_path: Path) -> None:
    trained = TinyGan().double()
    fit(trained, batches(count=3, batch_size=4), tmp_path)

    plain = TinyGan().double()
    optimizer_g = torch.optim.Adam(plain.generator.parameters(), lr=1e-2, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(plain.discriminator.parameters(), lr=1e-2, betas=(0.5, 0.999))
    for batch in batches(count=3, batch_size=4):
        real = (batch.photo.double() / 127.5 - 1).flatten(1)
        noise = torch.linspace(-1, 1, 5, dtype=torch.float64) * batch.label[:, None]
        optimizer_d.zero_grad()
        d = plain.discriminator
        fake = plain.generator(noise).detach()
        (0.5 * ((d(real) - 1).square().mean() + d(fake).square().mean())).backward()
        optimizer_d.step()
        optimizer_g.zero_grad()
        (d(plain.generator(noise)) - 1).square().mean().backward()
        optimizer_g.step()

    for player in ("generator", "discriminator"):
        ours = getattr(trained, player).state_dict()
        assert_equal_weights(ours, getattr(plain, player).state_dict(), atol=1e-14)


def test_accumulating_equals_the_joined_batch(tmp_path: Path) -> None:
    # D's step comes before G's forward only at a window's end, so hold D's rate at nearly nothing
    # for this comparison: then G's gradients in both halves meet the same D.
    def settings() -> TinyGan:
        still = partial(torch.optim.SGD, lr=1e-30)
        return TinyGan(optimizer_d=still, accumulate=2)

    halves = settings().double()
    fit(halves, batches(count=4, batch_size=4), tmp_path)
    joined = TinyGan(optimizer_d=partial(torch.optim.SGD, lr=1e-30)).double()
    fit(joined, batches(count=2, batch_size=8), tmp_path)

    assert_equal_weights(halves.generator.state_dict(), joined.generator.state_dict(), atol=1e-13)
    assert halves.seen == joined.seen == 16


def test_an_open_window_is_closed_by_the_epochs_end(tmp_path: Path) -> None:
    module = TinyGan(accumulate=2)
    trainer = fit(module, batches(count=3, batch_size=4), tmp_path)
    assert trainer.global_step == 4  # two windows, the second of one batch, two players
    assert all(parameter.grad is None for parameter in module.parameters())


def test_clipping_bounds_each_players_gradient(tmp_path: Path) -> None:
    rate, bound = 1.0, 1e-3
    plain = partial(torch.optim.SGD, lr=rate)
    module = TinyGan(optimizer_g=plain, optimizer_d=plain, clip_norm=bound).double()
    before = {name: weight.clone() for name, weight in module.state_dict().items()}
    fit(module, batches(count=1, batch_size=4), tmp_path)
    for player in ("generator", "discriminator"):
        moved = torch.cat(
            [
                (weight - before[name]).flatten()
                for name, weight in module.state_dict().items()
                if name.startswith(f"{player}.")
            ]
        )
        assert moved.norm().item() == pytest.approx(bound, rel=1e-3)


def test_the_average_follows_the_generator_as_computed_by_hand(tmp_path: Path) -> None:
    module = TinyGan(ema_decay=0.15).double()
    course: list[Tensor] = []
    module.generator[0].weight.register_post_accumulate_grad_hook(lambda _: None)
    step = torch.optim.Adam.step

    class Recording(torch.optim.Adam):
        def step(self, *args: object, **kwargs: object) -> None:  # type: ignore[override]
            step(self, *args, **kwargs)
            course.append(self.param_groups[0]["params"][0].detach().clone())

    module._optimizer_factories = (
        partial(Recording, lr=1e-2),
        module._optimizer_factories[1],
    )
    fit(module, batches(count=3, batch_size=4), tmp_path)

    # The first update copies; then the decay is min(0.15, (1 + n) / (10 + n)) for n = 1, 2.
    expected = course[0]
    for decay, weight in zip((0.15, 0.15), course[1:], strict=True):
        expected = decay * expected + (1 - decay) * weight
    averaged = module.generator_ema.module[0].weight
    torch.testing.assert_close(averaged, expected, rtol=0, atol=1e-14)
    assert not averaged.requires_grad


def test_going_on_from_an_epochs_end_equals_never_having_stopped(tmp_path: Path) -> None:
    def module() -> TinyGan:
        return TinyGan(scheduler=partial(constant_then_linear, constant_fraction=0.25)).double()

    straight = module()
    fit(straight, batches(count=3, batch_size=4), tmp_path / "straight", epochs=4)

    class StopAfterTwo(ModelCheckpoint):
        def on_train_epoch_end(self, trainer, module):  # type: ignore[no-untyped-def]
            super().on_train_epoch_end(trainer, module)
            trainer.should_stop = trainer.current_epoch == 1

    saver = StopAfterTwo(tmp_path, "last", save_on_train_epoch_end=True)
    fit(
        module(),
        batches(count=3, batch_size=4),
        tmp_path / "broken",
        epochs=4,
        enable_checkpointing=True,
        callbacks=[saver],
    )
    resumed = module()
    checkpoint = tmp_path / "last.ckpt"
    fit(resumed, batches(count=3, batch_size=4), tmp_path, epochs=4, ckpt_path=checkpoint)

    assert resumed.seen == straight.seen == 48
    assert_equal_weights(resumed.state_dict(), straight.state_dict(), atol=0)


def test_bf16_trains_in_half_and_keeps_float32_weights(tmp_path: Path) -> None:
    module = TinyGan()
    before = module.generator[0].weight.detach().clone()
    fit(module, batches(count=2, batch_size=4), tmp_path, precision="bf16-mixed")
    assert module.generator[0].weight.dtype == torch.float32
    assert not torch.equal(module.generator[0].weight, before)


def test_strategies_that_cannot_hold_two_players_are_refused_by_name() -> None:
    check_strategy(PlayerDDPStrategy())
    check_strategy(DDPStrategy(find_unused_parameters=True))
    with pytest.raises(UserError, match=r"DDPStrategy.*whose turn it is not.*trainer=cpu"):
        check_strategy(DDPStrategy())
    with pytest.raises(UserError, match=r"FSDPStrategy.*FSDP1"):
        check_strategy(FSDPStrategy())
