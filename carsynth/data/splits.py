"""Which samples train, validate and test: drawn once, kept as names."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from carsynth.data.files import write_atomically
from carsynth.errors import UserError

SPLITS = ("train", "validation", "test")


def draw_splits(
    names: Sequence[str], fractions: Sequence[float], seed: int
) -> dict[str, tuple[str, ...]]:
    """Names of each of :data:`SPLITS`, drawn at random and sorted.

    The draw depends on the seed and the sorted names alone. A split with a fraction gets at least
    one sample; what the fractions leave to 1 is not used.

    Raises:
        UserError: the fractions are not three numbers from 0 with a sum over 0 and up to 1, or
            there are fewer samples than splits that have a fraction.
    """
    fractions = tuple(fractions)
    if len(fractions) != len(SPLITS) or min(fractions) < 0 or not 0 < sum(fractions) <= 1 + 1e-6:
        raise UserError(
            f"fractions={list(fractions)}: give three numbers from 0 to 1 for {', '.join(SPLITS)}, "
            "with a sum of at most 1"
        )
    ordered = sorted(names)
    counts = _counts(len(ordered), fractions)
    order = np.random.default_rng(seed).permutation(len(ordered))
    ends = np.cumsum(counts)
    return {
        split: tuple(ordered[i] for i in sorted(order[end - count : end]))
        for split, count, end in zip(SPLITS, counts, ends, strict=True)
    }


def _counts(total: int, fractions: tuple[float, ...]) -> list[int]:
    """Largest remainders, and then one sample at least wherever there is a fraction."""
    needed = sum(fraction > 0 for fraction in fractions)
    if total < needed:
        raise UserError(
            f"{total} samples cannot fill {needed} splits: add {needed - total} more samples, or "
            "set a fraction to 0"
        )
    exact = [total * fraction for fraction in fractions]
    counts = [math.floor(share + 1e-9) for share in exact]
    by_remainder = sorted(range(len(SPLITS)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: round(sum(exact)) - sum(counts)]:
        counts[i] += 1
    for i, fraction in enumerate(fractions):
        if fraction > 0 and counts[i] == 0:
            if sum(counts) == total:
                counts[counts.index(max(counts))] -= 1
            counts[i] = 1
    return counts


def save_splits(splits: dict[str, tuple[str, ...]], path: Path) -> None:
    """Write the names of each split as JSON, whole or not at all."""
    write_atomically(path, json.dumps(splits, indent=1, ensure_ascii=False) + "\n")


def load_splits(path: Path, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The splits of a file that :func:`save_splits` wrote; names that it does not list are unused.

    Raises:
        UserError: the file is missing or is no such file, lists a name twice, or lists one that is
            not among ``names``.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        splits = {split: tuple(str(name) for name in stored[split]) for split in SPLITS}
    except FileNotFoundError as error:
        raise UserError(f"splits file {path} does not exist: check splits_file") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"splits file {path} cannot be read: it should hold lists of names under "
            f"{', '.join(SPLITS)}"
        ) from error
    listed = [name for split in SPLITS for name in splits[split]]
    if len(listed) != len(set(listed)):
        twice = next(name for name in listed if listed.count(name) > 1)
        raise UserError(f"splits file {path} lists {twice} twice: keep one of them")
    known = set(names)
    if missing := [name for name in listed if name not in known]:
        raise UserError(
            f"splits file {path} lists {missing[0]} ({len(missing)} such in all), which the data "
            "lack: bring the data back or draw new splits"
        )
    return splits
