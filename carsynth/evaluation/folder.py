"""Pictures of a folder as a set to score."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from carsynth.data.files import PICTURES, list_pictures
from carsynth.data.photos import read_photo
from carsynth.errors import UserError
from carsynth.evaluation.picture_set import Collector, PictureSet, require_two
from carsynth.metrics.feature_cache import CHUNK

_PIXELS = 64_000_000
"""That are held at once."""
_LISTED = 5


class Found(NamedTuple):
    """A folder's pictures and what was passed over in it."""

    pictures: PictureSet
    skipped: dict[str, str]
    """Files below the folder that are no pictures, with the reason."""


def collect_folder(folder: Path, key: str, collector: Collector) -> Found:
    """Every picture of a folder and its subfolders; the folder right below is its class.

    Files that are no pictures, or cannot be decoded, are listed on the terminal.

    Args:
        key: the setting that named the folder, for messages.

    Raises:
        UserError: the folder is missing, or has fewer than two pictures that can be read.
    """
    paths = [path for same in list_pictures(folder).values() for path in same]
    if len(paths) < 2:
        raise UserError(f"{key}={folder} holds one picture: a score needs two or more")
    skipped = {
        path.relative_to(folder).as_posix(): "not a picture"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix.lower() not in PICTURES and path.name[0] != "."
    }
    for names, photos in _chunks(folder, key, paths, skipped):
        collector.add(photos, names, [_class_of(name) for name in names])
    if skipped:
        shown = ", ".join(f"{name} ({why})" for name, why in list(skipped.items())[:_LISTED])
        more = f" and {len(skipped) - _LISTED} more" if len(skipped) > _LISTED else ""
        print(f"left out of {key}={folder}: {shown}{more}", file=sys.stderr)
    return Found(require_two(collector.finish(), f"{key}={folder}"), skipped)


def _chunks(
    folder: Path, key: str, paths: list[Path], skipped: dict[str, str]
) -> Iterator[tuple[list[str], Tensor]]:
    """Runs of equally sized pictures, joined."""
    names: list[str] = []
    held: list[NDArray[np.uint8]] = []
    for path in tqdm(paths, desc=key, unit="picture"):
        name = path.relative_to(folder).as_posix()
        try:
            photo = read_photo(path)
        except UserError as error:
            skipped[name] = str(error).removeprefix(f"{path} ").split(":")[0]
            continue
        most = max(1, min(CHUNK, _PIXELS // photo[..., 0].size))
        if held and (held[0].shape != photo.shape or len(held) >= most):
            yield names, _joined(held)
            names, held = [], []
        names.append(name)
        held.append(photo)
    if held:
        yield names, _joined(held)


def _joined(photos: list[NDArray[np.uint8]]) -> Tensor:
    return torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).contiguous()


def _class_of(name: str) -> list[str]:
    folder, slash, _ = name.partition("/")
    return [f"class {folder}"] if slash else []
