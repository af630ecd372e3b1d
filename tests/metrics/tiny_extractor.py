"""A stand-in for Inception that is quick enough for every test."""

import torch
from torch import Tensor, nn


class TinyExtractor(nn.Module):
    """A fixed random convolution and a global average: uint8 (B, 3, H, W) to (B, 12)."""

    name = "tiny"
    num_features = 12
    resize = "none"
    fingerprint = "0" * 64

    def __init__(self, offset: float = 0.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3, bias=False)
        weight = torch.linspace(-1.0, 1.0, 12 * 27).sin() * 3.0
        self.conv.weight = nn.Parameter(weight.reshape(12, 3, 3, 3), requires_grad=False)
        self.offset = offset

    def forward(self, photo: Tensor) -> Tensor:
        features: Tensor = self.conv(photo.float() / 127.5 - 1.0).relu().mean((2, 3))
        return features + self.offset

    def logits(self, features: Tensor) -> Tensor | None:
        return None


def pictures(count: int, seed: int, low: int = 0) -> Tensor:
    """uint8 (count, 3, 9, 11), each of its own brightness."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(low, 256, (count, 3, 9, 11), generator=generator)
    scale = torch.rand(count, 3, 1, 1, generator=generator)
    return (noise * scale).to(torch.uint8)
