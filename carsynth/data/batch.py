"""What data sets hand over: one sample on the host, and batches on their way to the device."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class CarSample(NamedTuple):
    """One car as files or seeds give it, resized and not yet augmented."""

    photo: NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    part_map: NDArray[np.uint8]
    """Ids of ``labels.PARTS``, (H, W)."""
    label: int
    """Index in the source's ``classes``."""


class CarBatch(NamedTuple):
    """A batch as the loaders yield it; modules turn it to floats and one-hot on the device."""

    photo: Tensor
    """RGB, uint8 (B, 3, H, W)."""
    part_map: Tensor
    """Ids of ``labels.PARTS``, int64 (B, H, W)."""
    label: Tensor
    """Class ids, int64 (B,)."""


class CarSource(Protocol):
    """Files or seeds behind a data set; a data module turns any of them into batches."""

    classes: tuple[str, ...]
    """Names of the labels: makes, body styles or views, as the source says."""

    class_twins: tuple[int, ...]
    """Class id after a horizontal flip; the identity unless the classes are views."""

    names: tuple[str, ...]
    """One name a sample, unique and stable: what splits and lists of bad files refer to."""

    def read(self, index: int, size: tuple[int, int]) -> CarSample:
        """The sample at ``size`` (height, width).

        Raises:
            UserError: the sample's files cannot be used; the message names them and the remedy.
        """
        ...
