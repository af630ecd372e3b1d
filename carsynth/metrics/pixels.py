"""The one rounding rule between a generator's floats and the pixels that are saved and scored."""

import torch
from torch import Tensor


def to_uint8(photo: Tensor) -> Tensor:
    """Photos of any float type in [-1, 1], any shape, as uint8 on the same device.

    Out-of-range values are clipped and the rest rounded to the nearest level, so that a uint8
    photo scaled to [-1, 1] comes back unchanged. What is scored is thus what a PNG would hold.
    """
    return ((photo.float().clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
