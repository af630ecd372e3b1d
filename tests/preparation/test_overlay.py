"""Coloured parts told from the rest, and laid over the whole car."""

import colorsys

import numpy as np

from carsynth.labels import BODY, PART_ID
from carsynth.preparation.isolation import coloured, saturation_of
from carsynth.preparation.overlay import overlay, overlay_ids
from tests.data.cars import noise

HOOD = PART_ID["hood"]


def test_saturation_is_that_of_hsv() -> None:
    picture = noise(30, 20)
    expected = [
        [colorsys.rgb_to_hsv(*(channel / 255 for channel in pixel))[1] * 255 for pixel in line]
        for line in picture.tolist()
    ]
    assert np.abs(saturation_of(picture) - np.array(expected)).max() <= 1


def test_painted_parts_stand_out_from_a_grey_photo() -> None:
    picture = np.repeat(noise(40, 60)[..., :1], 3, axis=2)
    picture[10:20, 5:25] = (255, 144, 0)
    picture[25:30, 5:25] = (125, 30, 0)
    picture[0, 0] = (255, 170, 170)
    expected = np.zeros((40, 60), np.bool_)
    expected[10:20, 5:25] = expected[25:30, 5:25] = True
    np.testing.assert_array_equal(coloured(picture, 120), expected)
    assert coloured(picture, 85)[0, 0]
    assert coloured(picture, 0).all()


def test_parts_lie_over_the_car_and_may_reach_beyond_it() -> None:
    picture = noise(6, 8)
    parts = np.zeros((6, 8), np.bool_)
    car = parts.copy()
    parts[1:3, 1:5] = True
    car[2:5, 3:8] = True
    ground, body = np.array((1, 2, 3), np.uint8), np.array((250, 251, 252), np.uint8)
    laid = overlay(picture, parts, car, ground, body)
    np.testing.assert_array_equal(laid[parts], picture[parts])
    assert (laid[car & ~parts] == body).all()
    assert (laid[~car & ~parts] == ground).all()
    ids = np.where(parts, np.uint8(HOOD), np.uint8(0))
    laid_ids = overlay_ids(ids, car)
    assert (laid_ids[parts] == HOOD).all()
    assert (laid_ids[car & ~parts] == BODY).all()
    assert (laid_ids[~car & ~parts] == 0).all()
    assert not ids[car & ~parts].any()
