"""One polite request over HTTP, and what may come of it."""

import email.utils
import ssl
import time
import urllib.request
from http.client import HTTPException, HTTPResponse, InvalidURL
from urllib.error import URLError
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from carsynth import __version__
from carsynth.preparation.table import is_address

USER_AGENT = f"carsynth/{__version__} (python -m carsynth.prepare task=fetch)"

_HEADERS = {"User-Agent": USER_AGENT, "Accept": "image/jpeg, image/png, image/webp, image/*;q=0.8"}
_MOVED = (301, 302, 303, 307, 308)
_COME_AGAIN = (408, 425, 429, 500, 502, 503, 504)
_LONGEST_SECONDS = 300.0  # for one photo, however steadily it drips
_CHUNK = 1 << 16
_RESERVED = "%/:=&?~+!$,;'@()*[]"


class Moved(Exception):
    """The photo is to be asked for at ``url``."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


class NotNow(Exception):
    """It may work later; ``seconds`` is how long the host asks to be left alone, if it does."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Never(Exception):
    """Asking again would not help."""


def request(url: str, timeout: float, max_bytes: int) -> bytes:
    """What lies at an http or https address; redirections are reported, not followed.

    Args:
        timeout: seconds that the host may keep silent.
        max_bytes: more than this is refused, by the announced length where there is one.

    Raises:
        Moved: the host names another address.
        NotNow: the host is busy, out of reach, silent or breaks off.
        Never: the host refuses, or the answer is too large.
    """
    try:
        asked = urllib.request.Request(_ascii(url), headers=_HEADERS)
        with _OPENER.open(asked, timeout=timeout) as answer:
            _check(answer, url)
            return _body(answer, max_bytes)
    except URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise Never(f"certificate refused: {error.reason.verify_message}") from error
        raise NotNow(_one_line(error.reason)) from error
    except (InvalidURL, ValueError) as error:  # odd ports, names that no host can have
        raise Never(f"bad address: {_one_line(error)}") from error
    except (OSError, HTTPException) as error:
        raise NotNow(_one_line(error)) from error


def _opener() -> urllib.request.OpenerDirector:
    """http and https alone, through the system's proxies, with every status handed back."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
    ):
        opener.add_handler(handler)
    return opener


_OPENER = _opener()


def _ascii(url: str) -> str:
    """The address with spaces and letters of other scripts escaped, and without fragment."""
    parts = urlsplit(url)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    path, query = quote(parts.path, _RESERVED), quote(parts.query, _RESERVED)
    return urlunsplit((parts.scheme, host, path, query, ""))


def _check(answer: HTTPResponse, url: str) -> None:
    status = answer.status
    if status in _MOVED:
        target = urljoin(url, answer.headers["Location"] or "")
        if not is_address(target):
            raise Never(f"redirected to {target}, which is not http or https")
        raise Moved(target)
    if status in _COME_AGAIN:
        raise NotNow(f"HTTP {status} {answer.reason}".strip(), _retry_after(answer))
    if status != 200:
        raise Never(f"HTTP {status} {answer.reason}".strip())


def _retry_after(answer: HTTPResponse) -> float | None:
    """The header's seconds, or those until its date."""
    value = answer.headers["Retry-After"]
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _body(answer: HTTPResponse, max_bytes: int) -> bytes:
    length = answer.headers["Content-Length"]
    expected = int(length) if length and length.isdecimal() else None
    limit = f"larger than {max_bytes / 1e6:g} MB"
    if expected is not None and expected > max_bytes:
        raise Never(limit)
    deadline = time.monotonic() + _LONGEST_SECONDS
    body = bytearray()
    while chunk := answer.read1(_CHUNK):
        body += chunk
        if len(body) > max_bytes:
            raise Never(limit)
        if time.monotonic() > deadline:
            raise NotNow(f"not there after {_LONGEST_SECONDS:g} seconds")
    if expected is not None and len(body) < expected:
        raise NotNow(f"broke off after {len(body)} of {expected} bytes")
    return bytes(body)


def _one_line(error: object) -> str:
    return " ".join(str(error).split()) or type(error).__name__
