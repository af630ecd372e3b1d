"""Looks to choose from: what a feature encoder found in each part, as a few cluster centres."""

import torch
from torch import Tensor, nn

STARTS = 10
"""Runs of k-means, each from centres of its own draw; the best is kept."""

PHOTOS = 256
"""Training photos whose combination of looks is kept."""

MAX_ROUNDS = 100
"""Most rounds of Lloyd's algorithm; it is usually at rest after a dozen."""


class LookClusters(nn.Module):
    """Cluster centres of every part's features, and which of them training photos put together.

    pix2pixHD (Wang et al. 2018, section 3.4): k-means over the encoder's mean feature of each part
    of each training photo; to synthesise, a part takes one centre, the same all over the part. The
    published code has 10 clusters of 3 channels a part and draws each part's by itself, which gives
    a green car an orange door. Here a picture follows one training photo drawn at random, part for
    part, and for parts which that photo does not show, the photo most like it that does.
    """

    centres: Tensor
    """(num_parts, clusters, channels), in the encoder's units; unused ones are zero."""
    codes: Tensor
    """Cluster of each part in some training photos, int64 (:data:`PHOTOS`, num_parts); -1 where a
    photo does not show the part, and in unused rows."""

    def __init__(self, num_parts: int, clusters: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(num_parts, clusters, channels))
        self.register_buffer("codes", torch.full((PHOTOS, num_parts), -1))

    def fit(self, means: Tensor, generator: torch.Generator) -> None:
        """Put the clusters of these features in the place of the present ones.

        Args:
            means: mean feature of every part of every photo, (n, num_parts, channels); NaN for
                parts that a photo does not show.
            generator: draws the first centres, and which photos are kept; on any device.

        A part with fewer distinct features than clusters gets one cluster for each of them.

        Raises:
            ValueError: a shape that does not fit.
        """
        num_parts, clusters, channels = self.centres.shape
        if means.ndim != 3 or means.shape[1:] != (num_parts, channels):
            raise ValueError(
                f"means (n, {num_parts}, {channels}) are needed, got {tuple(means.shape)}"
            )
        means = means.detach().to(self.centres)
        order = torch.randperm(len(means), generator=generator, device=generator.device)
        kept = means[order[:PHOTOS].to(means.device)]
        self.centres.zero_()
        self.codes.fill_(-1)
        for part in range(num_parts):
            seen = means[:, part].isfinite().all(1)
            centres, _ = kmeans(means[seen, part], clusters, generator)
            self.centres[part, : len(centres)] = centres
            shown = kept[:, part].isfinite().all(1).nonzero().flatten()
            if len(shown):
                distance = torch.cdist(kept[shown, part], centres)
                self.codes[shown, part] = distance.argmin(1)

    def sample(self, one_hot_map: Tensor, generator: torch.Generator) -> Tensor:
        """A feature map with one cluster for every part of every picture.

        Args:
            one_hot_map: (B, num_parts, H, W) floats.
            generator: draws the photo that each picture follows, among the quarter that show most
                of the map's parts; on any device, with equal draws wherever the map lies.

        Returns:
            (B, channels, H, W) in the map's dtype; zero where the part was never seen.
        """
        present = one_hot_map.flatten(2).any(2)
        codes = self.codes[(self.codes >= 0).any(1)]
        drawn = torch.rand(len(present), generator=generator, device=generator.device).tolist()
        looks = self.centres.new_zeros(len(present), *self.centres.shape[::2])
        for look, parts, chance in zip(looks, present, drawn, strict=True):
            if len(codes):
                code = self._code(codes, parts, chance)
                known = (code >= 0).nonzero().flatten()
                look[known] = self.centres[known, code[known]]
        return torch.einsum("bkhw,bkc->bchw", one_hot_map, looks.to(one_hot_map))

    @staticmethod
    def _code(codes: Tensor, parts: Tensor, chance: float) -> Tensor:
        """The clusters of one picture with these parts, (num_parts,); -1 where never seen."""
        shows = codes >= 0
        covering = (shows & parts).sum(1).argsort(descending=True, stable=True)
        fitting = covering[: -(-len(codes) // 4)]
        leader = codes[fitting[int(chance * len(fitting))]]
        alike = ((codes == leader) & (leader >= 0)).sum(1)
        donor = alike[:, None].where(shows, -1).argmax(0)
        return leader.where(leader >= 0, codes.gather(0, donor[None])[0])


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
