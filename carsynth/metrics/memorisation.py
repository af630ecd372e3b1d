"""Whether generated pictures are copies of training pictures, judged by held-out photos.

A picture's nearest training picture is near for two reasons: it is a copy, or many pictures look
like that. The ratio of :class:`~carsynth.metrics.neighbours.Nearest` tells the two apart, as the
distance of Carlini et al. (2023, arXiv 2301.13188) does, and photos that no generator has seen say
which ratios come about by chance.

On 1,000 and on 400 car photos at 64 to 256 pixels, with features of the random Inception and 30
held-out photos or more, at least 98.5 % of the copies of every kind were found: mirrored, JPEG at
quality 30, a tenth brighter, shifted by two pixels, cropped by two, halved and enlarged again. Of
other photos of these sets 0.3 to 1.8 % were called suspicious; on the set of 400 more than half of
them were true duplicates.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from carsynth.errors import UserError
from carsynth.metrics.neighbours import Nearest, nearest_by_features, nearest_by_looks

CHANCE = 0.005
"""Share of strangers that either distance alone may call suspicious."""

SAFE = 0.5
"""Share of the usual ratio above which no picture is suspicious."""

FEWEST = 3
"""Training pictures: one to leave out, its nearest, and one to compare that with."""


class Pictures(NamedTuple):
    """A set of pictures, of any sizes, as far as memorisation looks at it; both on the CPU."""

    features: Tensor
    """float32 (n, d), of :func:`~carsynth.metrics.extractor.features_of`."""
    looks: Tensor
    """float32 (n, 3, 16, 16), of :func:`~carsynth.metrics.neighbours.looks_of`."""


class Matches(NamedTuple):
    """A set's nearest training pictures by either distance, which need not be the same."""

    features: Nearest
    looks: Nearest


class Pair(NamedTuple):
    """A generated picture beside a training picture."""

    fake: int
    train: int
    mirrored: bool
    closeness: float
    """Ratio over threshold, suspicious below 1."""


class Memorisation(NamedTuple):
    """What was found; shares lie between 0 and 1."""

    fake: Matches
    real: Matches
    """Of the photos that the thresholds come from."""
    held_out: bool
    """Whether those were held out; else they are the training photos, each left out in turn."""
    feature_threshold: float
    look_threshold: float
    suspicious: float
    """Share of the generated pictures whose ratio by either distance lies below its threshold."""
    real_suspicious: float
    """The same share of the photos behind the thresholds: what is expected without memorisation,
    true duplicates of training photos included."""
    authenticity: float
    """Share of generated pictures that are farther (by features) from their nearest training
    picture than that one is from the nearest other (Alaa et al. 2022, arXiv 2102.08921)."""
    real_authenticity: float
    """The same share of the photos behind the thresholds."""

    def closeness(self) -> Tensor:
        """For each generated picture the smaller ratio over threshold, (n,); suspicious below 1."""
        return self._either().min(0).values

    def worst(self, count: int) -> list[Pair]:
        """The ``count`` most suspicious generated pictures, or fewer where there are no more.

        Each comes with its nearest training picture by the distance that accuses it more.
        """
        either = self._either()
        pairs = []
        for fake in either.min(0).values.argsort(stable=True)[:count].tolist():
            nearest = self.fake[int(either[:, fake].argmin())]
            train, mirrored = int(nearest.train[fake]), bool(nearest.mirrored[fake])
            pairs.append(Pair(fake, train, mirrored, float(either[:, fake].min())))
        return pairs

    def _either(self) -> Tensor:
        by_features = self.fake.features.ratio / self.feature_threshold
        return torch.stack([by_features, self.fake.looks.ratio / self.look_threshold])


def memorisation(
    fake: Pictures, train: Pictures, mirrored: Tensor, held_out: Pictures | None
) -> Memorisation:
    """Compares every generated picture with every training picture and its mirror image.

    Args:
        mirrored: features (m, d) of the training pictures' mirror images, in their order.
        held_out: photos of the same kind that no generator was trained on. None takes each
            training photo against the other ones instead.

    Raises:
        UserError: a set is too small, or features are not finite.
    """
    _check(fake, train, held_out)
    everyone = torch.arange(len(train.features))
    own = everyone if held_out is None else None
    real = train if held_out is None else held_out
    matches = [
        Matches(
            nearest_by_features(side.features, train.features, mirrored, among),
            nearest_by_looks(side.looks, train.looks, among),
        )
        for side, among in ((fake, None), (real, own))
    ]
    fakes, reals = matches
    thresholds = (threshold_of(reals.features.ratio), threshold_of(reals.looks.ratio))
    apart = _distance_to_others(fakes, reals, train, mirrored)
    suspicious = [
        (side.features.ratio < thresholds[0]) | (side.looks.ratio < thresholds[1])
        for side in matches
    ]
    authentic = [side.features.distance > apart[side.features.train] for side in matches]
    return Memorisation(
        fakes,
        reals,
        held_out is not None,
        *thresholds,
        *(float(which.float().mean()) for which in (*suspicious, *authentic)),
    )


def threshold_of(ratio: Tensor) -> float:
    """The ratio below which a picture is suspicious, from the ratios (n,) of real photos.

    Nearest distances among points scattered in d dimensions follow Weibull's law with shape d, so
    that their median and lower quartile tell below which ratio :data:`CHANCE` of them lie. Neither
    moves much where a few photos have true duplicates among the training photos, as the lowest
    ratio does. The law's tail is too thin for photos of one car at one place, which are less than
    that apart but seldom less than half the median: the smaller of the two is the threshold.

    Raises:
        UserError: a quarter of the photos or more are exact copies of training photos.
    """
    quartile, median = (float(torch.quantile(ratio.double(), part)) for part in (0.25, 0.5))
    if quartile <= 0.0:
        raise UserError(
            "memorisation: a quarter of the photos that say which distances come about by chance "
            "are themselves copies of training photos: give it photos that were not trained on"
        )
    # F(r) = 1 - 2**-((r / median)**shape): the quartile gives 1 / shape, CHANCE gives r.
    spread = math.log(median / quartile) / math.log(math.log(2.0) / math.log(4.0 / 3.0))
    by_law = median * math.pow(-math.log1p(-CHANCE) / math.log(2.0), spread)
    return min(by_law, SAFE * median)


def _distance_to_others(
    fakes: Matches, reals: Matches, train: Pictures, mirrored: Tensor
) -> Tensor:
    """Feature distance (m,) of training pictures to their nearest other; NaN where not asked."""
    asked = torch.unique(torch.cat([fakes.features.train, reals.features.train]))
    others = nearest_by_features(train.features[asked], train.features, mirrored, asked)
    apart = torch.full((len(train.features),), torch.nan)
    apart[asked] = others.distance
    return apart


def _check(fake: Pictures, train: Pictures, held_out: Pictures | None) -> None:
    for name, pictures, fewest in (
        ("generated", fake, 1),
        ("training", train, FEWEST),
        ("held-out", held_out, 1),
    ):
        if pictures is None:
            continue
        if len(pictures.features) < fewest:
            raise UserError(
                f"memorisation needs {fewest} {name} pictures or more, and has "
                f"{len(pictures.features)}: add some"
            )
        if not pictures.features.isfinite().all():
            raise UserError(
                f"memorisation: the features of {name} pictures are not finite: look for broken "
                "pictures among them"
            )
