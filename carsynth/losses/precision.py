"""Where half precision is too narrow to add things up in."""

import torch
from torch import Tensor


def widened(x: Tensor) -> Tensor:
    """float16 and bfloat16 as float32, anything else as it is."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
