"""How near a generated photo comes to the real one that it should equal: SSIM, PSNR and LPIPS."""

from typing import Protocol, Self

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.functional.image import peak_signal_noise_ratio
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
from torchvision.models import AlexNet_Weights

from carsynth.errors import UserError
from carsynth.metrics.extractor import CHUNK
from carsynth.metrics.figure import Value
from carsynth.metrics.frozen import exact_float32
from carsynth.metrics.ssim import WINDOW, structural_similarity
from carsynth.weights import fetch_weights

ALEXNET_SHA256 = "7be5be79"
"""First digits of the SHA-256 of torchvision's AlexNet, as its file name has them."""

MOST_DECIBELS = 100.0
"""PSNR of identical pictures, and of any that are nearer than this."""


class PairedFigure(Protocol):
    """Measures one thing on pairs of pictures."""

    name: str
    better: str
    """``higher`` or ``lower``."""

    def update(self, fake: Tensor, real: Tensor) -> None:
        """Adds pairs of pictures, uint8 (B, 3, H, W) on any one device.

        Raises:
            UserError: pictures of a pair differ in size, or are too small to be measured.
        """
        ...

    def compute(self) -> Value:
        """Mean over the pairs of all processes, and standard deviation over them.

        Raises:
            UserError: there is no pair.
        """
        ...

    def reset(self) -> None: ...

    def to(self, device: torch.device) -> Self:
        """Moves its sums, which processes on GPUs add up there."""
        ...


class _MeanOfPairs(Metric):
    """A :class:`PairedFigure` but for :meth:`_measure`."""

    is_differentiable = False
    full_state_update = False

    name: str
    better: str
    smallest: int
    """Height and width in pixels below which pictures cannot be measured."""

    count: Tensor
    total: Tensor
    squares: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        for state in ("total", "squares"):
            self.add_state(state, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, fake: Tensor, real: Tensor) -> None:
        if fake.dtype != torch.uint8 or real.dtype != torch.uint8:
            raise TypeError(f"pictures are uint8, not {fake.dtype} and {real.dtype}")
        if fake.shape != real.shape:
            raise UserError(
                f"{self.name} compares pictures of one size one by one, and here are "
                f"{_size(fake)} generated and {_size(real)} real ones: resize one side"
            )
        if min(fake.shape[2:]) < self.smallest:
            raise UserError(
                f"{self.name} needs pictures of {self.smallest} pixels a side or more, and these "
                f"are {_size(fake)}: take larger ones"
            )
        if fake.device.type == "mps":
            fake, real = fake.cpu(), real.cpu()  # Apple's GPUs know no float64
        with torch.no_grad(), exact_float32(fake.device):
            for pair in zip(torch.split(fake, CHUNK), torch.split(real, CHUNK), strict=True):
                values = self._measure(*pair).double().to(self.device)
                self.count += len(values)
                self.total += values.sum()
                self.squares += values.square().sum()

    def compute(self) -> Value:
        count = int(self.count)
        if count == 0:
            raise UserError(f"{self.name} has no pair of pictures to compare")
        mean = float(self.total) / count
        if count == 1:
            return Value(mean)
        variance = (float(self.squares) - count * mean**2) / (count - 1)
        return Value(mean, max(0.0, variance) ** 0.5)

    def _measure(self, fake: Tensor, real: Tensor) -> Tensor:
        """The figure of each pair, (B,)."""
        raise NotImplementedError


class StructuralSimilarity(_MeanOfPairs):
    """SSIM: 1 for equal pictures, about 0 for unrelated ones."""

    name = "ssim"
    better = "higher"
    higher_is_better = True
    smallest = WINDOW

    def _measure(self, fake: Tensor, real: Tensor) -> Tensor:
        return structural_similarity(fake, real)


class PeakSignalToNoise(_MeanOfPairs):
    """PSNR of each pair in decibels, ``10 log10(255^2 / MSE)``, at most :data:`MOST_DECIBELS`."""

    name = "psnr"
    better = "higher"
    higher_is_better = True
    smallest = 1

    def _measure(self, fake: Tensor, real: Tensor) -> Tensor:
        values = peak_signal_noise_ratio(
            fake.float(), real.float(), data_range=255.0, reduction="none", dim=(1, 2, 3)
        )
        return values.clamp(max=MOST_DECIBELS)


class PerceptualDistance(_MeanOfPairs):
    """LPIPS 0.1 (Zhang et al. 2018) in AlexNet's features: 0 for equal pictures.

    torchvision's AlexNet is looked for in torch hub's cache and fetched once, when the first pair
    comes; :meth:`update` raises UserError where it cannot be had. The network is no submodule, so
    that it enters no checkpoint; it follows the pictures' device.
    """

    name = "lpips"
    better = "lower"
    higher_is_better = False
    smallest = 31

    def __init__(self) -> None:
        super().__init__()
        # Within a tuple nn.Module does not register it.
        self._unregistered: tuple[nn.Module, ...] = ()

    def _measure(self, fake: Tensor, real: Tensor) -> Tensor:
        if not self._unregistered:
            self._unregistered = (_load_lpips(),)
        network = self._unregistered[0].to(fake.device)
        distances: Tensor = network(fake / 127.5 - 1.0, real / 127.5 - 1.0)
        return distances.reshape(-1)


def _load_lpips() -> nn.Module:
    """torchmetrics' network, built on a checked file; the random state stays as it was."""
    url = AlexNet_Weights.IMAGENET1K_V1.url
    fetch_weights(url.rpartition("/")[2], url, ALEXNET_SHA256, None, "TORCH_HOME=FOLDER")
    with torch.random.fork_rng(devices=[]):
        return LearnedPerceptualImagePatchSimilarity(net_type="alex").net


def _size(pictures: Tensor) -> str:
    return f"{len(pictures)} of " + "x".join(map(str, pictures.shape[2:]))
