"""Rules for part maps: what real maps show passes, and each fault is called by its name."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from carsynth.data.coco import CarParts
from carsynth.generation.rules import MapRules
from carsynth.labels import BODY, PART_ID, PART_TWINS, view_of_part_map
from tests.generation.stand_ins import PartMap, toy_maps

SIZE = (64, 64)


@pytest.fixture(scope="module")
def maps() -> list[PartMap]:
    return toy_maps(100, 1, SIZE)


@pytest.fixture(scope="module")
def rules(maps: list[PartMap]) -> MapRules:
    return MapRules.learn(maps)


def mirrored(part_map: PartMap) -> PartMap:
    return PART_TWINS[part_map[:, ::-1]]


def small(part_map: PartMap, rules: MapRules) -> PartMap:
    found = np.zeros_like(part_map)
    found[:10, :10] = cv2.resize(part_map, (10, 10), interpolation=cv2.INTER_NEAREST)
    return found


def large(part_map: PartMap, rules: MapRules) -> PartMap:
    return np.where(part_map == 0, BODY, part_map).astype(np.uint8)


def in_pieces(part_map: PartMap, rules: MapRules) -> PartMap:
    columns = np.flatnonzero((part_map > 0).any(0))
    found = part_map.copy()
    found[:, int(columns.mean())] = 0
    return found


def speckled(part_map: PartMap, rules: MapRules) -> PartMap:
    found = part_map.copy()
    grid = np.zeros(SIZE, bool)
    grid[::3, ::3] = True
    found[grid & (part_map > 0)] = PART_ID["trunk"]
    return found


def bare(part_map: PartMap, rules: MapRules) -> PartMap:
    return np.where(part_map > 0, BODY, 0).astype(np.uint8)


def two_ended(part_map: PartMap, rules: MapRules) -> PartMap:
    """Of what belongs to a side of the car, half to one and half to the other."""
    columns = np.nonzero(PART_TWINS[part_map] != part_map)[1]
    middle = int(np.median(columns))
    found = part_map.copy()
    found[:, middle:] = PART_TWINS[part_map[:, middle:]]
    return found


def without_a_part(part_map: PartMap, rules: MapRules) -> PartMap:
    part = int(np.flatnonzero(rules.always[view_of_part_map(part_map)])[0])
    return np.where(part_map == part, BODY, part_map).astype(np.uint8)


@pytest.mark.parametrize(
    ("reason", "spoil", "share"),
    [
        ("car too small", small, 1.0),
        ("car too large", large, 1.0),
        ("car in pieces", in_pieces, 0.9),
        ("specks", speckled, 0.9),
        ("too few parts", bare, 1.0),
        ("impossible view", two_ended, 0.7),
        ("missing part", without_a_part, 0.7),
    ],
)
def test_each_fault_is_called_by_its_name(
    reason: str,
    spoil: Callable[[PartMap, MapRules], PartMap],
    share: float,
    maps: list[PartMap],
    rules: MapRules,
) -> None:
    # A few maps stay what they are, such as a car seen from behind that is cut where it has no
    # sides, and a few show yet another fault that comes first.
    said = [rules.objection(spoil(one, rules)) for one in maps]
    assert said.count(reason) >= share * len(maps), said


def test_an_empty_map_is_no_car(rules: MapRules) -> None:
    assert rules.objection(np.zeros(SIZE, np.uint8)) == "car too small"


def test_the_maps_that_rules_come_from_pass_and_so_do_their_mirror_images(
    maps: list[PartMap], rules: MapRules
) -> None:
    assert [rules.objection(one) for one in maps] == [None] * len(maps)
    assert [rules.objection(mirrored(one)) for one in maps] == [None] * len(maps)
    of_mirrored = MapRules.learn([mirrored(one) for one in maps])
    for one, other in zip(rules, of_mirrored, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("seed", "size"), [(2, SIZE), (3, SIZE), (2, (32, 56))])
def test_other_real_cars_pass(seed: int, size: tuple[int, int]) -> None:
    rules = MapRules.learn(toy_maps(100, 1, size))
    said = [rules.objection(one) for one in toy_maps(150, seed, size)]
    assert said.count(None) >= 0.95 * len(said), said


def test_few_maps_of_a_view_call_nothing_missing() -> None:
    assert not MapRules.learn(toy_maps(12, 1)).always.any()
    assert MapRules.learn(toy_maps(100, 1)).always.any(1).all()


@pytest.mark.slow
def test_real_annotations_pass(car_parts_folder: Path) -> None:
    source = CarParts(car_parts_folder)
    maps = [source.read(index, SIZE).part_map for index in range(len(source.names))]
    order = np.random.default_rng(0).permutation(len(maps))
    rules = MapRules.learn([maps[index] for index in order[:200]])
    said = [rules.objection(maps[index]) for index in order[200:]]
    assert said.count(None) >= 0.95 * len(said), said
    assert [rules.objection(maps[index]) for index in order[:200]] == [None] * 200
