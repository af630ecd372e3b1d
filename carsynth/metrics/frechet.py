"""The Frechet distance between pictures: of two sets of features, and of batches as they come."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat
from torchmetrics.utilities.distributed import gather_all_tensors

from carsynth.errors import UserError
from carsynth.metrics.extractor import Extractor, features_of
from carsynth.metrics.figure import Value
from carsynth.metrics.gaussian import (
    Gaussian,
    frechet_distance,
    gaussian_of_features,
    gaussian_of_sums,
)
from carsynth.metrics.pixels import to_uint8

_MOST = 100_000
"""No larger number of pictures is ever asked for."""


class Frechet:
    """The Frechet distance of two sets of features: FID on FID's own Inception; 0 for equal sets.

    With n pictures a side it lies above its value for very many by about a constant over n (Chong
    and Forsyth 2020, arXiv 1911.07023), and the floor of n real pictures consists of nothing else.
    """

    better: Mapping[str, str] = {"frechet": "lower"}

    def measure(self, real: Tensor, fake: Tensor, extractor: Extractor) -> dict[str, Value]:
        if min(len(real), len(fake)) < 2:
            raise UserError(
                f"it takes two pictures a side or more, not {len(real)} and {len(fake)}"
            )
        broken = sum(int((~side.isfinite().all(1)).sum()) for side in (real, fake))
        if broken:
            raise UserError(f"the features of {broken} pictures are not finite")
        distance = frechet_distance(gaussian_of_features(real), gaussian_of_features(fake))
        return {"frechet": Value(distance)}

    def enough(self, name: str, value: Value, floor: float | None, count: int) -> int | None:
        """Where the floor is more than half of the value: until it would be a tenth of it.

        Rounded up to one digit. Equal sets are equal however few they are.
        """
        if floor is None or 2.0 * floor <= value.value or value.value == 0.0:
            return None
        wanted = min(count * floor / (0.1 * value.value), _MOST)
        step = 10 ** int(math.log10(wanted))
        wanted = min(math.ceil(wanted / step) * step, _MOST)
        return wanted if wanted > count else None


class FrechetDistance(Metric):
    """Frechet distance between real and generated pictures in the features of an extractor.

    Feature vectors are held as they are while a process has ``num_features`` of a side or fewer,
    which is exact and quick, and are folded into float64 sums beyond that; processes may have
    different numbers of them, or none, in either form. The real pictures stay through
    :meth:`reset`: feed them once. The extractor is no submodule, so that it enters no state dict;
    it follows the pictures' device.

    Args:
        extractor: for the pictures that :meth:`update` is given.
        keep_features: keep features of generated pictures, as those of real ones are kept.
    """

    higher_is_better = False
    is_differentiable = False
    full_state_update = False

    real_count: Tensor
    real_broken: Tensor
    fake_count: Tensor
    fake_broken: Tensor
    _extractor: Extractor

    def __init__(self, extractor: Extractor, keep_features: bool = False) -> None:
        super().__init__()
        object.__setattr__(self, "_extractor", extractor)
        d = extractor.num_features
        for side in ("real", "fake"):
            for count in ("count", "broken"):
                zero = torch.zeros((), dtype=torch.int64)
                self.add_state(f"{side}_{count}", zero, dist_reduce_fx="sum")
            self.add_state(f"{side}_rows", [], dist_reduce_fx="cat")
            total = torch.zeros(d, dtype=torch.float64)
            self.add_state(f"{side}_sum", total, dist_reduce_fx="sum")
            outer = torch.zeros(d, d, dtype=torch.float64)
            self.add_state(f"{side}_outer", outer, dist_reduce_fx="sum")
        kept = ("real", "fake") if keep_features else ("real",)
        self._kept: dict[str, list[Tensor]] = {side: [] for side in kept}
        self._real_gaussian: tuple[int, Gaussian] | None = None
        self._hold("real", torch.empty(0, d))
        self._hold("fake", torch.empty(0, d))

    def update(self, photo: Tensor, real: bool) -> None:
        """Adds pictures (B, 3, H, W): uint8, or floats in [-1, 1], rounded as a PNG rounds them.

        One with NaN or infinity, in its pixels or its features, is counted as broken.

        Raises:
            TypeError: another dtype.
        """
        broken = torch.zeros(len(photo), dtype=torch.bool, device=photo.device)
        if photo.is_floating_point():
            broken = ~photo.isfinite().flatten(1).all(1)
            photo = to_uint8(photo.nan_to_num())
        elif photo.dtype != torch.uint8:
            raise TypeError(f"pictures are uint8 or floats in [-1, 1], not {photo.dtype}")
        features = features_of(self._extractor, photo).to(photo.device)
        self.update_features(features.masked_fill(broken[:, None], math.nan), real)

    def update_features(self, features: Tensor, real: bool) -> None:
        """Adds pictures by their feature vectors, floats (B, ``num_features``).

        One that is not finite is counted as broken.
        """
        # What torchmetrics does around update alone.
        self._computed = None
        self._update_count += 1
        side = "real" if real else "fake"
        features = features.detach().to(self.device, torch.float32)
        sound = features.isfinite().all(1)
        getattr(self, f"{side}_count").add_(len(features))
        getattr(self, f"{side}_broken").add_((~sound).sum())
        self._hold(side, features[sound])

    def compute(self) -> float:
        """The distance of all pictures of all processes; infinite if a generated one is broken.

        Raises:
            UserError: fewer than two real or two generated pictures, or a broken real one.
        """
        real, fake = int(self.real_count), int(self.fake_count)
        if min(real, fake) < 2:
            raise UserError(
                "the Frechet distance needs two real and two generated pictures or more, and has "
                f"{real} and {fake}: enlarge the validation split"
            )
        if self.real_broken > 0:
            raise UserError(
                f"the features of {int(self.real_broken)} of {real} real pictures are not finite: "
                "check the pictures and the extractor's weights"
            )
        if self.fake_broken > 0:
            return math.inf
        # Real pictures are only ever added, and all processes know their number.
        if self._real_gaussian is None or self._real_gaussian[0] != real:
            self._real_gaussian = real, self._gaussian("real")
        return frechet_distance(self._real_gaussian[1], self._gaussian("fake"))

    def reset(self) -> None:
        """Forgets the generated pictures only."""
        reals = {n: state for n, state in self.metric_state.items() if n.startswith("real_")}
        reals["real_rows"] = list(reals["real_rows"])  # the list itself is emptied
        super().reset()
        for name, state in reals.items():
            setattr(self, name, state)
        if "fake" in self._kept:
            self._kept["fake"].clear()
        self._hold("fake", torch.empty(0, self._extractor.num_features, device=self.device))

    def real_features(self) -> Tensor:
        """Features of the real pictures of all processes, float32 (n, d) on the CPU.

        Broken ones are left out. A collective call: every process makes it.
        """
        return self._gathered("real")

    def fake_features(self) -> Tensor:
        """The same of generated pictures, for which ``keep_features`` is needed."""
        assert "fake" in self._kept, "features of generated pictures are kept only if asked for"
        return self._gathered("fake")

    def _hold(self, side: str, features: Tensor) -> None:
        # An empty tensor is held too: torchmetrics cannot gather a list with nothing in it.
        if side in self._kept:
            self._kept[side].append(features.cpu())
        rows: list[Tensor] = getattr(self, f"{side}_rows")
        for part in torch.split(features, self._extractor.num_features):
            rows.append(part)
            if sum(map(len, rows)) > self._extractor.num_features:
                total, outer = self._sums(side)
                setattr(self, f"{side}_sum", total)
                setattr(self, f"{side}_outer", outer)
                rows[:] = [part[:0]]

    def _sums(self, side: str) -> tuple[Tensor, Tensor]:
        """Of all vectors, those that are still held as they are included."""
        rows = dim_zero_cat(getattr(self, f"{side}_rows")).double()
        total: Tensor = getattr(self, f"{side}_sum") + rows.sum(0)
        return total, torch.addmm(getattr(self, f"{side}_outer"), rows.T, rows)

    def _gaussian(self, side: str) -> Gaussian:
        """Of all vectors of a side that has no broken pictures."""
        count, held = getattr(self, f"{side}_count"), getattr(self, f"{side}_rows")
        rows = dim_zero_cat(held)
        if len(rows) == count:
            return gaussian_of_features(rows)
        return gaussian_of_sums(int(count), *self._sums(side))

    def _gathered(self, side: str) -> Tensor:
        features = torch.cat(self._kept[side])
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return torch.cat(gather_all_tensors(features.to(self.device))).cpu()
        return features
