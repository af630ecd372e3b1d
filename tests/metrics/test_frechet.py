import math
import pickle

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from carsynth.errors import UserError
from carsynth.metrics.figure import Value
from carsynth.metrics.frechet import Frechet, FrechetDistance
from carsynth.metrics.gaussian import frechet_distance, gaussian_of_features
from carsynth.metrics.pixels import to_uint8
from tests.metrics.tiny_extractor import TinyExtractor, pictures


def plain_distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The definition, with the trace of the root by singular values of the centred features."""
    shift = first.mean(0) - second.mean(0)
    roots = [(f - f.mean(0)) / math.sqrt(len(f) - 1) for f in (first, second)]
    cross = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return float(shift @ shift + sum((r**2).sum() for r in roots) - 2 * cross)


def measured(real: Tensor, fake: Tensor, offset: float = 0.0) -> float:
    metric = FrechetDistance(TinyExtractor(offset))
    for part in real.split(4):
        metric.update(part, real=True)
    for part in fake.split(3):
        metric.update(part, real=False)
    return metric.compute()


@pytest.mark.parametrize(
    ("real", "fake"), [(200, 150), (200, 7), (13, 12), (12, 13), (12, 12), (9, 7), (2, 2)]
)
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_equals_a_plain_float64_computation(real: int, fake: int, offset: float) -> None:
    """With more and fewer pictures than the 12 dimensions, and with means far above the spread."""
    reals, fakes = pictures(real, 0), pictures(fake, 1, low=90)
    extractor = TinyExtractor(offset)
    expected = plain_distance(extractor(reals).double().numpy(), extractor(fakes).double().numpy())
    assert measured(reals, fakes, offset) == pytest.approx(expected, rel=1e-6)


def test_few_pictures_are_held_as_they_are_and_many_as_sums() -> None:
    """Of few, nothing is lost even where means are a million times the spread."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(0, 32, (22, 12), generator=generator) / 1024 + 8192.0
    metric = FrechetDistance(TinyExtractor())
    metric.update_features(rows[:10], real=True)
    metric.update_features(rows[10:], real=False)
    expected = plain_distance(rows[:10].double().numpy(), rows[10:].double().numpy())
    assert metric.compute() == pytest.approx(expected, rel=1e-9)
    for _ in range(5):
        metric.update_features(rows, real=False)
        assert sum(map(len, metric.fake_rows)) <= 12
    assert int(metric.fake_count) == 12 + 5 * 22


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
    fakes[5] = math.inf
    metric.update(fakes, real=False)
    assert metric.compute() == math.inf
    assert int(metric.fake_broken) == 2
    assert int(metric.fake_count) == 20
    metric.reset()
    metric.update(fakes.nan_to_num(), real=False)
    assert math.isfinite(metric.compute())


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_broken_features_of_generated_pictures_score_infinity(bad: float) -> None:
    metric = FrechetDistance(TinyExtractor(), keep_features=True)
    metric.update(pictures(20, 0), real=True)
    rows = TinyExtractor()(pictures(20, 1))
    rows[7, 2] = bad
    metric.update_features(rows, real=False)
    assert metric.compute() == math.inf
    assert int(metric.fake_broken) == 1
    assert torch.equal(metric.fake_features(), torch.cat([rows[:7], rows[8:]]))


def test_broken_features_of_real_pictures_are_a_users_error_that_says_how_many() -> None:
    metric = FrechetDistance(TinyExtractor())
    rows = TinyExtractor()(pictures(30, 0))
    rows[4:6, 2] = math.nan
    metric.update_features(rows, real=True)
    metric.update(pictures(20, 1), real=False)
    for _ in range(2):
        with pytest.raises(UserError, match="features of 2 of 30 real pictures are not finite"):
            metric.compute()
        metric.reset()
        metric.update(pictures(20, 1), real=False)
    assert metric.real_features().isfinite().all()


@pytest.mark.parametrize("counts", [(9, 7), (200, 150)])
def test_features_that_are_at_hand_will_do(counts: tuple[int, int]) -> None:
    reals, fakes = (pictures(count, seed) for seed, count in enumerate(counts))
    metric = FrechetDistance(TinyExtractor(), keep_features=True)
    metric.update_features(TinyExtractor()(reals), real=True)
    with pytest.raises(UserError, match=f"{counts[0]} and 0"):
        metric.compute()
    fake = TinyExtractor()(fakes)
    metric.update_features(fake[:5].double(), real=False)
    first = metric.compute()
    metric.update_features(fake[5:], real=False)
    assert metric.compute() == pytest.approx(measured(reals, fakes), rel=1e-6)
    assert metric.compute() != pytest.approx(first, rel=1e-3)


@pytest.mark.parametrize("count", [7, 150])
def test_features_of_generated_pictures_are_kept_where_asked_for(count: int) -> None:
    metric = FrechetDistance(TinyExtractor(), keep_features=True)
    metric.update(pictures(40, 0), real=True)
    assert metric.fake_features().shape == (0, 12)
    for seed in (1, 2):
        metric.reset()
        fakes = pictures(count, seed)
        for part in fakes.split(20):
            metric.update(part, real=False)
        assert torch.allclose(metric.fake_features(), TinyExtractor()(fakes))
    assert metric.fake_features().dtype == torch.float32
    assert len(metric.real_features()) == 40
    with pytest.raises(AssertionError, match="only if asked for"):
        FrechetDistance(TinyExtractor()).fake_features()


def test_copies_hold_what_it_holds() -> None:
    metric = FrechetDistance(TinyExtractor(), keep_features=True)
    metric.update(pictures(30, 0), real=True)
    metric.update(pictures(9, 1), real=False)
    expected = metric.compute()
    assert pickle.loads(pickle.dumps(metric)).compute() == expected
    assert metric.clone().compute() == expected


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(TypeError, match="int64"):
        FrechetDistance(TinyExtractor()).update(pictures(2, 0).long(), real=True)


def test_no_checkpoint_holds_the_extractor() -> None:
    metric = FrechetDistance(TinyExtractor())
    metric.update(pictures(4, 0), real=True)
    assert not metric.state_dict()
    assert not list(metric.parameters())


def gaussians(count: int, seed: int, shift: float = 0.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 10, generator=generator, dtype=torch.float64) + shift


def frechet(real: Tensor, fake: Tensor) -> Value:
    return Frechet().measure(real, fake, TinyExtractor())["frechet"]


def test_the_figure_is_the_distance_of_two_sets() -> None:
    real, fake = gaussians(40, 0).float(), gaussians(7, 1, 0.5).float()
    expected = frechet_distance(gaussian_of_features(real), gaussian_of_features(fake))
    assert frechet(real, fake) == Value(expected, None)
    assert frechet(real, real) == Value(0.0, None)
    assert set(Frechet().better) == {"frechet"}


def test_what_the_figure_cannot_be_measured_on_is_said() -> None:
    with pytest.raises(UserError, match="two pictures a side or more, not 5 and 1"):
        frechet(gaussians(5, 0), gaussians(1, 0))
    broken = gaussians(5, 0)
    broken[1:3, 4] = math.nan
    with pytest.raises(UserError, match="features of 2 pictures are not finite"):
        frechet(gaussians(5, 0), broken)


@pytest.mark.parametrize(
    ("value", "floor", "count", "expected"),
    [
        (10.0, 5.0, 200, None),  # half of it
        (10.0, 6.0, 200, 2_000),  # 200 * 6 / 1 = 1,200
        (10.0, 20.0, 50, 1_000),
        (10.0, 20.0, 51, 2_000),
        (1.0, 3.0, 90_000, 100_000),
        (1.0, 3.0, 100_000, None),  # nobody is asked for more
        (10.0, None, 2, None),
        (0.0, 1.0, 50, None),  # equal sets
        (1e-9, 1.0, 50, 100_000),
    ],
)
def test_how_many_pictures_would_do(
    value: float, floor: float | None, count: int, expected: int | None
) -> None:
    assert Frechet().enough("frechet", Value(value), floor, count) == expected


def test_as_many_as_would_do_reach_a_tenth_of_the_floor_or_less() -> None:
    """The distance at 40 pictures is mostly bias, and at as many as are asked for mostly not."""
    floor = np.mean([frechet(gaussians(40, s), gaussians(40, 100 + s)).value for s in range(20)])
    values = [frechet(gaussians(40, s), gaussians(40, 200 + s, 0.3)) for s in range(20)]
    value, true = Value(float(np.mean([v.value for v in values]))), 10 * 0.3**2
    assert true < floor < value.value < 2 * floor
    wanted = Frechet().enough("frechet", value, float(floor), 40)
    assert wanted is not None
    bias = frechet(gaussians(wanted, 0), gaussians(wanted, 1)).value
    assert bias < 0.12 * value.value
    there = frechet(gaussians(wanted, 0), gaussians(wanted, 2, 0.3)).value
    assert there == pytest.approx(true, rel=0.3)
