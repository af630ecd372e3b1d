"""Self-attention over the pixels of a map."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


class SelfAttention(nn.Module):
    """SAGAN's block (Zhang et al. 2019): x + gamma * attention(x), gamma learned from 0.

    As in the authors' code, keys and values are max-pooled by two and queries and keys have an
    eighth of the channels, values half. Torch's scaled-dot-product attention does the work; without
    a dimension for heads it takes the kernel that can be differentiated twice, as penalties need.

    Args:
        channels: of the map; 8 or more.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 8, 1)
        self._value_channels = max(channels // 2, 1)
        self.query = spectral_norm(nn.Conv2d(channels, inner, 1, bias=False))
        self.key = spectral_norm(nn.Conv2d(channels, inner, 1, bias=False))
        self.value = spectral_norm(nn.Conv2d(channels, self._value_channels, 1, bias=False))
        self.output = spectral_norm(nn.Conv2d(self._value_channels, channels, 1, bias=False))
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape; H and W at least 2."""
        queries = _rows(self.query(x))
        keys = _rows(F.max_pool2d(self.key(x), 2))
        values = _rows(F.max_pool2d(self.value(x), 2))
        # SAGAN does not scale the scores.
        seen = F.scaled_dot_product_attention(queries, keys, values, scale=1.0)
        height, width = x.shape[2:]
        out: Tensor = self.output(seen.transpose(1, 2).reshape(len(x), -1, height, width))
        return x + self.gamma * out


def _rows(x: Tensor) -> Tensor:
    """(B, C, H, W) as (B, H * W, C)."""
    return x.flatten(2).transpose(1, 2)
