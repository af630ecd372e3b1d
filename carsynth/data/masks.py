"""Mask pictures as part maps: ids, colours, or car against background; and telling which it is."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from carsynth.data.photos import open_upright, over
from carsynth.errors import UserError
from carsynth.labels import BACKGROUND, BODY, NUM_PARTS, PALETTE, PART_ID

Reader = Callable[[Path, Image.Image], NDArray[np.uint8]]
"""A decoded mask file to its part map (H, W); UserError where the mask does not fit the format."""

FORMATS = ("binary", "ids", "colours")

_LOOKED_AT = 50  # masks that decide on a folder's format
_UNKNOWN = 255
_ID_MODES = ("L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")  # one channel, more than one bit


def mask_readers(colours: Mapping[str, str] | None = None) -> dict[str, Reader]:
    """A reader for each of :data:`FORMATS`.

    ``ids``: one channel of part ids, palette pictures by their indices. ``colours``: the colours of
    ``labels.PALETTE``, or those of ``colours``, a mapping such as ``{"255,0,0": "hood"}``, in which
    black is background unless it says otherwise; transparency counts as black. ``binary``: 0 or
    black for the background, 1, 255 or white for the car, which becomes the part ``body``.

    Raises:
        UserError: an entry of ``colours`` is no RGB colour or names no part.
    """
    table = _colour_table(colours)

    def read_colours(path: Path, picture: Image.Image) -> NDArray[np.uint8]:
        codes = _codes(_rgb(picture))
        part_map: NDArray[np.uint8] = table[codes]
        if (unknown := codes[part_map == _UNKNOWN]).size:
            code, count = _commonest(unknown)
            colour = f"{code >> 16},{code >> 8 & 255},{code & 255}"
            raise UserError(
                f"{path}: colour {colour} ({count} pixels) stands for no part: save masks without "
                "loss or smooth edges, or name the colour under colours"
            )
        return part_map

    return {"binary": _read_binary, "ids": _read_ids, "colours": read_colours}


def tell_format(masks: Sequence[Path], readers: Mapping[str, Reader]) -> str:
    """The one of :data:`FORMATS` that a folder of masks is in.

    Up to 50 masks, spread over the folder, are read in each format. A format is out once a mask
    does not fit it, and ``ids`` also once a palette picture all in black and white would show
    another part than the body. Formats that agree on every mask are as good as one another.

    Raises:
        UserError: no mask fits any format, the masks need different formats, show no car at all, or
            mean different parts in two formats, such as grey masks of nothing but 0 and 1.
    """
    left = set(FORMATS)
    told_by: dict[str, Path] = {}
    refusal: UserError | None = None
    doubts: dict[tuple[str, str], Path] = {}
    shown = False
    for path in masks[:: -(-len(masks) // _LOOKED_AT)]:
        try:
            picture = open_upright(path)
        except UserError as error:
            refusal = refusal or error
            continue
        maps, error_ = _readings(path, picture, readers)
        if not maps:
            refusal = refusal or error_
            continue
        for name in left - maps.keys():
            told_by.setdefault(name, path)
        left &= maps.keys()
        if not left:
            others = ", ".join(f"{out} by {why}" for out, why in sorted(told_by.items()))
            raise UserError(
                f"the masks beside {path} are in different formats (ruled out: {others}): "
                "bring them into one and set mask_format"
            )
        shown = shown or any((part_map != BACKGROUND).any() for part_map in maps.values())
        for one, other in combinations(sorted(left), 2):
            if not np.array_equal(maps[one], maps[other]):
                doubts.setdefault((one, other), path)
    if refusal is not None and not shown and len(left) == len(FORMATS):
        raise refusal
    if not shown:
        raise UserError(
            f"no mask such as {masks[0]} shows a car, so that their format cannot be told: set "
            f"mask_format to one of {', '.join(FORMATS)}"
        )
    for pair, path in doubts.items():
        if left >= set(pair):
            raise UserError(
                f"{path} and the other masks can be read as {' or as '.join(pair)}: set "
                "mask_format to the one that is meant"
            )
    return next(name for name in FORMATS if name in left)


def _readings(
    path: Path, picture: Image.Image, readers: Mapping[str, Reader]
) -> tuple[dict[str, NDArray[np.uint8]], UserError | None]:
    """The map in every format that fits, and why the likeliest format does not."""
    maps: dict[str, NDArray[np.uint8]] = {}
    errors: dict[str, UserError] = {}
    for name, read in readers.items():
        try:
            maps[name] = read(path, picture)
        except UserError as error:
            errors[name] = error
    if (
        picture.mode == "P"
        and {"ids", "binary"} <= maps.keys()
        and _is_black_and_white(picture)
        and not np.array_equal(maps["ids"], maps["binary"])
    ):
        del maps["ids"]
    return maps, errors.get("ids" if picture.mode in _ID_MODES else "colours")


def _read_ids(path: Path, picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode not in _ID_MODES:
        raise UserError(
            f"{path} is no picture of part ids (its mode is {picture.mode}): save it with one "
            "channel, or set mask_format to colours or binary"
        )
    ids = np.asarray(picture).astype(np.int64)
    if (unknown := ids[(ids < 0) | (ids >= NUM_PARTS)]).size:
        id_, count = _commonest(unknown)
        raise UserError(
            f"{path}: id {id_} ({count} pixels) is no part; ids run from 0 to {NUM_PARTS - 1}: "
            "renumber the mask, or set mask_format"
        )
    return ids.astype(np.uint8)


def _read_binary(path: Path, picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode in ("1", *_ID_MODES) and not _is_black_and_white(picture):
        values = np.asarray(picture).astype(np.int64)
    else:
        codes = _codes(_rgb(picture))
        values = np.where(codes == 0xFFFFFF, 255, codes)
    top = 1 if (values == 1).any() and not (values == 255).any() else 255
    if (unknown := values[(values != 0) & (values != top)]).size:
        value, count = _commonest(unknown)
        raise UserError(
            f"{path}: value {value} ({count} pixels) in a mask of car and background, which holds "
            "0 and 1, or 0 and 255, or black and white: save it without loss or smooth edges, or "
            "set mask_format"
        )
    return np.where(values == 0, BACKGROUND, BODY).astype(np.uint8)


def _is_black_and_white(picture: Image.Image) -> bool:
    """Whether a palette picture shows black and white only (others are known by their values)."""
    if picture.mode != "P":
        return False
    colours = picture.convert("RGB").getcolors(2)
    return colours is not None and all(
        colour in ((0, 0, 0), (255, 255, 255)) for _, colour in colours
    )


def _rgb(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode != "P" and picture.has_transparency_data:
        picture = over(picture, (0, 0, 0))
    return np.asarray(picture.convert("RGB"))


def _codes(rgb: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Colours (H, W, 3) packed into one number each: red x 65536 + green x 256 + blue."""
    codes: NDArray[np.int32] = rgb.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    return codes


def _commonest(values: NDArray[np.integer]) -> tuple[int, int]:
    distinct, counts = np.unique(values, return_counts=True)
    return int(distinct[counts.argmax()]), int(counts.max())


def _colour_table(colours: Mapping[str, str] | None) -> NDArray[np.uint8]:
    """Part id of every packed colour, 255 where it has none."""
    table = np.full(1 << 24, _UNKNOWN, dtype=np.uint8)
    if colours is None:
        table[_codes(PALETTE[None])[0]] = np.arange(NUM_PARTS)
        return table
    table[0] = BACKGROUND
    for text, part in colours.items():
        channels = [channel.strip() for channel in str(text).split(",")]
        if len(channels) != 3 or not all(c.isdecimal() and int(c) <= 255 for c in channels):
            raise UserError(f"colours: '{text}' is no RGB colour: write it as \"255,0,0\"")
        if part not in PART_ID:
            raise UserError(
                f"colours: '{part}' (for {text}) is no part: choose one of {', '.join(PART_ID)}"
            )
        red, green, blue = (int(channel) for channel in channels)
        table[(red << 16) | (green << 8) | blue] = PART_ID[part]
    return table
