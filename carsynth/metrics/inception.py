"""Inception-v3 as a feature extractor: with FID's published weights, or random and download-free.

The network is the TensorFlow one that FID is defined by (Heusel et al. 2017, arXiv 1706.08500) in
torch-fidelity's layers and names, with its TF1 resize. Batch norm is folded into the convolutions
and the layout is channels-last: the same distances to 1e-6 at 1.7 times the speed on a CPU.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch_fidelity.feature_extractor_inceptionv3 import (
    URL_INCEPTION_V3,
    BasicConv2d,
    InceptionA,
    InceptionB,
    InceptionC,
    InceptionD,
    InceptionE_1,
    InceptionE_2,
)
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from carsynth.weights import fetch_weights

INPUT_SIZE = 299
"""Height and width that every photo is resized to."""

WEIGHTS_SHA256 = "6726825d"
"""First digits of the SHA-256 of the published weights, as their file name has it."""


class InceptionFeatures(nn.Module):
    """The trunk of Inception-v3 up to a layer's global average; always in eval mode, without grads.

    Made without memory for its weights (on the meta device): :func:`random_inception` and
    :func:`load_fid_inception` fill it.

    Args:
        num_features: 768 stops behind ``Mixed_6e``, 2048 behind the last block.
    """

    def __init__(self, num_features: Literal[768, 2048]) -> None:
        super().__init__()
        self.num_features: int = num_features
        with torch.device("meta"):
            self.Conv2d_1a_3x3 = BasicConv2d(3, 32, kernel_size=3, stride=2)
            self.Conv2d_2a_3x3 = BasicConv2d(32, 32, kernel_size=3)
            self.Conv2d_2b_3x3 = BasicConv2d(32, 64, kernel_size=3, padding=1)
            self.MaxPool_1 = nn.MaxPool2d(kernel_size=3, stride=2)
            self.Conv2d_3b_1x1 = BasicConv2d(64, 80, kernel_size=1)
            self.Conv2d_4a_3x3 = BasicConv2d(80, 192, kernel_size=3)
            self.MaxPool_2 = nn.MaxPool2d(kernel_size=3, stride=2)
            self.Mixed_5b = InceptionA(192, pool_features=32)
            self.Mixed_5c = InceptionA(256, pool_features=64)
            self.Mixed_5d = InceptionA(288, pool_features=64)
            self.Mixed_6a = InceptionB(288)
            self.Mixed_6b = InceptionC(768, channels_7x7=128)
            self.Mixed_6c = InceptionC(768, channels_7x7=160)
            self.Mixed_6d = InceptionC(768, channels_7x7=160)
            self.Mixed_6e = InceptionC(768, channels_7x7=192)
            if num_features == 2048:
                self.Mixed_7a = InceptionD(768)
                self.Mixed_7b = InceptionE_1(1280)
                self.Mixed_7c = InceptionE_2(2048)
        self.eval()

    def train(self, mode: bool = True) -> "InceptionFeatures":
        return super().train(False)

    @torch.no_grad()
    def forward(self, photo: Tensor) -> Tensor:
        """Features, float32 (B, num_features), of photos, uint8 (B, 3, H, W).

        Computed in float32 whatever autocast or TF32 setting surrounds the call: bf16 features
        move the distance by 2 %.
        """
        with torch.autocast(photo.device.type, enabled=False), _no_tf32():
            x = interpolate_bilinear_2d_like_tensorflow1x(
                photo.to(torch.float32), size=(INPUT_SIZE, INPUT_SIZE), align_corners=False
            )
            x = ((x - 128.0) / 128.0).contiguous(memory_format=torch.channels_last)
            for layer in self.children():
                x = layer(x)
            features: Tensor = x.mean(dim=(2, 3))
            return features


def random_inception(seed: int = 0) -> InceptionFeatures:
    """A He-initialised Inception's 768-d layer: no download, the same weights on every machine.

    A random embedding ranks generators (Naeem et al. 2020, arXiv 2002.09797; Lee, Kim and Lee
    2022, arXiv 2208.09218), but its distances compare only within one seed, and they are not FID.
    The weights are uniform with variance 2 / fan-in, made from the integers of PCG64 by exactly
    rounded operations alone, so that neither SIMD width nor version changes a bit. Batch norm at
    its initial statistics is left out as the identity and is not calibrated on data.
    """
    network = InceptionFeatures(768)
    integers = np.random.PCG64(seed)
    for block in network.modules():
        if isinstance(block, BasicConv2d):
            shape = block.conv.weight.shape
            bound = math.sqrt(6.0 / math.prod(shape[1:]))
            # 24 random bits, centred: odd multiples of 2**-24 in (-1, 1), exact in float64.
            bits = integers.random_raw(math.prod(shape)) >> np.uint64(40)
            unit = (2.0 * bits.astype(np.float64) - (2.0**24 - 1.0)) / 2.0**24
            weight = torch.from_numpy((unit * bound).astype(np.float32)).reshape(shape)
            block.conv.weight = nn.Parameter(weight)
            block.bn = nn.Identity()
    return _ready(network)


def load_fid_inception(weights_path: str | None = None) -> InceptionFeatures:
    """The 2,048-d layer with the weights that FID is defined by, converted from TensorFlow's.

    Args:
        weights_path: torch-fidelity's file; None looks into torch hub's cache and fetches it once.

    Raises:
        UserError: the file is missing and cannot be fetched, or is another file; the message says
            where to place it.
    """
    path = fetch_fid_weights(weights_path)
    state = torch.load(path, map_location="cpu", weights_only=True)
    network = InceptionFeatures(2048)
    trunk = {name: value for name, value in state.items() if not name.startswith("fc.")}
    network.load_state_dict(trunk, assign=True)
    for block in network.modules():
        if isinstance(block, BasicConv2d):
            block.conv = fuse_conv_bn_eval(block.conv, block.bn)
            block.bn = nn.Identity()
    return _ready(network)


def fetch_fid_weights(weights_path: str | None = None) -> str:
    """Path of the checked weight file; arguments and errors as in :func:`load_fid_inception`."""
    file_name = URL_INCEPTION_V3.rpartition("/")[2]
    remedy = "metric.weights_path=FILE"
    return str(fetch_weights(file_name, URL_INCEPTION_V3, WEIGHTS_SHA256, weights_path, remedy))


def _ready(network: InceptionFeatures) -> InceptionFeatures:
    network.requires_grad_(False)
    return network.to(memory_format=torch.channels_last)


@contextmanager
def _no_tf32() -> Iterator[None]:
    """cuDNN rounds float32 convolutions to TF32 by default."""
    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolutions.fp32_precision = before
