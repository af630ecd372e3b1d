"""From a generator's floats to the pixels that are saved, shown and scored: one rule for all."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_uint8(photo: Tensor) -> Tensor:
    """Photos of any float type in [-1, 1], any shape, as uint8 on the same device.

    Out-of-range values are clipped and the rest rounded to the nearest level, so that a uint8
    photo scaled to [-1, 1] comes back unchanged. What is scored is thus what a PNG would hold.
    """
    return ((photo.float().clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)


def to_pictures(photo: Tensor) -> NDArray[np.uint8]:
    """Photos (B, 3, H, W) on any device, uint8 or floats in [-1, 1], as an array (B, H, W, 3).

    Values that are not finite are drawn as grey.
    """
    if photo.is_floating_point():
        photo = to_uint8(photo.nan_to_num())
    rows = photo.detach().to("cpu", torch.uint8).permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(rows)
