"""Part maps without photos: what a generator is asked to paint."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from carsynth.data.files import list_pictures, one_of
from carsynth.data.masks import mask_readers, tell_format
from carsynth.data.photos import open_upright, resize_map
from carsynth.data.toycars import ToyCars


class MapSource(Protocol):
    """Part maps by index; ``names`` are unique and fit for file names once slashes are replaced."""

    names: tuple[str, ...]

    def read(self, index: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Ids of ``labels.PARTS`` at ``size`` (height, width)."""
        ...


class MapFolder:
    """Mask pictures of a folder and its subfolders, in any format of ``carsynth.data.masks``.

    Raises:
        UserError: the folder is missing or empty, or the masks' format is in doubt.
    """

    def __init__(self, folder: str | Path) -> None:
        self._paths = list_pictures(Path(folder))
        self.names = tuple(self._paths)
        readers = mask_readers()
        every = [paths[0] for paths in self._paths.values()]
        self._read_mask = readers[tell_format(every, readers)]

    def read(self, index: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        """As :class:`MapSource`.

        Raises:
            UserError: the file cannot be decoded or holds an id or colour of no part.
        """
        path = one_of(self._paths[self.names[index]])
        return resize_map(self._read_mask(path, open_upright(path)), size)


_UNSEEN = 1_000_000  # added to seeds, so that seed 0 does not give the cars of data=toycars


class ToyMaps:
    """Maps of ``length`` drawn cars, other ones than ``data=toycars`` trains on."""

    def __init__(self, length: int, seed: int) -> None:
        self._cars = ToyCars(length, _UNSEEN + seed)
        self.names = self._cars.names

    def read(self, index: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        """As :class:`MapSource`."""
        return self._cars.read(index, size).part_map
