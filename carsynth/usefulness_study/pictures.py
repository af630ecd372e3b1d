"""Pictures of a source decoded once, and loaders of any of them."""

import hashlib
from collections.abc import Sequence

import albumentations as A
import torch
from torch.utils.data import DataLoader

from carsynth.data.batch import CarSample, CarSource
from carsynth.data.cache import Cache
from carsynth.data.loader import CachedCars, ResumableLoader, as_is
from carsynth.data.sampler import EvaluationSampler, TrainSampler
from carsynth.data.transforms import Augmentation


class Pictures:
    """Some pictures of a source at one size.

    Args:
        title: what they are, for a bar of progress.
        cache_limit_gib: GiB of memory that they may take up; more go to a file.

    Raises:
        UserError: one cannot be used.
    """

    def __init__(
        self,
        source: CarSource,
        names: Sequence[str],
        size: tuple[int, int],
        title: str,
        cache_limit_gib: float,
    ) -> None:
        cache = Cache(source, size, cache_limit_gib, skip_bad=False, bad_list=None, quiet=False)
        self.names, rows, self._store = cache.load(title, names)
        self._row_of = dict(zip(self.names, rows, strict=True))
        self._class_twins = source.class_twins

    def digest(self, names: Sequence[str]) -> str:
        """sha256 of the pixels and parts of the named pictures, in their order."""
        digest = hashlib.sha256()
        for name in names:
            row = self._row_of[name]
            digest.update(self._store.photos[row].numpy().tobytes())
            digest.update(self._store.part_maps[row].numpy().tobytes())
        return digest.hexdigest()

    def sample(self, name: str) -> CarSample:
        """One of them."""
        row = self._row_of[name]
        store = self._store
        return CarSample(store.photos[row].numpy(), store.part_maps[row].numpy(), 0)

    def in_order(self, batch_size: int) -> DataLoader[CarSample]:
        """All of them, as they are."""
        rows = [self._row_of[name] for name in self.names]
        return DataLoader(
            CachedCars(self._store, rows),
            sampler=EvaluationSampler(len(rows), 0, 1),
            batch_size=batch_size,
            collate_fn=as_is,  # type: ignore[arg-type]
        )

    def shuffled(
        self, names: Sequence[str], batch_size: int, augment: Sequence[A.BasicTransform], seed: int
    ) -> ResumableLoader:
        """The named ones in an order drawn for each epoch, augmented; whole batches alone."""
        rows = [self._row_of[name] for name in names]
        changed = Augmentation(augment, self._class_twins, seed) if augment else None
        return ResumableLoader(
            CachedCars(self._store, rows, changed),
            sampler=TrainSampler(len(rows), batch_size, seed, 0, 1),
            batch_size=batch_size,
            collate_fn=as_is,  # type: ignore[arg-type]
            # its own, so that loading draws nothing from the random state of training
            generator=torch.Generator().manual_seed(seed),
        )
