"""Structural similarity in float64, for in float32 a photo on white is not quite like itself."""

import torch
from torch import Tensor

WINDOW = 11
"""Height and width in pixels of the Gaussian window."""

_DEVIATION = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def structural_similarity(first: Tensor, second: Tensor) -> Tensor:
    """SSIM of pairs of pictures, uint8 (B, C, H, W), averaged over channels and pixels: (B,).

    Equation 13 of Wang et al. 2004 with their window, K1 = 0.01 and K2 = 0.03 and the data range
    255; borders are reflected, as torchmetrics does it. Its variances are differences of large
    numbers: in float32, equal pictures that are half white come to 0.9996.
    """
    height, width = first.shape[2:]
    down, across = _window(height, first.device), _window(width, first.device)

    def similarity(a: Tensor, b: Tensor) -> Tensor:
        a, b = a.double(), b.double()
        maps = down @ torch.stack([a, b, a * a, b * b, a * b]) @ across.T
        mean_a, mean_b = maps[0], maps[1]
        variances = maps[2] - mean_a.square() + maps[3] - mean_b.square()
        covariance = maps[4] - mean_a * mean_b
        luminance = (2 * mean_a * mean_b + _C1) / (mean_a.square() + mean_b.square() + _C1)
        return (luminance * (2 * covariance + _C2) / (variances + _C2)).mean()

    return torch.stack([similarity(a, b) for a, b in zip(first, second, strict=True)])


def _window(length: int, device: torch.device) -> Tensor:
    """Matrix (length, length) whose rows weight the pixels around each one."""
    reach = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-(reach**2) / (2 * _DEVIATION**2))
    weights /= weights.sum()
    rows = torch.arange(length)[:, None].expand(-1, WINDOW)
    columns = (rows + reach.long()).abs()
    columns = (length - 1) - (length - 1 - columns).abs()
    matrix = torch.zeros(length, length, dtype=torch.float64)
    matrix.index_put_((rows, columns), weights.expand(length, -1), accumulate=True)
    return matrix.to(device)
