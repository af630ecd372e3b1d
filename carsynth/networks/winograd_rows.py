"""A convolution with half the multiplications (Winograd 1980; Lavin and Gray 2016, 1509.09308).

Three neighbouring outputs of a 4-tap filter need six multiplications instead of twelve: the
product of two polynomials is known from its values at six points, here 0, 1, -1, 2, -2 and
infinity. It is used along the height only, where the error in float32 stays at about twice that of
the sum taken term by term, and where every point leaves one large convolution over the width.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_TAPS, _OUTPUTS = 4, 3
_POINTS = _TAPS + _OUTPUTS - 1
_OF_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_OF_WEIGHT = (
    (1 / 4, 0, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6, 1 / 6),
    (1 / 24, 1 / 12, 1 / 6, 1 / 3),
    (1 / 24, -1 / 12, 1 / 6, -1 / 3),
    (0, 0, 0, 1),
)
_OF_OUTPUT = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 1),
)
_WORTH_IT = 256
"""Input channels from which the sums before and after cost less than what they save."""


class WideConv(nn.Conv2d):
    """A 4x4 convolution of stride 1 without bias, for many channels.

    On a CPU, in float32 and float64, it takes half the multiplications. Half precision would not
    bear the sums of the input, and other devices have kernels of their own: there, and between few
    channels, it convolves as usual.
    """

    def __init__(self, in_channels: int, out_channels: int, padding: int) -> None:
        super().__init__(in_channels, out_channels, _TAPS, padding=padding, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        half = torch.is_autocast_enabled("cpu") or x.dtype not in (torch.float32, torch.float64)
        if x.device.type != "cpu" or half or self.in_channels < _WORTH_IT:
            return super().forward(x)
        border = int(self.padding[0])
        height = x.shape[2] + 2 * border - _TAPS + 1
        tiles = -(-height // _OUTPUTS)
        x = F.pad(x, (border, border, border, border + tiles * _OUTPUTS - height))
        last = _OUTPUTS * (tiles - 1) + 1
        rows = [x[:, :, first : first + last : _OUTPUTS] for first in range(_POINTS)]
        taps = self.weight.unbind(2)
        products = [
            F.conv2d(weighted_sum(rows, of_input), weighted_sum(taps, of_weight).unsqueeze(2))
            for of_input, of_weight in zip(_OF_INPUT, _OF_WEIGHT, strict=True)
        ]
        outputs = [weighted_sum(products, weights).permute(0, 2, 3, 1) for weights in _OF_OUTPUT]
        interleaved = torch.stack(outputs, dim=2).flatten(1, 2)[:, :height]
        return interleaved.permute(0, 3, 1, 2)


def weighted_sum(terms: Iterable[Tensor], weights: Sequence[float]) -> Tensor:
    """As many terms as weights; a single one of weight 1 is returned as it is."""
    parts = [
        term if weight == 1 else weight * term
        for term, weight in zip(terms, weights, strict=True)
        if weight
    ]
    return sum(parts[1:], parts[0])
