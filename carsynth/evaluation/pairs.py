"""Figures of generated photos against real ones of the same file name."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from carsynth.data.files import list_pictures, one_of
from carsynth.data.photos import read_photo
from carsynth.errors import UserError
from carsynth.metrics.paired_card import PairedCard


def feed_folders(real: Path, fake: Path, card: PairedCard) -> None:
    """Feeds every picture of ``fake`` and the one of the same name below ``real``.

    Raises:
        UserError: a picture has no counterpart, or one of another size.
    """
    reals = list_pictures(real)
    for name, paths in tqdm(list_pictures(fake).items(), desc="pairs", unit="pair"):
        path = one_of(paths)
        if name not in reals:
            raise UserError(f"{path} has no counterpart of its name in real={real}: add one")
        pair = _read(path), _read(one_of(reals[name]))
        if pair[0].shape != pair[1].shape:
            raise UserError(f"{path} and its real photo have different sizes: resize one of them")
        card.update(*pair)


def _read(path: Path) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(read_photo(path))).permute(2, 0, 1)[None]
