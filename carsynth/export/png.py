"""PNG files that say where they came from."""

import io
import json
import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from carsynth.data.photos import palette_picture
from carsynth.export.provenance import NOTICE, Provenance

_LEVEL = 1  # of deflate, 0 to 9; photos gain little from more
_HEADER_END = 33  # bytes: signature, and the chunk IHDR with its 13 bytes of content


class PngEncoder:
    """Photos and part maps as the bytes of PNG files.

    Each file has the text chunks ``Software``, ``synthetic``, ``provenance`` and ``info``, the last
    two in JSON; Pillow reads them as ``picture.text``.
    """

    def __init__(self, provenance: Provenance) -> None:
        self._text = b"".join(
            (
                _text_chunk("Software", f"carsynth {provenance.version}"),
                _text_chunk("synthetic", NOTICE),
                _text_chunk("provenance", _json(provenance.as_dict())),
            )
        )

    def photo(self, photo: NDArray[np.uint8], info: dict[str, Any]) -> bytes:
        """Of an RGB picture (H, W, 3)."""
        blue_first = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
        content = cv2.imencode(".png", blue_first, [cv2.IMWRITE_PNG_COMPRESSION, _LEVEL])[1]
        return self._with_text(content.tobytes(), info)

    def part_map(self, part_map: NDArray[np.uint8], info: dict[str, Any]) -> bytes:
        """Of a part map (H, W): a palette picture, its indices the ids."""
        file = io.BytesIO()
        palette_picture(part_map).save(file, "PNG", compress_level=_LEVEL)
        return self._with_text(file.getvalue(), info)

    def _with_text(self, png: bytes, info: dict[str, Any]) -> bytes:
        return b"".join(
            (png[:_HEADER_END], self._text, _text_chunk("info", _json(info)), png[_HEADER_END:])
        )


def _json(value: dict[str, Any]) -> str:
    """In ASCII, of which all that a text chunk may hold."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _text_chunk(keyword: str, text: str) -> bytes:
    """Chunk tEXt (PNG specification, third edition, 11.3.3.2): length, type, content, checksum."""
    content = b"tEXt" + keyword.encode("latin-1") + b"\0" + text.encode("latin-1", "replace")
    return (len(content) - 4).to_bytes(4) + content + zlib.crc32(content).to_bytes(4)
