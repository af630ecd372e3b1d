"""The order of samples, over epochs and ranks."""

import pytest

from carsynth.data.sampler import Draw, EvaluationSampler, TrainSampler


def batches(
    samples: int, size: int, rank: int = 0, world: int = 1, epoch: int = 0
) -> list[set[Draw]]:
    sampler = TrainSampler(samples, size, seed=7, rank=rank, world=world)
    sampler.set_epoch(epoch)
    draws = list(sampler)
    assert len(draws) == len(sampler)
    assert all(drawn_for == epoch for _, drawn_for in draws)
    return [set(draws[i : i + size]) for i in range(0, len(draws), size)]


@pytest.mark.parametrize("samples", [32, 37, 39])
@pytest.mark.parametrize("epoch", [0, 3])
def test_ranks_share_the_batches_of_one_process(samples: int, epoch: int) -> None:
    whole = batches(samples, 8, epoch=epoch)
    first, second = (batches(samples, 4, rank, 2, epoch) for rank in range(2))
    assert len(first) == len(second) == len(whole) == 4
    for one, other, both in zip(first, second, whole, strict=True):
        assert one | other == both
        assert not one & other
    drawn = [index for batch in whole for index, _ in batch]
    assert len(drawn) == len(set(drawn)) == 32


def test_every_epoch_has_its_own_order() -> None:
    assert batches(32, 8) == batches(32, 8)
    orders = [[{i for i, _ in batch} for batch in batches(32, 8, epoch=e)] for e in range(3)]
    assert orders[0] != orders[1] != orders[2]


def test_skipping_leaves_the_rest_as_it_is() -> None:
    sampler = TrainSampler(37, 4, seed=7, rank=1, world=2)
    whole = list(sampler)
    sampler.skip(3)
    assert list(sampler) == whole[12:]
    assert list(sampler) == whole
    sampler.skip(4)
    assert list(sampler) == []


def test_evaluation_takes_each_sample_once() -> None:
    shares = [[index for index, _ in EvaluationSampler(10, rank, 3)] for rank in range(3)]
    assert shares == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]
    assert [len(EvaluationSampler(10, rank, 3)) for rank in range(3)] == [4, 3, 3]
