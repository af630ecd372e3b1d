"""Which of several detections is the car of a picture."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carsynth.errors import UserError

CAR = 3
"""COCO's category id of cars."""

_SAME = 0.5
"""A detection of which this share lies within another one shows the same car."""


class Detections(NamedTuple):
    """What a detector found in one picture."""

    masks: NDArray[np.bool_]
    """(n, H, W)."""
    categories: NDArray[np.integer]
    """COCO's ids, (n,)."""
    scores: NDArray[np.floating]
    """0 to 1, (n,)."""


class Choice(NamedTuple):
    """The largest car."""

    number: int
    """Of the detection."""
    score: float
    area: float
    """Share of the picture."""
    others: tuple[float, ...]
    """Areas of further cars, as shares of the picture, the largest first."""


def choose_car(found: Detections, min_score: float, min_area: float, max_area: float) -> Choice:
    """The largest detection of a car within the rules.

    Args:
        min_score: only detections with a higher score count.
        min_area: least share of the picture.
        max_area: largest share of the picture.

    Raises:
        UserError: there is none; the message says what came closest.
    """
    cars = [int(index) for index in np.flatnonzero(found.categories == CAR)]
    if not cars:
        raise UserError("no car found")
    sure = [index for index in cars if found.scores[index] > min_score]
    if not sure:
        best = max(float(found.scores[index]) for index in cars)
        raise UserError(f"no car found: the best score is {best:.2f}, not over {min_score:g}")
    areas = {index: float(found.masks[index].mean()) for index in sure}
    fitting = [index for index in sure if min_area <= areas[index] <= max_area]
    if not fitting:
        largest = max(areas.values())
        raise UserError(
            f"no car found: the largest takes {largest:.1%} of the picture, not {min_area:.1%} to "
            f"{max_area:.1%}"
        )
    fitting.sort(key=lambda index: (-areas[index], index))
    chosen, *rest = fitting
    others = [index for index in rest if not _within(found.masks[index], found.masks[chosen])]
    return Choice(
        chosen, float(found.scores[chosen]), areas[chosen], tuple(areas[i] for i in others)
    )


def _within(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    return bool((mask & other).sum() > _SAME * mask.sum())
