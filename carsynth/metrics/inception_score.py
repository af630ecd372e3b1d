"""The Inception Score: how sure a classifier is of each picture, and how various of all."""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from carsynth.errors import UserError
from carsynth.metrics.extractor import Extractor
from carsynth.metrics.figure import Value

_SPLITS = 10
_ENOUGH = 5000


class InceptionScore:
    """exp of the mean divergence of a picture's class distribution from that of its split.

    Salimans et al. 2016 (arXiv 1606.03498), section 4: ten splits, mean and standard deviation
    over them. It looks at generated pictures only and lies between 1 and the smaller of the
    numbers of classes and of a split's pictures. Splits and order are torch-fidelity's defaults, so
    that the figure is the same on the same class scores: split i of s holds pictures i n // s to
    (i + 1) n // s of a fixed permutation, without which pictures that come sorted by class would
    make splits of few classes. Only below twenty pictures are there fewer splits, of two pictures
    or three, for one picture alone scores 1 whatever it shows; one split has no spread.
    """

    better: Mapping[str, str] = {"inception_score": "higher"}

    def measure(self, real: Tensor, fake: Tensor, extractor: Extractor) -> dict[str, Value]:
        n = len(fake)
        if n < 2:
            raise UserError(f"it takes two generated pictures or more, not {n}")
        with torch.no_grad():
            logits = extractor.to(fake.device).logits(fake)
        if logits is None:
            raise UserError(f"{extractor.name} knows no classes")
        # NumPy keeps this stream of numbers as it is for ever; torch-fidelity draws from it.
        logits = logits[torch.from_numpy(np.random.RandomState(2020).permutation(n))]
        splits = min(_SPLITS, n // 2)
        bounds = [i * n // splits for i in range(splits + 1)]
        scores = np.array([_score(logits[a:b]) for a, b in pairwise(bounds)])
        if not np.isfinite(scores).all():
            raise UserError("some features are not finite")
        spread = float(scores.std()) if splits > 1 else None
        return {"inception_score": Value(float(scores.mean()), spread)}

    def enough(self, name: str, value: Value, floor: float | None, count: int) -> int | None:
        """5,000, which makes splits of 500.

        A split of s pictures knows its class distribution, spread over C classes, from s draws,
        which lowers the logarithm of the score by up to (C - 1) / (2 s) (Miller 1955): a tenth for
        a hundred classes and 500 pictures, a half for a hundred.
        """
        return None if count >= _ENOUGH else _ENOUGH


def _score(logits: Tensor) -> float:
    """Of one split, class scores (s, C)."""
    own = logits.double().log_softmax(1)
    everyone = own.logsumexp(0) - math.log(len(own))
    return float((own.exp() * (own - everyone)).sum(1).mean().exp())
