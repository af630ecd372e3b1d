"""Training draws balanced over classes and views."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from carsynth.data.batch import CarBatch, CarSample
from carsynth.data.datamodule import CarDataModule
from carsynth.data.sampler import TrainSampler
from carsynth.data.toycars import ToyCars
from carsynth.errors import UserError
from carsynth.labels import NUM_PARTS, view_of_part_map

SIZE = (32, 48)


class Unequal:
    """Toy cars of which few are of a class, each photo told apart by its first pixel."""

    def __init__(self, length: int = 47, with_maps: bool = True) -> None:
        toys = ToyCars(4 * length, seed=1, label="view")
        cars = [toys.draw(index, SIZE) for index in range(4 * length)]
        rare = [car for car in cars if car.view == 0][:3]
        often = [car for car in cars if car.view != 0][: length - len(rare)]
        self._cars = rare + often
        self._with_maps = with_maps
        self.classes, self.class_twins = toys.classes, toys.class_twins
        self.names = tuple(f"car-{index}" for index in range(length))

    def read(self, index: int, size: tuple[int, int]) -> CarSample:
        car = self._cars[index]
        photo = car.photo.copy()
        photo[0, 0] = index
        part_map = car.part_map if self._with_maps else np.zeros_like(car.part_map)
        return CarSample(photo, part_map, car.view)


@pytest.fixture(scope="module")
def source() -> Unequal:
    return Unequal()


def epoch_of(
    source: Any,
    balance: str | None,
    batch_size: int = 5,
    epoch: int = 0,
    rank: int = 0,
    world: int = 1,
    seed: int = 0,
) -> list[CarBatch]:
    data = CarDataModule(
        source, SIZE, batch_size, balance=balance, fractions=(1.0, 0.0, 0.0), seed=seed
    )
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        global_rank=rank, world_size=world, overfit_batches=0
    )
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    batches = list(loader)
    assert len(batches) == len(loader) == 47 // (batch_size * world)
    return batches


def groups(batches: list[CarBatch], balance: str) -> Counter[int]:
    if balance == "class":
        return Counter(torch.cat([batch.label for batch in batches]).tolist())
    maps = torch.cat([batch.part_map for batch in batches])
    assert maps.max() < NUM_PARTS
    return Counter(view_of_part_map(one.numpy()) for one in maps)


def numbers(batches: list[CarBatch]) -> list[int]:
    return torch.cat([batch.photo[:, 0, 0, 0] for batch in batches]).tolist()  # type: ignore[no-any-return]


def spread(counts: Counter[int]) -> int:
    assert len(counts) == 4
    return max(counts.values()) - min(counts.values())


@pytest.mark.parametrize("balance", ["class", "view"])
def test_an_epoch_has_each_group_equally_often(source: Unequal, balance: str) -> None:
    assert spread(groups(epoch_of(source, None), balance)) > 8
    for epoch in range(6):
        batches = epoch_of(source, balance, epoch=epoch)
        counts = groups(batches, balance)
        assert counts.total() == 45
        assert spread(counts) <= 1
        drawn = Counter(numbers(batches))
        often = [count for number, count in drawn.items() if number >= 3]
        if balance == "class":
            rare = [drawn[number] for number in range(3)]
            assert max(rare) - min(rare) <= 1  # the members of a group in turn
            assert min(rare) >= 3
            assert max(often) == 1


@pytest.mark.parametrize("balance", ["class", "view"])
def test_over_all_ranks_together(source: Unequal, balance: str) -> None:
    for epoch in range(4):
        whole = epoch_of(source, balance, 6, epoch)
        parts = [epoch_of(source, balance, 2, epoch, rank, 3) for rank in range(3)]
        together = groups([batch for part in parts for batch in part], balance)
        assert together.total() == 42
        assert spread(together) <= 1
        for batch, *shares in zip(whole, *parts, strict=True):
            assert sorted(numbers([batch])) == sorted(numbers(shares))


def test_which_groups_come_once_more_is_drawn(source: Unequal) -> None:
    more = set()
    for epoch in range(12):
        counts = groups(epoch_of(source, "class", epoch=epoch), "class")  # 45 = 4 * 11 + 1
        more |= {group for group, count in counts.items() if count == 12}
    assert len(more) > 1


def test_the_order_is_of_seed_and_epoch(source: Unequal) -> None:
    orders = {
        (seed, epoch): numbers(epoch_of(source, "class", seed=seed, epoch=epoch))
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    for (seed, epoch), order in orders.items():
        assert order == numbers(epoch_of(source, "class", seed=seed, epoch=epoch))
    assert len({tuple(order) for order in orders.values()}) == 4
    labels = torch.cat([batch.label for batch in epoch_of(source, "class")])
    assert (labels[1:] == labels[:-1]).double().mean().item() < 0.5  # groups are mixed


def test_makes_of_drawn_cars() -> None:
    toys = ToyCars(60)
    data = CarDataModule(toys, SIZE, 10, balance="class", fractions=(0.8, 0.1, 0.1))
    data.setup("fit")
    counts = Counter(torch.cat([batch.label for batch in data.train_dataloader()]).tolist())
    assert len(counts) == len(toys.classes)
    assert set(counts.values()) == {5}  # 40 draws of 8 makes
    plain = torch.cat([batch.label for batch in data.split_dataloader("validation")])
    assert len(plain) == 6  # validation is never balanced


def test_views_without_maps_are_a_users_mistake() -> None:
    source = Unequal(with_maps=False)
    with pytest.raises(UserError) as caught:
        epoch_of(source, "view")
    message = str(caught.value)
    assert "data.balance=view needs part maps" in message
    assert "data.balance=class" in message
    assert "\n" not in message
    assert spread(groups(epoch_of(source, "class"), "class")) <= 1


def test_any_other_balance_is_a_users_mistake() -> None:
    with pytest.raises(UserError, match="balance=colour is unknown: choose class or view, or null"):
        CarDataModule(ToyCars(8), SIZE, 2, balance="colour")


@pytest.mark.parametrize(("draws", "groups_of"), [(40, 7), (3, 5)])
def test_groups_that_do_not_divide_the_draws(draws: int, groups_of: int) -> None:
    """Nor need all groups come up where there are more of them than draws."""
    labels = [index % groups_of * 10 for index in range(draws)]
    sampler = TrainSampler(draws, 1, seed=0, rank=0, world=1, groups=labels)
    drawn = [index for index, _ in sampler]
    counts = Counter(labels[index] for index in drawn)
    assert len(drawn) == draws
    assert max(counts.values()) - min(counts.values()) <= 1


def test_skipping_leaves_the_rest_of_a_balanced_epoch_as_it_is() -> None:
    sampler = TrainSampler(20, 4, seed=7, rank=0, world=1, groups=[0] * 15 + [1] * 5)
    whole = list(sampler)
    sampler.skip(3)
    assert list(sampler) == whole[12:]
