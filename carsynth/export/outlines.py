"""Masks as polygons along the edges of their pixels, from which the very same masks come back."""

import cv2
import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.int64]
"""Corners (n, 2) of a closed polygon as x, y in pixels; the first pixel reaches from 0 to 1."""

_HAS_PARENT = 3  # place in OpenCV's hierarchy


def outlines(mask: NDArray[np.uint8]) -> list[Ring]:
    """A polygon for each connected region of a mask (H, W) of 0 and 1 that is not all 0.

    Pixels connect by their sides and by their corners. All corners of polygons are whole numbers,
    so that no pixel centre lies on an edge and every rule of filling gives the mask back, single
    pixels and lines of one pixel included. A polygon has no holes: a hole is bound to the edge
    above it by a cut without width, and turns against the outline. The area by the shoelace formula
    is thus the number of pixels.
    """
    left, top, width, height = cv2.boundingRect(mask)
    region = mask[top : top + height, left : left + width]
    # OpenCV goes from pixel centre to pixel centre. Of a mask at twice its size each pixel is one
    # quarter of an original one, and belongs to the corner which that quarter touches.
    doubled = cv2.resize(region, (2 * width, 2 * height), interpolation=cv2.INTER_NEAREST)
    contours, tree = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rings = [_without_repeats((contour[:, 0].astype(np.int64) + 1) >> 1) for contour in contours]
    parents = tree[0, :, _HAS_PARENT]
    origin = np.array([left, top])
    return [
        origin + _joined(ring, [rings[hole] for hole in np.flatnonzero(parents == number)])
        for number, ring in enumerate(rings)
        if parents[number] < 0
    ]


def _joined(ring: Ring, holes: list[Ring]) -> Ring:
    """An outline and the holes within it as one polygon.

    Holes are taken from the top down: what lies above a hole is the outline or a hole that is part
    of it by then.
    """
    if not holes:
        return ring
    for hole in sorted(holes, key=lambda hole: int(hole[:, 1].min())):
        first = np.lexsort((hole[:, 0], hole[:, 1]))[0]  # topmost, and of those the leftmost
        x, y = hole[first]
        start, end = ring, np.roll(ring, -1, axis=0)
        above = (
            (start[:, 1] == end[:, 1])
            & (start[:, 1] < y)
            & (np.minimum(start[:, 0], end[:, 0]) <= x)
            & (np.maximum(start[:, 0], end[:, 0]) > x)
        )
        edge = int(np.argmax(np.where(above, start[:, 1], -1)))
        landing = [[x, start[edge, 1]]]
        turned = np.roll(hole, -first, axis=0)
        ring = np.concatenate(
            (ring[: edge + 1], landing, turned, turned[:1], landing, ring[edge + 1 :])
        )
    return _without_repeats(ring)


def _without_repeats(ring: Ring) -> Ring:
    differs: NDArray[np.bool_] = (ring != np.roll(ring, 1, axis=0)).any(axis=1)
    return ring[differs]
