"""Samples as plain bytes that loader workers share without copying."""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from carsynth.errors import UserError

_SHARED_MEMORY = Path("/dev/shm")


class Store:
    """Photos, part maps and labels of some samples of a source at one size.

    They lie in shared memory, or, where that is asked for or too small, in a memory-mapped file in
    the folder for temporary files (``TMPDIR``), which goes when the store does.

    Attributes:
        photos: RGB, uint8 (N, H, W, 3).
        part_maps: ids of ``labels.PARTS``, uint8 (N, H, W).
        labels: class ids, int64 (N,).

    Args:
        samples: how many samples there is room for.
        size: height and width of each.
        in_memory: whether to prefer shared memory to a file.

    Raises:
        UserError: the file would not fit on its disk.
    """

    def __init__(self, samples: int, size: tuple[int, int], in_memory: bool) -> None:
        self._shape = (samples, size[0], size[1])
        self._file: Path | None = None
        total = bytes_needed(samples, size)
        if in_memory and _fits_shared_memory(total):
            buffer = _shared(torch.empty(total, dtype=torch.uint8))
        else:
            self._file = _temporary_file(total)
            weakref.finalize(self, _remove, self._file, os.getpid())
            buffer = self._map_file()
        self.labels = _shared(torch.zeros(samples, dtype=torch.int64))
        self._cut(buffer)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of each sample."""
        return self._shape[1:]

    @property
    def in_memory(self) -> bool:
        """Whether the samples lie in shared memory rather than in a file."""
        return self._file is None

    def __len__(self) -> int:
        return self._shape[0]

    def __getstate__(self) -> dict[str, Any]:
        """A worker process that is not forked maps the file again instead of getting its bytes."""
        state = self.__dict__.copy()
        if not self.in_memory:
            del state["photos"], state["part_maps"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not self.in_memory:
            self._cut(self._map_file())

    def _map_file(self) -> Tensor:
        total = bytes_needed(len(self), self.size)
        return torch.from_file(str(self._file), shared=True, size=total, dtype=torch.uint8)

    def _cut(self, buffer: Tensor) -> None:
        samples, height, width = self._shape
        end = samples * height * width * 3
        self.photos = buffer[:end].view(samples, height, width, 3)
        self.part_maps = buffer[end:].view(samples, height, width)


def bytes_needed(samples: int, size: tuple[int, int]) -> int:
    """Bytes that photos and part maps take up in a store."""
    return samples * size[0] * size[1] * 4


def _shared(tensor: Tensor) -> Tensor:
    shared: Tensor = tensor.share_memory_()  # type: ignore[no-untyped-call]
    return shared


def _fits_shared_memory(total: int) -> bool:
    """Containers often have little of it, and writing beyond its end kills the process."""
    return not _SHARED_MEMORY.is_dir() or shutil.disk_usage(_SHARED_MEMORY).free > total


def _temporary_file(total: int) -> Path:
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    if free <= total:
        raise UserError(
            f"{folder} has {free / 2**30:.1f} GiB free and the cache needs {total / 2**30:.1f}: "
            "point TMPDIR to a larger disk, raise cache_limit_gib, or choose a smaller size"
        )
    handle, name = tempfile.mkstemp(dir=folder, prefix="carsynth-cache-")
    os.close(handle)
    os.truncate(name, total)
    return Path(name)


def _remove(path: Path, owner: int) -> None:
    """Forked workers drop their copy of a store too; only its maker takes the file away."""
    if os.getpid() == owner:
        path.unlink(missing_ok=True)
