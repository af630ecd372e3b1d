"""What a study is asked to do, checked before anything is read or trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import albumentations as A
from lightning.pytorch import Trainer

from carsynth.data.batch import CarSource
from carsynth.errors import UserError
from carsynth.modules.segmenter import Segmenter
from carsynth.usefulness_study.subsets import labelled_subset
from carsynth.usefulness_study.synthetic import SyntheticSet

Mix = Literal["real", "synthetic", "real+synthetic"]
MIXES: tuple[Mix, ...] = get_args(Mix)

USUAL_COUNTS = (25, 50, 100, 400)


@dataclass(frozen=True)
class Plan:
    """A study: for each count of real pictures three mixes, each trained from every seed."""

    real: CarSource
    splits: Mapping[str, Sequence[str]]
    """Names of ``real``: subsets are drawn from ``train``, scores are taken on ``test``, the rest
    is not used."""
    size: tuple[int, int]
    """Height and width at which pictures are trained on and tested."""
    synthetic: Mapping[int, SyntheticSet]
    """For each count of real pictures; the same set may stand for several."""
    seeds: Sequence[int]
    """Of initial weights, order and augmentation; 0 or more."""
    steps: int
    """Of the optimiser, in every training alike."""
    batch_size: int
    """In every training alike; of real+synthetic one half is real, the larger where it is odd."""
    segmenter: Callable[[], Segmenter]
    trainer: Callable[..., Trainer]
    """Takes the Trainer's further arguments by name; one device."""
    recipe: Mapping[str, Any]
    """Plain values for JSON that tell ``segmenter``, ``trainer`` and ``augment`` from others:
    trainings with another recipe are other trainings."""
    output_dir: Path
    augment: Sequence[A.BasicTransform] = field(default=())
    """Of training, in order; flips exchange left and right."""
    cache_limit_gib: float = 4.0
    """Of memory, for each set of pictures; a larger set goes to a file."""
    subset_seed: int = 0
    """Of :func:`~carsynth.usefulness_study.subsets.labelled_subset`; one for all ``seeds``, since a
    synthetic set belongs to one choice of labelled pictures."""

    @property
    def counts(self) -> list[int]:
        """Of real pictures, the fewest first."""
        return sorted(self.synthetic)

    def labelled(self, count: int) -> tuple[str, ...]:
        """Names of the real pictures that a row trains on."""
        return labelled_subset(self.splits["train"], count, self.subset_seed)


def check(plan: Plan) -> None:
    """Refuses what cannot be done, or would not be honest.

    Raises:
        UserError: names what does not fit.
    """
    if plan.steps < 1:
        raise UserError(f"steps={plan.steps}: give 1 or more")
    if plan.batch_size < 2:
        raise UserError(f"data.batch_size={plan.batch_size}: a mix needs 2 or more")
    if not plan.seeds or min(plan.seeds) < 0 or len(set(plan.seeds)) < len(plan.seeds):
        raise UserError(f"seeds={list(plan.seeds)}: give one or several different ones from 0 on")
    if not plan.synthetic:
        raise UserError("real_counts is empty: give one number of real pictures or more")
    test = frozenset(plan.splits["test"])
    if not test:
        raise UserError("the test split is empty: give it a share in data.fractions")
    for count, made in plan.synthetic.items():
        if count < plan.batch_size:
            raise UserError(
                f"real_counts: {count} pictures are fewer than one batch of {plan.batch_size}: "
                "lower data.batch_size"
            )
        if shared := test.intersection(plan.labelled(count)):
            raise UserError(f"{min(shared)} is both in the training and in the test split")
        if len(made.source.names) < plan.batch_size:
            raise UserError(
                f"synthetic={made.name} has {len(made.source.names)} pictures, fewer than one "
                f"batch of {plan.batch_size}: make more"
            )
        if shared := test & (made.saw or frozenset()):
            raise UserError(
                f"synthetic={made.name} was made by a generator that saw {len(shared)} of the "
                f"{len(test)} test pictures, such as {min(shared)}: train it without them"
            )
    plan.segmenter().check_size(*plan.size)


def counts_that_exist(asked: Sequence[int] | None, available: int) -> list[int]:
    """Counts of real pictures: those asked for, or the usual ones that there are pictures for.

    Raises:
        UserError: more are asked for than there are, or not even the least of the usual ones is.
    """
    if asked is not None:
        if too_many := [count for count in asked if count > available]:
            raise UserError(
                f"real_counts={list(asked)}: the training split has {available} real pictures, "
                f"fewer than {min(too_many)}; ask for {available} at most, or give a larger share "
                "in data.fractions"
            )
        return sorted(set(asked))
    usual = [count for count in USUAL_COUNTS if count <= available]
    if not usual:
        raise UserError(
            f"the training split has {available} real pictures, fewer than {USUAL_COUNTS[0]}: say "
            f"which numbers to study, such as real_counts=[{available}]"
        )
    return usual
