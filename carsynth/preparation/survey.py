"""One look at every photo of a folder: what the checks compare, without keeping the pixels."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from carsynth.data.photos import read_photo, resize_photo
from carsynth.errors import UserError
from carsynth.preparation.near import looks_of

_FEATURE_SIZE = (299, 299)  # what Inception resizes to; one size lets photos share a batch
_THREADS = 4


class Photo(NamedTuple):
    """A photo that can be decoded."""

    name: str
    """Path below the surveyed folder, with forward slashes."""
    size: tuple[int, int]
    """Height and width, upright."""
    num_bytes: int
    """Of the file."""
    digest: bytes
    """SHA-256 of the upright RGB pixels and their shape."""
    looks: NDArray[np.uint64]
    """As :func:`carsynth.preparation.near.looks_of` gives them, (2, 2)."""


class Survey(NamedTuple):
    """All photos of a folder, in the order of their names."""

    photos: list[Photo]
    broken: dict[str, str]
    """Why a file cannot be decoded, by its name."""
    features: Tensor | None
    """float32 (len(photos), D) on the extractor's device; None without extractor."""


class _Look(NamedTuple):
    photo: Photo | None
    reason: str
    small: NDArray[np.uint8] | None  # (299, 299, 3)


def survey(
    root: Path, paths: Sequence[Path], extractor: nn.Module | None, batch_size: int
) -> Survey:
    """Read every photo once, behind a progress bar.

    Args:
        root: folder that names are relative to.
        paths: files below it.
        extractor: uint8 (B, 3, H, W) to features (B, D), on any device; None leaves them out.
        batch_size: photos in memory at a time.
    """
    found = Survey([], {}, None)
    features: list[Tensor] = []

    def look(path: Path) -> _Look:
        return _look(path, path.relative_to(root).as_posix(), extractor is not None)

    bar = tqdm(desc="photos", total=len(paths), unit="photo")
    with bar, ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(paths), batch_size):
            chunk = paths[start : start + batch_size]
            looks = list(pool.map(look, chunk))
            found.photos.extend(seen.photo for seen in looks if seen.photo is not None)
            for path, seen in zip(chunk, looks, strict=True):
                if seen.photo is None:
                    found.broken[path.relative_to(root).as_posix()] = seen.reason
            small = [seen.small for seen in looks if seen.small is not None]
            if extractor is not None and small:
                features.append(_features(extractor, small))
            bar.update(len(chunk))
    return found._replace(features=torch.cat(features) if features else None)


def _look(path: Path, name: str, with_small: bool) -> _Look:
    try:
        pixels = read_photo(path)
    except UserError as error:
        return _Look(None, str(error).removeprefix(f"{path} "), None)
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{height}x{width}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    photo = Photo(name, (height, width), path.stat().st_size, digest.digest(), looks_of(pixels))
    return _Look(photo, "", resize_photo(pixels, _FEATURE_SIZE) if with_small else None)


def _features(extractor: nn.Module, small: list[NDArray[np.uint8]]) -> Tensor:
    device = next((weight.device for weight in extractor.parameters()), torch.device("cpu"))
    photos = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2)
    with torch.no_grad():
        features: Tensor = extractor(photos.to(device)).float()
    return features
