import math
from collections.abc import Callable
from typing import Self

import pytest
import torch
from torch import Tensor
from torch_fidelity.metric_isc import isc_features_to_metric

from carsynth.errors import UserError
from carsynth.metrics.figure import Value
from carsynth.metrics.inception_score import InceptionScore


class Scores:
    """An extractor whose features are class scores already, as a function makes them."""

    name = "tiny"
    num_features = 40
    resize = ""
    fingerprint = ""

    def __init__(self, logits: Callable[[Tensor], Tensor | None] = lambda features: features):
        self.logits = logits

    def __call__(self, photo: Tensor) -> Tensor:
        raise AssertionError("features are given")

    def to(self, device: torch.device) -> Self:
        return self


def scores(count: int, scale: float = 5.0, classes: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, classes, generator=generator) * scale


def measured(logits: Tensor) -> Value:
    (value,) = InceptionScore().measure(torch.empty(0, 40), logits, Scores()).values()
    assert math.isfinite(value.value)
    assert value.spread is None or math.isfinite(value.spread)
    return value


@pytest.mark.parametrize("count", [20, 208, 2000])
def test_equals_torch_fidelity_with_its_defaults(count: int) -> None:
    """20 pictures are the fewest with its ten splits; 208 make unequal ones."""
    expected = isc_features_to_metric(scores(count))
    value = measured(scores(count))
    assert value.value == pytest.approx(expected["inception_score_mean"], rel=1e-12)
    assert value.spread == pytest.approx(expected["inception_score_std"], rel=1e-9)
    assert value.value > 1.5


@pytest.mark.parametrize(("count", "splits"), [(19, 9), (5, 2), (3, 1), (2, 1)])
def test_few_pictures_make_fewer_splits(count: int, splits: int) -> None:
    expected = isc_features_to_metric(scores(count), splits)
    value = measured(scores(count))
    assert value.value == pytest.approx(expected["inception_score_mean"], rel=1e-12)
    if splits == 1:
        assert value.spread is None
    else:
        assert value.spread == pytest.approx(expected["inception_score_std"], rel=1e-9)


def test_lies_between_one_and_the_number_of_classes() -> None:
    sure = torch.eye(40).repeat(25, 1) * 1e4
    assert measured(sure[:1].expand(1000, -1)) == pytest.approx((1.0, 0.0), abs=1e-12)
    assert measured(torch.zeros(1000, 40)) == pytest.approx((1.0, 0.0), abs=1e-12)
    assert 30 < measured(sure).value < 40, "a hundred pictures to a split"


def test_pictures_sorted_by_class_score_as_mixed_ones() -> None:
    order = torch.arange(40).repeat_interleave(50)
    ordered = torch.eye(40)[order] * 1e4
    assert measured(ordered).value > 30, "4 without a permutation"


def test_is_the_same_each_time_and_leaves_the_global_random_state_alone() -> None:
    state = torch.get_rng_state()
    assert measured(scores(50)) == measured(scores(50))
    assert torch.equal(state, torch.get_rng_state())


def test_the_extractors_class_scores_count() -> None:
    def logits(features: Tensor) -> Tensor:
        return 2 * features[:, :7]

    (value,) = InceptionScore().measure(torch.empty(0, 40), scores(50), Scores(logits)).values()
    assert value == measured(logits(scores(50)))


def test_a_network_without_classes_is_a_users_error_that_names_it() -> None:
    with pytest.raises(UserError, match="tiny knows no classes"):
        InceptionScore().measure(scores(50), scores(50), Scores(lambda features: None))


@pytest.mark.parametrize("count", [0, 1])
def test_a_single_picture_is_a_users_error(count: int) -> None:
    with pytest.raises(UserError, match=f"two generated pictures or more, not {count}"):
        InceptionScore().measure(scores(50), scores(count), Scores())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_broken_features_are_a_users_error(bad: float) -> None:
    fake = scores(50)
    fake[4, 2] = bad
    with pytest.raises(UserError, match="not finite"):
        InceptionScore().measure(scores(50), fake, Scores())


def test_few_draws_lower_the_score_by_as_much_as_enough_says() -> None:
    """A hundred classes, each picture sure of one: exp(-99 / (2 s)) of 100 at s to a split."""
    generator = torch.Generator().manual_seed(0)
    draws = torch.randint(100, (5000,), generator=generator)
    value = measured(torch.eye(100)[draws] * 1e4)
    assert value.value == pytest.approx(100 * math.exp(-99 / 1000), rel=0.02)


def test_enough_is_five_thousand() -> None:
    def enough(count: int) -> int | None:
        return InceptionScore().enough("inception_score", Value(4.0, 0.1), None, count)

    assert enough(4999) == 5000
    assert enough(5000) is None
