"""Views and doors that are told, against what is known of drawn cars; weights that balance them."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from carsynth.data.toycars import ToyCars
from carsynth.labels import PART_ID, PART_TWINS, VIEWS
from carsynth.preparation.orientation import doors_of_parts, orient, view_of_parts
from carsynth.preparation.weighting import sampling_weights, views_without


def test_parts_tell_what_is_known() -> None:
    cars = ToyCars(150, seed=11)
    told, right, doors_told = 0, 0, 0
    for index in range(150):
        car = cars.draw(index, (96, 96))
        right += view_of_parts(car.part_map) == VIEWS[car.view]
        doors = doors_of_parts(car.part_map)
        if doors is not None:
            doors_told += 1
            assert doors == (5 if car.doors > 3 else 3)
        told += doors_of_parts(PART_TWINS[car.part_map][:, ::-1]) == doors
        assert orient(car.part_map, car.yaw, car.doors) == (
            VIEWS[car.view],
            "yaw",
            5 if car.doors > 3 else 3,
            "design",
        )
    assert right > 140
    assert doors_told > 120
    assert told == 150


def test_what_is_not_seen_is_not_told() -> None:
    part_map = np.zeros((40, 40), np.uint8)
    part_map[10:30, 10:30] = PART_ID["hood"]
    assert view_of_parts(part_map) is None
    assert doors_of_parts(part_map) is None
    part_map[10:12, 10:13] = PART_ID["back_left_door"]  # 1.5 % of the car
    assert orient(part_map, None, None) == ("C", "parts", None, None)
    part_map[10:14, 10:13] = PART_ID["back_left_door"]
    assert orient(part_map, None, None) == ("C", "parts", 5, "parts")
    part_map[15:30, 10:20] = PART_ID["front_left_door"]
    part_map[10:14, 10:13] = PART_ID["hood"]
    assert orient(part_map, None, None) == ("C", "parts", 3, "parts")
    assert orient(part_map, None, None, sides=False) == (None, None, 3, "parts")
    assert orient(part_map, None, None, rear_doors=False) == ("C", "parts", None, None)


def test_weights_make_views_and_bodies_equal() -> None:
    groups = [("A", "suv")] * 6 + [("A", "coupe")] * 2 + [("C", "suv")] * 2 + [("D", None)] * 5
    weights = sampling_weights(groups)
    assert np.mean(weights) == pytest.approx(1)
    sums: dict[object, float] = defaultdict(float)
    for (view, body), weight in zip(groups, weights, strict=True):
        sums[view] += weight
        sums[view, body] += weight
    assert sums["A"] == pytest.approx(sums["C"]) == pytest.approx(sums["D"])
    assert sums["A", "suv"] == pytest.approx(sums["A", "coupe"])
    assert views_without(groups) == ["B"]
    assert views_without([(None, None)]) == list(VIEWS)


def test_the_unknown_keep_their_share() -> None:
    groups = [(None, None), ("A", "suv"), ("A", None), ("A", "coupe"), ("A", "suv"), ("B", "suv")]
    weights = dict(zip(groups, sampling_weights(groups), strict=True))
    assert weights[None, None] == 1
    assert weights["B", "suv"] == pytest.approx(5 / 2)
    of_a = sum(weight * Counter(groups)[g] for g, weight in weights.items() if g[0] == "A")
    assert of_a == pytest.approx(5 / 2)
    assert weights["A", None] == pytest.approx(of_a / 4)
    assert weights["A", "coupe"] == pytest.approx(2 * weights["A", "suv"])
