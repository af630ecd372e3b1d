"""All that is kept of a set of pictures to score it: features, looks, and small copies to show."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carsynth.errors import UserError
from carsynth.metrics.extractor import Extractor, features_of
from carsynth.metrics.feature_cache import FeatureCache
from carsynth.metrics.memorisation import Pictures
from carsynth.metrics.neighbours import looks_of
from carsynth.metrics.pixels import to_pictures, to_uint8

_SHOWN = 192
"""Pixels of the longer side of the copies to show."""


class PictureSet(NamedTuple):
    """N pictures of one origin, in the order in which they came."""

    names: tuple[str, ...]
    features: Tensor
    """float32 (N, d)."""
    looks: Tensor | None
    """float32 (N, 3, 16, 16), what memorisation compares; None where it was not asked for."""
    mirrored: Tensor | None
    """Features of the mirror images, (N, d); of training pictures alone."""
    groups: dict[str, NDArray[np.int64]]
    """Indices of the pictures of each class and view that is known: ``class audi``, ``view A``."""
    digests: tuple[str, ...]
    """SHA-256 of each picture's pixels."""
    sizes: tuple[tuple[int, int], ...]
    """Different heights and widths among the pictures, sorted."""
    small: list[bytes]
    broken: int
    """Pictures with values that are not finite, which are scored as grey there."""

    def __len__(self) -> int:
        return len(self.names)

    def compared(self) -> Pictures:
        """As memorisation takes them."""
        assert self.looks is not None
        return Pictures(self.features, self.looks)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """A small copy to show, RGB (h, w, 3)."""
        coded = np.frombuffer(self.small[index], np.uint8)
        shown = cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB)
        assert shown is not None
        return np.asarray(shown, np.uint8)


class Collector:
    """Takes pictures a batch at a time and keeps what scoring needs.

    Args:
        extractor: on the device where pictures are to be looked at.
        cache: keeps features of pictures that come again; None for pictures that never do.
        with_looks: whether memorisation is to be measured.
        mirrored: whether the pictures are training pictures then, whose mirror images count too
            and double the work.
    """

    def __init__(
        self,
        extractor: Extractor,
        device: torch.device,
        cache: FeatureCache | None,
        *,
        with_looks: bool,
        mirrored: bool,
    ) -> None:
        self._extractor = extractor
        self._device = device
        self._cache = cache
        self._with_looks = with_looks
        self._mirrored = with_looks and mirrored
        self._names: list[str] = []
        self._features: list[Tensor] = []
        self._mirror_features: list[Tensor] = []
        self._looks: list[Tensor] = []
        self._groups: dict[str, list[int]] = {}
        self._digests: list[str] = []
        self._sizes: set[tuple[int, int]] = set()
        self._small: list[bytes] = []
        self._broken = 0

    def add(self, photo: Tensor, names: Sequence[str], groups: Sequence[Sequence[str]]) -> None:
        """Adds pictures (B, 3, H, W), uint8 or floats in [-1, 1], with the groups of each."""
        if photo.is_floating_point():
            self._broken += int((~photo.isfinite().flatten(1).all(1)).sum())
            photo = to_uint8(photo.nan_to_num())
        photo = photo.to(self._device)
        self._features.append(self._extract(photo))
        if self._mirrored:
            self._mirror_features.append(self._extract(photo.flip(3)))
        if self._with_looks:
            self._looks.append(looks_of(photo.cpu()))
        self._sizes.add((photo.shape[2], photo.shape[3]))
        for picture, name, own in zip(to_pictures(photo), names, groups, strict=True):
            for group in own:
                self._groups.setdefault(group, []).append(len(self._names))
            self._names.append(name)
            header = repr(picture.shape).encode()
            self._digests.append(hashlib.sha256(header + picture.tobytes()).hexdigest())
            self._small.append(_coded(picture))

    def finish(self) -> PictureSet:
        """The set of all pictures that were added."""
        return PictureSet(
            tuple(self._names),
            _joined(self._features, self._extractor.num_features),
            _joined(self._looks) if self._with_looks else None,
            _joined(self._mirror_features) if self._mirrored else None,
            {name: np.array(rows) for name, rows in sorted(self._groups.items())},
            tuple(self._digests),
            tuple(sorted(self._sizes)),
            self._small,
            self._broken,
        )

    def _extract(self, photo: Tensor) -> Tensor:
        if self._cache is not None:
            return self._cache.features(photo)
        return features_of(self._extractor, photo).cpu()


def same_pictures(first: PictureSet, second: PictureSet) -> int:
    """Pictures of the second set that are in the first, pixel by pixel."""
    known = set(first.digests)
    return sum(digest in known for digest in second.digests)


def require_two(pictures: PictureSet, what: str) -> PictureSet:
    """The set itself.

    Raises:
        UserError: it holds fewer than two pictures.
    """
    if len(pictures) < 2:
        count = f"{len(pictures)} picture" + ("" if len(pictures) == 1 else "s")
        raise UserError(f"{what} holds {count}: a score needs two or more")
    return pictures


def _joined(parts: list[Tensor], *shape: int) -> Tensor:
    return torch.cat(parts) if parts else torch.empty(0, *shape)


def _coded(picture: NDArray[np.uint8]) -> bytes:
    height, width = picture.shape[:2]
    factor = min(1.0, _SHOWN / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    shrunk = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    done, coded = cv2.imencode(".png" if factor == 1.0 else ".jpg", shrunk[..., ::-1])
    assert done
    return coded.tobytes()
