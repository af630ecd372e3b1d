"""Which entries of a latent are alive when."""

from typing import Any

import pytest
import torch

from carsynth.errors import UserError
from carsynth.modules.growth import LatentGrowth, held


def test_the_published_schedule() -> None:
    growth = LatentGrowth([[0, 100], [200, 200], [300, 300]])
    assert growth.full == 300
    epochs = (0, 1, 199, 200, 299, 300, 10_000)
    assert [growth.alive(epoch) for epoch in epochs] == [100, 100, 100, 200, 200, 300, 300]


def test_a_schedule_may_stand_still_and_come_in_any_order() -> None:
    growth = LatentGrowth(((5, 20), (0, 10), (9, 20)))
    assert [growth.alive(epoch) for epoch in (0, 4, 5, 9)] == [10, 10, 20, 20]
    assert growth.full == 20
    assert LatentGrowth([[0, 64]]).alive(3) == LatentGrowth([[0, 64]]).full == 64


@pytest.mark.parametrize(
    ("schedule", "mistake"),
    [
        ([[0, 200], [100, 100]], "shrinks from 200 to 100 at epoch 100"),
        ([[0, 10], [5, 30], [7, 20]], "shrinks from 30 to 20 at epoch 7"),
        ([[0, 100], [0, 50]], "names epoch 0 twice"),
        ([[0, 10], [5, 20], [5, 20]], "names epoch 5 twice"),
        ([[10, 100]], "from epoch 0 on"),
        ([[-1, 100]], "from epoch 0 on"),
        ([], "from epoch 0 on"),
        ([[0, 0]], "1 or more"),
        ([100, 200], "pairs of an epoch and a length"),
        ([[0, 100, 200]], "pairs of an epoch and a length"),
        ([["zero", 100]], "pairs of an epoch and a length"),
        (100, "arch.latent=100: give pairs of an epoch and a length"),
        (None, "pairs of an epoch and a length"),
    ],
)
def test_schedules_that_are_a_users_mistake(schedule: Any, mistake: str) -> None:
    with pytest.raises(UserError) as caught:
        LatentGrowth(schedule)
    message = str(caught.value)
    assert mistake in message
    assert message.startswith("arch.latent=")
    assert "\n" not in message


def test_held_entries_are_zero() -> None:
    latent = torch.arange(1.0, 9.0).view(2, 4)
    assert held(latent, torch.tensor(3)).tolist() == [[1, 2, 3, 0], [5, 6, 7, 0]]
    assert torch.equal(held(latent, torch.tensor(4)), latent)
    assert held(latent.bfloat16(), torch.tensor(1)).dtype == torch.bfloat16
