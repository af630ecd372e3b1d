"""A web server on the loopback, as good and as bad as those that hold photos."""

import io
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

from tests.data.cars import noise


def picture(kind: str, seed: int = 0, height: int = 24, width: int = 32) -> bytes:
    """An encoded picture of noise; ``kind`` is Pillow's name of the format."""
    file = io.BytesIO()
    Image.fromarray(noise(height, width, seed)).save(file, kind)
    return file.getvalue()


class PhotoServer(ThreadingHTTPServer):
    """Answers by path, and keeps book of what it was asked."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.asked: Counter[str] = Counter()
        self.times: list[float] = []
        self.agents: set[str] = set()
        self.busy = 0
        self.busiest = 0
        self.seconds = 0.0  # that each answer takes
        self.sent = 0  # bytes of endless answers
        self.retry_after = "1"
        self.elsewhere = ""

    def at(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_address[1]}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: PhotoServer

    def do_GET(self) -> None:
        server, path = self.server, self.path.lstrip("/")
        with server.lock:
            server.asked[path] += 1
            server.times.append(time.monotonic())
            server.agents.add(self.headers["User-Agent"])
            server.busy += 1
            server.busiest = max(server.busiest, server.busy)
            turn = server.asked[path]
        time.sleep(server.seconds)
        with server.lock:
            server.busy -= 1
        self._answer(path, turn)

    def _answer(self, path: str, turn: int) -> None:
        name = path.partition("/")[0]
        if name == "missing":
            self._send(404, b"no such photo")
        elif name == "page":
            self._send(200, b"<html><body>cars</body></html>", kind="text/html")
        elif name == "flaky" and turn < 3:
            self._send(500, b"")
        elif name == "down":
            self._send(503, b"")
        elif name == "busy" and turn == 1:
            self._send(429, b"", **{"Retry-After": self.server.retry_after})
        elif name == "moved":
            self._send(302, b"", Location="/photo/moved")
        elif name == "away":
            self._send(301, b"", Location=self.server.elsewhere)
        elif name == "circle":
            self._send(302, b"", Location="/circle")
        elif name == "silent":
            time.sleep(3)
        elif name == "short":
            content = picture("JPEG", 1)
            self._send(200, content[:-40], length=len(content))
        elif name == "cut":
            self._send(200, picture("JPEG", 1)[:-400])
        elif name == "huge":
            self._send(200, b"", length=10**10)
        elif name == "endless":
            self._endless()
        else:
            kind = "PNG" if path.endswith("png") else "JPEG"
            # the suffix of an address says nothing of what comes
            self._send(200, picture(kind, seed=len(path)), kind="application/octet-stream")

    def _send(
        self, status: int, body: bytes, kind: str = "", length: int | None = None, **headers: str
    ) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 65536)
                self.server.sent += 65536
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[PhotoServer]:
    """A server on a free port of the loopback."""
    with PhotoServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
