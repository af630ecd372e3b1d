"""Shards of labelled pictures, in the form that WebDataset reads: whole, or not there."""

import errno
import io
import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carsynth.data.files import write_atomically
from carsynth.data.photos import palette_picture
from carsynth.errors import UserError
from carsynth.export.labelled import LabelledPicture

_FULL = (errno.ENOSPC, errno.EDQUOT)
_END = 2 * tarfile.BLOCKSIZE
"""Zeros that a whole archive ends with at least."""


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:06d}.tar"


def record_path(shard: Path) -> Path:
    """Of the record of how a shard came about."""
    return shard.with_suffix(".json")


def is_there(shard: Path) -> bool:
    """Whether the shard is, and its record with it."""
    return shard.exists() and record_path(shard).exists()


def write_shard(path: Path, pictures: Sequence[LabelledPicture], record: dict[str, Any]) -> None:
    """Writes ``NAME.photo.png``, ``NAME.map.png`` and ``NAME.json`` of each picture.

    The bytes depend on the arguments alone. The record of how the shard came about stands beside
    it as ``.json``, written first, so that a shard that is there has one. What a killed process
    has left of the same shard is cleared away.

    Raises:
        UserError: the disk is full, or nothing can be written there; nothing of the shard is left
            then.
    """
    notes = record_path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        for stale in path.parent.glob(f".{path.stem}.*"):
            stale.unlink(missing_ok=True)
        with draft.open("wb") as file:
            with tarfile.open(fileobj=file, mode="w") as shard:
                for picture in pictures:
                    for suffix, content in _members(picture):
                        entry = tarfile.TarInfo(f"{picture.name}.{suffix}")
                        entry.size = len(content)
                        shard.addfile(entry, io.BytesIO(content))
            file.flush()
            os.fsync(file.fileno())
        write_atomically(notes, json.dumps(record, indent=1, sort_keys=True) + "\n")
        draft.replace(path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        with suppress(OSError):
            draft.unlink()


def not_written(path: Path, error: OSError) -> UserError:
    """What to say of a file that could not be written."""
    cure = "make room" if error.errno in _FULL else "see to it that the folder can be written to"
    return UserError(
        f"{path} cannot be written ({error.strerror or error}): {cure}, and run the same command "
        "again; whole shards are kept"
    )


def read_shard(path: Path) -> Iterator[LabelledPicture]:
    """The pictures of a shard in order.

    Raises:
        UserError: the file is no shard, or not the whole of one.
    """
    try:
        with path.open("rb") as file:
            end = 0
            with tarfile.open(fileobj=file, mode="r:") as shard:
                held: dict[str, bytes] = {}
                for entry in shard:
                    content = shard.extractfile(entry)
                    name, _, suffix = entry.name.partition(".")
                    held[suffix] = b"" if content is None else content.read()
                    end = (
                        entry.offset_data + -(-entry.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                    )
                    if suffix == "json":
                        yield _picture(name, held)
                        held = {}
            # An archive that is cut between two files, or spoilt there, ends early without a word.
            file.seek(end)
            rest = file.read()
            if held or len(rest) < _END or any(rest):
                raise ValueError("its end is missing")
    except (tarfile.TarError, OSError, ValueError, KeyError, SyntaxError) as error:
        raise UserError(f"{path} is damaged ({error}): delete it and generate it again") from error


def _picture(name: str, held: dict[str, bytes]) -> LabelledPicture:
    photo, part_map = (_decoded(held[f"{kind}.png"]) for kind in ("photo", "map"))
    return LabelledPicture(name, photo, part_map, json.loads(held["json"]))


def _members(picture: LabelledPicture) -> Iterator[tuple[str, bytes]]:
    """What a shard holds of a picture; the JSON is last."""
    yield "photo.png", _png(Image.fromarray(picture.photo))
    yield "map.png", _png(palette_picture(picture.part_map))
    yield "json", json.dumps(picture.info, sort_keys=True).encode()


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG", compress_level=4)
    return file.getvalue()


def _decoded(content: bytes) -> NDArray[np.uint8]:
    Image.open(io.BytesIO(content)).verify()  # against checksums that decoding does not look at
    return np.array(Image.open(io.BytesIO(content)))
