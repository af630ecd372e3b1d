"""Sampling weights that balance a set over views and bodies."""

from collections import Counter
from collections.abc import Sequence

from carsynth.labels import VIEWS

Group = tuple[str | None, str | None]
"""View and body, each None where unknown."""


def sampling_weights(groups: Sequence[Group]) -> list[float]:
    """A weight a sample, 1 in the mean.

    Drawn by them, the views that there are come equally often, within a view its bodies, and within
    those all samples. Samples of unknown view, or body, are neither raised nor lowered: together
    they keep their share.
    """
    of_view = _weights([view for view, _ in groups])
    weights = [0.0] * len(groups)
    for view in {view for view, _ in groups}:
        rows = [row for row, group in enumerate(groups) if group[0] == view]
        for row, weight in zip(rows, _weights([groups[row][1] for row in rows]), strict=True):
            weights[row] = of_view[row] * weight
    return weights


def _weights(values: Sequence[str | None]) -> list[float]:
    """1 in the mean, with an equal sum for every value but None, which has a weight of 1."""
    counts = Counter(value for value in values if value is not None)
    known = sum(counts.values())
    return [1.0 if value is None else known / (len(counts) * counts[value]) for value in values]


def views_without(groups: Sequence[Group]) -> list[str]:
    """The views of ``labels.VIEWS`` that no sample has."""
    there = {view for view, _ in groups}
    return [view for view in VIEWS if view not in there]
