"""In which order samples come, on one process as on many."""

from collections.abc import Iterator

import numpy as np
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
    """

    def __init__(self, samples: int, batch_size: int, seed: int, rank: int, world: int) -> None:
        self._samples = samples
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
        order = np.random.default_rng([self._seed, self.epoch]).permutation(self._samples)
        batches = len(self) // self._batch_size
        ranks = order[: len(self) * self._world].reshape(batches, self._world, self._batch_size)
        mine = ranks[self._skipped :, self._rank].ravel()
        self._skipped = 0
        epoch = self.epoch
        return ((int(index), epoch) for index in mine)

    def __len__(self) -> int:
        return self._samples // (self._batch_size * self._world) * self._batch_size


class EvaluationSampler(Sampler[Draw]):
    """Every sample once, in order: rank r takes r, r + world, and so on, without padding."""

    def __init__(self, samples: int, rank: int, world: int) -> None:
        self._indices = range(rank, samples, world)

    def __iter__(self) -> Iterator[Draw]:
        return ((index, 0) for index in self._indices)

    def __len__(self) -> int:
        return len(self._indices)
