"""Whether what was fetched is a photo, and of which kind."""

import io

from PIL import Image, UnidentifiedImageError

from carsynth.preparation.request import Never

_SUFFIXES = {
    "BMP": ".bmp",
    "GIF": ".gif",
    "JPEG": ".jpg",
    "MPO": ".jpg",  # a JPEG with further frames behind it
    "PNG": ".png",
    "TIFF": ".tif",
    "WEBP": ".webp",
}


def suffix_of(content: bytes) -> str:
    """The file suffix that fits a picture, which is decoded in full to see that it is whole.

    Raises:
        Never: it is no picture, a damaged one, or of a kind that data sets do not read.
    """
    try:
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            kind = picture.format or ""
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on a broken file
        if isinstance(error, UnidentifiedImageError):
            raise Never("not a picture") from error
        raise Never(f"not a picture that can be decoded: {' '.join(str(error).split())}") from error
    if kind not in _SUFFIXES:
        raise Never(f"a picture of a kind that is not read here: {kind}")
    return _SUFFIXES[kind]
