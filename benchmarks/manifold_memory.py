"""Memory and seconds of precision and recall, and the exact kernel distance against subsets."""

import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torchmetrics.image.kid import KernelInceptionDistance

from carsynth.metrics.extractor import Extractor
from carsynth.metrics.kernel import KernelDistance
from carsynth.metrics.manifold import Manifold

PICTURES = 10_000
FEATURES = 2048
BOUND = 2.0
"""GiB that 10,000 pictures a side may take beyond their features."""
ROUNDS = 3
_UNUSED = cast(Extractor, None)
"""Features are given; neither figure asks where they come from."""


class Cost(NamedTuple):
    """Of one measurement in a process of its own."""

    gibibytes: float
    """Peak of the resident set beyond what it was before."""
    seconds: float


def features_of_two(count: int) -> tuple[Tensor, Tensor]:
    """Two sets (count, 2048) as features are, positive and far from 0; the same at every call."""
    generator = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(count, FEATURES, generator=generator) for _ in range(2))
    return real.mul_(0.3).add_(1.0), fake.mul_(0.301).add_(1.0)


def manifold_cost(count: int) -> Cost:
    """Of all four figures of the manifold; Linux alone says the peak since a moment."""
    real, fake = features_of_two(count)
    Manifold().measure(real[:50], fake[:50], _UNUSED)  # libraries are loaded by then
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what is resident now
    before, began = _resident("VmRSS"), time.perf_counter()
    Manifold().measure(real, fake, _UNUSED)
    return Cost(_resident("VmHWM") - before, time.perf_counter() - began)


def _resident(field: str) -> float:
    """GiB, by the kernel's account of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kibibytes,) = (line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return int(kibibytes) / 2**20


def kernel_ratio(count: int = 2000) -> tuple[float, float]:
    """Median seconds of torchmetrics' default subsets, and how often the exact value fits in."""
    real, fake = features_of_two(count)
    theirs = KernelInceptionDistance(feature=torch.nn.Identity())
    seconds, ratios = [], []
    for _ in range(ROUNDS):
        theirs.reset()
        theirs.update(real, real=True)
        theirs.update(fake, real=False)
        began = time.perf_counter()
        theirs.compute()
        between = time.perf_counter()
        KernelDistance().measure(real, fake, _UNUSED)
        seconds.append(between - began)
        ratios.append(seconds[-1] / (time.perf_counter() - between))
    return statistics.median(seconds), statistics.median(ratios)


def main() -> None:
    """Prints the table."""
    # A fresh interpreter: nothing that was freed here is at hand there to be filled unseen.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        cost = fresh.submit(manifold_cost, PICTURES).result()
    print("| 2,048 features | memory | seconds |")
    print("| --- | --- | --- |")
    print(
        f"| precision, recall, density, coverage of {PICTURES:,} x {PICTURES:,} | "
        f"{cost.gibibytes:.2f} GiB of {BOUND:g} | {cost.seconds:.0f} |"
    )
    seconds, ratio = kernel_ratio()
    print(
        "\nkernel distance of 2,000 x 2,000, all pairs with jackknife: "
        f"{ratio:.1f} x as fast as torchmetrics' subsets ({seconds:.1f} s)"
    )


if __name__ == "__main__":
    main()
