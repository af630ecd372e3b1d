"""Framing: how large cars are in their frames, which are far from the rest, and rescaling those."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from carsynth.labels import BACKGROUND

FEWEST = 8
"""Cars below which nothing can be said of what is usual."""

_LEAST_FACTOR = 1.4
"""Cars within this factor of the median are never far from it, however alike the others are."""

_FILLED = 0.96
"""Share of the frame's width or height that a growing car may come to take."""

_NORMAL = 1.4826  # median absolute deviation to standard deviation, of normal figures


class Sizes(NamedTuple):
    """Usual sizes in the frame, as :func:`size_in_frame` measures them."""

    low: float
    median: float
    high: float


def size_in_frame(part_map: NDArray[np.uint8]) -> float:
    """Area of the box around a car as a share of the frame's (H, W), over 0 and up to 1.

    The two-stage report compares boxes (70x70 against 100x100 pixels of 128x128, section 5.1). Cars
    seen from the end and from the side count alike.
    """
    (top, bottom), (left, right) = _extent(part_map)
    return (bottom - top) * (right - left) / part_map.size


def usual_sizes(sizes: Sequence[float], far: float) -> Sizes | None:
    """Median, and the sizes beyond which a car is far from the rest; None below 8 cars.

    The logarithms are compared, by their median absolute deviation: what is far does not change
    what is usual. A factor of 1.4 is never far.

    Args:
        far: robust standard deviations.
    """
    if len(sizes) < FEWEST:
        return None
    logs = np.log(np.asarray(sizes))
    middle = float(np.median(logs))
    spread = _NORMAL * float(np.median(np.abs(logs - middle)))
    reach = max(far * spread, math.log(_LEAST_FACTOR))
    low, high = math.exp(middle - reach), min(math.exp(middle + reach), 1.0)
    return Sizes(low, math.exp(middle), high)


class Window(NamedTuple):
    """A frame around a car, in pixels of the picture; it may reach beyond its borders."""

    top: int
    left: int
    height: int
    width: int

    def filled(self, size: tuple[int, int]) -> float:
        """Share of the window that lies outside a picture of a size (height, width)."""
        rows = min(self.top + self.height, size[0]) - max(self.top, 0)
        columns = min(self.left + self.width, size[1]) - max(self.left, 0)
        return 1 - rows * columns / (self.height * self.width)


def window_for(part_map: NDArray[np.uint8], size: float) -> Window:
    """The window of the frame's aspect in which the car has ``size``, if it has room for that.

    It is around the car's middle, moved into the picture as far as it fits, so that nothing has to
    be filled in where a car grows.
    """
    frame, extent = part_map.shape, _extent(part_map)
    room = _FILLED * min(
        side / (high - low) for side, (low, high) in zip(frame, extent, strict=True)
    )
    scale = min(math.sqrt(size / size_in_frame(part_map)), max(room, 1.0))
    shape = [math.ceil(side / scale) for side in frame]
    starts = []
    for side, length, (low, high) in zip(frame, shape, extent, strict=True):
        start = round((low + high - length) / 2)
        ends = sorted((0, side - length))
        starts.append(min(max(start, ends[0]), ends[1]))
    return Window(starts[0], starts[1], shape[0], shape[1])


def through(window: Window, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A photo (H, W, 3) in a window; beyond its borders they are continued."""
    return _cut(window, photo, cv2.BORDER_REPLICATE)


def map_through(window: Window, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A part map (H, W), or a picture of one, in a window; background lies beyond its borders."""
    return _cut(window, picture, cv2.BORDER_CONSTANT)


def _cut(window: Window, picture: NDArray[Any], border: int) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    above, before = max(-window.top, 0), max(-window.left, 0)
    below = max(window.top + window.height - height, 0)
    after = max(window.left + window.width - width, 0)
    padded: NDArray[np.uint8] = cv2.copyMakeBorder(
        picture, above, below, before, after, border, value=BACKGROUND
    )
    top, left = window.top + above, window.left + before
    return padded[top : top + window.height, left : left + window.width]


def _extent(part_map: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """First row and column of the car and the ones behind its last."""
    extent = []
    for axis in (1, 0):
        lines = np.flatnonzero((part_map != BACKGROUND).any(axis=axis))
        extent.append((int(lines[0]), int(lines[-1]) + 1))
    return extent
