"""Published weight files: found where they lie, else fetched once into torch hub's cache."""

import hashlib
import os
import uuid
from concurrent.futures import Future
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import torch
from tqdm import tqdm

from carsynth.errors import UserError

CONNECT_SECONDS = 5.0
"""Longest wait for a server's answer to begin, name look-up and redirections included."""

STALL_SECONDS = 30.0
"""Longest pause within a download that has begun."""

_CHUNK = 1 << 20


def fetch_weights(
    file_name: str, url: str, sha256_prefix: str, weights_path: str | None, remedy: str
) -> Path:
    """Path of a weight file whose checksum is right.

    Looked for at ``weights_path`` and nowhere else where that is given; otherwise in
    ``torch.hub``'s checkpoint folder (``TORCH_HOME`` moves it), into which a missing file is
    fetched with a progress bar. A machine without network finds out in about
    :data:`CONNECT_SECONDS`. Several processes may call at once: each fetches to a name of its own
    and the finished file takes its place in one step, so that no half file is ever seen.

    Args:
        file_name: name in the cache folder, and how messages call the file.
        url: where the file is published.
        sha256_prefix: first hexadecimal digits, lower case, of the file's SHA-256.
        weights_path: the user's own copy; ``~`` is the home folder.
        remedy: the setting that names a copy, as the user would type it
            (``loss.perceptual.weights_path=FILE``); it closes every message.

    Raises:
        UserError: the file is missing and cannot be fetched, or its checksum is another one.
    """
    if weights_path is not None:
        path = Path(weights_path).expanduser()
        if not path.is_file():
            raise UserError(f"{file_name} is not at {path}: correct {remedy}")
        _check(path, path, file_name, sha256_prefix, f"correct {remedy}")
        return path

    path = Path(torch.hub.get_dir()) / "checkpoints" / file_name
    if path.is_file():
        todo = f"delete it, to have it fetched anew, or set {remedy}"
        _check(path, path, file_name, sha256_prefix, todo)
        return path

    partial = path.with_name(f"{file_name}.{uuid.uuid4().hex}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(url, partial)
        _check(partial, url, file_name, sha256_prefix, f"try again, or set {remedy}")
        os.replace(partial, path)
    except (OSError, HTTPException) as error:
        raise UserError(
            f"{file_name} is missing: it is not in {path.parent}, and {url} cannot be fetched "
            f"({_one_line(error)}); put the file into that folder or set {remedy}"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()
    return path


def _check(path: Path, source: Path | str, file_name: str, sha256_prefix: str, todo: str) -> None:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{source} cannot be read ({_one_line(error)}): {todo}") from error
    if not digest.startswith(sha256_prefix):
        raise UserError(
            f"{source} is not {file_name}, or is damaged: its SHA-256 is {digest} and should begin "
            f"with {sha256_prefix}; {todo}"
        )


def _download(url: str, path: Path) -> None:
    with _open(url) as answer, path.open("xb") as file:
        size = int(answer.headers["Content-Length"] or 0) or None
        with tqdm(desc=path.name.split(".")[0], total=size, unit="B", unit_scale=True) as bar:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))


def _open(url: str) -> HTTPResponse:
    """The server's answer; TimeoutError after CONNECT_SECONDS, whatever it is that hangs.

    A socket's own time-out does not cover a name server that keeps silent, and it starts anew for
    each address and each redirection, hence the thread.
    """
    answer: Future[HTTPResponse] = Future()

    def ask() -> None:
        try:
            answer.set_result(urlopen(url, timeout=STALL_SECONDS))
        except Exception as error:
            answer.set_exception(error)

    Thread(target=ask, daemon=True).start()
    try:
        return answer.result(CONNECT_SECONDS)
    except TimeoutError as error:
        raise TimeoutError(f"no answer within {CONNECT_SECONDS:g} seconds") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
