from typing import Any

import pytest
import torch
from torch import Tensor

from carsynth.metrics.figure import Value
from carsynth.metrics.floor import Floor, floors
from carsynth.metrics.frechet import Frechet
from carsynth.metrics.gaussian import frechet_distance, gaussian_of_features
from carsynth.metrics.manifold import Manifold
from tests.callbacks.tiny_players import TinyExtractor


def features(count: int, d: int = 6) -> torch.Tensor:
    return torch.randn(count, d, generator=torch.Generator().manual_seed(0))


def floor_of(values: torch.Tensor, **words: Any) -> Floor | None:
    return floors([Frechet()], values, TinyExtractor(), **words).get("frechet")


def test_is_the_mean_distance_between_halves() -> None:
    floor = floor_of(features(40), repeats=3, seed=5)
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
    few, many = floor_of(features(40)), floor_of(features(4000))
    doubled = floor_of(2 * features(40))
    assert few is not None
    assert many is not None
    assert doubled is not None
    assert few.mean > 20 * many.mean > 0
    assert doubled.mean == pytest.approx(4 * few.mean, rel=1e-9)


def test_is_the_same_each_time_and_leaves_the_global_random_state_alone() -> None:
    state = torch.get_rng_state()
    assert floor_of(features(21)) == floor_of(features(21))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(("count", "half"), [(4, 2), (5, 2), (9, 4)])
def test_an_odd_photo_is_left_out_of_each_split(count: int, half: int) -> None:
    floor = floor_of(features(count))
    assert floor is not None
    assert floor.half == half
    assert floor.mean > 0


@pytest.mark.parametrize("count", [0, 3])
def test_less_than_four_photos_have_none(count: int) -> None:
    assert floor_of(features(count)) is None


def test_parts_of_a_given_size_are_disjoint_and_need_twice_as_many_photos() -> None:
    seen: list[int] = []

    class Counting:
        better = {"count": "lower"}  # noqa: RUF012

        def measure(self, real: Tensor, fake: Tensor, extractor: Any) -> dict[str, Value]:
            assert not {tuple(row) for row in real.tolist()} & {tuple(row) for row in fake.tolist()}
            seen.append(len(real))
            return {"count": Value(float(len(fake)))}

        def enough(self, *arguments: Any) -> None:
            return None

    assert floors([Counting()], features(40), TinyExtractor(), half=7) == {
        "count": Floor(7.0, 0.0, 7)
    }
    assert seen == [7] * 10
    assert floors([Counting()], features(40), TinyExtractor(), half=21) == {}


def test_a_figure_that_halves_are_too_small_for_has_no_floor_and_others_do() -> None:
    found = floors([Frechet(), Manifold(k=5)], features(10), TinyExtractor())
    assert set(found) == {"frechet"}
