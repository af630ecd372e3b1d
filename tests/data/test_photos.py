"""Real files in every colour mode come out as the RGB picture that a viewer shows."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from carsynth.data.photos import open_upright, read_photo, resize_map, resize_photo
from carsynth.errors import UserError
from tests.data.cars import noise, save


def test_rgb_comes_back_as_saved(tmp_path: Path) -> None:
    picture = noise(5, 7)
    np.testing.assert_array_equal(read_photo(save(picture, tmp_path / "a.png")), picture)


@pytest.mark.parametrize("mode", ["L", "1"])
def test_grey_is_repeated(tmp_path: Path, mode: str) -> None:
    grey = Image.fromarray(noise(6, 9)).convert(mode)
    photo = read_photo(save(grey, tmp_path / "a.png"))
    assert photo.shape == (6, 9, 3)
    for channel in range(3):
        np.testing.assert_array_equal(photo[..., channel], np.asarray(grey.convert("L")))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_white(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGBA", (3, 1), (0, 0, 0, 255))
    picture.putpixel((1, 0), (0, 0, 0, 0))
    picture.putpixel((2, 0), (0, 0, 0, 51))
    photo = read_photo(save(picture.convert(mode), tmp_path / "a.png"))
    np.testing.assert_array_equal(photo[0, :, 0], [0, 255, 204])


def test_a_transparent_palette_colour_is_white(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.putpixel((1, 0), 1)
    photo = read_photo(save(picture, tmp_path / "a.png", transparency=1))
    np.testing.assert_array_equal(photo[0], [[255, 0, 0], [255, 255, 255]])


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    photo = read_photo(save(red, tmp_path / "a.jpg", quality=100))
    np.testing.assert_allclose(photo.mean((0, 1)), [255, 0, 0], atol=3)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_grey_keeps_its_upper_half(tmp_path: Path, suffix: str) -> None:
    values = np.array([[0, 255, 256, 40_000, 65_535]], np.uint16)
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), values)
    np.testing.assert_array_equal(read_photo(path)[0, :, 1], [0, 0, 1, 156, 255])


def test_sixteen_bit_colour_keeps_its_upper_half(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.array([[[65_535, 40_000, 0]]], np.uint16))  # blue, green, red
    np.testing.assert_array_equal(read_photo(path)[0, 0], [0, 156, 255])


def test_exif_orientation_is_heeded(tmp_path: Path) -> None:
    upright = np.zeros((4, 6, 3), np.uint8)
    upright[0, 0] = 255
    turned = Image.fromarray(np.rot90(upright).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # show it turned by 90 degrees clockwise
    path = save(turned, tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_photo(path), upright)
    assert open_upright(path).size == (6, 4)


def test_32_bits_are_refused(tmp_path: Path) -> None:
    path = save(np.ones((2, 2), np.float32), tmp_path / "a.tif")
    with pytest.raises(UserError, match=r"a\.tif has 32 bits"):
        read_photo(path)


def test_broken_files_are_named(tmp_path: Path) -> None:
    whole = save(noise(64, 64), tmp_path / "whole.jpg").read_bytes()
    cases = {
        "empty.jpg": (b"", "0 bytes"),
        "cut.jpg": (whole[: len(whole) // 2], "truncated"),
        "text.jpg": (b"this is no picture", "cannot be decoded"),
        "cut.png": (save(noise(64, 64), tmp_path / "a.png").read_bytes()[:2000], "cut.png"),
    }
    for name, (content, reason) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UserError, match=reason) as caught:
            read_photo(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "remove it" in str(caught.value)


def test_shrinking_averages_area() -> None:
    picture = noise(6, 9)
    expected = picture.reshape(2, 3, 3, 3, 3).mean((1, 3))
    np.testing.assert_allclose(resize_photo(picture, (2, 3)), expected, atol=0.51)


def test_growing_is_bicubic() -> None:
    picture = noise(4, 6)
    expected = cv2.resize(picture, (18, 12), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(resize_photo(picture, (12, 18)), expected)


def test_shrinking_one_side_and_growing_the_other() -> None:
    picture = noise(8, 5)
    narrow = picture.reshape(4, 2, 5, 3).mean(1)
    out = resize_photo(picture, (4, 20))
    assert out.shape == (4, 20, 3)
    expected = cv2.resize(np.rint(narrow).astype(np.uint8), (20, 4), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(out.astype(int), expected.astype(int), atol=2)


def test_maps_keep_their_ids() -> None:
    part_map = np.random.default_rng(0).choice([0, 7, 19], (30, 50)).astype(np.uint8)
    for size in ((11, 13), (90, 150)):
        assert set(np.unique(resize_map(part_map, size))) == {0, 7, 19}
    np.testing.assert_array_equal(resize_map(part_map, (90, 150))[1::3, 1::3], part_map)


def test_rectangles_are_ordinary() -> None:
    assert resize_photo(noise(320, 448), (576, 768)).shape == (576, 768, 3)
