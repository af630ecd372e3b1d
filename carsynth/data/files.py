"""Finding pictures in folders, and writing small files whole or not at all."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from carsynth.errors import UserError

PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Suffixes, in lower case, that make a file a picture; other files in a folder are passed over."""


def list_pictures(folder: Path, without: Path | None = None) -> dict[str, list[Path]]:
    """Pictures of a folder and its subfolders by name, in the order of their names.

    A name is the path below ``folder`` without its suffix, with forward slashes. Files whose own
    name begins with a dot are passed over, and so is everything below ``without``.

    Raises:
        UserError: the folder is missing, is a file, or holds no picture.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise UserError(f"data folder {folder} {what}: check the path")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in PICTURES or path.name.startswith(".") or not path.is_file():
            continue
        if without is not None and path.is_relative_to(without):
            continue
        found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), []).append(path)
    if not found:
        known = ", ".join(PICTURES)
        raise UserError(f"data folder {folder} holds no picture ({known}): check the path")
    return found


def one_of(paths: list[Path]) -> Path:
    """The only path of a list.

    Raises:
        UserError: there are several, so that a name does not tell which is meant.
    """
    if len(paths) > 1:
        names = " and ".join(str(path) for path in paths)
        raise UserError(f"{names} share one name: keep one of them")
    return paths[0]


def sha256_of(path: Path) -> str:
    """Of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Have ``write`` fill a file so that a reader sees the old one or the new one, never a part.

    The folder is made where it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` as :func:`replace_atomically` does."""
    replace_atomically(path, lambda file: file.write(text.encode("utf-8")))
