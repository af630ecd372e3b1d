"""The floor: what real photos score against real photos, below which a score says nothing."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from carsynth.errors import UserError
from carsynth.metrics.extractor import Extractor
from carsynth.metrics.figure import Figure

REPEATS = 10
"""Draws, as in the report."""


class Floor(NamedTuple):
    """A figure between two disjoint random parts of one set, over several draws."""

    mean: float
    std: float
    """Of the single draw, unbiased."""
    half: int
    """Photos in each part: a floor compares only with scores of about as many photos."""


def floors(
    figures: Sequence[Figure],
    real: Tensor,
    extractor: Extractor,
    *,
    half: int | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
) -> dict[str, Floor]:
    """What real features (n, d) reach against real ones, for each figure that can be measured.

    The report's rule is shuffle, halve, ten times. The distance of halves lies above what n fresh
    photos would score against n, by 1.25 times at 208 photos and 1.8 times at 2,000, for a half
    knows less than the whole: a good generator can go below it.

    Args:
        half: photos in each part; None halves the set. Empty where the set has not twice as many.
    """
    half = len(real) // 2 if half is None else half
    if half < 2 or 2 * half > len(real):
        return {}
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, list[float]] = {}
    for _ in tqdm(range(repeats), desc="floor", unit="split", delay=2):
        order = torch.randperm(len(real), generator=generator)
        first, second = real[order[:half]], real[order[half : 2 * half]]
        for figure in figures:
            try:
                measured = figure.measure(first, second, extractor)
            except UserError:  # said of the whole set, where it is measured
                continue
            for name, value in measured.items():
                found.setdefault(name, []).append(value.value)
    return {
        name: Floor(float(values.mean()), float(values.std()), half)
        for name, values in (
            (name, torch.tensor(values, dtype=torch.float64)) for name, values in found.items()
        )
        if len(values) == repeats
    }


class FloorBook:
    """:func:`floors` of the same figures and extractor, worked out once for the same features.

    Several sets of generated pictures are held against one set of real ones, whose floors take
    twenty measurements of every figure.
    """

    def __init__(self, figures: Sequence[Figure], extractor: Extractor, seed: int) -> None:
        self._figures = figures
        self._extractor = extractor
        self._seed = seed
        self._known: dict[tuple[str, int | None], dict[str, Floor]] = {}

    def of(self, real: Tensor, half: int | None = None) -> dict[str, Floor]:
        """The floors of real features, float32 (n, d) on the CPU."""
        digest = hashlib.sha256(repr(real.shape).encode())
        digest.update(real.contiguous().numpy().reshape(-1).data)
        key = digest.hexdigest(), half
        if key not in self._known:
            self._known[key] = floors(
                self._figures, real, self._extractor, half=half, seed=self._seed
            )
        return self._known[key]
