"""ToyCars: the same bytes everywhere, exact part maps, a car's anatomy, and the user's mistakes."""

import hashlib
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from carsynth.data.batch import CarSource
from carsynth.data.toycars import (
    BODY_STYLES,
    MAKES,
    BodyStyle,
    CarDesign,
    Make,
    Scene,
    ToyCars,
    render,
)
from carsynth.data.toycars.__main__ import main
from carsynth.data.toycars.raster import SUBPIXEL, draw_triangles
from carsynth.errors import UserError
from carsynth.labels import (
    BACKGROUND,
    NUM_PARTS,
    PART_ID,
    PART_TWINS,
    VIEW_TWINS,
    VIEWS,
    view_of_part_map,
    view_of_yaw,
)

STYLES = {style.name: style for style in BODY_STYLES}

PINNED = {
    (0, (128, 128)): "6fa57639efb01316a099d4504d713538554a23f1f06ce4d9ac014326c0f632e1",
    (1, (128, 224)): "abd992c1fdde4d8429b8541339c06ddf567ab4f3872134f987e26d430872ca89",
    (2, (64, 64)): "1a8c12e6786d487886c248597ad241592360dd74e9421cd3baad52503cd970fe",
    (3, (576, 768)): "aa2d8316b1e285fe6db85ae8a5c70be10531455402e049607ce2a83005e1e43e",
}
"""sha256 of photo and part map by index and size; a new look for the cars changes it."""


def a_car(
    style: BodyStyle, make: Make = MAKES[0], paint: tuple[int, int, int] = (160, 30, 30)
) -> CarDesign:
    return CarDesign(style, make, paint, paint, (180, 180, 180))


def a_scene(yaw: float, height: float = 1.5, sun: float = 0.0) -> Scene:
    return Scene(
        yaw=yaw,
        distance=8.0,
        height=height,
        fill=0.9,
        shift=(0.0, 0.0),
        sun=(sun, 45.0),
        sunlight=0.9,
        backdrop="studio",
        backdrop_seed=5,
    )


def seen(style: BodyStyle, yaw: float, make: Make = MAKES[0]) -> set[str]:
    part_map = render(a_car(style, make), a_scene(yaw), (128, 160)).part_map
    return {name for name, part in PART_ID.items() if (part_map == part).any()}


def digest(index: int, size: tuple[int, int]) -> str:
    car = ToyCars(seed=7).draw(index, size)
    return hashlib.sha256(car.photo.tobytes() + car.part_map.tobytes()).hexdigest()


@pytest.mark.parametrize(("index", "size"), PINNED)
def test_bytes_are_pinned(index: int, size: tuple[int, int]) -> None:
    assert digest(index, size) == PINNED[index, size]


def test_another_process_draws_the_same_bytes() -> None:
    code = (
        "import hashlib\n"
        "from carsynth.data.toycars import ToyCars\n"
        "for index in range(4):\n"
        "    car = ToyCars(seed=7, length=4).draw(index, (96, 160))\n"
        "    data = car.photo.tobytes() + car.part_map.tobytes()\n"
        "    print(hashlib.sha256(data).hexdigest())\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [digest(index, (96, 160)) for index in range(4)]


def test_a_sample_depends_on_seed_and_index_only() -> None:
    short, long, other = ToyCars(3), ToyCars(30, label="view"), ToyCars(3, seed=1)
    a, b = short.draw(2, (64, 64)), long.draw(2, (64, 64))
    assert np.array_equal(a.photo, b.photo)
    assert not np.array_equal(a.photo, other.draw(2, (64, 64)).photo)
    bigger = short.draw(2, (128, 96))
    assert (a.make, a.body, a.yaw) == (bigger.make, bigger.body, bigger.yaw)
    assert bigger.photo.shape == (128, 96, 3)


@pytest.mark.parametrize("label", ["make", "body", "view", "doors"])
def test_labels_name_what_was_asked_for(label: str) -> None:
    cars = ToyCars(12, label=label)
    source: CarSource = cars
    for index in range(12):
        known = cars.draw(index, (32, 32))
        names = {"make": known.make, "body": known.body, "view": VIEWS[known.view]}
        truth = (names | {"doors": f"{known.doors}_doors"})[label]
        sample = source.read(index, (32, 32))
        assert source.classes[sample.label] == truth
        assert np.array_equal(sample.photo, known.photo)
        assert np.array_equal(sample.part_map, known.part_map)
    identity = tuple(range(len(source.classes)))
    assert source.class_twins == (VIEW_TWINS if label == "view" else identity)
    assert source.names[11] == "toycar-000011"
    assert len(set(source.names)) == 12


def test_yaws_bodies_and_makes_are_spread_evenly() -> None:
    cars = [ToyCars(400).draw(index, (32, 32)) for index in range(400)]
    for counts, kinds in (
        (Counter(car.view for car in cars), 4),
        (Counter(car.body for car in cars), 6),
        (Counter(car.make for car in cars), 8),
    ):
        assert len(counts) == kinds
        assert min(counts.values()) > 0.6 * 400 / kinds


@pytest.mark.parametrize("size", [(32, 32), (128, 224), (224, 64), (101, 67)])
def test_a_car_fills_the_picture_and_is_never_cut_off(size: tuple[int, int]) -> None:
    for index in range(12):
        car = ToyCars().draw(index, size)
        assert car.photo.shape == (*size, 3)
        assert car.photo.dtype == car.part_map.dtype == np.uint8
        assert car.part_map.shape == size
        assert car.part_map.max() < NUM_PARTS
        assert np.array_equal(car.car_mask, car.part_map != BACKGROUND)
        assert car.view == view_of_yaw(car.yaw)
        rows, columns = np.nonzero(car.car_mask)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert max(height / size[0], width / size[1]) > 0.75
        frame = np.ones(size, dtype=bool)
        frame[1:-1, 1:-1] = False
        assert min(size) < 64 or not car.car_mask[frame].any()


def test_the_camera_stands_where_the_yaw_says() -> None:
    sedan = STYLES["sedan"]
    left = render(a_car(sedan), a_scene(90.0), (128, 224)).part_map
    columns = np.nonzero(left == PART_ID["front_left_door"])[1].mean()
    assert columns < np.nonzero(left == PART_ID["back_left_door"])[1].mean()
    assert {"front_bumper", "hood", "front_left_light", "front_left_door"} <= seen(sedan, 40.0)
    assert {"trunk", "back_bumper", "back_right_light", "back_right_door"} <= seen(sedan, 220.0)
    assert not {"back_glass", "back_right_light", "front_right_door"} & seen(sedan, 40.0)


@pytest.mark.parametrize("style", BODY_STYLES, ids=lambda style: style.name)
def test_every_body_has_its_own_parts(style: BodyStyle) -> None:
    parts = set().union(*(seen(style, yaw) for yaw in (35.0, 145.0, 180.0, 215.0, 325.0)))
    always = {name for name in PART_ID if name not in ("trunk", "tailgate")}
    if style.doors in (2, 3):
        always -= {"back_left_door", "back_right_door"}
    tail = "trunk" if style.name in ("sedan", "coupe") else "tailgate"
    assert parts == always | {tail}


def test_parts_speak_for_the_view() -> None:
    for style in BODY_STYLES:
        for yaw in (25.0, 45.0, 65.0, 115.0, 150.0, 210.0, 245.0, 300.0, 335.0):
            part_map = render(a_car(style), a_scene(yaw), (96, 128)).part_map
            assert view_of_part_map(part_map) == view_of_yaw(yaw), (style.name, yaw)


@pytest.mark.parametrize("make", MAKES, ids=lambda make: make.name)
@pytest.mark.parametrize("yaw", [0.0, 50.0, 90.0, 160.0])
def test_the_mirrored_scene_is_the_mirrored_picture(make: Make, yaw: float) -> None:
    style = BODY_STYLES[MAKES.index(make) % len(BODY_STYLES)]
    car = render(a_car(style, make), a_scene(yaw, sun=40.0), (96, 128))
    twin = render(a_car(style, make), a_scene(360.0 - yaw, sun=-40.0), (96, 128))
    assert (PART_TWINS[twin.part_map[:, ::-1]] != car.part_map).mean() < 0.004
    far = np.abs(twin.photo[:, ::-1].astype(int) - car.photo).max(axis=2) > 24
    assert far.mean() < 0.01


@pytest.mark.parametrize("style", BODY_STYLES, ids=lambda style: style.name)
def test_a_part_map_outlines_exactly_what_is_painted(style: BodyStyle) -> None:
    for yaw in range(0, 360, 45):
        red = render(a_car(style, paint=(200, 20, 20)), a_scene(yaw), (96, 128))
        blue = render(a_car(style, paint=(20, 20, 200)), a_scene(yaw), (96, 128))
        assert np.array_equal(red.part_map, blue.part_map)
        changed = (red.photo != blue.photo).any(axis=2)
        near = np.pad(red.car_mask, 1)
        windows = np.lib.stride_tricks.sliding_window_view(near, (3, 3))
        assert not changed[~windows.any(axis=(2, 3))].any()
        hood = red.part_map == PART_ID["hood"]
        assert not hood.any() or changed[hood].mean() > 0.9
        glass = np.isin(red.part_map, [PART_ID["front_glass"], PART_ID["back_glass"]])
        assert not glass.any() or changed[glass].mean() < 0.5


@pytest.mark.parametrize("style", BODY_STYLES, ids=lambda style: style.name)
def test_wheels_stand_on_the_ground_below_the_body(style: BodyStyle) -> None:
    part_map = render(a_car(style), a_scene(90.0), (128, 224)).part_map
    wheels = part_map == PART_ID["wheel"]
    assert np.nonzero(part_map)[0].max() == np.nonzero(wheels)[0].max()
    columns = np.flatnonzero(wheels.any(axis=0))
    assert (np.diff(columns) > 1).sum() == 1


def a_raster(triangles: list[list[tuple[int, int]]], depths: list[float]) -> np.ndarray:
    """Index + 1 of the triangle seen at each of 4 x 4 pixels; corners in whole pixels."""
    corners = np.array(triangles).reshape(-1, 2).T * SUBPIXEL
    faces = np.arange(corners.shape[1]).reshape(-1, 3)
    inverse = np.repeat(np.array(depths), 3)
    cover = draw_triangles(corners, inverse, inverse[None], faces, (4, 4))
    picture = np.zeros(16, dtype=int)
    picture[cover.pixel] = cover.face + 1
    assert np.allclose(cover.values[0], np.array(depths)[cover.face])
    return picture.reshape(4, 4)


def test_triangles_that_share_an_edge_leave_no_gap() -> None:
    square = [[(0, 0), (0, 4), (4, 4)], [(0, 0), (4, 4), (4, 0)]]
    picture = a_raster(square, [0.5, 0.5])
    assert (picture > 0).all()
    assert (np.tril(picture, -1) == np.tril(np.ones((4, 4), dtype=int), -1)).all()
    assert (picture[np.triu_indices(4, 1)] == 2).all()


def test_the_nearer_triangle_hides_the_farther_and_backs_are_not_drawn() -> None:
    whole, back = [(0, 0), (0, 4), (4, 0)], [(0, 0), (4, 0), (0, 4)]
    near, far, turned = 0.5, 0.25, 0.9
    assert (a_raster([whole, whole, back], [near, far, turned])[:2, :2] == 1).all()
    assert (a_raster([whole, whole, back], [far, near, turned])[:2, :2] == 2).all()


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda: ToyCars(label="colour"), "label 'colour'.*make, body, view, doors"),
        (lambda: ToyCars(length=0), "length is 0"),
        (lambda: ToyCars().read(0, (16, 128)), "16x128.*32 or more"),
    ],
)
def test_mistakes_are_one_line_that_says_what_to_do(mistake, words: str) -> None:
    with pytest.raises(UserError, match=words) as raised:
        mistake()
    assert "\n" not in str(raised.value)


def test_the_contact_sheet_is_written(tmp_path, monkeypatch) -> None:
    out = tmp_path / "new" / "sheet.png"
    monkeypatch.setattr("sys.argv", ["toycars", str(out), "--size", "32", "48"])
    main()
    with Image.open(out) as sheet:
        assert sheet.size == (8 * 48, 12 * 32)
