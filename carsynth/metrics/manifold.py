"""How good and how various pictures are, apart: precision, recall, density and coverage."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from carsynth.errors import UserError
from carsynth.metrics.extractor import Extractor
from carsynth.metrics.figure import Value

BLOCK = 1024
"""Pictures a side of which distances are held at once: 8 MiB of them."""

_MARGIN = 8
"""Candidates beyond the k nearest, for rounding may have put close ones in another order."""

_ENOUGH = 100
"""Makes the standard error of a share at most 0.05."""


class Manifold:
    """Shares of pictures that lie within the k-th nearest neighbour distance of other pictures.

    Precision: generated pictures within reach of a real one; recall: real ones within reach of a
    generated one (Kynkaanniemi et al. 2019, arXiv 1904.06991, section 2). Density: real pictures
    in whose reach a generated one lies, over k, which can exceed 1; coverage: real pictures in
    whose reach a generated one lies (Naeem et al. 2020, arXiv 2002.09797, section 3). A
    picture's reach is the distance to its k-th nearest neighbour in its own set, itself left out,
    and within is strictly less.

    Spreads are binomial standard errors, of generated pictures for precision and of real ones for
    recall and coverage; density has none. Memory for it does not grow with the pairs of pictures.

    Args:
        k: the neighbour that says how far a picture reaches; its own set must have more pictures.
    """

    better: Mapping[str, str] = dict.fromkeys(
        ("precision", "recall", "density", "coverage"), "higher"
    )

    def __init__(self, k: int = 5) -> None:
        if k < 1:
            raise UserError(f"k={k}: a picture's reach takes one neighbour or more")
        self._k = k

    def measure(self, real: Tensor, fake: Tensor, extractor: Extractor) -> dict[str, Value]:
        n, m, k = len(real), len(fake), self._k
        if min(n, m) <= k:
            raise UserError(f"{k} neighbours take {k + 1} pictures a side or more, not {n} and {m}")
        # Each picture is the nearest to itself, at distance 0.
        of_real = nearest(real, real, k + 1).square[:, k]
        of_fake = nearest(fake, fake, k + 1).square[:, k]
        if not (of_real.isfinite().all() and of_fake.isfinite().all()):
            raise UserError("some features are not finite")
        precise = torch.zeros(m, dtype=torch.bool)
        recalled, covered = torch.zeros(2, n, dtype=torch.bool)
        inside = 0
        for rows, columns, square, error in _tiles(real, fake):
            reach_of_real, reach_of_fake = of_real[rows, None], of_fake[None, columns]
            unsure = _unsure(square, error, reach_of_real) | _unsure(square, error, reach_of_fake)
            square[unsure] = _exact(real[rows], fake[columns], unsure.nonzero())
            within_real, within_fake = square < reach_of_real, square < reach_of_fake
            precise[columns] |= within_real.any(0)
            covered[rows] |= within_real.any(1)
            recalled[rows] |= within_fake.any(1)
            inside += int(within_real.sum())
        return {
            "precision": _share(precise),
            "recall": _share(recalled),
            "density": Value(inside / (k * m)),
            "coverage": _share(covered),
        }

    def enough(self, name: str, value: Value, floor: float | None, count: int) -> int | None:
        """A hundred, with which no share is off by more than five in a hundred (one spread)."""
        return None if count >= _ENOUGH else _ENOUGH


class Neighbours(NamedTuple):
    """The k nearest points of each query, the nearest first."""

    square: Tensor
    """Squared Euclidean distances, float64 (n, k)."""
    which: Tensor
    """Row numbers of the points, int64 (n, k)."""


def nearest(queries: Tensor, points: Tensor, k: int) -> Neighbours:
    """The k nearest of the points (m, d), m >= k, for each query (n, d), block by block.

    Distances are computed from differences in float64: those of copies are 0. A set searched in
    itself finds each picture, or a copy of it, first. Where more than ``k + 8`` points are about
    equally far from a query, to 1e-12 of the squared size of the features, any of them may stand
    for the k nearest.
    """
    count = min(len(points), k + _MARGIN)
    square = torch.full((len(queries), count), torch.inf, dtype=torch.float64)
    which = torch.zeros(len(queries), count, dtype=torch.int64)
    for rows, columns, tile, _ in _tiles(queries, points):
        close = tile.topk(min(count, tile.shape[1]), largest=False)
        candidates = torch.cat([which[rows], close.indices + columns.start], 1)
        square[rows], order = torch.cat([square[rows], close.values], 1).topk(count, largest=False)
        which[rows] = candidates.gather(1, order)
    own = torch.arange(len(queries))[:, None].expand_as(which)
    pairs = torch.stack([own.flatten(), which.flatten()], 1)
    square, order = _exact(queries, points, pairs).reshape(which.shape).sort(1)
    return Neighbours(square[:, :k], which.gather(1, order)[:, :k])


def _tiles(first: Tensor, second: Tensor) -> Iterator[tuple[slice, slice, Tensor, Tensor]]:
    """Rows and columns, squared distances (a, b) between them, and bounds of their errors.

    By |x|^2 + |y|^2 - 2 x.y about a common centre, which is quick, and bad for points that lie
    much closer to each other than to the centre.
    """
    centre, d = second.mean(0).double(), second.shape[1]
    # Rounding of the products, of three sums and of the centring moves a square by at most d + 4
    # eps of the sizes; that of the sum of squared differences, with which it must agree, by d eps.
    factor = 2 * (d + 4) * torch.finfo(torch.float64).eps
    for i in tqdm(range(0, len(first), BLOCK), desc="neighbours", unit="block", delay=2):
        rows = slice(i, i + BLOCK)
        x = first[rows].double().sub_(centre)
        for j in range(0, len(second), BLOCK):
            columns = slice(j, j + BLOCK)
            y = second[columns].double().sub_(centre)
            sizes = x.square().sum(1)[:, None] + y.square().sum(1)
            square = torch.addmm(sizes, x, y.T, alpha=-2.0).clamp_(min=0.0)
            yield rows, columns, square, sizes.mul_(factor)


def _unsure(square: Tensor, error: Tensor, reach: Tensor) -> Tensor:
    """Where the error decides whether a squared distance is less than a reach, unless that is 0."""
    return ((square - reach).abs() <= error) & (reach > 0.0)


def _exact(first: Tensor, second: Tensor, pairs: Tensor) -> Tensor:
    """Squared distances (p,) of pairs of row numbers (p, 2), the same whichever comes first."""
    square = torch.empty(len(pairs), dtype=torch.float64)
    for i in range(0, len(pairs), BLOCK):
        a, b = pairs[i : i + BLOCK].T
        square[i : i + BLOCK] = (first[a].double() - second[b].double()).square().sum(1)
    return square


def _share(hit: Tensor) -> Value:
    share = float(hit.double().mean())
    return Value(share, math.sqrt(share * (1.0 - share) / len(hit)))
