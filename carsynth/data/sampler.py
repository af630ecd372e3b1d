"""In which order samples come, on one process as on many."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

Draw = tuple[int, int]
"""Index of a sample in its split, and the epoch it is drawn for."""


class TrainSampler(Sampler[Draw]):
    """A fresh order for every epoch: a function of seed, epoch, rank and world size alone.

    The k-th batches of all ranks make up the k-th batch of a single process whose batches are
    ``world`` times as large. Samples beyond the last whole batch of all ranks sit the epoch out.

    Args:
        samples: how many there are; ``batch_size * world`` at least.
        batch_size: of one rank.
        seed: 0 or more.
        groups: a number for each sample; groups then come up equally often in an epoch, but for one
            draw, and the members of a group in turn. None draws each sample once.
    """

    def __init__(
        self,
        samples: int,
        batch_size: int,
        seed: int,
        rank: int,
        world: int,
        groups: Sequence[int] | None = None,
    ) -> None:
        self._samples = samples
        self._groups = None if groups is None else np.asarray(groups)
        self._batch_size = batch_size
        self._seed = seed
        self._rank = rank
        self._world = world
        self._skipped = 0
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next iteration; Lightning does so from ``trainer.current_epoch``."""
        self.epoch = epoch

    def skip(self, batches: int) -> None:
        """Leave out the first batches of the next iteration, and of that one only."""
        self._skipped = batches

    def __iter__(self) -> Iterator[Draw]:
        random = np.random.default_rng([self._seed, self.epoch])
        order = random.permutation(self._samples)
        if self._groups is not None:
            order = _balanced(order, self._groups, len(self) * self._world, random)
        batches = len(self) // self._batch_size
        ranks = order[: len(self) * self._world].reshape(batches, self._world, self._batch_size)
        mine = ranks[self._skipped :, self._rank].ravel()
        self._skipped = 0
        epoch = self.epoch
        return ((int(index), epoch) for index in mine)

    def __len__(self) -> int:
        return self._samples // (self._batch_size * self._world) * self._batch_size


def _balanced(
    order: NDArray[np.int64], groups: NDArray[np.int64], draws: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """So many draws, shared out over the groups, shuffled.

    A group's members are taken in their order, again from the first where there are too few. The
    shares differ by one at most; which groups get one more is drawn.
    """
    present = random.permutation(np.unique(groups))
    shares = np.full(len(present), draws // len(present))
    shares[: draws % len(present)] += 1
    drawn = [
        np.resize(order[groups[order] == group], share)
        for group, share in zip(present, shares, strict=True)
    ]
    return random.permutation(np.concatenate(drawn))


class EvaluationSampler(Sampler[Draw]):
    """Every sample once, in order: rank r takes r, r + world, and so on, without padding."""

    def __init__(self, samples: int, rank: int, world: int) -> None:
        self._indices = range(rank, samples, world)

    def __iter__(self) -> Iterator[Draw]:
        return ((index, 0) for index in self._indices)

    def __len__(self) -> int:
        return len(self._indices)
