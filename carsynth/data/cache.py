"""Samples of a split, decoded or rendered once at set-up."""

import os
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from carsynth.data.batch import CarSource
from carsynth.data.files import write_atomically
from carsynth.data.store import Store, bytes_needed
from carsynth.errors import UserError

_MOST_THREADS = 8


class CachedSplit(NamedTuple):
    """The usable samples of a split: their names, and the rows of the store that hold them."""

    names: tuple[str, ...]
    rows: list[int]
    store: Store


class Cache:
    """Reads splits of a source into stores, in memory for as long as the limit allows.

    Args:
        limit_gib: GiB of memory for all splits together; a split beyond it goes to a file.
        skip_bad: leave out samples that cannot be used, instead of stopping at the first.
        bad_list: file that names each sample left out and why, a line each; None writes none.
        quiet: no bars of progress.
    """

    def __init__(
        self,
        source: CarSource,
        size: tuple[int, int],
        limit_gib: float,
        skip_bad: bool,
        bad_list: Path | None,
        quiet: bool,
    ) -> None:
        self._source = source
        self._size = size
        self._bytes_left = limit_gib * 2**30
        self._skip_bad = skip_bad
        self._bad_list = bad_list
        self._quiet = quiet
        self._bad: dict[str, str] = {}

    def load(self, split: str, names: Sequence[str]) -> CachedSplit:
        """The named samples, read several at a time.

        Raises:
            UserError: a sample cannot be used and none may be skipped, or none can be used.
        """
        needed = bytes_needed(len(names), self._size)
        store = Store(len(names), self._size, in_memory=needed <= self._bytes_left)
        if store.in_memory:
            self._bytes_left -= needed
        index_of = {name: index for index, name in enumerate(self._source.names)}
        rows: list[int] = []
        with closing(_read_all(self._source, [index_of[name] for name in names], store)) as errors:
            title = f"{split} samples"
            bar = tqdm(errors, desc=title, total=len(names), delay=1, disable=self._quiet)
            for row, error in enumerate(bar):
                if error is None:
                    rows.append(row)
                elif self._skip_bad:
                    self._bad[names[row]] = str(error)
                else:
                    raise error
        if self._bad and self._bad_list is not None:
            lines = (f"{name}\t{reason}\n" for name, reason in sorted(self._bad.items()))
            write_atomically(self._bad_list, "".join(lines))
        if not rows:
            raise UserError(
                f"none of the {len(names)} samples of the {split} split can be used; the first: "
                f"{self._bad[names[0]]}"
            )
        return CachedSplit(tuple(names[row] for row in rows), rows, store)


def _read_all(
    source: CarSource, indices: Sequence[int], store: Store
) -> Generator[UserError | None, None, None]:
    """Fill the rows of a store in threads; for each in order, None or why it stays empty."""
    height, width = store.size
    photos, part_maps, labels = store.photos.numpy(), store.part_maps.numpy(), store.labels.numpy()

    def read(row: int) -> UserError | None:
        try:
            sample = source.read(indices[row], (height, width))
        except UserError as error:
            return error
        if sample.photo.shape != (height, width, 3) or sample.part_map.shape != (height, width):
            raise RuntimeError(
                f"{type(source).__name__} gave a photo {sample.photo.shape} and a part map "
                f"{sample.part_map.shape} where {height}x{width} was asked for"
            )
        photos[row], part_maps[row], labels[row] = sample
        return None

    pool = ThreadPoolExecutor(_threads())
    try:
        yield from pool.map(read, range(len(indices)))
    finally:
        pool.shutdown(cancel_futures=True)


def _threads() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(cores or 1, _MOST_THREADS)
