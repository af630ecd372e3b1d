"""Palettes, and snapping to them against the plainest loop over pixels."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from carsynth.errors import UserError
from carsynth.labels import BODY, PALETTE, PART_ID
from carsynth.preparation.palette import load_palette
from carsynth.preparation.snapping import Snapper, picture_of_moved
from tests.data.cars import noise

NINE = {
    (0, 0, 0),
    (255, 255, 255),
    (0, 255, 255),
    (0, 0, 255),
    (255, 144, 0),
    (255, 0, 255),
    (0, 100, 0),
    (125, 30, 0),
    (255, 255, 0),
}


def by_loop(
    picture: NDArray[np.uint8], colours: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Nearest colours and where two are nearly as near, in whole numbers."""
    indices = np.zeros(picture.shape[:2], np.uint8)
    between = np.zeros(picture.shape[:2], np.bool_)
    for row, line in enumerate(picture.tolist()):
        for column, pixel in enumerate(line):
            squares = [
                sum((a - b) ** 2 for a, b in zip(pixel, colour, strict=True))
                for colour in colours.tolist()
            ]
            indices[row, column] = squares.index(min(squares))
            first, second = sorted(squares)[:2]
            between[row, column] = second < 4 * first
    return indices, between


@pytest.mark.parametrize("name", ["carsynth", "report"])
def test_every_pixel_takes_the_nearest_colour(name: str) -> None:
    palette = load_palette(name)
    snap = Snapper(palette.colours)
    for seed in range(3):  # with a table that is filled more and more
        picture = noise(40, 30, seed)
        picture[:5, : len(palette.colours)] = palette.colours
        indices, between = by_loop(picture, palette.colours)
        snapped = snap(picture)
        np.testing.assert_array_equal(snapped.indices, indices)
        np.testing.assert_array_equal(snapped.between, between)
        moved = (palette.colours[indices] != picture).any(axis=2)
        np.testing.assert_array_equal(snapped.moved, moved)
        assert 0.8 < moved.mean() < 1


def test_equally_near_colours_and_those_between() -> None:
    colours = np.array([(0, 0, 0), (0, 0, 90), (200, 0, 0)], np.uint8)
    picture = np.array([[(0, 0, 45), (0, 0, 31), (0, 0, 29), (0, 0, 90), (100, 0, 0)]], np.uint8)
    snapped = Snapper(colours)(picture)
    assert snapped.indices.tolist() == [[0, 0, 0, 1, 0]]
    assert snapped.between.tolist() == [[True, True, False, False, True]]
    assert snapped.moved.tolist() == [[True, True, True, False, True]]
    shown = picture_of_moved(snapped, colours)
    assert shown[0].tolist() == [[255, 0, 0], [255, 0, 0], [255] * 3, [0, 0, 27], [255, 0, 0]]


def test_a_snapped_picture_stays_and_a_smooth_one_gets_exact() -> None:
    palette = load_palette("report")
    snap = Snapper(palette.colours)
    ids = np.zeros((60, 80), np.uint8)
    ids[20:40, 10:70] = PART_ID["front_bumper"]
    ids[10:20, 30:60] = PART_ID["hood"]
    exact = palette.paint[ids]
    still = snap(exact)
    assert not still.moved.any()
    np.testing.assert_array_equal(palette.parts[still.indices], ids)
    smooth = cv2.GaussianBlur(exact, (3, 3), 0)
    snapped = snap(smooth)
    assert 0.02 < snapped.moved.mean() < 0.2
    assert snapped.between.sum() < snapped.moved.sum()
    assert {tuple(c) for c in palette.colours[snapped.indices].reshape(-1, 3).tolist()} <= NINE
    assert (palette.parts[snapped.indices] != ids).mean() < 0.03


def test_the_palettes_by_name() -> None:
    own, report = load_palette("carsynth"), load_palette("report")
    np.testing.assert_array_equal(own.colours, PALETTE)
    np.testing.assert_array_equal(own.paint, PALETTE)
    np.testing.assert_array_equal(own.parts, np.arange(len(PALETTE)))
    assert {tuple(colour) for colour in report.colours.tolist()} == NINE
    assert own.tells_sides()
    assert own.tells_rear_doors()
    assert not report.tells_sides()
    assert not report.tells_rear_doors()
    # parts that share a colour, and those that have none
    assert report.paint[PART_ID["back_right_door"]].tolist() == [255, 0, 255]
    assert report.paint[PART_ID["tailgate"]].tolist() == [255, 255, 255]


def test_a_palette_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"255, 0, 0": "hood", "0,0,255": ["back_left_door", "wheel"]}))
    palette = load_palette(str(path))
    assert palette.colours.tolist() == [[255, 0, 0], [0, 0, 255], [0, 0, 0], [255, 255, 255]]
    assert palette.parts.tolist() == [PART_ID["hood"], PART_ID["back_left_door"], 0, BODY]
    assert palette.paint[PART_ID["wheel"]].tolist() == [0, 0, 255]
    assert palette.paint[PART_ID["trunk"]].tolist() == [255, 255, 255]
    assert not palette.tells_sides()
    assert palette.tells_rear_doors()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", 'holds no {"255,0,0"'),
        ("{", "no readable JSON"),
        ('{"1,2": "hood"}', "'1,2' is no RGB colour"),
        ('{"1,2,256": "hood"}', "'1,2,256' is no RGB colour"),
        ('{"1,2,3": "spoiler"}', "'spoiler' .* is no part"),
        ('{"1,2,3": "hood", "1, 2, 3": "wheel"}', "the colour 1, 2, 3 twice"),
        ('{"1,2,3": "hood", "3,2,1": "hood"}', "hood in two colours"),
        ('{"1,2,3": []}', "no part is named for 1,2,3"),
        ('{"0,0,0": "hood"}', "no colour for background"),
        (json.dumps({f"1,2,{blue}": "hood" for blue in range(150)}), "152 colours"),
    ],
)
def test_palettes_that_cannot_be_used(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        load_palette(str(tmp_path / "mine.json"))
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"no such file; give carsynth, report"):
        load_palette(str(tmp_path / "no.json"))
