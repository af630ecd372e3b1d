"""Polygons give their masks back, whoever draws them."""

import cv2
import numpy as np
import pycocotools.mask
import pytest
from numpy.typing import NDArray

from carsynth.export.outlines import Ring, outlines
from tests.export.pictures import hard_mask

FRAME = np.ones((5, 7), np.uint8)
FRAME[1:4, 1:6] = 0


def by_pycocotools(rings: list[Ring], height: int, width: int) -> NDArray[np.uint8]:
    shapes = pycocotools.mask.frPyObjects([ring.ravel().tolist() for ring in rings], height, width)
    return pycocotools.mask.decode(pycocotools.mask.merge(shapes))


def by_opencv(rings: list[Ring], height: int, width: int) -> NDArray[np.uint8]:
    """Drawn four times as large, and looked at in the pixels' centres."""
    large = np.zeros((4 * height, 4 * width), np.uint8)
    for ring in rings:
        alone = np.zeros_like(large)
        cv2.fillPoly(alone, [(4 * ring).astype(np.int32)], 1)
        large |= alone
    return large[2::4, 2::4]


def turned_area(ring: Ring) -> float:
    x, y = ring.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def random_masks() -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    masks = [
        random.random(random.integers(2, 40, 2)) < random.uniform(0.1, 0.95) for _ in range(60)
    ]
    return [mask.view(np.uint8) for mask in masks if mask.any()]


@pytest.mark.parametrize(
    "masks",
    [[np.ones((1, 1), np.uint8)], [FRAME], [hard_mask()], [1 - hard_mask()], random_masks()],
    ids=["pixel", "frame", "hard", "hard, inside out", "random"],
)
def test_masks_come_back(masks: list[NDArray[np.uint8]]) -> None:
    for mask in masks:
        rings = outlines(mask)
        assert len(rings) == cv2.connectedComponents(mask, connectivity=8)[0] - 1
        np.testing.assert_array_equal(by_pycocotools(rings, *mask.shape), mask)
        np.testing.assert_array_equal(by_opencv(rings, *mask.shape), mask)
        assert sum(map(turned_area, rings)) == mask.sum()


def test_a_rectangle_has_four_corners() -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[2:5, 3:8] = 1
    (ring,) = outlines(mask)
    assert sorted(map(tuple, ring.tolist())) == [(3, 2), (3, 5), (8, 2), (8, 5)]


def test_a_hole_is_bound_to_the_edge_above_it() -> None:
    (ring,) = outlines(FRAME)
    cut = [(1, 1), (1, 0)]
    corners = list(map(tuple, ring.tolist()))
    steps = set(zip(corners, corners[1:] + corners[:1], strict=True))
    assert {(cut[0], cut[1]), (cut[1], cut[0])} <= steps
    assert len(ring) == 4 + 4 + 3  # two rectangles, the hole's first corner again, two landings
