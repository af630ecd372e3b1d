"""The files of a prepared set: a photo, a mask and a colour map for each car."""

from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carsynth.data.photos import palette_picture, read_photo
from carsynth.preparation.palette import Palette
from carsynth.preparation.tile_sheet import Tile

Picture = NDArray[np.uint8]
"""RGB, (H, W, 3)."""

KINDS = {"photo": "photos", "mask": "masks", "map": "maps", "moved": "moved"}
"""Folder of each kind of file."""


class SetFiles:
    """PNG files below one folder, each kind in a folder of its own.

    Masks hold ids of ``labels.PARTS`` under carsynth's own colours, maps the palette's colours.
    """

    def __init__(self, folder: Path, palette: Palette) -> None:
        self._folder = folder
        self._palette = palette

    def write(
        self, name: str, photo: Picture, part_map: NDArray[np.uint8], moved: Picture | None
    ) -> dict[str, str]:
        """The files of one car by kind, below the folder; those that are there are replaced.

        Args:
            name: with slashes where it lies in subfolders.
            photo: RGB, (H, W, 3).
            part_map: ids, (H, W).
            moved: RGB of any size; None writes none.
        """
        pictures = {
            "photo": Image.fromarray(photo),
            "mask": palette_picture(part_map),
            "map": Image.fromarray(self._palette.paint[part_map]),
        }
        if moved is not None:
            pictures["moved"] = Image.fromarray(moved)
        files = {}
        for kind, picture in pictures.items():
            files[kind] = f"{KINDS[kind]}/{name}.png"
            path = self._folder / files[kind]
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
        return files

    def remove(self, files: dict[str, str]) -> None:
        """Takes a car's files away, and the folders that hold nothing else."""
        for file in files.values():
            path = self._folder / file
            path.unlink()
            with suppress(OSError):
                path.parent.rmdir()

    def tile(self, files: dict[str, str], *lines: str) -> Tile:
        """Photo and colour map side by side over some lines of text."""
        return Tile([read_photo(self._folder / files[kind]) for kind in ("photo", "map")], lines)
