"""How well predicted part maps cover the true ones: intersection over union from one matrix."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from carsynth.errors import UserError
from carsynth.labels import BACKGROUND, NUM_PARTS, PART_TWINS, PARTS

Confusion = NDArray[np.int64]
"""Pixels by true part (rows) and predicted part (columns), (K, K)."""


class Overlap(NamedTuple):
    """Intersection over union of each part, each from 0 to 1."""

    iou: dict[str, float]
    """By part name, background included; of the parts in the true or the predicted maps. One that
    is predicted and in no true map has 0."""
    absent: tuple[str, ...]
    """Parts in neither, which have no figure."""
    unasked: tuple[str, ...]
    """Parts that are predicted and in no true map."""

    @property
    def mean(self) -> float:
        """Over the parts in :attr:`iou` but the background, which is easy and would flatter."""
        car = [iou for name, iou in self.iou.items() if name != PARTS[BACKGROUND].name]
        return sum(car) / len(car)


class PartScores(NamedTuple):
    """Of one set of predicted maps."""

    confusion: Confusion
    distinct: Overlap
    """With left and right told apart."""
    merged: Overlap
    """With a part and its mirror twin as one, ``front_left_door`` as ``front_door``."""


def scores_of(confusion: Confusion) -> PartScores:
    """Both readings of a matrix.

    Raises:
        UserError: the true maps show no part, so that there is nothing to be found.
    """
    if confusion.shape != (NUM_PARTS, NUM_PARTS):
        raise ValueError(f"a confusion matrix is {NUM_PARTS}x{NUM_PARTS}, not {confusion.shape}")
    if not np.delete(confusion.sum(1), BACKGROUND).any():
        raise UserError("the test maps show no part of a car: check the masks")
    one_of_twins = np.minimum(np.arange(NUM_PARTS), PART_TWINS)
    merged = np.zeros_like(confusion)
    np.add.at(merged, (one_of_twins[:, None], one_of_twins[None, :]), confusion)
    kept = np.unique(one_of_twins)
    return PartScores(
        confusion,
        _overlap(confusion, part_names(merged=False)),
        _overlap(merged[np.ix_(kept, kept)], part_names(merged=True)),
    )


def part_names(merged: bool) -> list[str]:
    """In the order of the taxonomy; merged, those of twins without their side, once each."""
    names = [part.name for part in PARTS]
    if merged:
        names = [name.replace("left_", "").replace("right_", "") for name in names]
    return list(dict.fromkeys(names))


def _overlap(confusion: Confusion, names: list[str]) -> Overlap:
    both, true, predicted = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    either = true + predicted - both
    iou = {name: float(both[k] / either[k]) for k, name in enumerate(names) if either[k]}
    absent = tuple(name for name in names if name not in iou)
    unasked = tuple(name for k, name in enumerate(names) if predicted[k] and not true[k])
    return Overlap(iou, absent, unasked)


class PartIoU(Metric):
    """Intersection over union of parts over all pixels of all maps, of all processes together."""

    higher_is_better = True
    is_differentiable = False
    full_state_update = False

    confusion: Tensor

    def __init__(self) -> None:
        super().__init__()
        empty = torch.zeros(NUM_PARTS, NUM_PARTS, dtype=torch.int64)
        self.add_state("confusion", empty, dist_reduce_fx="sum")

    def update(self, predicted: Tensor, true: Tensor) -> None:
        """Adds maps of ids of ``labels.PARTS``, integers (B, H, W) on any device.

        Raises:
            ValueError: the shapes differ, or an id is no part's.
        """
        if predicted.shape != true.shape:
            raise ValueError(f"predicted maps {predicted.shape} beside true maps {true.shape}")
        pairs = true.long().to(self.device) * NUM_PARTS + predicted.long().to(self.device)
        ids = torch.stack([predicted.max(), predicted.min(), true.max(), true.min()]).tolist()
        if min(ids) < 0 or max(ids) >= NUM_PARTS:
            raise ValueError(f"ids run from {min(ids)} to {max(ids)}, parts end at {NUM_PARTS - 1}")
        counts = torch.bincount(pairs.flatten(), minlength=NUM_PARTS**2)
        self.confusion += counts.view(NUM_PARTS, NUM_PARTS)

    def compute(self) -> Any:
        """:class:`PartScores` of everything so far.

        Raises:
            UserError: as :func:`scores_of`.
        """
        return scores_of(self.confusion.cpu().numpy().copy())
