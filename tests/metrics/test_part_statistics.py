"""What part maps are made of, counted by hand and on drawn cars."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from carsynth.data.toycars import ToyCars
from carsynth.labels import NUM_PARTS, PALETTE, PART_ID, VIEWS
from carsynth.metrics.part_statistics import compare, maps_of_palette, statistics_of

Map = NDArray[np.integer]


def a_map(rows: str, letters: Mapping[str, str]) -> Map:
    """A part map (1, H, W) from rows of letters; a dot is background."""
    ids = {letter: PART_ID[name] for letter, name in letters.items()} | {".": 0}
    return np.array([[[ids[letter] for letter in row] for row in rows.split()]])


@pytest.fixture(scope="module")
def cars() -> Map:
    """Forty real maps of all views."""
    toys = ToyCars(40, seed=3)
    return np.stack([toys.draw(index, (48, 64)).part_map for index in range(40)])


def test_statistics_by_hand() -> None:
    letters = {"b": "body", "h": "hood", "l": "front_left_door", "t": "trunk"}
    front = a_map("..bb hhbb llll", letters)  # front left: C
    rear = a_map(".... tttt lbbb", letters)  # rear left: D
    of = statistics_of(np.concatenate([front, front, rear]))
    assert of.maps == 3
    area = np.zeros(NUM_PARTS)
    area[0] = (2 + 2 + 4) / 36
    area[PART_ID["body"]] = (4 + 4 + 3) / 36
    area[PART_ID["hood"]] = (2 + 2) / 36
    area[PART_ID["front_left_door"]] = (4 + 4 + 1) / 36
    area[PART_ID["trunk"]] = 4 / 36
    np.testing.assert_allclose(of.area, area)
    np.testing.assert_allclose(of.views, [0, 0, 2 / 3, 1 / 3])
    assert np.isnan(of.present[[VIEWS.index("A"), VIEWS.index("B")]]).all()
    for view, parts in (("C", "bhl"), ("D", "btl")):
        shown = {0} | {PART_ID[letters[letter]] for letter in parts}
        row = [float(part in shown) for part in range(NUM_PARTS)]
        assert of.present[VIEWS.index(view)].tolist() == row

    def touch(one: str, other: str) -> bool:
        first, second = (PART_ID[letters.get(name, "background")] for name in (one, other))
        assert of.neighbours[first, second] == of.neighbours[second, first]
        return bool(of.neighbours[first, second])

    assert touch("b", "h")  # side by side
    assert touch("h", "l")  # above each other
    assert touch(".", "h")
    assert touch("t", "b")
    assert not touch("h", "t")  # never in one map
    assert not touch(".", "l")  # meet at corners at most


def test_present_is_a_share_of_the_views_maps() -> None:
    letters = {"h": "hood", "w": "wheel", "l": "left_mirror"}
    maps = [a_map(row, letters) for row in ("hhl. ....", "hhlw ....", "hhlw ....", "hhl. w...")]
    of = statistics_of(np.concatenate(maps))
    assert of.views.tolist() == [0, 0, 1, 0]
    assert of.present[2, PART_ID["wheel"]] == 0.75
    assert of.present[2, PART_ID["hood"]] == 1.0
    assert of.present[2, PART_ID["trunk"]] == 0.0


def test_a_stray_pixel_is_not_a_part() -> None:
    one = np.zeros((1, 64, 64), np.uint8)
    one[:, :32] = PART_ID["hood"]
    one[0, 40, 40:42] = PART_ID["wheel"]  # 2 of 4,096 pixels, less than 5 of 10,000
    of = statistics_of(one)
    assert of.present[2, PART_ID["wheel"]] == 0.0
    one[0, 40, 42] = PART_ID["wheel"]
    assert statistics_of(one).present[2, PART_ID["wheel"]] == 1.0


def test_area_gap_is_the_share_of_pixels_on_the_wrong_part() -> None:
    letters = {"h": "hood", "w": "wheel"}
    real, drawn = a_map("hh.. hh..", letters), a_map("hhww h...", letters)
    # a pixel less of the hood, one less of the background, two more of the wheel: 2 of 8
    assert compare(real, drawn).area_gap == pytest.approx(2 / 8)
    assert compare(drawn, real).area_gap == pytest.approx(2 / 8)
    assert compare(real, np.concatenate([real, drawn])).area_gap == pytest.approx(1 / 8)
    assert compare(real, real[:, ::-1, ::-1]).area_gap == 0.0  # the place does not matter


def test_impossible_neighbours_by_hand() -> None:
    letters = {"h": "hood", "w": "wheel", "b": "body"}
    real = np.concatenate([a_map("hhb bbb", letters), a_map("wwb ...", letters)])
    drawn = a_map("hwb hhh", letters)
    # borders between parts: h|w, w|b, w over h, b over h; hood and wheel touch in no real map
    assert compare(real, drawn).impossible_neighbours == pytest.approx(2 / 4)
    # the other way round: two wheels and a body over the background, beside three h-b and one w-b
    assert compare(drawn, real).impossible_neighbours == pytest.approx(3 / 7)
    # a part that no real map has touches nothing
    assert compare(a_map("... bb.", letters), drawn).impossible_neighbours == 1.0


def test_a_blank_map_has_no_borders() -> None:
    blank = np.zeros((2, 4, 4), np.uint8)
    report = compare(blank, blank)
    assert report == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("first", "second", "front_rear", "left_right"),
    [
        ("front_bumper", "back_bumper", 0, 0),  # both are seen from the side
        ("front_left_light", "back_left_light", 0, 0),
        ("hood", "trunk", 0, 0),
        ("front_left_light", "back_right_light", 1, 0),
        ("front_right_light", "back_left_light", 1, 0),
        ("front_bumper", "hood", 0, 0),
        ("back_bumper", "trunk", 0, 0),
        ("front_glass", "back_glass", 0, 0),  # seen through each other, or both from the side
        ("front_left_door", "front_right_door", 0, 1),
        ("front_left_door", "back_right_door", 0, 1),
        ("back_left_door", "front_right_door", 0, 1),
        ("front_left_door", "back_left_door", 0, 0),
        ("left_mirror", "right_mirror", 0, 0),  # both stand out
    ],
)
def test_ends_and_sides_that_are_mixed_are_counted(
    first: str, second: str, front_rear: int, left_right: int
) -> None:
    mixed = a_map("..aa ..bb cccc", {"a": first, "b": second, "c": "body"})
    plain = a_map("..aa ..aa cccc", {"a": first, "c": "body"})
    report = compare(plain, np.concatenate([mixed, plain, plain, plain]))
    assert report.front_rear == front_rear / 4
    assert report.left_right == left_right / 4


def test_a_stray_pixel_of_the_other_end_mixes_nothing() -> None:
    one = np.full((1, 100, 100), PART_ID["front_left_light"], np.uint8)
    one[0, 0, :4] = PART_ID["back_right_light"]
    assert compare(one, one).front_rear == 0.0
    one[0, 0, :5] = PART_ID["back_right_light"]
    assert compare(one, one).front_rear == 1.0
    one[0, 0, :50] = PART_ID["back_bumper"]  # bumpers are seen from the side
    assert compare(one, one).front_rear == 0.0


def test_real_cars_beside_themselves(cars: Map) -> None:
    report = compare(cars, cars)
    assert report.area_gap == 0.0
    assert report.impossible_neighbours == 0.0
    assert report.left_right == 0.0
    assert report.front_rear < 0.1
    of = statistics_of(cars)
    assert of.area.sum() == pytest.approx(1.0)
    assert of.views.sum() == pytest.approx(1.0)
    assert (of.views > 0).all()
    assert not np.isnan(of.present).any()
    assert (of.neighbours == of.neighbours.T).all()


def test_scrambled_cars_beside_real_ones(cars: Map) -> None:
    random = np.random.default_rng(0)
    shuffled = random.permuted(cars.reshape(len(cars), -1), axis=1).reshape(cars.shape)
    report = compare(cars, shuffled)
    assert report.area_gap == pytest.approx(0.0)
    assert report.impossible_neighbours > 0.02
    exchanged = cars.copy()
    half = cars.shape[2] // 2
    exchanged[:, :, :half] = np.roll(cars, 1, axis=0)[:, :, :half]
    assert compare(cars, exchanged).left_right > 0.1


def test_maps_of_palette_are_exact() -> None:
    ids = np.random.default_rng(0).permutation(np.arange(5 * NUM_PARTS) % NUM_PARTS)
    ids = ids.reshape(2, 5, -1)
    assert set(ids.ravel()) == set(range(NUM_PARTS))
    back = maps_of_palette(PALETTE[ids])
    assert back.shape == ids.shape
    assert (back == ids).all()


def test_cars_survive_the_palette(cars: Map) -> None:
    assert (maps_of_palette(PALETTE[cars]) == cars).all()
