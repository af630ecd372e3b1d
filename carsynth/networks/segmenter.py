"""torchvision's networks that tell the part of every pixel."""

from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models import get_model, list_models, segmentation
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.models.segmentation.deeplabv3 import DeepLabHead
from torchvision.models.segmentation.fcn import FCNHead

from carsynth.errors import UserError
from carsynth.labels import NUM_PARTS

_RGB = 3
_HEADS = {"fcn": FCNHead, "deeplabv3": DeepLabHead}


class TorchvisionSegmenter(nn.Module):
    """A segmentation network of torchvision's, from scratch: no weights are fetched.

    Photos (B, 3, H, W) to logits (B, K, H, W).

    Args:
        architecture: a builder of ``torchvision.models.segmentation``, such as
            ``lraspp_mobilenet_v3_large``; or, with ``backbone``, the head: ``fcn`` or
            ``deeplabv3``.
        backbone: a classifier of ``torchvision.models``, such as ``resnet18``; None for the
            architecture's own.
        layer: node of the backbone whose features the head reads, such as ``layer4``; shallow ones
            keep small parts of small pictures apart. Needed with ``backbone``.

    Raises:
        UserError: torchvision has no such architecture, backbone or layer, or the layer gives no
            map of features.
    """

    def __init__(
        self, architecture: str, backbone: str | None = None, layer: str | None = None
    ) -> None:
        super().__init__()
        self._name = architecture if backbone is None else f"{architecture} on {backbone}.{layer}"
        if backbone is None:
            known = list_models(module=segmentation)
            if architecture not in known:
                raise UserError(
                    f"segmenter.architecture={architecture} is unknown: choose one of "
                    f"{', '.join(known)}, or {' or '.join(_HEADS)} with segmenter.backbone"
                )
            self.network = get_model(
                architecture, weights=None, weights_backbone=None, num_classes=NUM_PARTS
            )
            return
        if architecture not in _HEADS:
            raise UserError(
                f"segmenter.architecture={architecture} takes no backbone: choose "
                f"{' or '.join(_HEADS)}"
            )
        features = _features(backbone, layer)
        with torch.no_grad():
            probe = features.eval()(torch.zeros(1, _RGB, 64, 64))["out"]
        features.train()
        if probe.ndim != 4:
            raise UserError(
                f"segmenter.layer={layer} of {backbone} gives {tuple(probe.shape)}, no map of "
                "features (B, C, H, W): name an earlier layer"
            )
        head = _HEADS[architecture](probe.shape[1], NUM_PARTS)
        self.network = segmentation.FCN(features, head)

    def check_size(self, height: int, width: int) -> None:
        """Tries the size without computing anything.

        Raises:
            UserError: a layer has no pixels left.
        """
        trial = deepcopy(self).train().to("meta")
        try:
            trial(torch.zeros(2, _RGB, height, width, device="meta"))
        except (RuntimeError, ValueError, AssertionError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"size {height}x{width} does not fit {self._name} ({reason}): take a larger size"
            ) from error

    def forward(self, photo: Tensor) -> Tensor:
        return cast(Tensor, self.network(photo)["out"])


def _features(backbone: str, layer: str | None) -> nn.Module:
    known = list_models()
    if backbone not in known:
        raise UserError(
            f"segmenter.backbone={backbone} is unknown: take a classifier of torchvision.models, "
            "such as resnet18"
        )
    model = get_model(backbone, weights=None)
    children = [name for name, _ in model.named_children()]
    if layer is None:
        raise UserError(
            f"segmenter.backbone={backbone} needs segmenter.layer, such as one of "
            f"{', '.join(children)}"
        )
    try:
        features: nn.Module = create_feature_extractor(model, {layer: "out"})
    except ValueError as error:
        raise UserError(
            f"segmenter.layer={layer} is no layer of {backbone}: its layers are "
            f"{', '.join(children)}"
        ) from error
    return features
