import pytest
import torch

from carsynth.metrics.floor import split_half_floor
from carsynth.metrics.frechet import frechet_distance, gaussian_of_features


def features(count: int, d: int = 6) -> torch.Tensor:
    return torch.randn(count, d, generator=torch.Generator().manual_seed(0))


def test_is_the_mean_distance_between_halves() -> None:
    floor = split_half_floor(features(40), repeats=3, seed=5)
    assert floor is not None
    generator = torch.Generator().manual_seed(5)
    distances = []
    for _ in range(3):
        order = torch.randperm(40, generator=generator)
        halves = (gaussian_of_features(features(40)[order[i : i + 20]]) for i in (0, 20))
        distances.append(frechet_distance(*halves))
    expected = torch.tensor(distances, dtype=torch.float64)
    assert floor.mean == pytest.approx(float(expected.mean()), rel=1e-12)
    assert floor.std == pytest.approx(float(expected.std()), rel=1e-12)
    assert floor.half == 20


def test_falls_as_photos_grow_in_number_and_rises_with_their_scale() -> None:
    few, many = split_half_floor(features(40)), split_half_floor(features(4000))
    doubled = split_half_floor(2 * features(40))
    assert few is not None
    assert many is not None
    assert doubled is not None
    assert few.mean > 20 * many.mean > 0
    assert doubled.mean == pytest.approx(4 * few.mean, rel=1e-9)


def test_is_the_same_each_time_and_leaves_the_global_random_state_alone() -> None:
    state = torch.get_rng_state()
    assert split_half_floor(features(21)) == split_half_floor(features(21))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(("count", "half"), [(4, 2), (5, 2), (9, 4)])
def test_an_odd_photo_is_left_out_of_each_split(count: int, half: int) -> None:
    floor = split_half_floor(features(count))
    assert floor is not None
    assert floor.half == half
    assert floor.mean > 0


@pytest.mark.parametrize("count", [0, 3])
def test_less_than_four_photos_have_none(count: int) -> None:
    assert split_half_floor(features(count)) is None


def test_a_gaussian_of_many_features_is_reduced_without_loss() -> None:
    many = features(50)
    gaussian = gaussian_of_features(many)
    assert gaussian.factor.shape == (6, 6)
    covariance = gaussian.factor.T @ gaussian.factor
    assert torch.allclose(covariance, torch.cov(many.double().T), rtol=1e-12)
