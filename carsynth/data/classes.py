"""Which class labels a set of part maps can carry."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carsynth.errors import UserError
from carsynth.labels import VIEW_TWINS, VIEWS, view_of_part_map


class ClassRule(NamedTuple):
    """Names of the classes, their ids after a horizontal flip, and the class of a map (H, W)."""

    classes: tuple[str, ...]
    twins: tuple[int, ...]
    of: Callable[[NDArray[np.integer]], int]


_RULES: Mapping[str, ClassRule] = {
    "view": ClassRule(VIEWS, VIEW_TWINS, view_of_part_map),
    "car": ClassRule(("car",), (0,), lambda part_map: 0),
}


def class_rule(label: str) -> ClassRule:
    """The rule ``view`` (the quadrant that visible parts speak for) or ``car`` (one class for all).

    Raises:
        UserError: there is no such rule.
    """
    if label not in _RULES:
        raise UserError(f"label={label} is unknown: choose one of {', '.join(_RULES)}")
    return _RULES[label]
