"""Every figure of a set of generated pictures, each beside its floor and with its own doubts."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from carsynth.errors import UserError
from carsynth.metrics.extractor import Extractor
from carsynth.metrics.figure import Figure, full_name
from carsynth.metrics.floor import REPEATS, Floor, FloorBook


class Score(NamedTuple):
    """A figure as it is shown; without a value, ``why`` says what stood in the way."""

    name: str
    """With the extractor's: ``fid``, ``recall_random_inception``."""
    better: str
    """``higher`` or ``lower``."""
    value: float | None
    spread: float | None = None
    floor: Floor | None = None
    """Of halves of the real photos, as the report defines it."""
    floor_at_size: Floor | None = None
    """Of as many photos a side as were scored, where there are real ones enough."""
    enough: int | None = None
    """Pictures a side that would make the figure mean something, where there are too few."""
    why: str | None = None

    @property
    def nearest_floor(self) -> Floor | None:
        """The floor to hold the score against: the one of its own size where there is one."""
        return self.floor_at_size or self.floor

    @property
    def ratio(self) -> float | None:
        """Score over floor; None where the floor is not told apart from 0, as KID's is not."""
        floor = self.nearest_floor
        if self.value is None or floor is None:
            return None
        if floor.mean <= 2 * floor.std / math.sqrt(REPEATS):
            return None
        return self.value / floor.mean


def score_card(
    real: Tensor,
    fake: Tensor,
    figures: Sequence[Figure],
    extractor: Extractor,
    *,
    book: FloorBook | None = None,
    more_real: Tensor | None = None,
) -> list[Score]:
    """Measures features of generated pictures (m, d) against those of real ones (n, d).

    Args:
        book: of the same figures and extractor; None leaves floors out.
        more_real: features of further real photos, for the floor at the size of the score.
    """
    count = min(len(real), len(fake))
    halves: dict[str, Floor] = {}
    sized: dict[str, Floor] = {}
    if book is not None:
        halves = book.of(real)
        if more_real is not None:
            sized = book.of(torch.cat([real, more_real]), half=count)
    card = []
    for figure in figures:
        try:
            measured = figure.measure(real, fake, extractor)
        except UserError as error:
            card += [
                Score(full_name(name, extractor.name), better, None, why=str(error))
                for name, better in figure.better.items()
            ]
            continue
        for name, value in measured.items():
            half, at_size = halves.get(name), sized.get(name)
            card.append(
                Score(
                    full_name(name, extractor.name),
                    figure.better[name],
                    value.value,
                    value.spread,
                    half,
                    at_size,
                    figure.enough(name, value, _at(count, at_size or half), count),
                )
            )
    return card


def _at(count: int, floor: Floor | None) -> float | None:
    """The floor for ``count`` pictures a side: the bias of a distance falls as 1 / n."""
    return None if floor is None else floor.mean * floor.half / count
