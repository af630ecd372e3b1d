"""One picture file, decoded rightly whatever its colour mode, and pictures brought to a size."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from carsynth.errors import UserError
from carsynth.labels import PALETTE

_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
_TOO_WIDE = ("F", "I")


def open_upright(path: Path) -> Image.Image:
    """The decoded picture in its own colour mode, turned as its EXIF orientation asks.

    Raises:
        UserError: the file is missing, empty, truncated, or no picture that Pillow can decode.
    """
    try:
        if path.stat().st_size == 0:
            raise UserError(f"{path} is empty (0 bytes): fetch it again or remove it")
        with Image.open(path) as picture:
            picture.load()
            return ImageOps.exif_transpose(picture)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: put it back") from error
    except (UserError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on a broken file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{path} cannot be decoded ({reason}): fetch it again or remove it"
        ) from error


def read_photo(path: Path) -> NDArray[np.uint8]:
    """An upright RGB picture (H, W, 3) from a file of any colour mode.

    Grey and CMYK become RGB, transparency is laid over white, and of 16 bits a channel the upper
    eight are kept.

    Raises:
        UserError: the file cannot be decoded, or its channels are 32 bits wide.
    """
    picture = open_upright(path)
    if picture.mode in _TOO_WIDE:
        raise UserError(f"{path} has 32 bits a channel: save it with 8 or 16")
    if picture.mode in _SIXTEEN_BITS:
        grey = (np.asarray(picture) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        picture = over(picture, (255, 255, 255))
    return np.array(picture.convert("RGB"))


def over(picture: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """A picture with transparency laid over one RGB colour."""
    ground = Image.new("RGBA", picture.size, (*colour, 255))
    return Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")


def palette_picture(part_map: NDArray[np.uint8]) -> Image.Image:
    """A part map (H, W) as a picture whose indices are the ids and whose palette is theirs."""
    picture = Image.fromarray(part_map)
    picture.putpalette(PALETTE.tobytes())
    return picture


def resize_photo(photo: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A photo (h, w, 3) stretched to (height, width): by area to shrink, bicubic to grow.

    A photo that shrinks along one side and grows along the other is treated side by side.
    """
    height, width = photo.shape[:2]
    smaller = (min(height, size[0]), min(width, size[1]))
    return _resize(_resize(photo, smaller, cv2.INTER_AREA), size, cv2.INTER_CUBIC)


def resize_map(part_map: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A part map (h, w) stretched to (height, width) by the nearest pixel centre."""
    return _resize(part_map, size, cv2.INTER_NEAREST_EXACT)


def _resize(picture: NDArray[Any], size: tuple[int, int], how: int) -> NDArray[np.uint8]:
    if picture.shape[:2] == size:
        return picture
    resized: NDArray[np.uint8] = cv2.resize(picture, (size[1], size[0]), interpolation=how)
    return resized
