"""The nearest training pictures of given ones, mirrored or not, by features and by pixels."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

SIDE = 16
"""Height and width of a look."""

AROUND = 10
"""Training pictures behind the nearest one that say how far apart pictures are in its parts."""

_BLOCK = 2**24
"""Products held at a time: 64 MiB each for the pictures and for their mirror images."""
_ROWS = 128
"""Pictures whose candidates are compared exactly at a time."""
_GREY_LEVELS = 4.0
"""Added to a look's contrast, so that the noise of an empty picture is not blown up."""
_STIFFNESS = 1.0
"""What a shift by a look's pixel, or a stretch that moves its edges by one, adds to the square."""


class Nearest(NamedTuple):
    """The nearest training picture of each picture of a set."""

    train: Tensor
    """int64 (n,), which training picture it is."""
    mirrored: Tensor
    """Bool (n,): whether it is the training picture's mirror image that is so near."""
    distance: Tensor
    """float32 (n,)."""
    ratio: Tensor
    """float32 (n,), distance over the mean distance of the :data:`AROUND` next training pictures:
    0 for a copy, near 1 for a picture that has nothing to do with its nearest one."""


def looks_of(photo: Tensor) -> Tensor:
    """What pixels are compared by, float32 (B, 3, 16, 16), of photos, uint8 (B, 3, H, W).

    Each is shrunk by area, smoothed, and brought to mean 0 and to a contrast of about 1, so that
    compression, scale, brightness and contrast hardly show. Its mirror image is the look of the
    mirrored photo.
    """
    x = photo.float()
    height, width = x.shape[-2:]
    if min(height, width) < SIDE:
        x = F.interpolate(x, size=(max(height, SIDE), max(width, SIDE)), mode="bilinear")
    x = F.adaptive_avg_pool2d(x, SIDE)
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    x = (x[..., :-2] + 2.0 * x[..., 1:-1] + x[..., 2:]) / 4.0
    x = (x[..., :-2, :] + 2.0 * x[..., 1:-1, :] + x[..., 2:, :]) / 4.0
    x = x - x.mean((1, 2, 3), keepdim=True)
    return x / (x.square().mean((1, 2, 3), keepdim=True).sqrt() + _GREY_LEVELS)


def nearest_by_features(
    features: Tensor, train: Tensor, mirrored: Tensor, own: Tensor | None = None
) -> Nearest:
    """Nearest by Euclidean distance in units of each feature's deviation over the training set.

    Without that division a few features, brightness above all, are nearly all of the distance of a
    random network. A feature that is constant over the training set keeps its own unit.

    Args:
        features: (n, d).
        train: (m, d), of the training pictures.
        mirrored: (m, d), of their mirror images.
        own: where the pictures are training pictures themselves, their indices (n,), which are no
            answer.
    """
    scale = train.std(0, correction=0)
    scale = torch.where(scale > 0, scale, 1.0)
    middle = train.mean(0)
    queries, plain, flipped = ((x - middle) / scale for x in (features, train, mirrored))
    found = _candidates(queries, plain, flipped, own)
    parts = []
    for rows in torch.split(torch.arange(len(queries)), _ROWS):
        sides = torch.stack([side[found[rows]] for side in (plain, flipped)])
        parts.append((queries[rows, None] - sides).square().sum(3).sqrt())
    return _nearest(found, torch.cat(parts, 1))


def nearest_by_looks(looks: Tensor, train: Tensor, own: Tensor | None = None) -> Nearest:
    """Nearest by what is left between looks once one is shifted and stretched onto the other.

    It is the tangent distance of Simard, LeCun and Denker (1993), one-sided: the difference is
    freed from the training look's derivatives by shift and by stretch, down and across. A shift
    of two pixels in 64 would else be as far from its source as some strangers are.

    Args:
        looks: (n, 3, 16, 16) of :func:`looks_of`.
        train: (m, 3, 16, 16), of the training pictures.
        own: as in :func:`nearest_by_features`.
    """
    plain, flipped = train.flatten(1), train.flip(3).flatten(1)
    found = _candidates(looks.flatten(1), plain, flipped, own)
    parts = []
    for rows in torch.split(torch.arange(len(looks)), _ROWS):
        there = train[found[rows]]
        sides = [_tangent_distance(looks[rows, None], side) for side in (there, there.flip(4))]
        parts.append(torch.stack(sides))
    return _nearest(found, torch.cat(parts, 1))


def _candidates(queries: Tensor, plain: Tensor, flipped: Tensor, own: Tensor | None) -> Tensor:
    """Indices (n, k) of the nearest training pictures, in ascending order.

    By matrix products, which are quick and lose the digits of small distances.
    """
    count = min(AROUND + 1, len(plain) - (own is not None))
    norms = [x.square().sum(1) for x in (plain, flipped)]
    found = []
    with tqdm(desc="neighbours", total=len(queries), unit="picture", delay=2) as bar:
        for rows in torch.split(torch.arange(len(queries)), max(1, _BLOCK // len(plain))):
            part = queries[rows]
            straight = torch.addmm(norms[0], part, plain.T, alpha=-2.0)
            across = torch.addmm(norms[1], part, flipped.T, alpha=-2.0)
            best = torch.minimum(straight, across)
            if own is not None:
                best[torch.arange(len(part)), own[rows]] = torch.inf
            found.append(best.topk(count, largest=False).indices.sort().values)
            bar.update(len(part))
    return torch.cat(found)


def _tangent_distance(looks: Tensor, there: Tensor) -> Tensor:
    """Distances (n, k) of looks (n, 1, 3, s, s) from candidates (n, k, 3, s, s)."""
    wide = F.pad(there.flatten(0, 1), (1, 1, 1, 1), mode="replicate")
    down = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2.0
    across = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2.0
    place = torch.linspace(-1.0, 1.0, SIDE)
    moves = torch.stack([down, across, down * place[:, None], across * place], 1).flatten(2)
    gap = (looks - there).flatten(0, 1).flatten(1)[..., None]
    normal = moves @ moves.mT + _STIFFNESS * torch.eye(4)
    step = torch.linalg.solve(normal, moves @ gap)
    left: Tensor = gap - moves.mT @ step
    return left.square().sum((1, 2)).sqrt().reshape(there.shape[:2])


def _nearest(found: Tensor, distances: Tensor) -> Nearest:
    """The first of the candidates (n, k) by exact distance; of equal ones that of the lowest index.

    Args:
        distances: (2, n, k), from the candidates and from their mirror images.
    """
    straight, across = distances
    ranked, order = torch.minimum(straight, across).sort(dim=1, stable=True)
    train, mirrored = (x.gather(1, order[:, :1])[:, 0] for x in (found, across < straight))
    around = ranked[:, 1:].mean(1)
    ratio = torch.where(around > 0, ranked[:, 0] / around, 0.0)
    return Nearest(train, mirrored, ranked[:, 0], ratio)
