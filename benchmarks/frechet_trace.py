"""The Frechet distance from features at 2,048 dimensions, beside torchmetrics' FID."""

import statistics
import time
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from carsynth.metrics.extractor import Extractor
from carsynth.metrics.frechet import FrechetDistance

D = 2048
ROWS = ((208, 208, 200.0), (500, 2000, 10.0), (5000, 5000, 2.5))
"""Real pictures, generated ones, and how many times as fast it should be at least."""
WARM_UP, ROUNDS = 1, 5


class _Features(nn.Module):
    """Stands for an extractor where features are fed in the place of pictures."""

    num_features = D

    def forward(self, features: Tensor) -> Tensor:
        return features


class Row(NamedTuple):
    """Medians of all rounds."""

    theirs: float
    """Seconds of torchmetrics' ``compute``."""
    ours: float
    """Of the product's, after an epoch that had the same real pictures."""
    first: float
    """Of the product's with new real pictures."""
    ratio: float
    first_ratio: float
    difference: float
    """Of torchmetrics' distance from the product's, over the latter."""


def features(count: int, seed: int) -> Tensor:
    """Like an Inception's: ReLUs of decaying directions, with means far above the spread."""
    mix = torch.randn(D, D, generator=torch.Generator().manual_seed(0))
    mix /= torch.arange(1, D + 1)[:, None]
    noise = torch.randn(count, D, generator=torch.Generator().manual_seed(seed))
    return (noise @ mix * 0.05 + 0.4).relu()


def _timed(metric: FrechetDistance | FrechetInceptionDistance) -> tuple[float, float]:
    """Seconds of ``compute`` alone, and the distance."""
    began = time.perf_counter()
    value = float(metric.compute())
    return time.perf_counter() - began, value


def measure(reals: int, fakes: int) -> Row:
    """Takes turns; batches are fed outside of the time, with which torchmetrics fares better."""
    real, fake = features(reals, 1), 1.1 * features(fakes, 2)
    theirs = FrechetInceptionDistance(_Features(), reset_real_features=False)
    extractor = cast(Extractor, _Features())
    ours = FrechetDistance(extractor)
    theirs.update(real, real=True)
    ours.update_features(real, real=True)
    rounds = []
    for _ in range(WARM_UP + ROUNDS):
        first = FrechetDistance(extractor)
        first.update_features(real, real=True)
        first.update_features(fake, real=False)
        for metric in (theirs, ours):
            metric.reset()
        theirs.update(fake, real=False)
        ours.update_features(fake, real=False)
        rounds.append((*_timed(theirs), *_timed(ours), *_timed(first)))
    rounds = rounds[WARM_UP:]
    slow, theirs_value, quick, value, new, _ = zip(*rounds, strict=True)
    return Row(
        statistics.median(slow),
        statistics.median(quick),
        statistics.median(new),
        statistics.median(a / b for a, b in zip(slow, quick, strict=True)),
        statistics.median(a / b for a, b in zip(slow, new, strict=True)),
        theirs_value[0] / value[0] - 1.0,
    )


def main() -> None:
    """Prints the table."""
    print("| real, generated | torchmetrics s | ours s | ratio | target | difference | new reals |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for reals, fakes, target in ROWS:
        row = measure(reals, fakes)
        cells = [
            f"{reals:,}, {fakes:,}",
            f"{row.theirs:.2f}",
            f"{row.ours:.4f}",
            f"{row.ratio:.1f} x",
            f"{target:g} x",
            f"{row.difference:+.1e}",
            f"{row.first:.4f} s, {row.first_ratio:.1f} x",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)
    print(
        "\n`compute` alone, with features as each metric holds them: what an epoch costs while the "
        "real pictures stay, and in the last column with real pictures that are new."
    )


if __name__ == "__main__":
    main()
