"""Mask files of every kind: which format a folder is in, and what a mask says."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from carsynth.data.masks import FORMATS, mask_readers, tell_format
from carsynth.data.photos import open_upright
from carsynth.errors import UserError
from carsynth.labels import BODY, PALETTE, PART_ID
from tests.data.cars import save

HOOD = PART_ID["hood"]
READERS = mask_readers()


def palette_picture(ids: NDArray[np.uint8], palette: NDArray[np.uint8]) -> Image.Image:
    picture = Image.fromarray(ids).convert("L")
    picture = Image.frombytes("P", picture.size, picture.tobytes())
    picture.putpalette(palette.tobytes())
    return picture


def read(path: Path, kind: str, readers: object = READERS) -> NDArray[np.uint8]:
    return readers[kind](path, open_upright(path))  # type: ignore[index,no-any-return]


IDS = np.array([[0, 0, 7], [13, 19, 18]], np.uint8)
CAR = np.array([[0, 0, 1], [1, 1, 0]], np.uint8)
WHITE_CAR = np.repeat((CAR * 255)[..., None], 3, axis=2)
BLACK_WHITE = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
VOC = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0]] * 7, np.uint8)


@pytest.mark.parametrize(
    ("kind", "mask", "suffix", "expected"),
    [
        ("ids", IDS, "png", IDS),
        ("ids", IDS.astype(np.uint16), "png", IDS),
        ("ids", palette_picture(IDS, VOC), "png", IDS),
        ("ids", palette_picture(IDS, PALETTE), "png", IDS),
        ("colours", PALETTE[IDS], "png", IDS),
        ("binary", CAR * 255, "png", CAR * BODY),
        ("binary", Image.fromarray(CAR * 255).convert("1"), "png", CAR * BODY),
        ("binary", WHITE_CAR, "png", CAR * BODY),
        ("binary", palette_picture(CAR, BLACK_WHITE), "gif", CAR * BODY),
        ("binary", palette_picture(1 - CAR, BLACK_WHITE[::-1].copy()), "gif", CAR * BODY),
    ],
)
def test_formats_are_told_and_read(
    tmp_path: Path, kind: str, mask: object, suffix: str, expected: NDArray[np.uint8]
) -> None:
    path = save(mask, tmp_path / f"a.{suffix}")  # type: ignore[arg-type]
    assert tell_format([path], READERS) == kind
    np.testing.assert_array_equal(read(path, kind), expected)


def test_zeros_and_ones_are_ambiguous_until_another_mask_tells(tmp_path: Path) -> None:
    doubtful = save(CAR, tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png .*read as binary or as ids: set mask_format"):
        tell_format([doubtful], READERS)
    assert tell_format([doubtful, save(IDS, tmp_path / "b.png")], READERS) == "ids"
    np.testing.assert_array_equal(read(doubtful, "binary"), CAR * BODY)
    np.testing.assert_array_equal(read(doubtful, "ids"), CAR)


def test_palette_pictures_whose_indices_and_colours_disagree_are_ambiguous(tmp_path: Path) -> None:
    shuffled = palette_picture(np.array([[0, 1, 2]], np.uint8), PALETTE[[0, HOOD, 1]])
    with pytest.raises(UserError, match="read as colours or as ids"):
        tell_format([save(shuffled, tmp_path / "a.png")], READERS)


def test_empty_masks_tell_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.png shows a car.*set mask_format"):
        tell_format([save(CAR * 0, tmp_path / "a.png")], READERS)


def test_mixed_folders_are_refused(tmp_path: Path) -> None:
    paths = [save(IDS, tmp_path / "a.png"), save(CAR * 255, tmp_path / "b.png")]
    with pytest.raises(UserError, match=r"different formats .*binary by .*a\.png"):
        tell_format(paths, READERS)


def test_one_broken_mask_does_not_hide_the_format(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"broken")
    foreign = save(IDS + 40, tmp_path / "b.png")
    paths = [tmp_path / "a.png", foreign, save(IDS, tmp_path / "c.png")]
    assert tell_format(paths, READERS) == "ids"
    with pytest.raises(UserError, match=r"b\.png: id 40 \(2 pixels\) is no part"):
        tell_format([foreign], READERS)


def test_many_masks_are_looked_at_all_over_the_folder(tmp_path: Path) -> None:
    empty = save(CAR * 0, tmp_path / "empty.png")
    assert tell_format([*[empty] * 120, save(IDS, tmp_path / "b.png")], READERS) == "ids"


def test_unknown_ids_and_colours_are_counted(tmp_path: Path) -> None:
    ids = np.array([[0, 20, 20], [37, 20, 5]], np.uint8)
    with pytest.raises(UserError, match=r"a\.png: id 20 \(3 pixels\) is no part.* 0 to 19"):
        read(save(ids, tmp_path / "a.png"), "ids")
    colours = PALETTE[IDS].copy()
    colours[0, :2] = (1, 2, 3)
    with pytest.raises(UserError, match=r"b\.png: colour 1,2,3 \(2 pixels\)"):
        read(save(colours, tmp_path / "b.png"), "colours")
    with pytest.raises(UserError, match=r"c\.png: value 128 \(1 pixels\)"):
        read(save(np.array([[0, 255, 128]], np.uint8), tmp_path / "c.png"), "binary")
    with pytest.raises(UserError, match=r"b\.png is no picture of part ids \(its mode is RGB\)"):
        read(tmp_path / "b.png", "ids")


def test_own_colours(tmp_path: Path) -> None:
    readers = mask_readers({"255,0,0": "hood", "9, 8, 7": "wheel"})
    mask = np.array([[[0, 0, 0], [255, 0, 0], [9, 8, 7]]], np.uint8)
    part_map = read(save(mask, tmp_path / "a.png"), "colours", readers)
    np.testing.assert_array_equal(part_map, [[0, HOOD, PART_ID["wheel"]]])
    with pytest.raises(UserError, match="colour 255,255,255"):
        read(save(mask * 0 + 255, tmp_path / "b.png"), "colours", readers)


@pytest.mark.parametrize("colour", ["255,0", "red", "256,0,0", "1,-2,3"])
def test_own_colours_must_be_colours(colour: str) -> None:
    with pytest.raises(UserError, match=f"'{colour}' is no RGB colour"):
        mask_readers({colour: "hood"})
    with pytest.raises(UserError, match=r"'bonnet' .* is no part: choose one of background"):
        mask_readers({"1,2,3": "bonnet"})


def test_transparency_is_background(tmp_path: Path) -> None:
    mask = np.dstack([PALETTE[IDS], np.full(IDS.shape, 255, np.uint8)])
    mask[1, 1, 3] = 0
    expected = IDS.copy()
    expected[1, 1] = 0
    np.testing.assert_array_equal(read(save(mask, tmp_path / "a.png"), "colours"), expected)


def test_every_format_has_a_reader() -> None:
    assert set(READERS) == set(FORMATS)
