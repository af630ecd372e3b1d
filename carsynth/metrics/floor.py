"""The floor: what real photos score against real photos, below which a score says nothing."""

from typing import NamedTuple

import torch
from torch import Tensor

from carsynth.metrics.frechet import frechet_distance, gaussian_of_features


class Floor(NamedTuple):
    """Distances between halves of one set, over several random splits."""

    mean: float
    std: float
    """Of the single split, unbiased."""
    half: int
    """Photos in each half: a floor compares only with scores of about as many photos."""


def split_half_floor(features: Tensor, repeats: int = 10, seed: int = 0) -> Floor | None:
    """Frechet distance between random halves of real features (n, d); None for less than four.

    It lies above what n fresh photos would score against n, by 1.25 times at 208 photos and 1.8
    times at 2,000, for a half knows less than the whole: a good generator can go below it.
    """
    half = len(features) // 2
    if half < 2:
        return None
    generator = torch.Generator().manual_seed(seed)
    distances = torch.empty(repeats, dtype=torch.float64)
    for repeat in range(repeats):
        order = torch.randperm(len(features), generator=generator)
        first, second = features[order[:half]], features[order[half : 2 * half]]
        distances[repeat] = frechet_distance(
            gaussian_of_features(first), gaussian_of_features(second)
        )
    return Floor(float(distances.mean()), float(distances.std()), half)
