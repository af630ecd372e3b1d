"""What extractors have in common: fixed weights, float32 throughout, and an identity."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor, nn


class FrozenNetwork(nn.Module):
    """An :class:`~carsynth.metrics.extractor.Extractor` but for :meth:`features`.

    Always in eval mode and without gradients.

    Args:
        name, num_features, resize: as the protocol has them.
        settings: what else decides the features beside the weights, in words.
    """

    def __init__(self, name: str, num_features: int, resize: str, settings: str) -> None:
        super().__init__()
        self.name = name
        self.num_features = num_features
        self.resize = resize
        self._settings = settings
        self.eval()

    def features(self, photo: Tensor) -> Tensor:
        """Features (B, ``num_features``) of photos, uint8 (B, 3, H, W)."""
        raise NotImplementedError

    def forward(self, photo: Tensor) -> Tensor:
        """Features in float32, whatever autocast or TF32 setting surrounds the call."""
        with torch.no_grad(), exact_float32(photo.device):
            return self.features(photo)

    def logits(self, features: Tensor) -> Tensor | None:
        return None

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of weights, resize and all; the same on every device."""
        digest = hashlib.sha256(f"{self.name}\n{self.resize}\n{self._settings}\n".encode())
        for name, value in self.state_dict().items():
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
            digest.update(value.cpu().contiguous().numpy().reshape(-1).data)
        return digest.hexdigest()

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

    def freeze(self) -> Self:
        """Call once the weights are in: no gradients, channels-last, which is quicker on CPUs."""
        return self.requires_grad_(False).to(memory_format=torch.channels_last)


@contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """No autocast, TF32 or bf16 inside: cuDNN rounds convolutions to TF32 by default."""
    backends: Any = torch.backends
    places = (
        backends.cudnn.conv,
        backends.cuda.matmul,
        backends.mkldnn.conv,
        backends.mkldnn.matmul,
    )
    before = [place.fp32_precision for place in places]
    for place in places:
        place.fp32_precision = "ieee"
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision
