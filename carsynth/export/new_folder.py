"""A folder that is there with everything in it, or not at all."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from carsynth.errors import UserError

_MARK = ".carsynth-partial"
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, called ``NAME.partial`` and beside ``folder``, whose name it takes at last.

    What a killed run left there is cleared away first. After an exception nothing is left.

    Args:
        folder: is not there yet, or empty.

    Raises:
        UserError: ``folder`` is in use or cannot be made, or its disk fills up.
    """
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"export folder {folder} is there already and not empty: name a new folder")
    draft = folder.with_name(f"{folder.name}.partial")
    if draft.exists() and not (draft / _MARK).is_file():
        raise UserError(f"{draft} is in the way of the export: move it, or name another folder")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        _make(draft)
        yield draft
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
        (folder / _MARK).unlink()
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise UserError(
            f"the disk of {folder} is full: make space and export again; nothing of this export "
            "was kept"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _make(draft: Path) -> None:
    try:
        draft.mkdir(parents=True)
        (draft / _MARK).touch()
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise UserError(f"export folder {draft} cannot be made: {error.strerror}") from error
