"""Orders: exact shares, side by side, the same everywhere."""

import math
from collections import Counter
from itertools import pairwise, product
from typing import Any

import pytest

from carsynth.errors import UserError
from carsynth.generation.order import Order, make_order
from carsynth.labels import VIEWS


def order(num_images: int, balance: dict[Any, Any], seed: int = 0, photos: int = 1) -> Order:
    return make_order(num_images, balance, ("alvar", "brenna", "cordova"), photos, seed)


def counted(made: Order, *kinds: str) -> Counter[tuple[str, ...]]:
    return Counter(tuple(wish[kind] for kind in kinds) for wish in made.wishes)


@pytest.mark.parametrize("num_images", [1, 3, 10, 97, 1000])
def test_every_kind_has_its_shares(num_images: int) -> None:
    shares = {"alvar": 0.2, "brenna": 0.35, "cordova": 0.45}
    made = order(num_images, {"view": "uniform", "class": shares})
    views, classes = counted(made, "view"), counted(made, "class")
    assert sum(views.values()) == sum(classes.values()) == made.num_maps == num_images
    assert max(views[view,] for view in VIEWS) - min(views[view,] for view in VIEWS) <= 1
    for name, share in shares.items():
        assert abs(classes[name,] - share * num_images) < 1


def test_what_is_left_goes_to_the_largest_remainders() -> None:
    # 1.4, 2.45 and 3.15 of 7
    made = order(7, {"class": {"alvar": 0.2, "brenna": 0.35, "cordova": 0.45}})
    assert counted(made, "class") == {("alvar",): 1, ("brenna",): 3, ("cordova",): 3}


def test_shares_need_not_sum_to_one_and_may_be_nothing() -> None:
    made = order(30, {"doors": {3: 1, 5: 2}, "view": {"A": 0, "C": 7}})
    assert counted(made, "doors") == {("3",): 10, ("5",): 20}
    assert counted(made, "view") == {("C",): 30}


def test_kinds_are_balanced_within_each_other() -> None:
    shares = {"alvar": 0.2, "brenna": 0.3, "cordova": 0.5}
    made = order(1000, {"view": "uniform", "doors": "uniform", "class": shares})
    found = counted(made, "view", "doors", "class")
    for view, doors, name in product(VIEWS, ("3", "5"), shares):
        assert found[view, doors, name] == pytest.approx(1000 * shares[name] / 8, abs=2)


def test_wishes_are_mixed_and_the_seed_tells_them() -> None:
    balance = {"view": "uniform", "doors": {3: 0.5, 5: 0.5}}
    made = order(400, balance)
    assert made == order(400, balance)
    assert made == order(400, dict(reversed(balance.items())))
    assert made.wishes != order(400, balance, seed=1).wishes
    # Runs of equal views: about 300 in 400 that are mixed, 4 in 400 that are not.
    views = [wish["view"] for wish in made.wishes]
    assert sum(one != other for one, other in pairwise(views)) > 200
    first = Counter(views[:100])
    assert min(first[view] for view in VIEWS) > 10


def test_no_balance_wishes_nothing() -> None:
    assert order(3, {}).wishes == ({}, {}, {})


def test_several_photos_of_a_map() -> None:
    made = order(10, {"view": "uniform"}, photos=4)
    assert made.num_maps == 3
    assert [list(made.photos_of(n)) for n in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@pytest.mark.parametrize(
    ("balance", "said"),
    [
        ({"colour": "uniform"}, "balance: colour is unknown: choose view, doors, class"),
        ({"view": "even"}, "balance.view=even: say uniform, or a share for each of A, B, C, D"),
        ({"view": None}, "balance.view=None: say uniform"),
        ({"view": ["A", "B"]}, "say uniform"),
        ({"view": {"E": 1}}, "balance.view: E is unknown: choose among A, B, C, D"),
        ({"doors": {4: 1}}, "balance.doors: 4 is unknown: choose among 3, 5"),
        ({"doors": {3: -1, 5: 2}}, "balance.doors.3=-1: a share is a number from 0"),
        ({"doors": {3: "half"}}, "balance.doors.3=half: a share"),
        ({"doors": {3: math.nan, 5: 1}}, "balance.doors.3=nan: a share"),
        ({"doors": {3: math.inf, 5: 1}}, "balance.doors.3=inf: a share"),
        ({"doors": {3: 0, 5: 0}}, "balance.doors: all shares are 0"),
        ({"doors": {}}, "balance.doors: all shares are 0"),
    ],
)
def test_what_cannot_be_ordered(balance: dict[Any, Any], said: str) -> None:
    with pytest.raises(UserError, match=said.replace("[", r"\[")):
        order(10, balance)


@pytest.mark.parametrize("value", [0, -3, 2.5])
def test_numbers_below_one(value: Any) -> None:
    with pytest.raises(UserError, match=f"num_images={value}: give a whole number from 1"):
        make_order(value, {}, (), 1, 0)
    with pytest.raises(UserError, match=f"photos_per_map={value}"):
        make_order(1, {}, (), value, 0)


def test_a_model_without_classes_has_none_to_balance() -> None:
    with pytest.raises(UserError, match="class is unknown: choose view, doors"):
        make_order(1, {"class": "uniform"}, (), 1, 0)
