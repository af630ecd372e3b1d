"""Gaussians fitted to feature vectors, and the Frechet distance between two, exact in float64."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

_SINGULAR_VALUES_UP_TO = 768
"""Smaller side of a product up to which its singular values are had in a moment."""

_BLOCK = 512
"""Columns of a Gram matrix that are computed at once."""

_ROUNDING = 1e-9
"""Share of the traces of both covariances below which a distance may be rounding alone."""


class Gaussian(NamedTuple):
    """A normal distribution over features, float64 on the CPU."""

    mean: Tensor
    """(d,)."""
    factor: Tensor
    """(r, d) with ``factor.T @ factor`` the unbiased covariance; r is at most d and below n."""


def gaussian_of_features(features: Tensor) -> Gaussian:
    """The Gaussian of feature vectors (n, d) of any float type.

    Raises:
        ValueError: fewer than two vectors, or a value that is not finite.
    """
    features = features.to("cpu", torch.float64)
    count, d = features.shape
    _check(count, features)
    mean = features.mean(0)
    centred = features - mean
    if count > d:
        return Gaussian(mean, _root(centred.T @ centred / (count - 1), d))
    # The rows sum to 0: a reflection of the all-ones direction onto the first row empties it.
    factor = centred[1:] + centred[0] / (math.sqrt(count) - 1.0)
    return Gaussian(mean, factor.div_(math.sqrt(count - 1)))


def gaussian_of_sums(count: int, total: Tensor, outer: Tensor) -> Gaussian:
    """The Gaussian of ``count`` vectors from their sum (d,) and sum of outer products (d, d).

    Raises:
        ValueError: fewer than two vectors, or sums that are not finite.
    """
    total, outer = total.to("cpu", torch.float64), outer.to("cpu", torch.float64)
    _check(count, outer.diagonal())
    mean = total / count
    covariance = torch.addr(outer, mean, mean, alpha=-count).div_(count - 1)
    return Gaussian(mean, _root(covariance, min(count - 1, len(mean))))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Squared 2-Wasserstein distance of two Gaussians (Dowson and Landau 1982), at least 0.

    The trace of the root of S1 S2 is the nuclear norm of F1 F2^T for any factors S = F^T F, which
    holds without error where the covariances are singular and ``sqrtm`` loses four digits. A
    distance that rounding alone can make, as between equal sets, is 0.
    """
    shift = (first.mean - second.mean).square().sum()
    spread = first.factor.square().sum() + second.factor.square().sum()
    small, large = sorted((first.factor, second.factor), key=len)
    product = large @ small.T  # upright, which LAPACK is twice as fast with
    if len(small) <= _SINGULAR_VALUES_UP_TO:
        norm = torch.linalg.svdvals(product).sum()
    else:
        norm = _nuclear_norm(product, graded=len(small) == len(first.mean))
    distance = float(shift + spread - 2.0 * norm)
    return distance if distance > _ROUNDING * float(spread) else 0.0


def _nuclear_norm(product: Tensor, graded: bool) -> Tensor:
    """Sum of the singular values of a large matrix (n, k), n >= k, by its Gram matrix.

    Squaring loses singular values below 1e-8 of the largest, many of which are a percent of a
    small distance. They are kept where the Gram matrix falls off along its diagonal, as that of
    triangular rows does: those of QR, and nearly so (``graded``) those of Cholesky factors.
    """
    if not graded:
        product = torch.linalg.qr(product, mode="r")[1].T
    gram = torch.zeros(product.shape[1], product.shape[1], dtype=product.dtype)
    for block in range(0, len(gram), _BLOCK):  # the lower triangle, of which alone eigvalsh reads
        columns = slice(block, block + _BLOCK)
        gram[block:, columns] = product[:, block:].T @ product[:, columns]
    squares: Tensor = torch.linalg.eigvalsh(gram)
    return squares.clamp(min=0.0).sqrt().sum()


def _root(covariance: Tensor, rank: int) -> Tensor:
    """A factor (r, d) of a covariance (d, d), whose rank is known to be ``rank`` or less.

    Cholesky takes a tenth of an eigendecomposition's time, but a feature that never changes, or
    that others determine, makes the covariance singular and rounding makes it indefinite.
    """
    d = len(covariance)
    factor: Tensor
    if rank == d:
        factor, failed = torch.linalg.cholesky_ex(covariance, upper=True)
        if not failed:
            return factor
    values, vectors = torch.linalg.eigh(covariance)
    known = values > d * torch.finfo(values.dtype).eps * values.abs().max()
    known[: d - rank] = False
    factor = values[known].sqrt()[:, None] * vectors.T[known]
    return factor.flip(0)


def _check(count: int, values: Tensor) -> None:
    if count < 2:
        raise ValueError(f"a Gaussian needs two feature vectors or more, and has {count}")
    if not values.isfinite().all():
        raise ValueError("a Gaussian needs feature vectors that are finite")
