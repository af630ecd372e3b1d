"""Whole cars found by torchvision's Mask R-CNN (He et al. 2017, arXiv 1703.06870)."""

from functools import partial

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.models.detection import MaskRCNN, MaskRCNN_ResNet50_FPN_Weights
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.misc import FrozenBatchNorm2d

from carsynth.data.photos import resize_photo
from carsynth.preparation.car_choice import Detections
from carsynth.weights import fetch_weights

MASK_RCNN_FILE = "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth"
MASK_RCNN_SHA256 = "bf2d0c1e"

_CATEGORIES = 91
_LONGEST = 5 / 3  # of the shorter side: 1333 for 800, as the network was trained


class CarDetector:
    """Detections of COCO's categories in one photo at a time.

    Args:
        device: where the network runs.
        weights_path: a copy of torchvision's ``maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth``; None
            looks in torch hub's cache and else fetches it.
        side: pixels that a photo's shorter side is brought to; the network was trained with 800,
            fewer are quicker.

    Raises:
        UserError: the file cannot be had, or is another one; the message says how to place it.
    """

    def __init__(
        self, device: torch.device, weights_path: str | None = None, side: int = 800
    ) -> None:
        self._device = device
        self._longest = round(side * _LONGEST)
        self._network = load_mask_rcnn(weights_path, side, self._longest).to(device)

    @torch.inference_mode()
    def __call__(self, photo: NDArray[np.uint8]) -> Detections:
        """What is found in an RGB photo (H, W, 3); masks have its size."""
        height, width = photo.shape[:2]
        scale = min(self._longest / max(height, width), 1.0)
        small = resize_photo(photo, (max(round(height * scale), 1), max(round(width * scale), 1)))
        pixels = torch.from_numpy(small).to(self._device).permute(2, 0, 1).float() / 255
        (found,) = self._network([pixels])
        masks = [
            cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
            for mask in found["masks"][:, 0].cpu().numpy()
        ]
        return Detections(
            np.stack(masks) if masks else np.zeros((0, height, width), np.bool_),
            found["labels"].cpu().numpy(),
            found["scores"].cpu().numpy(),
        )


def load_mask_rcnn(
    weights_path: str | None, side: int, longest: int, sha256_prefix: str = MASK_RCNN_SHA256
) -> nn.Module:
    """The published network, frozen; draws no random numbers.

    Raises:
        UserError: as :func:`carsynth.weights.fetch_weights`.
    """
    path = fetch_weights(
        MASK_RCNN_FILE,
        MaskRCNN_ResNet50_FPN_Weights.COCO_V1.url,
        sha256_prefix,
        weights_path,
        remedy="weights_path=FILE",
    )
    with torch.device("meta"):
        # the published weights were trained without the term that keeps variances from zero
        backbone = resnet_fpn_backbone(
            backbone_name="resnet50", weights=None, norm_layer=partial(FrozenBatchNorm2d, eps=0.0)
        )
        network: nn.Module = MaskRCNN(backbone, _CATEGORIES, min_size=side, max_size=longest)
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), assign=True)
    return network.eval().requires_grad_(False)
