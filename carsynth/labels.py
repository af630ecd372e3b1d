"""The one part taxonomy: ids, names, colours, mirror twins, and the views that parts tell of.

Ids 1 to 18 are the parts of the DSMLR Car Parts data (Pasupa et al. 2021,
doi 10.1007/s40747-021-00397-8) in the order of its COCO categories, so that a part's id is its
category id minus one. Id 0 is the background, id 19 the body: what no other part covers.
Left and right are the car's own, as a driver would say them.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Part(NamedTuple):
    """A part: ``colour`` is RGB in 0 to 255, ``twin`` the name of the mirrored part."""

    name: str
    colour: tuple[int, int, int]
    twin: str


PARTS: tuple[Part, ...] = (
    Part("background", (0, 0, 0), "background"),
    Part("back_bumper", (125, 30, 0), "back_bumper"),
    Part("back_glass", (0, 160, 255), "back_glass"),
    Part("back_left_door", (190, 0, 120), "back_right_door"),
    Part("back_left_light", (255, 0, 60), "back_right_light"),
    Part("back_right_door", (120, 0, 190), "back_left_door"),
    Part("back_right_light", (200, 0, 0), "back_left_light"),
    Part("front_bumper", (255, 144, 0), "front_bumper"),
    Part("front_glass", (0, 255, 255), "front_glass"),
    Part("front_left_door", (255, 0, 255), "front_right_door"),
    Part("front_left_light", (255, 255, 0), "front_right_light"),
    Part("front_right_door", (180, 80, 255), "front_left_door"),
    Part("front_right_light", (200, 255, 80), "front_left_light"),
    Part("hood", (0, 100, 0), "hood"),
    Part("left_mirror", (0, 255, 0), "right_mirror"),
    Part("right_mirror", (0, 190, 110), "left_mirror"),
    Part("tailgate", (255, 170, 170), "tailgate"),
    Part("trunk", (150, 110, 60), "trunk"),
    Part("wheel", (0, 0, 255), "wheel"),
    Part("body", (255, 255, 255), "body"),
)

PART_ID: Mapping[str, int] = {part.name: index for index, part in enumerate(PARTS)}

NUM_PARTS = len(PARTS)

BACKGROUND = PART_ID["background"]

BODY = PART_ID["body"]

PALETTE: NDArray[np.uint8] = np.array([part.colour for part in PARTS], dtype=np.uint8)
"""RGB colour of every part id, (20, 3)."""

PART_TWINS: NDArray[np.uint8] = np.array([PART_ID[part.twin] for part in PARTS], dtype=np.uint8)
"""Id of every part after a horizontal flip, (20,): ``PART_TWINS[part_map[:, ::-1]]``."""

VIEWS: tuple[str, ...] = ("A", "B", "C", "D")
"""Quadrants of yaw. A: 180 to 270 degrees (rear right), B: 270 to 360 (front right),
C: 0 to 90 (front left), D: 90 to 180 (rear left).

Yaw is the direction in which the camera stands as the car sees it: 0 straight ahead of the car,
90 to its left, 180 behind it, 270 to its right.
"""

VIEW_TWINS: tuple[int, ...] = (3, 2, 1, 0)
"""Index in :data:`VIEWS` after a horizontal flip, which turns yaw into 360 - yaw."""


def view_of_yaw(yaw: float) -> int:
    """Index in :data:`VIEWS` of a yaw in degrees, any turn of it."""
    return (2, 3, 0, 1)[int(yaw % 360.0 // 90.0)]


_FRONT = ("front_bumper", "front_glass", "front_left_light", "front_right_light", "hood")
_REAR = (
    "back_bumper",
    "back_glass",
    "back_left_light",
    "back_right_light",
    "tailgate",
    "trunk",
)
_LEFT = ("front_left_door", "back_left_door", "front_left_light", "back_left_light", "left_mirror")
_RIGHT = tuple(PARTS[PART_ID[name]].twin for name in _LEFT)


def view_of_part_map(part_map: NDArray[np.integer]) -> int:
    """Index in :data:`VIEWS` that the visible parts of one map (H, W) speak for.

    The larger area decides, front against rear and left against right; a map without any evidence
    counts as front left. A pure side view is therefore put to the end of which more is seen.
    """
    area = np.bincount(part_map.ravel(), minlength=NUM_PARTS)

    def seen(names: tuple[str, ...]) -> int:
        return int(sum(area[PART_ID[name]] for name in names))

    front = seen(_FRONT) >= seen(_REAR)
    left = seen(_LEFT) >= seen(_RIGHT)
    return VIEWS.index(("C" if left else "B") if front else ("D" if left else "A"))
