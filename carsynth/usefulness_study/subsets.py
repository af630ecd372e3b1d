"""Which labelled pictures a row has: drawn once, each smaller choice within every larger one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from carsynth.data.splits import save_splits
from carsynth.errors import UserError

FEWEST_VALIDATING = 2
"""What a Frechet distance needs."""


def labelled_subset(names: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    """``count`` names, sorted; those of a smaller count with the same seed are among them.

    The draw depends on the seed and the sorted names alone.

    Args:
        names: of the training split.

    Raises:
        UserError: there are fewer.
    """
    if not 0 < count <= len(names):
        raise UserError(
            f"{count} real pictures were asked for and the training split has {len(names)}: give "
            f"real_counts from 1 to {len(names)}, or a larger share in data.fractions"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    ordered = sorted(names)
    return tuple(ordered[index] for index in sorted(order[:count]))


def subset_splits(
    splits: Mapping[str, Sequence[str]], count: int, seed: int, validation: float = 0.2
) -> dict[str, tuple[str, ...]]:
    """Splits for a generator that may see ``count`` labelled pictures and no others.

    A share of the pictures, two at least, chooses the epoch and the rest trains. The test split
    stays, for nothing but tests; everything else is left out.

    Raises:
        UserError: as :func:`labelled_subset`, or nothing would be left to train on.
    """
    chosen = labelled_subset(splits["train"], count, seed)
    held = max(FEWEST_VALIDATING, round(validation * count))
    if held >= count:
        raise UserError(
            f"{count} real pictures cannot both train a generator and choose its epoch: give "
            f"{held + 1} or more"
        )
    # Another stream than the draw of the subset, or all validating pictures would be alike in it.
    order = np.random.default_rng([seed, count]).permutation(count)
    return {
        "train": tuple(chosen[index] for index in sorted(order[held:])),
        "validation": tuple(chosen[index] for index in sorted(order[:held])),
        "test": tuple(splits["test"]),
    }


def save_subset_splits(
    splits: Mapping[str, Sequence[str]],
    count: int,
    seed: int,
    path: Path,
    validation: float = 0.2,
) -> None:
    """Writes :func:`subset_splits` as a ``splits.json``, for ``data.splits_file``.

    Raises:
        UserError: as :func:`subset_splits`.
    """
    save_splits(subset_splits(splits, count, seed, validation), path)
