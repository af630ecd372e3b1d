"""What is said of a set of generated pictures beside real ones, and how each figure is called."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from torch import Tensor

from carsynth.metrics.extractor import Extractor

_PUBLISHED = {"frechet": "fid", "kernel": "kid", "inception_score": "inception_score"}
"""Names that figures have with FID's own Inception and with no other network."""


class Value(NamedTuple):
    """A figure as measured; always finite."""

    value: float
    spread: float | None = None
    """Standard error or deviation, as the figure says; None where it has none."""


class Figure(Protocol):
    """Measures one thing or several on two sets of feature vectors."""

    better: Mapping[str, str]
    """``higher`` or ``lower`` for each name that it measures."""

    def measure(self, real: Tensor, fake: Tensor, extractor: Extractor) -> dict[str, Value]:
        """A value for every name in :attr:`better`.

        Args:
            real: features of real pictures, float32 (n, d) on the CPU.
            fake: of generated ones, (m, d).
            extractor: where they come from.

        Raises:
            UserError: it cannot be measured on these; the message says why, in a few words that
                go on from "not measured: ".
        """
        ...

    def enough(self, name: str, value: Value, floor: float | None, count: int) -> int | None:
        """How many pictures a side would make the figure mean something; None if there are enough.

        Args:
            floor: what ``count`` real pictures reach against real ones, where it is known.
            count: pictures of the smaller side.
        """
        ...


def full_name(figure: str, extractor: str) -> str:
    """A figure's name with its extractor's: ``fid``, ``kid``, ``precision_random_inception``."""
    if extractor == "inception" and figure in _PUBLISHED:
        return _PUBLISHED[figure]
    return f"{figure}_{extractor}"
