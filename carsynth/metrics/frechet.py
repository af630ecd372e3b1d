"""The Frechet distance between two sets of pictures, exact in float64 also when they are few."""

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors

from carsynth.errors import UserError
from carsynth.metrics.pixels import to_uint8

CHUNK = 32
"""Pictures that pass through the extractor at once, which bounds its memory."""


class Gaussian(NamedTuple):
    """A normal distribution over features, float64 on the CPU."""

    mean: Tensor
    """(d,)."""
    factor: Tensor
    """(r, d) with ``factor.T @ factor`` the unbiased covariance; r is at most its rank's bound."""


def gaussian_of_features(features: Tensor) -> Gaussian:
    """The Gaussian of two or more feature vectors (n, d)."""
    features = features.to("cpu", torch.float64)
    mean = features.mean(0)
    factor = (features - mean) / math.sqrt(len(features) - 1)
    if len(features) > features.shape[1]:
        factor = torch.linalg.qr(factor, mode="r")[1]
    return Gaussian(mean, factor)


def gaussian_of_sums(count: int, total: Tensor, outer: Tensor) -> Gaussian:
    """The Gaussian of ``count`` vectors from their sum (d,) and sum of outer products (d, d)."""
    total, outer = total.to("cpu", torch.float64), outer.to("cpu", torch.float64)
    mean = total / count
    covariance = (outer - count * torch.outer(mean, mean)) / (count - 1)
    values, vectors = torch.linalg.eigh(covariance)
    # Fewer vectors than dimensions: the other eigenvalues are 0, and their rounding is not.
    rank = min(count - 1, len(mean))
    values, vectors = values[-rank:].clamp(min=0.0), vectors[:, -rank:]
    return Gaussian(mean, values.sqrt()[:, None] * vectors.T)


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Squared 2-Wasserstein distance of two Gaussians (Dowson and Landau 1982), at least 0.

    The trace of the root of S1 S2 is the nuclear norm of F1 F2^T for any factors S = F^T F, which
    holds without error where the covariances are singular and ``sqrtm`` loses four digits.
    """
    shift = (first.mean - second.mean).square().sum()
    spread = first.factor.square().sum() + second.factor.square().sum()
    cross = torch.linalg.svdvals(first.factor @ second.factor.T).sum()
    return max(0.0, float(shift + spread - 2.0 * cross))


class FrechetDistance(Metric):
    """Frechet distance between real and generated pictures in the features of an extractor.

    FID where the extractor is :func:`~carsynth.metrics.inception.load_fid_inception`. Sums are
    float64 and are added up across processes, which may hold different numbers of pictures. The
    real pictures stay through :meth:`reset`: feed them once. The extractor is no submodule, so
    that it enters no state dict; it follows the pictures' device.

    Args:
        extractor: maps uint8 (B, 3, H, W) to (B, ``extractor.num_features``) floats.
    """

    higher_is_better = False
    is_differentiable = False
    full_state_update = False

    real_count: Tensor
    real_sum: Tensor
    real_outer: Tensor
    fake_count: Tensor
    fake_sum: Tensor
    fake_outer: Tensor
    fake_broken: Tensor

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        object.__setattr__(self, "_extractor", extractor.eval())
        d = int(extractor.num_features)  # type: ignore[arg-type]
        for side in ("real", "fake"):
            count = torch.zeros((), dtype=torch.int64)
            self.add_state(f"{side}_count", count, dist_reduce_fx="sum")
            total = torch.zeros(d, dtype=torch.float64)
            self.add_state(f"{side}_sum", total, dist_reduce_fx="sum")
            outer = torch.zeros(d, d, dtype=torch.float64)
            self.add_state(f"{side}_outer", outer, dist_reduce_fx="sum")
        self.add_state("fake_broken", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self._real_features: list[Tensor] = []
        self._real_gaussian: Gaussian | None = None

    def update(self, photo: Tensor, real: bool) -> None:
        """Adds pictures (B, 3, H, W): uint8, or floats in [-1, 1], rounded as a PNG rounds them.

        A generated picture with NaN or infinity is counted as broken.

        Raises:
            TypeError: another dtype.
        """
        if photo.is_floating_point():
            if not real:
                broken = ~photo.isfinite().flatten(1).all(1)
                self.fake_broken += broken.sum().to(self.device)
            photo = to_uint8(photo.nan_to_num())
        elif photo.dtype != torch.uint8:
            raise TypeError(f"pictures are uint8 or floats in [-1, 1], not {photo.dtype}")
        extractor = cast(nn.Module, self._extractor).to(photo.device)
        with torch.no_grad(), torch.autocast(photo.device.type, enabled=False):
            features = torch.cat([extractor(part) for part in torch.split(photo, CHUNK)])
        features = features.to(self.device)
        exact = features.double()
        side = "real" if real else "fake"
        getattr(self, f"{side}_count").add_(len(photo))
        getattr(self, f"{side}_sum").add_(exact.sum(0))
        getattr(self, f"{side}_outer").add_(exact.T @ exact)
        if real:
            self._real_features.append(features.cpu())
            self._real_gaussian = None

    def compute(self) -> float:
        """The distance of all pictures of all processes; infinite if a generated one is broken.

        Raises:
            UserError: fewer than two real or two generated pictures.
        """
        real, fake = int(self.real_count), int(self.fake_count)
        if min(real, fake) < 2:
            raise UserError(
                "the Frechet distance needs two real and two generated pictures or more, and has "
                f"{real} and {fake}: enlarge the validation split"
            )
        if self.fake_broken > 0:
            return math.inf
        if self._real_gaussian is None:
            self._real_gaussian = gaussian_of_sums(real, self.real_sum, self.real_outer)
        fakes = gaussian_of_sums(fake, self.fake_sum, self.fake_outer)
        return frechet_distance(self._real_gaussian, fakes)

    def reset(self) -> None:
        """Forgets the generated pictures only."""
        kept = {name: getattr(self, name) for name in ("real_count", "real_sum", "real_outer")}
        super().reset()
        for name, value in kept.items():
            setattr(self, name, value)

    def real_features(self) -> Tensor:
        """Features of the real pictures of all processes, float32 (n, d) on the CPU.

        A collective call: every process makes it.
        """
        d = len(self.real_sum)
        features = torch.cat([torch.empty(0, d), *self._real_features])
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.cat(gather_all_tensors(features.to(self.device))).cpu()
        return features
