"""Photos and masks find each other by name, wherever they lie."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from carsynth.data.folders import PairedFolders
from carsynth.errors import UserError
from carsynth.labels import BODY, PALETTE, PART_ID, VIEW_TWINS, VIEWS
from tests.data.cars import noise, save

CAR = np.zeros((20, 30), np.uint8)
CAR[5:15, 5:25] = 255
IDS = np.zeros((20, 30), np.uint8)
IDS[5:15, 5:25] = PART_ID["back_right_door"]
IDS[5:15, 20:25] = PART_ID["back_glass"]


def pair(root: Path, name: str, mask: object = IDS, photo: object = None) -> None:
    save(noise(20, 30) if photo is None else photo, root / "photos" / f"{name}.jpg")  # type: ignore[arg-type]
    save(mask, root / "masks" / f"{name}.png")  # type: ignore[arg-type]


def test_part_ids(tmp_path: Path) -> None:
    pair(tmp_path, "b")
    pair(tmp_path, "some/where/a")
    (tmp_path / "photos" / "._b.jpg").write_bytes(b"a Mac was here")
    (tmp_path / "photos" / "Thumbs.db").write_bytes(b"and a PC")
    source = PairedFolders(tmp_path / "photos", tmp_path / "masks")
    assert source.names == ("b", "some/where/a")
    assert (source.mask_format, source.classes) == ("ids", VIEWS)
    assert source.class_twins == VIEW_TWINS
    sample = source.read(1, (20, 30))
    np.testing.assert_array_equal(sample.part_map, IDS)
    assert sample.label == VIEWS.index("A")
    assert source.read(0, (10, 40)).photo.shape == (10, 40, 3)


def test_part_colours(tmp_path: Path) -> None:
    pair(tmp_path, "a", PALETTE[IDS])
    source = PairedFolders(tmp_path / "photos", tmp_path / "masks", label="car")
    np.testing.assert_array_equal(source.read(0, (20, 30)).part_map, IDS)
    assert source.classes == ("car",)


def test_own_colours(tmp_path: Path) -> None:
    pair(tmp_path, "a", np.dstack([CAR, CAR * 0, CAR * 0]))
    colours = {"255,0,0": "hood"}
    source = PairedFolders(tmp_path / "photos", tmp_path / "masks", colours=colours)
    expected = np.where(CAR, PART_ID["hood"], 0)
    np.testing.assert_array_equal(source.read(0, (20, 30)).part_map, expected)
    with pytest.raises(UserError, match="colours mean nothing with mask_format=ids"):
        PairedFolders(tmp_path / "photos", tmp_path / "masks", "ids", colours)


@pytest.mark.parametrize("beside", [True, False])
def test_carvana(tmp_path: Path, beside: bool) -> None:
    masks = tmp_path / ("photos" if beside else "masks")
    for name in ("0cdf5b5d0ce1_01", "0cdf5b5d0ce1_02"):
        save(noise(20, 30), tmp_path / "photos" / f"{name}.jpg")
        save(CAR, masks / f"{name}_mask.gif")
    source = PairedFolders(tmp_path / "photos", None if beside else masks)
    assert source.names == ("0cdf5b5d0ce1_01", "0cdf5b5d0ce1_02")
    assert (source.mask_format, source.classes, source.class_twins) == ("binary", ("car",), (0,))
    sample = source.read(1, (20, 30))
    np.testing.assert_array_equal(sample.part_map, np.where(CAR, BODY, 0))
    assert sample.label == 0
    with pytest.raises(UserError, match="label=view needs part masks"):
        PairedFolders(tmp_path / "photos", masks, label="view")


def test_masks_may_lie_inside_the_photo_folder(tmp_path: Path) -> None:
    save(noise(20, 30), tmp_path / "a.png")
    save(IDS, tmp_path / "masks" / "a.png")
    assert PairedFolders(tmp_path, tmp_path / "masks").names == ("a",)


def test_photo_and_mask_must_have_each_other(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    save(noise(20, 30), tmp_path / "photos" / "b.jpg")
    save(IDS, tmp_path / "masks" / "c.png")
    source = PairedFolders(tmp_path / "photos", tmp_path / "masks")
    assert source.names == ("a", "b", "c")
    with pytest.raises(UserError, match=r"b\.jpg has no mask in .*masks"):
        source.read(1, (8, 8))
    with pytest.raises(UserError, match=r"c\.png has no photo in .*photos"):
        source.read(2, (8, 8))


def test_names_must_be_unique(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    save(noise(20, 30), tmp_path / "photos" / "a.png")
    with pytest.raises(UserError, match=r"a\.jpg and .*a\.png share one name"):
        PairedFolders(tmp_path / "photos", tmp_path / "masks").read(0, (8, 8))


def test_sizes_must_agree(tmp_path: Path) -> None:
    pair(tmp_path, "a", photo=noise(20, 40))
    with pytest.raises(UserError, match=r"a\.jpg is 40x20 .*a\.png is 30x20"):
        PairedFolders(tmp_path / "photos", tmp_path / "masks").read(0, (8, 8))


def test_masks_match_the_upright_photo(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    exif = Image.Exif()
    exif[0x0112] = 8
    save(noise(30, 20), tmp_path / "photos" / "a.jpg", exif=exif)
    source = PairedFolders(tmp_path / "photos", tmp_path / "masks")
    np.testing.assert_array_equal(source.read(0, (20, 30)).part_map, IDS)


def test_folders_that_cannot_be_paired(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="photos does not exist"):
        PairedFolders(tmp_path / "photos", tmp_path / "masks")
    save(noise(20, 30), tmp_path / "photos" / "a.jpg")
    (tmp_path / "masks").mkdir()
    with pytest.raises(UserError, match="masks holds no picture"):
        PairedFolders(tmp_path / "photos", tmp_path / "masks")
    save(IDS, tmp_path / "masks" / "b.png")
    with pytest.raises(UserError, match=r"no photo in .* has a mask of its name"):
        PairedFolders(tmp_path / "photos", tmp_path / "masks")
    with pytest.raises(UserError, match=r"no photo in .* has a mask of its name"):
        PairedFolders(tmp_path / "photos")
    with pytest.raises(UserError, match=r"a\.jpg is not a folder"):
        PairedFolders(tmp_path / "photos" / "a.jpg", tmp_path / "masks")


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    with pytest.raises(UserError, match="mask_format=rgb is unknown: choose auto"):
        PairedFolders(tmp_path / "photos", tmp_path / "masks", mask_format="rgb")
