import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from carsynth.errors import UserError
from carsynth.metrics.frechet import FrechetDistance, frechet_distance, gaussian_of_sums
from carsynth.metrics.pixels import to_uint8
from tests.metrics.tiny_extractor import TinyExtractor, pictures


def plain_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The definition, with the trace of the root by singular values of the centred features."""
    shift = first.mean(0) - second.mean(0)
    roots = [(f - f.mean(0)) / math.sqrt(len(f) - 1) for f in (first, second)]
    cross = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return float(shift @ shift + sum((r**2).sum() for r in roots) - 2 * cross)


def measured(real: torch.Tensor, fake: torch.Tensor, offset: float = 0.0) -> float:
    metric = FrechetDistance(TinyExtractor(offset))
    for part in real.split(4):
        metric.update(part, real=True)
    for part in fake.split(3):
        metric.update(part, real=False)
    return metric.compute()


@pytest.mark.parametrize(("real", "fake"), [(200, 150), (200, 7), (9, 7), (2, 2)])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_equals_a_plain_float64_computation(real: int, fake: int, offset: float) -> None:
    """Also with fewer pictures than the 12 dimensions, and with means far above the spread."""
    reals, fakes = pictures(real, 0), pictures(fake, 1, low=90)
    extractor = TinyExtractor(offset)
    expected = plain_distance(extractor(reals).double().numpy(), extractor(fakes).double().numpy())
    assert measured(reals, fakes, offset) == pytest.approx(expected, rel=1e-6)


def test_sums_of_few_vectors_in_many_dimensions_lose_nothing() -> None:
    """400 dimensions of rounding noise under means far above the spread would show."""
    generator = torch.Generator().manual_seed(0)
    sets = [torch.randn(n, 400, generator=generator).double() / 100 + 50 for n in (20, 15)]
    summed = [gaussian_of_sums(len(x), x.sum(0), x.T @ x) for x in sets]
    expected = plain_distance(*(x.numpy() for x in sets))
    assert frechet_distance(*summed) == pytest.approx(expected, rel=1e-6)


def test_equals_the_root_of_the_matrix_product_where_that_is_defined() -> None:
    reals, fakes = pictures(200, 0), pictures(150, 1, low=90)
    first, second = (TinyExtractor()(p).double().numpy() for p in (reals, fakes))
    product = np.cov(first.T) @ np.cov(second.T)
    root = np.sqrt(np.linalg.eigvals(product).astype(complex)).real.sum()
    shift = first.mean(0) - second.mean(0)
    spread = np.trace(np.cov(first.T)) + np.trace(np.cov(second.T))
    assert measured(reals, fakes) == pytest.approx(shift @ shift + spread - 2 * root, rel=1e-6)


def test_real_pictures_are_fed_once_and_kept() -> None:
    metric = FrechetDistance(TinyExtractor())
    reals = pictures(30, 0)
    metric.update(reals, real=True)
    for seed in (1, 2):
        fakes = pictures(20, seed, low=90)
        metric.reset()
        metric.update(fakes, real=False)
        assert metric.compute() == pytest.approx(measured(reals, fakes), rel=1e-8)
    assert len(metric.real_features()) == 30


def test_more_real_pictures_count_after_a_first_result() -> None:
    metric = FrechetDistance(TinyExtractor())
    reals, fakes = pictures(30, 0), pictures(20, 1)
    metric.update(reals[:10], real=True)
    metric.update(fakes, real=False)
    metric.compute()
    metric.update(reals[10:], real=True)
    assert metric.compute() == pytest.approx(measured(reals, fakes), rel=1e-9)


def test_floats_are_scored_as_the_pixels_that_a_png_would_hold() -> None:
    photo = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(1, 3, 1, 1)
    as_floats = photo / 127.5 - 1.0
    assert torch.equal(to_uint8(as_floats), photo)
    assert torch.equal(to_uint8(as_floats + 0.003), photo), "less than half a level"
    assert torch.equal(to_uint8(torch.tensor([-9.0, 9.0])), torch.tensor([0, 255]).byte())
    reals = pictures(20, 0)
    assert measured(reals, reals / 127.5 - 1.0) == pytest.approx(0.0, abs=1e-9)
    assert measured(reals, (reals / 127.5 - 1.0) * 0.5) > 1e-3


def test_autocast_around_the_update_changes_nothing() -> None:
    reals, fakes = pictures(20, 0), pictures(20, 1) / 127.5 - 1.0
    expected = measured(reals, fakes)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert TinyExtractor()(reals).dtype == torch.bfloat16, "the test itself would see it"
        assert measured(reals, fakes) == expected


def test_too_few_pictures_are_a_users_error_that_says_how_many() -> None:
    with pytest.raises(UserError, match="two generated pictures or more, and has 5 and 1"):
        measured(pictures(5, 0), pictures(1, 1))


def test_broken_pictures_score_infinity_until_the_next_epoch() -> None:
    metric = FrechetDistance(TinyExtractor())
    metric.update(pictures(20, 0), real=True)
    fakes = pictures(20, 1) / 127.5 - 1.0
    fakes[3, 1, 4, 4] = math.nan
    metric.update(fakes, real=False)
    assert metric.compute() == math.inf
    metric.reset()
    metric.update(fakes.nan_to_num(), real=False)
    assert math.isfinite(metric.compute())


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(TypeError, match="int64"):
        FrechetDistance(TinyExtractor()).update(pictures(2, 0).long(), real=True)


def test_no_checkpoint_holds_the_extractor() -> None:
    metric = FrechetDistance(TinyExtractor())
    metric.update(pictures(4, 0), real=True)
    assert not metric.state_dict()
    assert not list(metric.parameters())
