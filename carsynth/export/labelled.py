"""What is exported: a picture with its part map, and the checks that every format relies on."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carsynth.errors import UserError
from carsynth.labels import NUM_PARTS


class LabelledPicture(NamedTuple):
    """A generated picture and all that is known of it."""

    name: str
    """Of its files, without suffix or folder."""
    photo: NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    part_map: NDArray[np.uint8]
    """Ids of ``labels.PARTS``, (H, W)."""
    info: dict[str, Any]
    """Plain values for JSON, such as seed, view and class."""


def check(picture: LabelledPicture) -> None:
    """Refuses what no format can hold.

    Raises:
        UserError: the name is no file name, photo and map differ in size, or the map holds an id
            that is no part.
    """
    name, photo, part_map, _ = picture
    if not name.isprintable() or name.startswith(".") or not name.strip() or set(name) & set("/\\"):
        raise UserError(
            f"picture {name!r} cannot be a file of that name: leave out slashes, dots in front and "
            "what cannot be printed"
        )
    if photo.shape != (*part_map.shape, 3):
        raise UserError(
            f"picture {name}: its photo is {_size(photo)} (height x width) and its map "
            f"{_size(part_map)}: bring them to the same size"
        )
    if part_map.max() >= NUM_PARTS:
        unknown = part_map[part_map >= NUM_PARTS]
        raise UserError(
            f"picture {name}: id {unknown[0]} ({(unknown == unknown[0]).sum()} pixels) in its map "
            f"is no part; ids run from 0 to {NUM_PARTS - 1}: renumber the map"
        )


def _size(picture: NDArray[np.uint8]) -> str:
    return "x".join(map(str, picture.shape[:2]))
