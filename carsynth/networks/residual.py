"""The residual blocks at the generator's smallest size, where most of its arithmetic is."""

from torch import Tensor, nn
from torch.nn import functional as F

from carsynth.networks.layers import InstanceNorm, ReflectConv
from carsynth.networks.matrix_gradient import conv2d
from carsynth.networks.winograd_tiles import conv3x3, tiles_pay


class ResidualBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))) with 3x3 convolutions: pix2pixHD's block of G."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            DeepConv(channels, 3),
            InstanceNorm(),
            nn.ReLU(),
            DeepConv(channels, 3),
            InstanceNorm(),
        )

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.branch(x)
        return x + branch


class DeepConv(ReflectConv):
    """:class:`ReflectConv` between many channels at a small size, without bias.

    On a CPU, compiled convolutions take the tiles of :mod:`carsynth.networks.winograd_tiles` where
    they pay, and in bfloat16 the gradient of :mod:`carsynth.networks.matrix_gradient`. Everything
    else convolves as usual.
    """

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__(channels, channels, kernel_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        border = self.kernel_size[0] // 2
        padded = F.pad(x, (border, border, border, border), mode="reflect")
        if tiles_pay(padded, self.weight):
            tiled: Tensor = conv3x3(padded, self.weight)
            return tiled
        return conv2d(padded, self.weight)
