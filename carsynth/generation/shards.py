"""Shards of labelled pictures, in the form that WebDataset reads: whole, or not there."""

import io
import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carsynth.errors import UserError
from carsynth.export.labelled import LabelledPicture
from carsynth.labels import PALETTE


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:06d}.tar"


def write_shard(path: Path, pictures: Sequence[LabelledPicture], record: dict[str, Any]) -> None:
    """Writes ``NAME.photo.png``, ``NAME.map.png`` and ``NAME.json`` of each picture.

    The bytes depend on the arguments alone. The record of how the shard came about stands beside
    it as ``.json``, written first, so that a shard that is there has one.

    Raises:
        UserError: the disk is full; nothing of the shard is left then.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    notes = path.with_suffix(".json")
    try:
        with draft.open("wb") as file:
            with tarfile.open(fileobj=file, mode="w") as shard:
                for picture in pictures:
                    for suffix, content in _members(picture):
                        entry = tarfile.TarInfo(f"{picture.name}.{suffix}")
                        entry.size = len(content)
                        shard.addfile(entry, io.BytesIO(content))
            file.flush()
            os.fsync(file.fileno())
        notes.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        draft.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}): make room and run the same "
            "command again; whole shards are kept"
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def read_shard(path: Path) -> Iterator[LabelledPicture]:
    """The pictures of a shard in order.

    Raises:
        UserError: the file is no shard.
    """
    try:
        with tarfile.open(path) as shard:
            held: dict[str, bytes] = {}
            for entry in shard:
                file = shard.extractfile(entry)
                name, _, suffix = entry.name.partition(".")
                held[suffix] = b"" if file is None else file.read()
                if suffix == "json":
                    photo, part_map = (_decoded(held[f"{kind}.png"]) for kind in ("photo", "map"))
                    yield LabelledPicture(name, photo, part_map, json.loads(held["json"]))
                    held = {}
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and generate it again") from error


def _members(picture: LabelledPicture) -> Iterator[tuple[str, bytes]]:
    """What a shard holds of a picture; the JSON is last."""
    ids = Image.fromarray(picture.part_map)
    ids.putpalette(PALETTE.ravel().tolist())
    yield "photo.png", _png(Image.fromarray(picture.photo))
    yield "map.png", _png(ids)
    yield "json", json.dumps(picture.info, sort_keys=True).encode()


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG", compress_level=4)
    return file.getvalue()


def _decoded(content: bytes) -> NDArray[np.uint8]:
    return np.array(Image.open(io.BytesIO(content)))
