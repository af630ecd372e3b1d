"""Constant, then linear to zero: pix2pixHD's rates, epoch by epoch."""

import io

import pytest
import torch
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR

from carsynth.errors import UserError
from carsynth.modules.schedules import constant_then_linear

RATE = 2e-4


def start(total: int, fraction: float = 0.5) -> tuple[Adam, LambdaLR]:
    weight = torch.nn.Parameter(torch.ones(1))
    weight.grad = torch.ones(1)
    optimizer = Adam([weight], lr=RATE, betas=(0.5, 0.999))
    return optimizer, constant_then_linear(optimizer, total, fraction)


def factors(optimizer: Adam, schedule: LambdaLR, epochs: int) -> list[float]:
    """Rate of each epoch over the optimiser's own."""
    seen = []
    for _ in range(epochs):
        seen.append(optimizer.param_groups[0]["lr"] / RATE)
        optimizer.step()
        schedule.step()
    return seen


def test_the_published_two_hundred_epochs() -> None:
    rates = factors(*start(200), 202)
    assert rates[:101] == [1.0] * 101
    assert rates[101:200] == pytest.approx([1 - k / 100 for k in range(1, 100)])
    assert rates[199] == pytest.approx(0.01)
    assert rates[200:] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("total", "fraction", "expected"),
    [
        (1, 0.5, [1.0]),
        (2, 0.5, [1.0, 1.0]),
        (4, 0.5, [1.0, 1.0, 1.0, 0.5]),
        (4, 0.0, [1.0, 0.75, 0.5, 0.25]),
        (3, 1.0, [1.0, 1.0, 1.0]),
    ],
)
def test_short_runs(total: int, fraction: float, expected: list[float]) -> None:
    rates = factors(*start(total, fraction), total + 2)
    assert rates[:total] == pytest.approx(expected)
    assert min(rates) >= 0.0
    assert rates[-1] == 0.0


def resume(optimizer: Adam, schedule: LambdaLR, total: int) -> tuple[Adam, LambdaLR]:
    """The same, of a run of ``total`` epochs, by way of a file."""
    buffer = io.BytesIO()
    torch.save([optimizer.state_dict(), schedule.state_dict()], buffer)
    buffer.seek(0)
    saved = torch.load(buffer, weights_only=True)
    optimizer, schedule = start(total)
    optimizer.load_state_dict(saved[0])
    schedule.load_state_dict(saved[1])
    return optimizer, schedule


def test_a_resumed_run_goes_on_alike() -> None:
    optimizer, schedule = start(10)
    rates = factors(optimizer, schedule, 7)
    rates += factors(*resume(optimizer, schedule, 10), 3)
    assert rates == pytest.approx(factors(*start(10), 10))


def test_a_run_resumed_to_last_longer_follows_its_new_line() -> None:
    optimizer, schedule = start(10)
    factors(optimizer, schedule, 7)
    longer = factors(*resume(optimizer, schedule, 20), 13)
    # The rate at hand is the optimiser's; the line takes hold with the first step of the schedule.
    assert longer[1:] == pytest.approx(factors(*start(20), 20)[8:])


def test_what_has_no_end_is_refused() -> None:
    with pytest.raises(UserError, match=r"trainer\.max_epochs=-1"):
        start(-1)
    with pytest.raises(ValueError, match=r"1\.5"):
        start(10, 1.5)
