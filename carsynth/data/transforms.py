"""albumentations over photo and part map together, with left and right kept true in mirrors."""

import random
import warnings
from collections.abc import Sequence
from typing import Any

import albumentations as A
import numpy as np
from numpy.typing import NDArray

from carsynth.data.batch import CarSample
from carsynth.errors import UserError
from carsynth.labels import PART_TWINS

_PROBES = 3  # small triangles along each side of the picture, whose turning tells of a mirror


class Augmentation:
    """Random transforms of a sample, each draw a function of seed, epoch and index alone.

    Any albumentations transform of pictures and masks may be among them, flips, ``D4`` and
    ``Transpose`` included. Small triangles of key points travel with every picture; where most of
    them come out mirrored, the picture shows a mirrored car, and its left and right parts and its
    class are exchanged for their twins. That holds for any transform that moves key points as it
    moves pixels, nested or repeated ones too.

    Args:
        transforms: applied in this order. albumentations' probabilities apply to each.
        class_twins: class id of the mirrored car, for every class id.
        seed: 0 or more.
    """

    def __init__(
        self, transforms: Sequence[A.BasicTransform], class_twins: Sequence[int], seed: int
    ) -> None:
        with warnings.catch_warnings():  # that no transform moves key points is no fault here
            warnings.filterwarnings("ignore", message="Got processor for keypoints")
            self._compose = A.Compose(
                list(transforms),
                keypoint_params=A.KeypointParams(format="xy", remove_invisible=False),
            )
        self._class_twins = tuple(class_twins)
        self._seed = seed

    def __call__(self, sample: CarSample, epoch: int, index: int) -> CarSample:
        """A new sample of the same size; the given one stays as it is.

        Raises:
            UserError: a transform changed the size, or gave a photo or map that is not uint8.
        """
        self._compose.set_random_state(
            np.random.default_rng([self._seed, epoch, index]),
            random.Random(f"{self._seed} {epoch} {index}"),
        )
        out = self._compose(
            image=sample.photo.copy(),
            mask=sample.part_map.copy(),
            keypoints=_probes(*sample.part_map.shape),
        )
        photo, part_map = self._checked(out, sample)
        if not _is_mirrored(out["keypoints"]):
            return CarSample(photo, part_map, sample.label)
        return CarSample(photo, PART_TWINS[part_map], self._class_twins[sample.label])

    def _checked(
        self, out: dict[str, Any], sample: CarSample
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        photo, part_map = out["image"], out["mask"]
        if photo.dtype != np.uint8 or part_map.dtype != np.uint8:
            raise UserError(
                f"augment turns uint8 pictures into {photo.dtype}: leave normalising and turning "
                "to tensors to the module"
            )
        if photo.shape != sample.photo.shape or part_map.shape != sample.part_map.shape:
            height, width = sample.part_map.shape
            raise UserError(
                f"augment turns {height}x{width} pictures (height x width) into "
                f"{'x'.join(map(str, photo.shape[:2]))}: add albumentations.Resize at its end, or "
                "choose transforms that keep the size"
            )
        return photo, part_map


def _probes(height: int, width: int) -> NDArray[np.float32]:
    """Corners (n, 3) of small triangles all over a picture: x, y, and the corner's number."""
    middle = (np.arange(_PROBES) + 0.5) / _PROBES
    reach = min(height, width) / (4 * _PROBES)
    corners = np.array([(-1, -1), (1, -1), (-1, 1)]) * reach
    middles = np.stack(np.meshgrid(middle * width, middle * height), axis=-1).reshape(-1, 1, 2)
    points = (middles + corners).reshape(-1, 2)
    return np.column_stack([points, np.arange(len(points))]).astype(np.float32)


def _is_mirrored(points: NDArray[np.float32]) -> bool:
    """Whether most of the triangles that are still whole turn the other way round."""
    count = 3 * _PROBES * _PROBES
    found = np.full((count, 2), np.nan)
    found[points[:, 2].astype(int)] = points[:, :2]
    first, second, third = found.reshape(-1, 3, 2).swapaxes(0, 1)
    (ax, ay), (bx, by) = (second - first).T, (third - first).T
    turning = ax * by - ay * bx
    return int((turning < 0).sum()) > int((turning > 0).sum())
