"""Pictures of the page: whole as PNGs beside it, and as small as may be inside it."""

import base64
import io
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from carsynth.data.files import replace_atomically
from carsynth.report.markup import Html, element
from carsynth.report.reading import Lacking
from carsynth.reporting.plots import save

_LONGEST = 1600
"""Pixels of a side to which a picture inside the page is shrunk."""
_HEAVY = 160_000
"""Bytes that a picture inside the page may have."""
_COLOURS = 128
"""Of a plot, smoothed edges included."""
_QUALITY = 88
_STEP = 0.85
_SMALL = 200
"""Pixels of width below which pictures are magnified by whole factors, sharp as they are."""


class Pictures:
    """Writes PNGs into a folder and gives each as a figure that needs no file.

    Args:
        root: above the pictures that stages have left.
        folder: of the page; it is there.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder

    def plot(self, source: str | Figure, name: str, alt: str, caption: str) -> Html:
        """A drawing with letters, which scrolls in its box rather than become unreadable.

        Args:
            source: path below the root, or what is still to be drawn.
            name: of the PNG beside the page, without suffix.

        Raises:
            Lacking: the file is missing or damaged.
        """
        if isinstance(source, Figure):
            save(source, self._folder / f"{name}.png")
            picture = Image.open(self._folder / f"{name}.png").convert("RGB")
        else:
            picture = self._copied(source, name)
        small = _fitted(picture)
        few = small.quantize(_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        width = f"min-width:{picture.width // 2}px"
        return self._figure(_png(few), "image/png", small, name, alt, caption, width)

    def photo(self, source: str | Image.Image, name: str, alt: str, caption: str) -> Html:
        """A picture, or a sheet of several, which becomes as narrow as the page.

        Args:
            source: path below the root, or the picture itself.
            name: of the PNG beside the page, without suffix.

        Raises:
            Lacking: the file is missing or damaged.
        """
        if isinstance(source, Image.Image):
            picture = source.convert("RGB")
            self._write(name, _png(picture))
        else:
            picture = self._copied(source, name)
        small = _fitted(picture)
        while True:
            content, kind = _png(small), "image/png"
            if len(content) > _HEAVY:
                content, kind = _jpeg(small), "image/jpeg"
            if len(content) <= _HEAVY:
                return self._figure(content, kind, small, name, alt, caption, None)
            small = _resized(small, _STEP)

    def _copied(self, source: str, name: str) -> Image.Image:
        """A picture of an earlier stage, which then lies beside the page too."""
        try:
            content = (self._root / source).read_bytes()
            picture = Image.open(io.BytesIO(content)).convert("RGB")
        except FileNotFoundError as error:
            raise Lacking(f"{source} is not there.") from error
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise Lacking(f"{source} is no readable picture.") from error
        self._write(name, content)
        return picture

    def _write(self, name: str, content: bytes) -> None:
        replace_atomically(self._folder / f"{name}.png", lambda file: file.write(content))

    def _figure(
        self,
        content: bytes,
        kind: str,
        picture: Image.Image,
        name: str,
        alt: str,
        caption: str,
        style: str | None,
    ) -> Html:
        factor = max(1, _SMALL // picture.width)
        image = element(
            "img",
            src=f"data:{kind};base64,{base64.b64encode(content).decode()}",
            alt=alt,
            width=picture.width * factor,
            height=picture.height * factor,
            style=style,
            class_="sharp" if factor > 1 else None,
        )
        file = element("code", f"{name}.png")
        told = element("figcaption", f"{caption} ", element("span", "(", file, ")", class_="file"))
        box = element("div", image, class_="scroll") if style else image
        return element("figure", box, told)


def _fitted(picture: Image.Image) -> Image.Image:
    longest = max(picture.size)
    return picture if longest <= _LONGEST else _resized(picture, _LONGEST / longest)


def _resized(picture: Image.Image, factor: float) -> Image.Image:
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()


def _jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    # without subsampling, which would smear the colours of part maps
    picture.save(file, format="JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()
