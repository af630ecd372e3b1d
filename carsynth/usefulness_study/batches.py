"""A training's batches: as many as it has steps, whatever it draws from."""

from collections.abc import Iterator, Sequence
from itertools import count

from carsynth.data.batch import CarBatch
from carsynth.data.loader import ResumableLoader


class StepBatches:
    """Exactly ``steps`` times the next batch of every loader.

    A loader that comes to its end goes on with its own next epoch, in a new order and newly
    augmented, so that small sets come round more often than large ones.
    """

    def __init__(self, loaders: Sequence[ResumableLoader], steps: int) -> None:
        self._loaders = loaders
        self._steps = steps

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[CarBatch]]:
        streams = [_endless(loader) for loader in self._loaders]
        for _ in range(self._steps):
            yield [next(stream) for stream in streams]


def _endless(loader: ResumableLoader) -> Iterator[CarBatch]:
    for epoch in count():
        loader.sampler.set_epoch(epoch)
        yield from loader
