"""Looks to choose from: what a feature encoder found in each part, as a few cluster centres."""

import torch
from torch import Tensor, nn

STARTS = 10
"""Runs of k-means, each from centres of its own draw; the best is kept."""

MAX_ROUNDS = 100
"""Most rounds of Lloyd's algorithm; it is usually at rest after a dozen."""


class LookClusters(nn.Module):
    """Cluster centres of every part's features, and how many training features each one stands for.

    pix2pixHD (Wang et al. 2018, section 3.4): k-means over the encoder's mean feature of each part
    of each training photo; to synthesise, a part takes one centre, the same all over the part. The
    published code has 10 clusters of 3 channels a part.
    """

    centres: Tensor
    """(num_parts, clusters, channels), in the encoder's units; zero where ``counts`` is zero."""
    counts: Tensor
    """Training features of each cluster, int64 (num_parts, clusters)."""

    def __init__(self, num_parts: int, clusters: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(num_parts, clusters, channels))
        self.register_buffer("counts", torch.zeros(num_parts, clusters, dtype=torch.int64))

    def fit(self, features: Tensor, parts: Tensor, generator: torch.Generator) -> None:
        """Put the clusters of these features in the place of the present ones.

        Args:
            features: one mean feature for each part seen in each photo, (n, channels).
            parts: the part id of each, integer (n,).
            generator: draws the first centres; on any device.

        A part with fewer distinct features than clusters gets one cluster for each of them.

        Raises:
            ValueError: shapes that do not fit, ids that are no part's, features that are no number.
        """
        num_parts, clusters, channels = self.centres.shape
        if features.shape != (len(parts), channels) or parts.ndim != 1:
            raise ValueError(
                f"features (n, {channels}) and parts (n,) are needed, got "
                f"{tuple(features.shape)} and {tuple(parts.shape)}"
            )
        if len(parts) and not 0 <= int(parts.min()) <= int(parts.max()) < num_parts:
            raise ValueError(
                f"part ids run from 0 to {num_parts - 1}, got {int(parts.min())} to "
                f"{int(parts.max())}"
            )
        if not features.isfinite().all():
            raise ValueError("features to cluster hold values that are not finite")
        features = features.detach().to(self.centres)
        parts = parts.to(self.centres.device)
        self.centres.zero_()
        self.counts.zero_()
        for part in range(num_parts):
            centres, counts = kmeans(features[parts == part], clusters, generator)
            self.centres[part, : len(centres)] = centres
            self.counts[part, : len(counts)] = counts

    def sample(self, one_hot_map: Tensor, generator: torch.Generator) -> Tensor:
        """A feature map with one cluster for every part of every picture.

        Args:
            one_hot_map: (B, num_parts, H, W) floats.
            generator: draws the clusters, in proportion to their counts; on any device, and with
                equal draws wherever the map lies.

        Returns:
            (B, channels, H, W) in the map's dtype; zero where the part was never seen.
        """
        batch = len(one_hot_map)
        chances = self.counts.to(generator.device, torch.float32)
        # multinomial refuses a row of zeros; the first centre of an unseen part is zero itself.
        chances[:, 0] += chances.sum(1) == 0
        drawn = torch.multinomial(chances, batch, replacement=True, generator=generator)
        picks = drawn.to(self.centres.device)
        rows = torch.arange(len(picks), device=picks.device)[:, None]
        looks = self.centres[rows, picks].to(one_hot_map)
        return torch.einsum("bkhw,kbc->bchw", one_hot_map, looks)


def kmeans(points: Tensor, clusters: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Centres (m, C) and counts int64 (m,) of points (n, C), every count above zero.

    m is ``clusters``, or the number of distinct points where those are fewer. Lloyd's algorithm
    from k-means++ centres (Arthur and Vassilvitskii 2007); of :data:`STARTS` runs, the one that
    leaves the points nearest to their centres.
    """
    runs = [_lloyd(points, _spread_centres(points, clusters, generator)) for _ in range(STARTS)]
    left = [(points - centres[nearest]).square().sum() for centres, nearest in runs]
    centres, nearest = runs[int(torch.stack(left).argmin())]
    return centres, torch.bincount(nearest, minlength=len(centres))


def _lloyd(points: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Centres at rest and the index of each point's own, (n,)."""
    nearest = _assign(points, centres)
    for _ in range(MAX_ROUNDS):
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        centres = sums / torch.bincount(nearest, minlength=len(centres))[:, None]
        previous, nearest = nearest, _assign(points, centres)
        if torch.equal(previous, nearest):
            break
    return centres, nearest


def _spread_centres(points: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """First centres: each a point, drawn by its squared distance from those before it."""
    distance = torch.ones(len(points), device=points.device)
    chosen: list[Tensor] = []
    while len(chosen) < clusters and distance.any():
        drawn = torch.multinomial(distance.to(generator.device), 1, generator=generator)
        centre = points[drawn.to(points.device)]
        offset = (points - centre).square().sum(1)
        distance = torch.minimum(distance, offset) if chosen else offset
        chosen.append(centre)
    return torch.cat(chosen) if chosen else points[:0]


def _assign(points: Tensor, centres: Tensor) -> Tensor:
    """Index of the nearest centre, (n,); a cluster left empty takes the worst placed point."""
    if not len(points):
        return torch.zeros(0, dtype=torch.int64, device=points.device)
    mode = "donot_use_mm_for_euclid_dist"  # whose rounding could leave equal points unequal
    distance, nearest = torch.cdist(points, centres, compute_mode=mode).min(1)
    while True:
        counts = torch.bincount(nearest, minlength=len(centres))
        empty = (counts == 0).nonzero()
        if not len(empty):
            return nearest
        # A point alone in its cluster stays there: moving it would only empty another.
        movable = distance.where(counts[nearest] > 1, -1.0)
        worst = movable.argmax()
        nearest[worst], distance[worst] = empty[0, 0], 0.0
