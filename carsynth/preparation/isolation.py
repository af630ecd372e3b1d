"""Isolation: coloured parts of a picture told from the rest by their saturation."""

import cv2
import numpy as np
from numpy.typing import NDArray


def coloured(picture: NDArray[np.uint8], saturation: int) -> NDArray[np.bool_]:
    """Where an RGB picture (H, W, 3) is coloured, (H, W).

    Args:
        saturation: least one in HSV, 0 to 255; at 0 every pixel counts.
    """
    return saturation_of(picture) >= saturation


def saturation_of(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of HSV, 0 to 255: 255 x (largest - smallest) / largest channel; black has none. (H, W)."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    return np.ascontiguousarray(hsv[..., 1])
