"""What can be told of a part map, and so be ordered in shares."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carsynth.labels import VIEWS
from carsynth.preparation.orientation import doors_of_parts, view_of_parts

PartMap = NDArray[np.uint8]
"""Ids of ``labels.PARTS``, (H, W)."""


class Kind(NamedTuple):
    """One thing that a map shows."""

    values: tuple[str, ...]
    read: Callable[[PartMap], str | None]
    """The value of a map; None where the map does not show it."""


def _doors(part_map: PartMap) -> str | None:
    doors = doors_of_parts(part_map)
    return None if doors is None else str(doors)


KINDS: Mapping[str, Kind] = {
    "view": Kind(VIEWS, view_of_parts),
    "doors": Kind(("3", "5"), _doors),
}
"""``doors`` 5 stands for four or five of them, 3 for two or three."""
