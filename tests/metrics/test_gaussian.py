import math

import numpy as np
import pytest
import scipy.linalg
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torchmetrics.image.fid import _compute_fid

from carsynth.metrics.gaussian import (
    Gaussian,
    frechet_distance,
    gaussian_of_features,
    gaussian_of_sums,
)


def features(count: int, seed: int, d: int = 2048, steep: float = 1.0) -> Tensor:
    """Like an Inception's: ReLUs of decaying directions, with means far above the spread."""
    mix = torch.randn(d, d, generator=torch.Generator().manual_seed(99))
    mix *= (torch.arange(1, d + 1) ** -steep)[:, None]
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(count, d, generator=generator) @ mix * 0.05 + 0.4).relu()


def distance(first: Tensor, second: Tensor) -> float:
    return frechet_distance(gaussian_of_features(first), gaussian_of_features(second))


def summed(rows: Tensor) -> Gaussian:
    exact = rows.double()
    return gaussian_of_sums(len(rows), exact.sum(0), exact.T @ exact)


def plain_distance(first: Tensor, second: Tensor) -> float:
    """The definition, with the trace of the root by singular values of the centred features."""
    sets = [first.double().numpy(), second.double().numpy()]
    shift = sets[0].mean(0) - sets[1].mean(0)
    roots = [(f - f.mean(0)) / math.sqrt(len(f) - 1) for f in sets]
    cross = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return float(shift @ shift + sum((r**2).sum() for r in roots) - 2 * cross)


def scipy_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """By ``sqrtm``, in the span of all features, which holds all there is of them."""
    if len(first) + len(second) < first.shape[1]:
        rows = np.concatenate([first, second])
        span = scipy.linalg.qr(rows.T, mode="economic")[0]
        first, second = first @ span, second @ span
    shift, one, other = first.mean(0) - second.mean(0), np.cov(first.T), np.cov(second.T)
    root = scipy.linalg.sqrtm(one @ other)
    return float(shift @ shift + np.trace(one) + np.trace(other) - 2 * np.trace(root).real)


@pytest.mark.slow
@pytest.mark.parametrize("count", [50, 208, 2000])
def test_equals_torch_fidelity_torchmetrics_and_scipy(count: int) -> None:
    real, fake = features(count, 0), 1.1 * features(count, 1) + 0.01
    ours = distance(real, fake)
    stats = [fid_features_to_statistics(side.double()) for side in (real, fake)]
    fidelity = fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"]
    assert ours == pytest.approx(fidelity, rel=1e-4)
    tensors = [torch.from_numpy(stat[key]) for stat in stats for key in ("mu", "sigma")]
    assert ours == pytest.approx(float(_compute_fid(*tensors)), rel=1e-4)
    exact = scipy_distance(real.double().numpy(), fake.double().numpy())
    assert ours == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("count", [2, 3, 39, 40, 41, 200])
def test_the_factor_is_a_root_of_the_covariance(count: int) -> None:
    rows = features(count, 0, d=40)
    covariance = torch.from_numpy(np.cov(rows.double().numpy().T))
    for gaussian in (gaussian_of_features(rows), summed(rows)):
        assert gaussian.mean == pytest.approx(rows.double().mean(0).numpy(), rel=1e-12)
        assert gaussian.factor.shape == (min(count - 1, 40), 40)
        error = (gaussian.factor.T @ gaussian.factor - covariance).abs().max()
        assert error < 1e-12 * covariance.abs().max()


@pytest.mark.parametrize("counts", [(2, 2), (2, 300), (12, 40), (40, 40), (41, 40), (300, 200)])
@pytest.mark.parametrize("dead", [0, 7], ids=["", "constant columns"])
def test_equals_a_plain_computation(counts: tuple[int, int], dead: int) -> None:
    """Fewer vectors than the 40 dimensions, exactly as many, and more; features that are stuck."""
    real, fake = (features(n, seed, d=40) for seed, n in enumerate(counts))
    fake = 1.2 * fake
    real[:, :dead], fake[:, :dead] = 0.0, 0.7
    expected = plain_distance(real, fake)
    assert distance(real, fake) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(summed(real), summed(fake)) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(summed(fake), summed(real)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("counts", [(800, 820), (900, 900), (820, 1500), (1500, 1500)])
def test_small_singular_values_of_large_products_count(counts: tuple[int, int]) -> None:
    """A plain Gram matrix misses a thousandth of the distance where the features decay fast."""
    real, fake = (features(n, seed, d=900, steep=2.5) for seed, n in enumerate(counts))
    assert distance(real, fake) == pytest.approx(plain_distance(real, fake), rel=1e-6)


def test_sums_of_few_vectors_in_many_dimensions_lose_nothing() -> None:
    """400 dimensions of rounding noise under means far above the spread would show."""
    generator = torch.Generator().manual_seed(0)
    sets = [torch.randn(n, 400, generator=generator).double() / 100 + 50 for n in (20, 15)]
    expected = plain_distance(*sets)
    assert frechet_distance(*map(summed, sets)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("count", [2, 60, 900, 1000, 2000])
@pytest.mark.parametrize("dead", [0, 20], ids=["", "constant columns"])
def test_equal_sets_in_any_order_are_at_no_distance(count: int, dead: int) -> None:
    """900 dimensions: few vectors, exactly as many, more, and many more."""
    rows = features(count, 0, d=900)
    rows[:, :dead] = 0.3
    assert distance(rows, rows.clone()) == 0.0
    shuffled = rows[torch.randperm(count, generator=torch.Generator().manual_seed(1))]
    assert distance(rows, shuffled) <= 1e-6 * rows.var(0).sum()


def test_what_differs_least_is_still_at_a_distance() -> None:
    rows = features(30, 0, d=40).double()
    assert distance(rows, rows + 1e-4) == pytest.approx(40e-8, rel=1e-3)


def test_vectors_that_are_all_the_same_have_only_a_mean() -> None:
    for count in (3, 50):
        one, other = torch.full((count, 8), 0.1), torch.full((count, 8), 0.6)
        assert distance(one, other) == pytest.approx(8 * 0.25, rel=1e-6)
        assert frechet_distance(summed(one), summed(other)) == pytest.approx(2.0, rel=1e-6)
        spread = features(20, 0, d=8)
        assert distance(one, spread) == pytest.approx(plain_distance(one, spread), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_any_scale_will_do(scale: float) -> None:
    real, fake = features(30, 0, d=40), 1.2 * features(50, 1, d=40)
    expected = distance(real, fake) * scale**2
    assert distance(real * scale, fake * scale) == pytest.approx(expected, rel=1e-4)


def test_autocast_changes_nothing() -> None:
    real, fake = features(30, 0, d=40), features(90, 1, d=40)
    expected = distance(real, fake)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert distance(real, fake) == expected


@pytest.mark.parametrize("many", [5, 90])
def test_what_has_no_gaussian_is_said(many: int) -> None:
    with pytest.raises(ValueError, match="two feature vectors or more, and has 1"):
        gaussian_of_features(features(1, 0, d=40))
    with pytest.raises(ValueError, match="two feature vectors or more, and has 0"):
        summed(features(0, 0, d=40))
    for bad in (math.nan, math.inf):
        rows = features(many, 0, d=40)
        rows[3, 4] = bad
        with pytest.raises(ValueError, match="finite"):
            gaussian_of_features(rows)
        with pytest.raises(ValueError, match="finite"):
            summed(rows)
