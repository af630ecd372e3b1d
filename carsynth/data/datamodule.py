"""From a source of samples to loaders: splits, cache, order and augmentation."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import albumentations as A
import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from carsynth.data.balance import GROUPS
from carsynth.data.batch import CarSample, CarSource
from carsynth.data.cache import Cache, CachedSplit
from carsynth.data.loader import CachedCars, ResumableLoader, as_is, quieten_worker
from carsynth.data.sampler import EvaluationSampler, TrainSampler
from carsynth.data.splits import SPLITS, draw_splits, load_splits, save_splits
from carsynth.data.transforms import Augmentation
from carsynth.errors import UserError

_NEEDED = {
    "fit": ("train", "validation"),
    "validate": ("validation",),
    "test": ("test",),
    "predict": (),  # nothing but the names of the splits
    None: SPLITS,
}


class CarDataModule(LightningDataModule):
    """Loaders of :class:`CarBatch` from any :class:`CarSource`, with or without a trainer.

    What a stage needs is decoded or rendered once, at set-up. Validation and test see each sample
    once, in order, without augmentation, and share them out over ranks without padding. The order
    and the augmentation of training depend on ``seed`` and the epoch, and not on the number of
    workers or ranks; its loader can be resumed within an epoch. The trainer must leave the sampler
    alone (``use_distributed_sampler=False``).

    Args:
        source: the samples.
        size: height and width of photos and part maps.
        batch_size: samples a batch and rank; a training split smaller than one batch of all ranks
            is an error, and a last incomplete batch is left out of training only.
        augment: albumentations transforms for training, in order; None or an empty list for none.
        fractions: shares of the training, validation and test split; what they leave to 1 is not
            used.
        split_seed: of the draw of the splits; 0 or more. Apart from ``seed``, so that runs with
            several seeds share their validation and test photos.
        seed: of order and augmentation; 0 or more.
        num_workers: processes a loader; 0 loads in the training process.
        on_bad_file: ``stop`` at the first sample that cannot be used, or ``skip`` it and list it
            with its reason in ``bad_files.txt`` in the run folder.
        cache_limit_gib: GiB of memory that cached samples may take up; more go to a file.
        balance: ``class`` or ``view`` has training draw samples of each class, or of each view that
            the parts of a map speak for, equally often; None draws every sample once an epoch.
        splits_file: a ``splits.json`` whose names decide instead of ``fractions``.
        run_dir: run folder, where ``splits.json`` is written; None writes nothing.

    Raises:
        UserError: an argument is out of range.
    """

    def __init__(
        self,
        source: CarSource,
        size: Sequence[int],
        batch_size: int,
        augment: Sequence[A.BasicTransform] | None = None,
        fractions: Sequence[float] = (0.8, 0.1, 0.1),
        split_seed: int = 0,
        seed: int = 0,
        num_workers: int = 0,
        on_bad_file: str = "stop",
        cache_limit_gib: float = 4.0,
        balance: str | None = None,
        splits_file: str | Path | None = None,
        run_dir: str | Path | None = None,
    ) -> None:
        super().__init__()
        if len(size) != 2 or min(size) < 1:
            raise UserError(
                f"size={list(size)}: give height and width in pixels, such as [128,224]"
            )
        if batch_size < 1:
            raise UserError(f"batch_size={batch_size}: give 1 or more")
        counts = {"num_workers": num_workers, "seed": seed, "split_seed": split_seed}
        for key, value in (counts | {"cache_limit_gib": cache_limit_gib}).items():
            if value < 0:
                raise UserError(f"{key}={value}: give 0 or more")
        if on_bad_file not in ("stop", "skip"):
            raise UserError(f"on_bad_file={on_bad_file} is unknown: choose stop or skip")
        if balance not in (None, *GROUPS):
            raise UserError(f"balance={balance} is unknown: choose {' or '.join(GROUPS)}, or null")
        self._balance = balance
        self._source = source
        self._size = (int(size[0]), int(size[1]))
        self._batch_size = batch_size
        self._augment = list(augment or ())
        self._fractions = fractions
        self._split_seed = split_seed
        self._seed = seed
        self._workers = num_workers
        self._skip_bad = on_bad_file == "skip"
        self._cache_limit_gib = cache_limit_gib
        self._splits_file = None if splits_file is None else Path(splits_file)
        self._run_dir = None if run_dir is None else Path(run_dir)
        self._splits: dict[str, tuple[str, ...]] = {}
        self._cache: Cache | None = None
        self._cached: dict[str, CachedSplit] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels, by class id."""
        return self._source.classes

    @property
    def train_size(self) -> int:
        """Samples to train on, once set up for ``fit``; bad ones are not among them."""
        return len(self._split("train").names)

    @property
    def val_names(self) -> tuple[str, ...]:
        """:meth:`split_names` of the validation split."""
        return self.split_names("validation")

    def names_drawn(self, split: str) -> tuple[str, ...]:
        """Names that a split was drawn or loaded with; nothing is read for it."""
        if not self._splits:
            self.setup("predict")
        return self._splits[split]

    def split_names(self, split: str) -> tuple[str, ...]:
        """Names of a split's samples in order; bad ones are not among them.

        Raises:
            UserError: as for :meth:`split_dataloader`.
        """
        return self._split(split).names

    @property
    def fingerprint(self) -> str:
        """sha256 of what validation sees: size, classes, and name, photo, map and label of each.

        Scores are comparable, and statistics of real photos reusable, where fingerprints agree.
        """
        names, rows, store = self._split("validation")
        digest = hashlib.sha256(repr((self._size, self.classes)).encode())
        for name, row in zip(names, rows, strict=True):
            digest.update(repr((name, int(store.labels[row]))).encode())
            digest.update(store.photos[row].numpy().tobytes())
            digest.update(store.part_maps[row].numpy().tobytes())
        return digest.hexdigest()

    def setup(self, stage: str | None = None) -> None:
        """Draw or load the splits, and cache those that the stage needs and that are not empty.

        Raises:
            UserError: the splits cannot be drawn or loaded, a sample cannot be used, or all of a
                split's cannot.
        """
        if not self._splits:
            if self._splits_file is not None:
                self._splits = load_splits(self._splits_file, self._source.names)
            else:
                self._splits = draw_splits(self._source.names, self._fractions, self._split_seed)
            if self._run_dir is not None and self._rank == 0:
                save_splits(self._splits, self._run_dir / "splits.json")
        for split in _NEEDED[stage]:
            if self._splits[split]:
                self._split(split)

    def train_dataloader(self) -> ResumableLoader:
        """Shuffled and augmented batches, as many on every rank.

        Raises:
            UserError: the training split is smaller than one batch of all ranks, or the trainer
                asks for ``overfit_batches``, which would replace the sampler.
        """
        if self.trainer is not None and self.trainer.overfit_batches:  # type: ignore[attr-defined]
            raise UserError(
                "overfit_batches is not supported: name a few samples in a splits_file instead"
            )
        _, rows, store = self._split("train")
        if len(rows) < self._batch_size * self._world:
            ranks = f" on each of {self._world} ranks" if self._world > 1 else ""
            raise UserError(
                f"the training split has {len(rows)} samples, fewer than one batch of "
                f"{self._batch_size}{ranks}: lower batch_size or add samples"
            )
        augmentation = None
        if self._augment:
            augmentation = Augmentation(self._augment, self._source.class_twins, self._seed)
        groups = GROUPS[self._balance](store, rows) if self._balance else None
        sampler = TrainSampler(
            len(rows), self._batch_size, self._seed, self._rank, self._world, groups
        )
        dataset = CachedCars(store, rows, augmentation)
        return ResumableLoader(dataset, sampler=sampler, **self._loader_options())

    def val_dataloader(self) -> DataLoader[CarSample]:
        """:meth:`split_dataloader` of the validation split."""
        return self.split_dataloader("validation")

    def test_dataloader(self) -> DataLoader[CarSample]:
        """:meth:`split_dataloader` of the test split."""
        return self.split_dataloader("test")

    def split_dataloader(self, split: str) -> DataLoader[CarSample]:
        """This rank's share of ``train``, ``validation`` or ``test``: in order, as it is.

        A split that no stage has asked for yet is cached first.

        Raises:
            UserError: the split is empty, has fewer samples than there are ranks, or cannot be
                set up.
        """
        _, rows, store = self._split(split)
        if len(rows) < self._world:
            raise UserError(
                f"the {split} split has {len(rows)} samples for {self._world} ranks: give it a "
                "larger share in fractions"
            )
        sampler = EvaluationSampler(len(rows), self._rank, self._world)
        return DataLoader(CachedCars(store, rows), sampler=sampler, **self._loader_options())

    @property
    def _rank(self) -> int:
        return 0 if self.trainer is None else self.trainer.global_rank

    @property
    def _world(self) -> int:
        return 1 if self.trainer is None else self.trainer.world_size

    def _split(self, split: str) -> CachedSplit:
        """A split's samples, from the cache or into it."""
        if not self._splits:
            self.setup("predict")
        if not self._splits[split]:
            raise UserError(f"the {split} split is empty: give it a share in fractions")
        if split not in self._cached:
            if self._cache is None:
                self._cache = self._new_cache()
            self._cached[split] = self._cache.load(split, self._splits[split])
        return self._cached[split]

    def _new_cache(self) -> Cache:
        first = self._rank == 0
        return Cache(
            self._source,
            self._size,
            self._cache_limit_gib,
            self._skip_bad,
            bad_list=self._run_dir / "bad_files.txt" if self._run_dir and first else None,
            quiet=not first,
        )

    def _loader_options(self) -> dict[str, Any]:
        return {
            "batch_size": self._batch_size,
            "num_workers": self._workers,
            "persistent_workers": self._workers > 0,
            "worker_init_fn": quieten_worker,
            "collate_fn": as_is,
            "pin_memory": torch.cuda.is_available(),
            # its own, so that loading draws nothing from the random state of training
            "generator": torch.Generator().manual_seed(self._seed),
        }
