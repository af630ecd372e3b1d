"""Features of pictures that were looked at before, kept on disk by what they are made of."""

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from carsynth.data.files import replace_atomically
from carsynth.metrics.extractor import Extractor, features_of

_FORMAT = b"carsynth features 1"
CHUNK = 256
"""Pictures to a file: who feeds so many at a time finds them again."""
_DIGEST = 32
"""Bytes of a SHA-256."""


class FeatureCache:
    """Features of an extractor, computed once for each chunk of pictures on this machine.

    A file is named by the SHA-256 of pixels, size, extractor and format, so that nothing is ever
    out of date: what changed has another name. It holds a SHA-256 of its numbers and nothing but
    numbers; one that is torn or damaged is made anew. Processes may share a folder. Where nothing
    can be written, a warning is given once, and what is there is still read.

    Args:
        extractor: makes the features that are not at hand.
        folder: made when first needed; ``~`` is the home folder. None keeps nothing.
    """

    hits: int
    """Pictures whose features were read."""
    misses: int
    """Pictures whose features were computed."""

    def __init__(self, extractor: Extractor, folder: str | Path | None) -> None:
        self.extractor = extractor
        self.hits = self.misses = 0
        self._folder = None if folder is None else Path(os.path.expanduser(folder))
        self._writable = True

    def features(self, pictures: Tensor) -> Tensor:
        """Features, float32 (n, d) on the CPU, of pictures, uint8 (n, 3, H, W).

        They are computed on the pictures' device. The same pictures are found again only in the
        same order and from the same beginning of a chunk of 256.

        Raises:
            TypeError: another dtype.
        """
        if pictures.dtype != torch.uint8:
            raise TypeError(f"pictures are uint8, not {pictures.dtype}")
        parts = [self._chunk(chunk) for chunk in torch.split(pictures, CHUNK) if len(chunk)]
        return torch.cat([torch.empty(0, self.extractor.num_features), *parts])

    def _chunk(self, pictures: Tensor) -> Tensor:
        if self._folder is None:
            self.misses += len(pictures)
            return features_of(self.extractor, pictures).cpu()
        key = self._key(pictures)
        path = self._folder / f"{key}.features"
        features = _read(path, key, (len(pictures), self.extractor.num_features))
        if features is not None:
            self.hits += len(pictures)
            return features
        self.misses += len(pictures)
        features = features_of(self.extractor, pictures).cpu()
        if self._writable:
            self._write(path, key, features)
        return features

    def _key(self, pictures: Tensor) -> str:
        digest = hashlib.sha256(_FORMAT)
        digest.update(f" {self.extractor.fingerprint} {tuple(pictures.shape)} ".encode())
        digest.update(pictures.cpu().contiguous().numpy().reshape(-1).data)
        return digest.hexdigest()

    def _write(self, path: Path, key: str, features: Tensor) -> None:
        numbers = features.numpy().astype("<f4").tobytes()
        content = _checksum(key, numbers) + numbers
        try:
            replace_atomically(path, lambda file: file.write(content))
        except OSError as error:
            self._writable = False
            rank_zero_warn(f"features cannot be kept in {path.parent} ({error}); going on without")


def _checksum(key: str, numbers: bytes) -> bytes:
    return hashlib.sha256(key.encode() + numbers).digest()


def _read(path: Path, key: str, shape: tuple[int, int]) -> Tensor | None:
    """Features of a file; None where it is not there or not whole."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    checksum, numbers = content[:_DIGEST], content[_DIGEST:]
    if len(numbers) != 4 * shape[0] * shape[1] or checksum != _checksum(key, numbers):
        return None
    return torch.from_numpy(np.frombuffer(numbers, "<f4").astype(np.float32).reshape(shape))
