"""The kernel distance of two sets of pictures, KID on FID's Inception, exact over all pairs."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from tqdm import tqdm

from carsynth.errors import UserError
from carsynth.metrics.extractor import Extractor
from carsynth.metrics.figure import Value

BLOCK = 1024
"""Pictures a side of which kernel values are held at once: 8 MiB of them."""

_MOST = 100_000
"""No larger number of pictures is ever asked for."""


class KernelDistance:
    """Squared maximum mean discrepancy under the kernel (x.y / d + 1)^3, without bias.

    Binkowski et al. 2018 (arXiv 1801.01401), section 4: the U-statistic over all pairs of
    pictures, where others average it over random subsets. It needs no randomness, and it can be
    below 0 where the sets hardly differ.

    The spread is the jackknife standard error of a two-sample U-statistic (Arvesen 1969): with
    U(-i) the value without real picture i and V(-j) that without generated picture j, the variance
    is (n - 1) / n sum_i (U(-i) - mean U)^2 + (m - 1) / m sum_j (V(-j) - mean V)^2. Leaving out
    picture i takes its row out of the sums, so that up to terms that all i share U(-i) is
    2 / (n - 1) (c_i / m - a_i / (n - 2)), where a_i sums its kernel values with the other real
    pictures and c_i those with all generated ones; V(-j) likewise. Row sums are thus all it takes.
    Where both sets come from one distribution the spread is about 1.4 times the true one: the part
    of the variance that pairs bring together is then all of it, and is counted with either.
    """

    better: Mapping[str, str] = {"kernel": "lower"}

    def measure(self, real: Tensor, fake: Tensor, extractor: Extractor) -> dict[str, Value]:
        n, m = len(real), len(fake)
        if min(n, m) < 3:
            raise UserError(f"it takes three pictures a side or more, not {n} and {m}")
        of_real, of_fake = _own_sums(real), _own_sums(fake)
        to_fake, to_real = _sums(real, fake)
        within = of_real.sum() / (n * (n - 1)) + of_fake.sum() / (m * (m - 1))
        value = float(within - 2.0 * to_fake.sum() / (n * m))
        spread = math.sqrt(_jackknife(of_real, to_fake, m) + _jackknife(of_fake, to_real, n))
        if not math.isfinite(value + spread):
            raise UserError("some features are not finite")
        return {"kernel": Value(value, spread)}

    def enough(self, name: str, value: Value, floor: float | None, count: int) -> int | None:
        """Until 0 lies two spreads away; the spread falls with the root of the number."""
        doubt = 2 * (value.spread or 0.0)
        if abs(value.value) >= doubt or count >= _MOST:
            return None
        times = doubt / value.value if value.value else math.inf
        return math.ceil(min(count * times * times, _MOST))


def _own_sums(features: Tensor) -> Tensor:
    """What each picture's kernel values with all others of its set sum to, float64 (n,)."""
    above, below = _sums(features, features, upper=True)
    return above + below


def _sums(first: Tensor, second: Tensor, upper: bool = False) -> tuple[Tensor, Tensor]:
    """Row and column sums, (n,) and (m,), of the kernel matrix or of what is above its diagonal."""
    rows = torch.zeros(len(first), dtype=torch.float64)
    columns = torch.zeros(len(second), dtype=torch.float64)
    for i in tqdm(range(0, len(first), BLOCK), desc="kernel distance", unit="block", delay=2):
        x = first[i : i + BLOCK].double()
        for j in range(i if upper else 0, len(second), BLOCK):
            y = second[j : j + BLOCK].double()
            kernel = (x @ y.T).div_(x.shape[1]).add_(1.0).pow_(3)
            if upper and i == j:
                kernel.triu_(1)
            rows[i : i + BLOCK] += kernel.sum(1)
            columns[j : j + BLOCK] += kernel.sum(0)
    return rows, columns


def _jackknife(own: Tensor, across: Tensor, others: int) -> float:
    """One side's part of the variance, from its row sums (n,) within and across the sets."""
    n = len(own)
    left_out = 2.0 / (n - 1) * (across / others - own / (n - 2))
    return float((n - 1) * left_out.var(correction=0))
