"""Which extractor a run's score is measured with, and the name that the score has thereby."""

from typing import Protocol

from lightning.pytorch.utilities import rank_zero_info
from torch import nn

from carsynth.errors import UserError
from carsynth.metrics.inception import fetch_fid_weights, load_fid_inception, random_inception


class SettledMetric(Protocol):
    """A metric whose name is known and whose extractor can be built."""

    name: str
    """Last part of the log names, as in ``val/fid`` and ``floor/fid``."""

    def build(self) -> nn.Module:
        """The extractor: uint8 (B, 3, H, W) to (B, ``num_features``).

        Raises:
            UserError: its weights are not to be had on this machine.
        """
        ...


class MetricChoice(Protocol):
    """What ``metric=`` names; the choice itself may depend on the machine."""

    def settle(self) -> SettledMetric:
        """Decides, within seconds; one process asks and tells the others.

        Raises:
            UserError: what was asked for is not to be had.
        """
        ...


class FidMetric:
    """``metric=fid``: FID proper, or no training at all.

    Args:
        weights_path: torch-fidelity's file; None looks into torch hub's cache and fetches it once.
    """

    name = "fid"

    def __init__(self, weights_path: str | None = None) -> None:
        self._weights_path = weights_path

    def settle(self) -> SettledMetric:
        fetch_fid_weights(self._weights_path)
        return self

    def build(self) -> nn.Module:
        return load_fid_inception(self._weights_path)


class RandomInceptionMetric:
    """``metric=random_inception``: the random stand-in, whose figures are never called FID."""

    name = "frechet_random_inception"

    def settle(self) -> SettledMetric:
        return self

    def build(self) -> nn.Module:
        return random_inception()


class AutoMetric:
    """``metric=auto``: FID where its weights are at hand or can be fetched, else the stand-in.

    Args:
        weights_path: as for :class:`FidMetric`; a path that is given must hold the file.
    """

    def __init__(self, weights_path: str | None = None) -> None:
        self._weights_path = weights_path

    def settle(self) -> SettledMetric:
        if self._weights_path is not None:
            return FidMetric(self._weights_path).settle()
        try:
            return FidMetric().settle()
        except UserError as error:
            rank_zero_info(
                f"metric=auto: scores are val/{RandomInceptionMetric.name}, not FID ({error})"
            )
            return RandomInceptionMetric()
