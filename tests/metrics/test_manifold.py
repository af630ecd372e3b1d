import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from carsynth.errors import UserError
from carsynth.metrics import manifold
from carsynth.metrics.figure import Value
from carsynth.metrics.manifold import Manifold, nearest
from tests.metrics.tiny_extractor import TinyExtractor

EXTRACTOR = TinyExtractor()


def features(count: int, d: int = 6, seed: int = 0, scale: float = 1.0) -> Tensor:
    return torch.randn(count, d, generator=torch.Generator().manual_seed(seed)) * scale


def distances(first: Tensor, second: Tensor) -> NDArray[np.float64]:
    a, b = first.double().numpy(), second.double().numpy()
    return np.stack([((row - b) ** 2).sum(1) for row in a]) ** 0.5


def plain(real: Tensor, fake: Tensor, k: int) -> dict[str, float]:
    """The four definitions, with whole matrices of distances."""
    reach_of_real = np.sort(distances(real, real), 1)[:, k]
    reach_of_fake = np.sort(distances(fake, fake), 1)[:, k]
    across = distances(real, fake)
    in_real = across < reach_of_real[:, None]
    return {
        "precision": in_real.any(0).mean(),
        "recall": (across < reach_of_fake).any(1).mean(),
        "density": in_real.sum(0).mean() / k,
        "coverage": (across.min(1) < reach_of_real).mean(),
    }


def measured(real: Tensor, fake: Tensor, k: int = 5) -> dict[str, float]:
    values = Manifold(k).measure(real, fake, EXTRACTOR)
    assert values.keys() == Manifold.better.keys()
    assert all(math.isfinite(value.value) for value in values.values())
    return {name: value.value for name, value in values.items()}


@pytest.mark.parametrize(("n", "m"), [(300, 200), (40, 90), (7, 6)])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_equals_the_definitions(n: int, m: int, k: int) -> None:
    real, fake = features(n), features(m, seed=1, scale=0.8)
    assert measured(real, fake, k) == pytest.approx(plain(real, fake, k), abs=1e-12)


def test_equals_the_definitions_at_2048_dimensions() -> None:
    real, fake = features(208, 2048), features(150, 2048, seed=1, scale=1.005)
    values = measured(real, fake)
    assert values == pytest.approx(plain(real, fake, 5), abs=1e-12)
    assert all(0 < value < 1 for value in values.values())


@pytest.mark.parametrize("offset", [100.0, 30_000.0])
def test_equals_the_definitions_far_from_the_origin(offset: float) -> None:
    """Where a matrix product of what is not centred would leave few digits."""
    real, fake = features(120) + offset, features(90, seed=1, scale=0.8) + offset
    assert measured(real, fake) == pytest.approx(plain(real, fake, 5), abs=1e-12)


@pytest.mark.parametrize("closeness", [1e-3, 1e-5, 3e-7])
def test_equals_the_definitions_in_tight_clusters(closeness: float) -> None:
    """Squared distances down to 1e-13 of the squares that they are the difference of."""
    centres = features(12, 10, seed=2)
    real = centres.repeat(9, 1) + closeness * features(108, 10)
    fake = centres.repeat(8, 1) + closeness * features(96, 10, seed=1)
    values = measured(real, fake)
    assert values == pytest.approx(plain(real, fake, 5), abs=1e-12)
    assert 0 < values["precision"] < 1
    assert 0 < values["recall"] < 1


@pytest.mark.parametrize("block", [1, 7, 64, 100])
def test_blocks_change_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = features(100), features(83, seed=1, scale=0.8)
    fake[:20] = real[:20]
    expected = measured(real, fake)
    close = nearest(fake, real, 4)
    monkeypatch.setattr(manifold, "BLOCK", block)
    assert measured(real, fake) == expected
    again = nearest(fake, real, 4)
    assert torch.equal(again.square, close.square)
    assert torch.equal(again.which, close.which)


@pytest.mark.parametrize("d", [6, 2048])
def test_copies_lie_within_reach_and_a_kth_neighbour_does_not(d: int) -> None:
    """Exactly k of a set's pictures, itself among them, lie strictly within each one's reach."""
    real = features(300, d)
    fake = real.flip(0)
    expected = {"precision": 1.0, "recall": 1.0, "density": 1.0, "coverage": 1.0}
    assert measured(real, fake) == expected
    assert measured(real, fake[:30])["precision"] == 1.0
    assert measured(real, fake[:30])["coverage"] >= 0.1


def test_copies_count_also_where_reaches_are_minute() -> None:
    real = features(10, 30).repeat_interleave(6, 0)
    real[::6, 0] *= 1 + 2e-7
    assert (np.sort(distances(real, real), 1)[:, 5] < 1e-6).all()
    assert measured(real, real.flip(0))["precision"] == 1.0
    assert measured(real, real.flip(0)) == pytest.approx(plain(real, real.flip(0), 5), abs=1e-12)


def test_nothing_lies_within_a_reach_of_zero() -> None:
    """Also where rounding makes the square of a copy's distance a little less than 0."""
    real = features(50, 30)
    fake = real.repeat_interleave(6, 0)
    values = measured(real, fake)
    assert values == pytest.approx(plain(real, fake, 5), abs=1e-12)
    assert values["recall"] == 0.0
    assert values["precision"] == 1.0


def test_a_reach_is_right_where_matrix_products_only_see_noise() -> None:
    """Clusters of twelve that differ by the last bits of one column of 2,048."""
    real = features(4, 2048).repeat_interleave(12, 0)
    real[:, 0] = 1 + torch.arange(12).square().repeat(4) * 2.0**-23
    close = nearest(real, real, 6)
    expected = np.sort(distances(real, real), 1)[:, :6]
    assert close.square.sqrt().numpy() == pytest.approx(expected, rel=1e-12)
    assert measured(real, real.flip(0)) == pytest.approx(plain(real, real, 5), abs=1e-12)


def test_repeated_rows_and_constant_columns() -> None:
    real, fake = features(60), features(50, seed=1)
    real[:, 2] = fake[:, 2] = 5.0
    real[:20], fake[:30] = real[0], fake[0]
    assert measured(real, fake) == pytest.approx(plain(real, fake, 5), abs=1e-12)
    collapsed = real[:1].expand(50, -1)
    values = measured(real, collapsed)
    assert values == pytest.approx(plain(real, collapsed, 5), abs=1e-12)
    assert values["recall"] == 0.0
    same = torch.full((12, 6), 3.0)
    assert set(measured(same, same).values()) == {0.0}, "nothing is nearer than 0"


@pytest.mark.parametrize(("n", "m", "k"), [(5, 20, 5), (20, 3, 3), (1, 20, 1), (20, 0, 5)])
def test_too_few_pictures_for_k_are_a_users_error(n: int, m: int, k: int) -> None:
    with pytest.raises(UserError, match=f"{k + 1} pictures a side or more, not {n} and {m}"):
        Manifold(k).measure(features(n), features(m), EXTRACTOR)


def test_a_k_of_none_is_a_users_error() -> None:
    with pytest.raises(UserError, match="k=0"):
        Manifold(0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_broken_features_are_a_users_error(bad: float, side: int) -> None:
    sets = features(30), features(30, seed=1)
    sets[side][4, 2] = bad
    with pytest.raises(UserError, match="not finite"):
        Manifold().measure(*sets, EXTRACTOR)


def test_spreads_are_those_of_shares() -> None:
    values = Manifold().measure(features(120), features(70, seed=1, scale=1.4), EXTRACTOR)
    for name, count in (("precision", 70), ("recall", 120), ("coverage", 120)):
        share = values[name].value
        assert 0 < share < 1
        assert values[name].spread == pytest.approx(math.sqrt(share * (1 - share) / count))
    assert values["density"].spread is None


def test_enough_is_a_hundred() -> None:
    for name in Manifold.better:
        assert Manifold().enough(name, Value(0.5), None, 99) == 100
        assert Manifold().enough(name, Value(0.5), None, 100) is None


def test_nearest_finds_the_nearest_in_order() -> None:
    queries, points = features(40, seed=1), features(60) + 3
    points[7] = queries[3]
    close = nearest(queries, points, 4)
    expected = distances(queries, points)
    order = np.argsort(expected, 1)[:, :4]
    assert np.array_equal(close.which.numpy(), order)
    assert close.square.sqrt().numpy() == pytest.approx(
        np.take_along_axis(expected, order, 1), rel=1e-12
    )
    assert close.square[3, 0] == 0.0
    assert close.which[3, 0] == 7
    assert nearest(queries, points[:2], 2).square.shape == (40, 2)
