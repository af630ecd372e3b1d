"""Batches from a store, and a loader that goes on where a broken epoch stopped."""

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from carsynth.data.batch import CarBatch, CarSample
from carsynth.data.sampler import Draw, TrainSampler
from carsynth.data.store import Store
from carsynth.data.transforms import Augmentation


class CachedCars(Dataset[CarSample]):
    """The samples in some rows of a store, augmented anew for each epoch or not at all."""

    def __init__(
        self, store: Store, rows: Sequence[int], augmentation: Augmentation | None = None
    ) -> None:
        self._store = store
        self._rows = torch.tensor(rows, dtype=torch.int64)
        self._augmentation = augmentation

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, draw: Draw) -> CarSample:
        index, epoch = draw
        row = int(self._rows[index])
        sample = CarSample(
            self._store.photos[row].numpy(),
            self._store.part_maps[row].numpy(),
            int(self._store.labels[row]),
        )
        return sample if self._augmentation is None else self._augmentation(sample, epoch, index)

    def __getitems__(self, draws: Sequence[Draw]) -> CarBatch:
        """A whole batch at once, which is how a loader asks for it."""
        if self._augmentation is None:
            rows = self._rows[[index for index, _ in draws]]
            store = self._store
            return _batch(store.photos[rows], store.part_maps[rows], store.labels[rows])
        samples = [self[draw] for draw in draws]
        return _batch(
            torch.stack([torch.from_numpy(sample.photo) for sample in samples]),
            torch.stack([torch.from_numpy(sample.part_map) for sample in samples]),
            torch.tensor([sample.label for sample in samples]),
        )


def _batch(photos: Tensor, part_maps: Tensor, labels: Tensor) -> CarBatch:
    return CarBatch(photos.permute(0, 3, 1, 2).contiguous(), part_maps.long(), labels)


class ResumableLoader(DataLoader[CarSample]):
    """A training loader whose place in an epoch can be saved and taken up again.

    Its sampler is a :class:`TrainSampler`. Nothing is drawn before the first batch is asked for,
    so that an epoch set until then counts, whatever the number of workers.
    """

    sampler: TrainSampler
    _epoch = -1
    _given = 0  # batches handed out in that epoch, those before a resumption included
    _resuming = False

    def __iter__(self) -> Iterator[CarBatch]:  # type: ignore[override]
        if not (self._resuming and self._epoch == self.sampler.epoch):
            self._epoch, self._given = self.sampler.epoch, 0
        self._resuming = False
        self.sampler.skip(self._given)
        for batch in super().__iter__():
            self._given += 1
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands, as plain integers; the same on every rank."""
        return {"epoch": self._epoch, "given": self._given}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the batches that were given, if the next iteration is of the same epoch."""
        self._epoch, self._given, self._resuming = state["epoch"], state["given"], True


def as_is(batch: CarBatch) -> CarBatch:
    """The collation of :class:`CachedCars`, which hands over whole batches."""
    return batch


def quieten_worker(_: int) -> None:
    """Keep OpenCV's threads out of a worker: a forked pool of them can hang."""
    cv2.setNumThreads(0)
