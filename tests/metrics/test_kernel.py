import math

import pytest
import torch
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from carsynth.errors import UserError
from carsynth.metrics import kernel
from carsynth.metrics.figure import Value
from carsynth.metrics.kernel import KernelDistance
from tests.metrics.tiny_extractor import TinyExtractor

EXTRACTOR = TinyExtractor()


def features(count: int, d: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(count, d, generator=torch.Generator().manual_seed(seed)) + shift


def measured(real: Tensor, fake: Tensor) -> Value:
    (value,) = KernelDistance().measure(real, fake, EXTRACTOR).values()
    assert math.isfinite(value.value)
    assert value.spread is not None
    assert math.isfinite(value.spread)
    return value


def plain(real: Tensor, fake: Tensor) -> float:
    """The definition, with whole kernel matrices."""
    real, fake = real.double(), fake.double()

    def kernels(first: Tensor, second: Tensor) -> Tensor:
        return (first @ second.T / first.shape[1] + 1) ** 3

    means = [
        kernels(own, own)[~torch.eye(len(own), dtype=torch.bool)].mean() for own in (real, fake)
    ]
    return float(sum(means) - 2 * kernels(real, fake).mean())


@pytest.mark.parametrize("count", [50, 208, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_equals_torchmetrics_on_whole_sets(count: int, shift: float) -> None:
    real, fake = features(count, 2048, 0), features(count, 2048, 1, shift)
    expected = float(poly_mmd(real.double(), fake.double()))
    assert measured(real, fake).value == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (9, 4), (5, 17)])
def test_equals_the_definition_at_unequal_counts(n: int, m: int) -> None:
    real, fake = features(n, 6, 0), features(m, 6, 1, shift=0.4)
    assert measured(real, fake).value == pytest.approx(plain(real, fake), rel=1e-12)


def test_loses_nothing_far_from_the_origin() -> None:
    real, fake = features(20, 6, 0, shift=30), features(15, 6, 1, shift=30.5)
    assert measured(real, fake).value == pytest.approx(plain(real, fake), rel=1e-7)


@pytest.mark.parametrize("block", [1, 7, 20, 64])
def test_blocks_change_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = features(40, 6, 0), features(23, 6, 1, shift=0.4)
    expected = measured(real, fake)
    monkeypatch.setattr(kernel, "BLOCK", block)
    assert measured(real, fake) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (12, 7)])
def test_the_spread_is_the_jackknifes(n: int, m: int) -> None:
    """Against the definition without each picture in turn."""
    real, fake = features(n, 6, 0), features(m, 6, 1, shift=0.4)
    without_real = [plain(torch.cat([real[:i], real[i + 1 :]]), fake) for i in range(n)]
    without_fake = [plain(real, torch.cat([fake[:j], fake[j + 1 :]])) for j in range(m)]
    variance = 0.0
    for values in (without_real, without_fake):
        variance += (len(values) - 1) * float(torch.tensor(values).double().var(correction=0))
    assert measured(real, fake).spread == pytest.approx(math.sqrt(variance), rel=1e-6)


@pytest.mark.parametrize(("shift", "ratio"), [(0.5, 1.0), (0.0, math.sqrt(2))])
def test_the_spread_is_that_of_independent_draws(shift: float, ratio: float) -> None:
    """And 1.4 times that where the sets are of one distribution, as the docstring says."""
    draws = [
        measured(features(60, 8, 2 * seed), features(40, 8, 2 * seed + 1, shift))
        for seed in range(400)
    ]
    values = torch.tensor([draw.value for draw in draws])
    spreads = torch.tensor([draw.spread for draw in draws])
    assert float(spreads.square().mean().sqrt() / values.std()) == pytest.approx(ratio, rel=0.15)
    if not shift:
        assert abs(float(values.mean())) < 3 * float(values.std()) / math.sqrt(400), "no bias"


def test_is_the_same_each_time_and_leaves_the_global_random_state_alone() -> None:
    state = torch.get_rng_state()
    real, fake = features(30, 6, 0), features(30, 6, 1)
    assert measured(real, fake) == measured(real, fake)
    assert torch.equal(state, torch.get_rng_state())


def test_constant_columns_and_repeated_rows() -> None:
    real, fake = features(20, 6, 0), features(20, 6, 1, shift=0.4)
    real[:, 2] = fake[:, 2] = 5.0
    fake[1:9] = fake[0]
    assert measured(real, fake).value == pytest.approx(plain(real, fake), rel=1e-9)
    same = torch.full((12, 6), 3.0)
    assert measured(same, same) == pytest.approx((0.0, 0.0), abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(2, 9), (9, 1), (0, 0)])
def test_too_few_pictures_are_a_users_error(n: int, m: int) -> None:
    with pytest.raises(UserError, match=f"three pictures a side or more, not {n} and {m}"):
        KernelDistance().measure(features(n, 6, 0), features(m, 6, 1), EXTRACTOR)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_broken_features_are_a_users_error(bad: float) -> None:
    fake = features(9, 6, 1)
    fake[4, 2] = bad
    with pytest.raises(UserError, match="not finite"):
        KernelDistance().measure(features(9, 6, 0), fake, EXTRACTOR)


def test_enough_is_when_zero_lies_two_spreads_away() -> None:
    def enough(value: float, spread: float, count: int = 200) -> int | None:
        return KernelDistance().enough("kernel", Value(value, spread), None, count)

    assert enough(0.2, 0.1) is None
    assert enough(-0.2, 0.1) is None
    assert enough(0.1, 0.1) == 800
    assert enough(0.15, 0.1) == 356, "355.6 rounded up"
    assert enough(0.0, 0.1) == enough(1e-300, 0.1) == 100_000
    assert enough(0.0, 0.1, count=100_000) is None, "no more are ever asked for"
    assert enough(0.0, 0.0) is None
