"""Perceptual loss: the distance of two pictures in the features of a frozen VGG-19."""

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torchvision.models import VGG19_Weights

from carsynth.weights import fetch_weights

VGG19_FILE = "vgg19-dcbb9e9d.pth"
VGG19_SHA256 = "dcbb9e9d"

_CHANNELS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)
"""Of VGG-19's convolutions up to conv5_1, each with a ReLU behind it; 0 is a pooling by two."""

_TAPS = {1: 1 / 32, 6: 1 / 16, 11: 1 / 8, 20: 1 / 4, 29: 1.0}
"""Weight in the loss of relu1_1, relu2_1, relu3_1, relu4_1, relu5_1, by place in the chain."""


class VGGPerceptual(nn.Module):
    """``sum over five layers of w * mean |VGG(real) - VGG(fake)|``, at least 0.

    pix2pixHD's loss (Wang et al. 2018, section 3.5, after Johnson et al. 2016): relu1_1, relu2_1,
    relu3_1, relu4_1 and relu5_1 with w = 1/32, 1/16, 1/8, 1/4 and 1. The factor before the sum (10)
    is the caller's. Photos are first brought to the mean and deviation of ImageNet that VGG was
    trained with; the published code hands [-1, 1] to the network as it is.

    The network is frozen and can always be loaded again, so it is no part of this module's
    parameters, ``state_dict`` or mode: it stays out of checkpoints, optimisers and parameter
    counts, data-parallel training does not send it about, and ``train()`` and ``apply()`` do not
    reach it. ``to()`` and its like do, so it follows to another device or dtype.
    """

    def __init__(self, weights_path: str | None = None) -> None:
        """Load the weights, from torchvision's address where they are not in the cache.

        Args:
            weights_path: a copy of torchvision's ``vgg19-dcbb9e9d.pth`` to use.

        Raises:
            UserError: the file cannot be had, or is another one; the message says how to place it.
        """
        super().__init__()
        # Within a tuple nn.Module does not register it; see the class for what that is good for.
        self._unregistered = (_Trunk(load_vgg19(weights_path)),)

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        """Scalar distance of RGB photos (B, 3, H, W) in [-1, 1], H and W at least 16.

        The gradient flows to ``fake`` alone.
        """
        trunk = self._unregistered[0]
        with torch.no_grad():
            targets = trunk(real)
        distances = [
            weight * (target - feature).abs().mean()
            for weight, target, feature in zip(_TAPS.values(), targets, trunk(fake), strict=True)
        ]
        return torch.stack(distances).sum()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for module in self._unregistered:
            module._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


def load_vgg19(weights_path: str | None, sha256_prefix: str = VGG19_SHA256) -> nn.Sequential:
    """VGG-19 from its first convolution to relu5_1, numbered as torchvision's ``features``.

    Draws no random numbers, so that a seeded run is the same with and without it.

    Raises:
        UserError: as :func:`carsynth.weights.fetch_weights`.
    """
    path = fetch_weights(
        VGG19_FILE,
        VGG19_Weights.IMAGENET1K_V1.url,
        sha256_prefix,
        weights_path,
        remedy="loss.perceptual.weights_path=FILE",
    )
    layers: list[nn.Module] = []
    before = 3
    with torch.device("meta"):
        for channels in _CHANNELS:
            if channels:
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True)]
                before = channels
            else:
                layers.append(nn.MaxPool2d(2))
    features = nn.Sequential(*layers)
    published = torch.load(path, map_location="cpu", weights_only=True)
    features.load_state_dict(
        {name: published[f"features.{name}"] for name in features.state_dict()}, assign=True
    )
    return features


class _Trunk(nn.Module):
    """Photos in [-1, 1] to the features of the five tapped layers; no weight takes a gradient."""

    mean: Tensor
    std: Tensor

    def __init__(self, features: nn.Sequential) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1))
        self.register_buffer("std", torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, photos: Tensor) -> list[Tensor]:
        x = (0.5 * photos + 0.5 - self.mean) / self.std
        taps = []
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in _TAPS:
                taps.append(x)
        return taps
