"""Inception-v3 as a feature extractor: with FID's published weights, or random and download-free.

The network is the TensorFlow one that FID is defined by (Heusel et al. 2017, arXiv 1706.08500) in
torch-fidelity's layers and names, with its TF1 resize. Batch norm is folded into the convolutions,
the layout is channels-last and each axis is resized by itself: the same features to 1e-6 of their
length, quicker on a CPU.
"""

import math
from typing import Literal

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

from carsynth.metrics.frozen import FrozenNetwork, exact_float32
from carsynth.weights import fetch_weights

INPUT_SIZE = 299
"""Height and width that every photo is resized to."""

WEIGHTS_SHA256 = "6726825d"
"""First digits of the SHA-256 of the published weights, as their file name has it."""


class InceptionFeatures(FrozenNetwork):
    """The trunk of Inception-v3 up to a layer's global average.

    Made without memory for its weights (on the meta device): :func:`random_inception` and
    :func:`load_fid_inception` fill it.

    Args:
        num_features: 768 stops behind ``Mixed_6e``; 2048 goes on to the last block and knows the
            1,008 classes.
        name: as :class:`~carsynth.metrics.extractor.Extractor` has it.
    """

    fc: nn.Linear | None

    def __init__(self, num_features: Literal[768, 2048], name: str) -> None:
        resize = f"TensorFlow 1 bilinear to {INPUT_SIZE}x{INPUT_SIZE}, no antialiasing"
        super().__init__(name, num_features, resize, "(x - 128) / 128, global average")
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
            self.fc = nn.Linear(2048, 1008, bias=False) if num_features == 2048 else None
        self.eval()

    def features(self, photo: Tensor) -> Tensor:
        x = (resize_like_tensorflow(photo, INPUT_SIZE) - 128.0) / 128.0
        x = x.contiguous(memory_format=torch.channels_last)
        for name, layer in self.named_children():
            if name != "fc":
                x = layer(x)
        return x.mean(dim=(2, 3))

    def logits(self, features: Tensor) -> Tensor | None:
        """Scores (B, 1008) without the last layer's bias, as the Inception Score takes them."""
        if self.fc is None:
            return None
        with torch.no_grad(), exact_float32(features.device):
            return features @ self.fc.weight.to(features.device).T


def resize_like_tensorflow(photo: Tensor, size: int) -> Tensor:
    """Photos, uint8 (B, C, H, W), as TensorFlow 1's bilinear resize makes them: float32, square.

    Output pixel i lies at ``i * H / size``, the corners of both grids in one place and the last
    pixel repeated; without antialiasing. The sums are torch-fidelity's own, bit by bit, but the
    columns are mixed before the rows are doubled: a fifth of the time at 256 pixels.
    """
    x = photo.to(torch.float32)
    for axis in (3, 2):
        length = x.shape[axis]
        place = torch.arange(size, dtype=torch.float32, device=x.device) * (length / size)
        low = place.long()
        part = (place - low).view(-1, *[1] * (3 - axis))
        before = x.index_select(axis, low)
        after = x.index_select(axis, (low + 1).clamp_max(length - 1))
        x = after.sub_(before).mul_(part).add_(before)
    return x


def random_inception(seed: int = 0) -> InceptionFeatures:
    """A He-initialised Inception's 768-d layer: no download, the same weights on every machine.

    A random embedding ranks generators (Naeem et al. 2020, arXiv 2002.09797; Lee, Kim and Lee
    2022, arXiv 2208.09218), but its distances compare only within one seed, and they are not FID.
    The weights are uniform with variance 2 / fan-in, made from the integers of PCG64 by exactly
    rounded operations alone, so that neither SIMD width nor version changes a bit. Batch norm at
    its initial statistics is left out as the identity and is not calibrated on data.
    """
    network = InceptionFeatures(768, "random_inception" + (f"_seed{seed}" if seed else ""))
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
    return network.freeze()


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
    network = InceptionFeatures(2048, "inception")
    del state["fc.bias"]
    network.load_state_dict(state, assign=True)
    for block in network.modules():
        if isinstance(block, BasicConv2d):
            block.conv = fuse_conv_bn_eval(block.conv, block.bn)
            block.bn = nn.Identity()
    return network.freeze()


def fetch_fid_weights(weights_path: str | None = None) -> str:
    """Path of the checked weight file; arguments and errors as in :func:`load_fid_inception`."""
    file_name = URL_INCEPTION_V3.rpartition("/")[2]
    remedy = "metric.weights_path=FILE"
    return str(fetch_weights(file_name, URL_INCEPTION_V3, WEIGHTS_SHA256, weights_path, remedy))
