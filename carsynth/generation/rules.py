"""Which drawn part maps are no cars: rules whose limits are what real maps show."""

from collections.abc import Iterable
from typing import NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from carsynth.generation.kinds import PartMap
from carsynth.labels import BODY, NUM_PARTS, PART_TWINS, VIEW_TWINS, VIEWS, view_of_part_map

_SMALLEST = 0.0005
"""Share of the picture from which a piece of a part counts; less is a stray pixel or two."""
_LOOSE = 1.25
"""How far a drawn map may go beyond what real maps show."""
_SPECK = 0.02
"""Share of a car in specks, or apart from its body, that is allowed whatever real maps show."""
_ALWAYS = 0.995
"""Share of real maps of a view that a part must be in to be called missing elsewhere."""
_FEWEST_OF_VIEW = 40
"""Real maps of a view, mirror images included, below which nothing is called missing there."""


class MapRules(NamedTuple):
    """Limits that real maps set; mirror images count as real maps."""

    area: tuple[float, float]
    """Smallest and largest share of the picture that a car covers."""
    apart: float
    """Largest share of a car that is apart from its largest piece."""
    specks: float
    """Largest share of a car in pieces of a part that are too small to be one."""
    fewest: int
    """Parts that a map shows at least, the body not counted."""
    together: NDArray[np.bool_]
    """Parts that are seen in one map, (K, K)."""
    always: NDArray[np.bool_]
    """Parts that no map of a view is without, (4, K)."""

    @classmethod
    def learn(cls, maps: Iterable[PartMap]) -> Self:
        """The limits of one real map (H, W) or more, all of one size."""
        facts = [_facts(one) for one in maps]
        facts += [fact.mirrored() for fact in facts]
        seen = np.stack([fact.seen for fact in facts])
        view = np.array([fact.view for fact in facts])
        always = np.zeros((len(VIEWS), NUM_PARTS), bool)
        for index in range(len(VIEWS)):
            if (own := seen[view == index]).shape[0] >= _FEWEST_OF_VIEW:
                always[index] = own.mean(0) >= _ALWAYS
        areas = [fact.area for fact in facts]
        return cls(
            (min(areas) / _LOOSE, min(1.0, max(areas) * _LOOSE)),
            max(_SPECK, _LOOSE * max(fact.apart for fact in facts)),
            max(_SPECK, _LOOSE * max(fact.specks for fact in facts)),
            min(int(fact.seen.sum()) for fact in facts),
            np.any(seen[:, :, None] & seen[:, None, :], axis=0),
            always,
        )

    def objection(self, part_map: PartMap) -> str | None:
        """Why a map (H, W) is none that a car could have; None for a map that passes."""
        fact = _facts(part_map)
        reasons = {
            "car too small": fact.area < self.area[0],
            "car too large": fact.area > self.area[1],
            "car in pieces": fact.apart > self.apart,
            "specks": fact.specks > self.specks,
            "too few parts": int(fact.seen.sum()) < self.fewest,
            "impossible view": not self.together[np.ix_(fact.seen, fact.seen)].all(),
            "missing part": bool((self.always[fact.view] & ~fact.seen).any()),
        }
        return next((reason for reason, found in reasons.items() if found), None)


class _Facts(NamedTuple):
    area: float
    apart: float
    specks: float
    seen: NDArray[np.bool_]
    """Parts but background and body, (K,)."""
    view: int

    def mirrored(self) -> "_Facts":
        seen = np.zeros_like(self.seen)
        seen[PART_TWINS] = self.seen
        return self._replace(seen=seen, view=VIEW_TWINS[self.view])


def _facts(part_map: PartMap) -> _Facts:
    ids = np.ascontiguousarray(part_map, np.uint8)
    car = ids > 0
    total = max(1, int(car.sum()))
    pieces = _sizes(car)
    smallest = _SMALLEST * ids.size
    specks, seen = 0, np.zeros(NUM_PARTS, bool)
    for part in np.unique(ids):
        if part == 0 or part == BODY:
            continue
        sizes = _sizes(ids == part)
        specks += int(sizes[sizes < smallest].sum())
        seen[part] = bool((sizes >= smallest).any())
    return _Facts(
        total / ids.size,
        1.0 - (int(pieces.max()) if len(pieces) else 0) / total,
        specks / total,
        seen,
        view_of_part_map(ids),
    )


def _sizes(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pixels of each connected piece of a mask, diagonals included."""
    labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[1]
    return np.bincount(labels.ravel())[1:]
