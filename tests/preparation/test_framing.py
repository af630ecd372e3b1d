"""Sizes that are far from the rest, and windows that bring them there."""

import numpy as np
import pytest

from carsynth.labels import PART_ID
from carsynth.preparation.framing import (
    map_through,
    size_in_frame,
    through,
    usual_sizes,
    window_for,
)
from tests.data.cars import noise

HOOD = PART_ID["hood"]


def car(top: int, left: int, height: int, width: int) -> np.ndarray:
    part_map = np.zeros((60, 100), np.uint8)
    part_map[top : top + height, left : left + width] = HOOD
    return part_map


def test_the_odd_one_does_not_change_what_is_usual() -> None:
    rng = np.random.default_rng(0)
    sizes = list(0.5 * np.exp(0.1 * rng.standard_normal(200)))
    usual = usual_sizes(sizes, 3.0)
    assert usual is not None
    assert usual.median == pytest.approx(0.5, rel=0.03)
    # the factor of 1.4 is the wider rule here
    assert usual.low == pytest.approx(usual.median / 1.4)
    assert usual.high == pytest.approx(usual.median * 1.4)
    wide = usual_sizes(list(0.3 * np.exp(0.3 * rng.standard_normal(200))), 3.0)
    assert wide is not None
    assert wide.low == pytest.approx(0.3 * np.exp(-0.9), rel=0.2)
    with_odd = usual_sizes([*sizes, 0.05, 0.04, 0.06], 3.0)
    assert with_odd is not None
    assert with_odd.median == pytest.approx(usual.median, rel=0.02)
    assert with_odd.low > 0.3
    assert usual_sizes([0.5] * 7, 3.0) is None
    assert usual_sizes([0.9] * 8, 3.0) == (pytest.approx(0.9 / 1.4), pytest.approx(0.9), 1.0)


def test_a_small_car_grows_within_the_picture() -> None:
    part_map, photo = car(2, 70, 12, 25), noise(60, 100)
    assert size_in_frame(part_map) == pytest.approx(12 * 25 / 6000)
    window = window_for(part_map, 4 * size_in_frame(part_map))
    assert (window.height, window.width) == (30, 50)
    assert window.filled((60, 100)) == 0
    cut = map_through(window, part_map)
    assert cut.shape == (30, 50)
    assert size_in_frame(cut) == pytest.approx(4 * size_in_frame(part_map))
    assert (cut == HOOD).sum() == (part_map == HOOD).sum()
    seen = through(window, photo)
    np.testing.assert_array_equal(seen[cut == HOOD], photo[part_map == HOOD])


def test_a_long_car_grows_no_further_than_the_frame() -> None:
    part_map = car(30, 5, 6, 80)
    cut = map_through(window_for(part_map, 0.5), part_map)
    assert (cut == HOOD).sum() == (part_map == HOOD).sum()
    columns = np.flatnonzero((cut == HOOD).any(axis=0))
    assert 0.93 < len(columns) / cut.shape[1] < 0.97
    # one that fills the frame stays
    full = car(0, 0, 6, 100)
    np.testing.assert_array_equal(map_through(window_for(full, 0.5), full), full)


def test_a_large_car_shrinks_and_borders_go_on() -> None:
    part_map, photo = car(0, 0, 60, 100), noise(60, 100)
    window = window_for(part_map, 0.25)
    assert (window.height, window.width) == (120, 200)
    assert window.filled((60, 100)) == pytest.approx(0.75)
    cut = map_through(window, part_map)
    assert size_in_frame(cut) == pytest.approx(0.25)
    assert (cut == HOOD).sum() == 6000
    seen = through(window, photo)
    np.testing.assert_array_equal(seen[cut == HOOD], photo.reshape(-1, 3))
    np.testing.assert_array_equal(seen[:30, 80], np.tile(photo[0, 30], (30, 1)))
