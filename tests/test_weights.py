"""Weight files: where they are looked for, how they are fetched, and what is said of bad ones."""

import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from carsynth import weights
from carsynth.errors import UserError
from carsynth.weights import fetch_weights

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REMEDY = "part.weights_path=FILE"


class Publisher(ThreadingHTTPServer):
    """Answers /good, /cut (half of what it announces), /other, /moved (to /good) and /silent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str] = []
        self.released = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Answer(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/silent":
            self.server.released.wait(30)
        body = {"/good": CONTENT, "/cut": CONTENT[: len(CONTENT) // 2], "/other": b"<html>"}
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
        elif self.path in body:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(body[self.path])
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Publisher() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that weights come to lie in; not there yet."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def fetch(url: str, weights_path: Path | None = None, sha256_prefix: str = SHA256[:8]) -> Path:
    given = None if weights_path is None else str(weights_path)
    return fetch_weights("part-1.pth", url, sha256_prefix, given, REMEDY)


def complaint(url: str, weights_path: Path | None = None) -> str:
    with pytest.raises(UserError) as caught:
        fetch(url, weights_path)
    message = str(caught.value)
    assert "\n" not in message
    assert "part-1.pth" in message
    assert REMEDY in message
    return message


@pytest.mark.parametrize("path", ["/good", "/moved"])
def test_fetched_once(publisher: Publisher, cache: Path, path: str) -> None:
    found = fetch(publisher.url(path))
    assert found == cache / "part-1.pth"
    assert found.read_bytes() == CONTENT
    asked = len(publisher.asked)
    assert fetch(publisher.url(path)) == found
    assert len(publisher.asked) == asked
    assert [file.name for file in cache.iterdir()] == ["part-1.pth"]


@pytest.mark.parametrize("path", ["/cut", "/other", "/missing"])
def test_a_bad_download_leaves_nothing(publisher: Publisher, cache: Path, path: str) -> None:
    message = complaint(publisher.url(path))
    assert publisher.url(path) in message
    assert ("404" if path == "/missing" else "SHA-256") in message
    assert list(cache.iterdir()) == []


def test_no_network_is_noticed_at_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    start = time.monotonic()
    message = complaint("http://127.0.0.1:9/part-1.pth")  # the discard port: nothing listens
    assert time.monotonic() - start < 5
    assert str(cache) in message
    assert "http://127.0.0.1:9/part-1.pth" in message


def test_a_silent_server_is_given_up(
    publisher: Publisher, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert weights.CONNECT_SECONDS <= 10
    monkeypatch.setattr(weights, "CONNECT_SECONDS", 0.3)
    start = time.monotonic()
    assert "no answer within 0.3 seconds" in complaint(publisher.url("/silent"))
    assert time.monotonic() - start < 3


def test_a_cache_that_cannot_be_made(publisher: Publisher, cache: Path) -> None:
    cache.parent.write_text("a file where the folder should be")
    assert str(cache) in complaint(publisher.url("/good"))


def test_a_damaged_file_in_the_cache_is_named_and_kept(publisher: Publisher, cache: Path) -> None:
    cache.mkdir(parents=True)
    damaged = cache / "part-1.pth"
    damaged.write_bytes(CONTENT[:-1])
    message = complaint(publisher.url("/good"))
    assert str(damaged) in message
    assert hashlib.sha256(CONTENT[:-1]).hexdigest() in message
    assert SHA256[:8] in message
    assert damaged.read_bytes() == CONTENT[:-1]
    assert publisher.asked == []


def test_the_users_own_file(publisher: Publisher, cache: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine.bin"
    assert str(own) in complaint(publisher.url("/good"), own)
    own.write_bytes(b"something else")
    message = complaint(publisher.url("/good"), own)
    assert str(own) in message
    assert hashlib.sha256(b"something else").hexdigest() in message
    own.write_bytes(CONTENT)
    assert fetch(publisher.url("/good"), own) == own
    assert publisher.asked == []
    assert not cache.exists()


def test_callers_at_once_all_get_the_whole_file(publisher: Publisher, cache: Path) -> None:
    found: list[bytes] = []
    callers = [
        threading.Thread(target=lambda: found.append(fetch(publisher.url("/good")).read_bytes()))
        for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found == [CONTENT] * 4
    assert [file.name for file in cache.iterdir()] == ["part-1.pth"]
