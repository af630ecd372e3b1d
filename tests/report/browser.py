"""A headless Chromium, steered through its driver's HTTP interface (W3C WebDriver)."""

import base64
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip


def chromium() -> str | None:
    """The browser's program, where its driver is there too."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    return found if shutil.which("chromedriver") else None


class Browser:
    """One window.

    Args:
        address: of the session at the driver.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def open(self, page: Path) -> None:
        _ask("POST", f"{self._address}/url", {"url": page.resolve().as_uri()})

    def ask(self, script: str) -> Any:
        """What a script returns in the page."""
        body = {"script": script, "args": []}
        return _ask("POST", f"{self._address}/execute/sync", body)

    def messages(self) -> list[str]:
        """What the console has said since the last time."""
        said = _ask("POST", f"{self._address}/se/log", {"type": "browser"})
        return [one["message"] for one in said]

    def protocol(self, command: str, **params: Any) -> Any:
        """A command of the DevTools protocol."""
        body = {"cmd": command, "params": params}
        return _ask("POST", f"{self._address}/goog/cdp/execute", body)

    def screenshot(self, path: Path) -> None:
        """The whole page, however long."""
        picture = self.protocol("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    def printed(self) -> bytes:
        """The page as a PDF."""
        return base64.b64decode(_ask("POST", f"{self._address}/print", {}))


@contextmanager
def browser(profile: Path, width: int, height: int, *, phone: bool = False) -> Iterator[Browser]:
    """A window of so many CSS pixels, or a phone's screen; without a network.

    Args:
        profile: a new folder for what the browser keeps.
    """
    program = chromium()
    assert program is not None
    flags = [*_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
    options: dict[str, Any] = {"binary": program, "args": flags}
    if phone:
        metrics = {"width": width, "height": height, "pixelRatio": 2.0, "mobile": True}
        options["mobileEmulation"] = {"deviceMetrics": metrics}
    wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
    driver = subprocess.Popen(
        ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        port = _port(driver)
        told = _ask(
            "POST", f"http://127.0.0.1:{port}/session", {"capabilities": {"alwaysMatch": wanted}}
        )
        session = f"http://127.0.0.1:{port}/session/{told['sessionId']}"
        try:
            yield Browser(session)
        finally:
            _ask("DELETE", session)
    finally:
        driver.terminate()
        driver.wait()


def _port(driver: "subprocess.Popen[str]") -> int:
    assert driver.stdout is not None
    for line in driver.stdout:
        if "started successfully on port" in line:
            return int(line.rstrip().rstrip(".").rpartition(" ")[2])
    raise RuntimeError("chromedriver did not start")


def _ask(method: str, address: str, body: dict[str, Any] | None = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
    request.method = method
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.loads(answer.read())["value"]
