"""A folder that is there with everything in it, or not at all."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from carsynth.errors import UserError

MARK = ".carsynth-partial"
"""File in a draft that says that it may be cleared away."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def new_folder(folder: Path, key: str = "output_dir") -> Iterator[Path]:
    """A folder to fill, called ``NAME.partial`` and beside ``folder``, whose name it takes at last.

    What a killed run left there is cleared away first. After an exception nothing is left.

    Args:
        folder: is not there yet, or empty.
        key: the setting that names it, for messages.

    Raises:
        UserError: ``folder`` is in use or cannot be made, or its disk fills up.
    """
    folder = folder.resolve()
    check_new(folder, key)
    draft = folder.with_name(f"{folder.name}.partial")
    if draft.exists() and not (draft / MARK).is_file():
        raise UserError(f"{draft} is in the way of {key}={folder}: move it or name another folder")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        _make(draft, key)
        yield draft
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
        (folder / MARK).unlink()
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise UserError(
            f"the disk of {folder} is full: make space and run the same command again; nothing of "
            "this folder was kept"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_new(folder: Path, key: str = "output_dir") -> None:
    """Refuses a folder that is in use.

    Raises:
        UserError: it is a file, or not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{key}={folder} is there already and not empty: name a new folder")


def _make(draft: Path, key: str) -> None:
    try:
        draft.mkdir(parents=True)
        (draft / MARK).touch()
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise UserError(f"{key}: {draft} cannot be made: {error.strerror}") from error
