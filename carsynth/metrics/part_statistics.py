"""What part maps are made of, beside what real ones are made of."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carsynth.labels import NUM_PARTS, PALETTE, PART_ID, VIEWS, view_of_part_map

PartMaps = NDArray[np.integer]
"""Ids of ``labels.PARTS``, (N, H, W)."""

_SMALLEST_SHARE = 0.0005
"""Share of the picture from which a part counts as present; less is a stray pixel or two."""

_DIAGONALS = (("front_left_light", "back_right_light"), ("front_right_light", "back_left_light"))
_SIDES = tuple(
    (f"{left}_left_door", f"{right}_right_door")
    for left in ("front", "back")
    for right in ("front", "back")
)


class PartStatistics(NamedTuple):
    """Of one set of part maps."""

    maps: int
    area: NDArray[np.float64]
    """Mean share of the picture that each part covers, (K,)."""
    present: NDArray[np.float64]
    """Share of each view's maps that show each part, (4, K); NaN where a view has none."""
    views: NDArray[np.float64]
    """Share of the maps whose parts speak for each view, (4,)."""
    neighbours: NDArray[np.bool_]
    """Whether two parts touch in any map, (K, K)."""


def statistics_of(maps: PartMaps) -> PartStatistics:
    """The statistics of one map or more."""
    counts = np.stack([np.bincount(one.ravel(), minlength=NUM_PARTS) for one in maps])
    shares = counts / maps[0].size
    seen = shares >= _SMALLEST_SHARE
    view = np.array([view_of_part_map(one) for one in maps])
    present = np.full((len(VIEWS), NUM_PARTS), np.nan)
    for index in range(len(VIEWS)):
        if (view == index).any():
            present[index] = seen[view == index].mean(0)
    views = np.bincount(view, minlength=len(VIEWS)) / len(maps)
    touching = np.zeros((NUM_PARTS, NUM_PARTS), bool)
    for one in maps:
        touching |= _touching(one) > 0
    return PartStatistics(len(maps), shares.mean(0), present, views, touching)


class PartReport(NamedTuple):
    """How drawn part maps differ from real ones; every figure is a share from 0 to 1."""

    area_gap: float
    """Half the sum over parts of the difference of mean areas: pixels on the wrong part."""
    front_rear: float
    """Maps with a front light and the rear light diagonally across, where two ends are mixed up;
    from the side or from above a real car shows them at times, which is what real maps' share is
    good to know for."""
    left_right: float
    """Maps that show doors of both sides."""
    impossible_neighbours: float
    """Of the pixel borders between two parts, those between parts that touch in no real map."""


def compare(real: PartMaps, drawn: PartMaps) -> PartReport:
    """The figures of drawn maps beside the real ones."""
    of_real, of_drawn = statistics_of(real), statistics_of(drawn)
    borders = sum((_touching(one) for one in drawn), np.zeros((NUM_PARTS, NUM_PARTS), np.int64))
    between = borders * ~np.eye(NUM_PARTS, dtype=bool)
    impossible = float(between[~of_real.neighbours].sum()) / max(float(between.sum()), 1.0)
    return PartReport(
        float(np.abs(of_real.area - of_drawn.area).sum() / 2),
        _together(drawn, _DIAGONALS),
        _together(drawn, _SIDES),
        impossible,
    )


def maps_of_palette(pictures: NDArray[np.uint8]) -> PartMaps:
    """Part maps (N, H, W) of pictures (N, H, W, 3) that hold palette colours and no others."""
    codes = (pictures.astype(np.int32) * (65536, 256, 1)).sum(-1)
    known = (PALETTE.astype(np.int32) * (65536, 256, 1)).sum(-1)
    order = np.argsort(known)
    place = np.searchsorted(known[order], codes).clip(max=NUM_PARTS - 1)
    ids: PartMaps = order[place]
    return ids


def _together(maps: PartMaps, pairs: tuple[tuple[str, str], ...]) -> float:
    """Share of maps where both parts of any pair are present."""
    counts = np.stack([np.bincount(one.ravel(), minlength=NUM_PARTS) for one in maps])
    seen = counts / maps[0].size >= _SMALLEST_SHARE
    found = [seen[:, PART_ID[first]] & seen[:, PART_ID[second]] for first, second in pairs]
    return float(np.any(found, axis=0).mean())


def _touching(one: NDArray[np.integer]) -> NDArray[np.int64]:
    """How many pixel borders of a map (H, W) lie between each two parts, symmetric (K, K)."""
    pairs = np.zeros((NUM_PARTS, NUM_PARTS), np.int64)
    for first, second in ((one[:, :-1], one[:, 1:]), (one[:-1], one[1:])):
        codes = first.ravel().astype(np.int64) * NUM_PARTS + second.ravel()
        pairs += np.bincount(codes, minlength=NUM_PARTS**2).reshape(NUM_PARTS, NUM_PARTS)
    return pairs + pairs.T
