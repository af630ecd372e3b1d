"""The history of fakes: what comes back, with what it belongs to, and after a resume."""

import io

import pytest
import torch
from torch import Tensor

from carsynth.modules.image_pool import ImagePool


def fakes(*numbers: int) -> tuple[Tensor, Tensor]:
    """Integer conditions (B, 2, 2) and photos (B, 3, 2, 2), each full of its number."""
    number = torch.tensor(numbers)
    condition = number.view(-1, 1, 1).expand(-1, 2, 2).clone()
    photo = number.float().view(-1, 1, 1, 1).expand(-1, 3, 2, 2).clone().requires_grad_()
    return condition, photo


def numbers(pair: tuple[Tensor, Tensor]) -> list[int]:
    """The numbers that came back; condition and photo must agree on them everywhere."""
    condition, photo = pair
    assert condition.shape[1:] == (2, 2)
    assert photo.shape[1:] == (3, 2, 2)
    assert condition.dtype == torch.int64
    assert not photo.requires_grad
    assert torch.equal(condition[:, None].float().expand_as(photo), photo)
    return [int(value) for value in condition[:, 0, 0]]


def test_off() -> None:
    condition, photo = fakes(1, 2)
    returned = ImagePool(0).query(condition, photo)
    assert returned[0] is condition
    assert returned[1] is photo


def test_a_pool_that_is_not_full_returns_what_it_stores() -> None:
    pool = ImagePool(4)
    assert numbers(pool.query(*fakes(0, 1, 2))) == [0, 1, 2]
    assert pool.state_dict()["photos"][:, 0, 0, 0].tolist() == [0, 1, 2]


def test_a_full_pool_gives_back_half_from_the_past_each_once() -> None:
    pool = ImagePool(10)
    given = list(range(2000))
    returned = [n for i in given[::4] for n in numbers(pool.query(*fakes(*range(i, i + 4))))]
    assert returned[:10] == given[:10]
    late, old = given[10:], [r for g, r in zip(given, returned, strict=True) if r != g]
    assert len(old) == pytest.approx(len(late) / 2, abs=120)
    assert all(r < g for g, r in zip(given, returned, strict=True) if r != g)
    # The first ten were handed back as they were stored; beyond those nothing comes back twice
    # but what was stored, and what has been taken out never does.
    assert len(set(old)) == len(old)
    held = pool.state_dict()["photos"][:, 0, 0, 0].int().tolist()
    assert len(held) == 10
    assert set(held).isdisjoint(old)


def test_what_is_held_is_a_copy() -> None:
    pool = ImagePool(1)
    condition, photo = fakes(7)
    pool.query(condition, photo)
    condition.zero_()
    photo.data.zero_()
    assert pool.state_dict()["photos"].unique().item() == 7
    assert pool.state_dict()["conditions"].unique().item() == 7


def test_resumed_it_goes_on_alike_and_leaves_the_runs_numbers_alone() -> None:
    pool = ImagePool(3, seed=5)
    state = torch.get_rng_state()
    for i in range(0, 12, 2):
        pool.query(*fakes(i, i + 1))
    assert torch.equal(torch.get_rng_state(), state)
    buffer = io.BytesIO()
    torch.save(pool.state_dict(), buffer)
    buffer.seek(0)
    resumed = ImagePool(3)
    resumed.load_state_dict(torch.load(buffer, weights_only=True))
    for i in range(12, 40, 2):
        assert numbers(resumed.query(*fakes(i, i + 1))) == numbers(pool.query(*fakes(i, i + 1)))


@pytest.mark.parametrize(("size", "held"), [(2, [0, 1]), (5, [0, 1, 2])])
def test_resumed_at_another_size(size: int, held: list[int]) -> None:
    pool = ImagePool(3)
    pool.query(*fakes(0, 1, 2))
    other = ImagePool(size)
    other.load_state_dict(pool.state_dict())
    assert other.state_dict()["photos"][:, 0, 0, 0].tolist() == held
    for i in range(8, 40, 2):
        other.query(*fakes(i, i + 1))
    assert len(other.state_dict()["photos"]) == size


def test_an_empty_pool_round_trips() -> None:
    pool = ImagePool(2)
    pool.load_state_dict(ImagePool(2).state_dict())
    assert numbers(pool.query(*fakes(3))) == [3]


def test_a_negative_size() -> None:
    with pytest.raises(ValueError, match="-1"):
        ImagePool(-1)
