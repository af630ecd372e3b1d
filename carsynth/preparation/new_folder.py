"""A folder that is there with everything in it, or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from carsynth.errors import UserError

_MARK = ".carsynth-partial"


@contextmanager
def new_folder(folder: Path, key: str) -> Iterator[Path]:
    """A folder to fill, beside ``folder`` and called ``.partial``, which takes its name at the end.

    What an earlier run left there when it was killed is cleared away; what an exception leaves is
    as well.

    Args:
        folder: is not there yet, or empty.
        key: the setting that names it, for messages.

    Raises:
        UserError: ``folder`` is in use, or cannot be written to, or its disk is full.
    """
    check_new(folder, key)
    draft = folder.with_name(f"{folder.name}.partial")
    if draft.exists() and not (draft / _MARK).is_file():
        raise UserError(f"{draft} is in the way of {key}={folder}: move it or name another folder")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        (draft / _MARK).touch()
        yield draft
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
        (folder / _MARK).unlink()
    except OSError as error:
        raise UserError(f"{key}={folder} cannot be written to: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_new(folder: Path, key: str) -> None:
    """Refuses a folder that is in use.

    Raises:
        UserError: it is a file, or not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{key}={folder} is there already and not empty: name a new folder")
