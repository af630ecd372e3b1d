"""Which extractor the figures of a run are measured with."""

from typing import Protocol

from lightning.pytorch.utilities import rank_zero_info

from carsynth.errors import UserError
from carsynth.metrics.backbone import TorchvisionBackbone, fetch_backbone_weights
from carsynth.metrics.extractor import Extractor
from carsynth.metrics.inception import fetch_fid_weights, load_fid_inception, random_inception


class SettledMetric(Protocol):
    """An extractor that can be built."""

    def build(self) -> Extractor:
        """The extractor, in eval mode on the CPU.

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

    def __init__(self, weights_path: str | None = None) -> None:
        self._weights_path = weights_path

    def settle(self) -> SettledMetric:
        fetch_fid_weights(self._weights_path)
        return self

    def build(self) -> Extractor:
        return load_fid_inception(self._weights_path)


class RandomInceptionMetric:
    """``metric=random_inception``: the random stand-in, whose figures are never called FID."""

    def settle(self) -> SettledMetric:
        return self

    def build(self) -> Extractor:
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
                f"metric=auto: scores are val/frechet_random_inception, not FID ({error})"
            )
            return RandomInceptionMetric()


class BackboneMetric:
    """``metric=backbone``: a torchvision classifier, or no training at all.

    Args:
        model: as for :class:`~carsynth.metrics.backbone.TorchvisionBackbone`, as the others are.
    """

    def __init__(self, model: str, layer: str, weights_path: str | None = None) -> None:
        self._model = model
        self._layer = layer
        self._weights_path = weights_path

    def settle(self) -> SettledMetric:
        fetch_backbone_weights(self._model, self._weights_path)
        return self

    def build(self) -> Extractor:
        return TorchvisionBackbone(self._model, self._layer, self._weights_path)
