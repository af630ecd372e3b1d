"""What a run logged, read back from its ``metrics.csv``."""

import csv
import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """One line of the file."""

    epoch: int
    """Counted from 0."""
    values: dict[str, float]
    """By log name, those alone that the line has; they may be infinite or NaN."""


class Curve(NamedTuple):
    """One figure an epoch, where it was logged and is finite."""

    epochs: list[int]
    values: list[float]

    @property
    def lowest(self) -> int | None:
        """Place of the lowest value, the first of equals; None in an empty curve."""
        return self.values.index(min(self.values)) if self.values else None


def read_history(path: Path) -> list[Row]:
    """The lines that count, in order; none where the file is missing.

    A run that was resumed from an earlier checkpoint logs some epochs again, which shows in its
    count of seen photos falling back: what lay behind the checkpoint is then left out.

    Raises:
        ValueError: the file is no ``metrics.csv``.
    """
    kept: list[tuple[float, Row]] = []
    try:
        with path.open(newline="") as file:
            for number, line in enumerate(csv.DictReader(file), 2):
                if not line.get("epoch"):
                    continue
                try:
                    values = {k: float(v) for k, v in line.items() if k != "epoch" and v}
                    row = Row(int(float(line["epoch"])), values)
                except (TypeError, ValueError) as error:
                    raise ValueError(f"{path}, line {number}: {error}") from error
                seen = values.pop("seen", math.inf)
                if kept and seen < kept[-1][0]:
                    kept = [earlier for earlier in kept if earlier[0] < seen]
                kept.append((seen, row))
    except FileNotFoundError:
        return []
    return [row for _, row in kept]


def mean_per_epoch(rows: Iterable[Row], name: str) -> Curve:
    """The mean of each epoch's lines; for loss terms, which are logged every few batches."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if name in row.values:
            found.setdefault(row.epoch, []).append(row.values[name])
    means = {epoch: sum(values) / len(values) for epoch, values in found.items()}
    finite = {epoch: mean for epoch, mean in sorted(means.items()) if math.isfinite(mean)}
    return Curve(list(finite), list(finite.values()))


def last_per_epoch(rows: Iterable[Row], name: str) -> Curve:
    """The last value of each epoch; for scores."""
    found = {row.epoch: row.values[name] for row in rows if name in row.values}
    finite = {epoch: value for epoch, value in sorted(found.items()) if math.isfinite(value)}
    return Curve(list(finite), list(finite.values()))


def names(rows: Iterable[Row], prefix: str) -> list[str]:
    """Log names that begin so, in the order of their first appearance."""
    return list(dict.fromkeys(n for row in rows for n in row.values if n.startswith(prefix)))
