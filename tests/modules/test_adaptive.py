"""How the chance of a change follows D's sureness."""

import pytest
import torch
from torch import Tensor

from carsynth.modules.adaptive import AdaptiveChance


def logits(positive: int, negative: int) -> Tensor:
    return torch.tensor([3.0] * positive + [-0.1] * negative)


def test_steps_worked_out_by_hand() -> None:
    adaptive = AdaptiveChance(target=0.5, photos=100, interval=2)
    course = []
    for positive, negative in [
        (5, 0),  # nothing before the interval is over
        (4, 1),  # r = (9 - 1) / 10 = 0.8: 10 photos of 100 up
        (10, 0),
        (9, 1),  # r = (19 - 1) / 20 = 0.9: 20 of 100 up
        (3, 1),
        (3, 1),  # r = 0.5, the target: stays
        (2, 2),
        (3, 1),  # r = (5 - 3) / 8 = 0.25: 8 of 100 down
    ]:
        adaptive.watch(logits(positive, negative))
        course.append(adaptive.chance.item())
    assert course == pytest.approx([0, 0.1, 0.1, 0.3, 0.3, 0.3, 0.3, 0.22])


def test_r_is_of_signs_not_of_sizes() -> None:
    adaptive = AdaptiveChance(target=0.0, photos=100, interval=1)
    adaptive.chance.fill_(0.5)
    adaptive.watch(torch.tensor([90.0, -1.0, -1.0, 0.0]))  # r = -1/4, 0 has no sign
    assert adaptive.chance.item() == pytest.approx(0.46)


def test_an_old_interval_does_not_count_again() -> None:
    adaptive = AdaptiveChance(target=0.5, photos=100, interval=2)
    for _ in range(2):
        adaptive.watch(logits(10, 0))
    for _ in range(2):
        adaptive.watch(logits(5, 5))
    assert adaptive.chance.item() == pytest.approx(0.0)


def test_the_chance_stays_within_0_and_1() -> None:
    adaptive = AdaptiveChance(photos=30, interval=1)
    sure, deceived = logits(20, 0), logits(0, 20)
    for signs, expected in [
        (deceived, 0.0),
        (sure, 2 / 3),
        (sure, 1.0),
        (sure, 1.0),
        (deceived, 1 / 3),
        (deceived, 0.0),
    ]:
        adaptive.watch(signs)
        assert adaptive.chance.item() == pytest.approx(expected)


def test_the_published_settings() -> None:
    adaptive = AdaptiveChance()
    for _ in range(4):
        assert adaptive.chance.item() == 0.0
        adaptive.watch(logits(85, 15))  # r = 0.7, above 0.6
    assert adaptive.chance.item() == pytest.approx(400 / 500_000)
    for _ in range(4):
        adaptive.watch(logits(75, 25))  # r = 0.5
    assert adaptive.chance.item() == pytest.approx(0.0)


def test_it_goes_on_where_a_checkpoint_stopped() -> None:
    straight = AdaptiveChance(target=0.5, photos=100, interval=3)
    for _ in range(4):
        straight.watch(logits(6, 1))
    resumed = AdaptiveChance(target=0.5, photos=100, interval=3)
    resumed.load_state_dict(straight.state_dict())
    assert resumed.chance.item() == pytest.approx(0.21)
    for adaptive in (straight, resumed):
        for _ in range(2):
            adaptive.watch(logits(6, 1).requires_grad_())
    assert resumed.chance.item() == straight.chance.item() == pytest.approx(0.42)
    assert not resumed.chance.requires_grad
