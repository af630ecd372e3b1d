"""Sheets of pairs, read back pixel for pixel."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from carsynth.reporting.pairs import PicturePair, pair_sheet


def halves(size: tuple[int, int], left: int, right: int) -> NDArray[np.uint8]:
    picture = np.full((*size, 3), left, np.uint8)
    picture[:, size[1] // 2 :] = right
    return picture


def pair(
    size: tuple[int, int] = (130, 140),
    other: tuple[int, int] = (130, 140),
    mirrored: bool = False,
    closeness: float = 0.1,
    name: str = "fake_0001.png",
) -> PicturePair:
    generated, training = halves(size, 20, 60), halves(other, 100, 180)
    return PicturePair(generated, training, mirrored, closeness, name, "audi/00053.jpg")


def drawn(pairs: list[PicturePair], folder: Path) -> NDArray[np.uint8]:
    path = folder / "new" / "pairs.png"
    pair_sheet(pairs, path)
    assert [file.name for file in path.parent.iterdir()] == ["pairs.png"]
    with Image.open(path) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        return np.asarray(picture)


def test_generated_left_training_right_and_words_beside(tmp_path: Path) -> None:
    picture = drawn([pair(), pair(mirrored=True)], tmp_path)
    assert picture.shape[0] == 130 + 8 + 130
    for top in (0, 138):
        assert (picture[top : top + 130, :140] == pair().generated).all()
    training = pair().training
    assert (picture[:130, 144:284] == training).all()
    assert (picture[138:, 144:284] == training[:, ::-1]).all(), "turned back to show the match"
    words = (picture[:, 292:] < 128).all(2)
    lines, columns = words.nonzero()
    assert words[:130].any()
    assert words[138:].any()
    assert 30 < lines.min() < lines.max() < 268 - 30
    assert columns.max() < words.shape[1] - 8, "nothing is cut off"


@pytest.mark.parametrize(
    ("size", "other", "shown"),
    [
        ((64, 64), (256, 256), (128, 128)),  # magnified as sheets are
        ((300, 600), (64, 64), (128, 256)),
        ((512, 512), (512, 512), (256, 256)),
        ((200, 150), (300, 150), (200, 150)),
    ],
)
def test_a_training_picture_of_another_size_is_shown_in_the_generated_ones(
    tmp_path: Path, size: tuple[int, int], other: tuple[int, int], shown: tuple[int, int]
) -> None:
    picture = drawn([pair(size, other)], tmp_path)
    height, width = shown
    assert picture.shape[0] == height
    assert (picture[2:-2, 2 : width // 2 - 2] == 20).all()
    right = picture[2:-2, width + 4 : 2 * width + 4]
    assert (right[:, 2 : width // 2 - 8] == 100).all()
    assert (right[:, width // 2 + 8 : -2] == 180).all()


def test_pairs_of_different_sizes_stand_in_one_sheet(tmp_path: Path) -> None:
    wide = pair((200, 256), name="a_much_longer_name_than_the_first.png")
    picture = drawn([pair((130, 140)), wide, pair((130, 140))], tmp_path)
    assert picture.shape[0] == 130 + 8 + 200 + 8 + 130
    for top, height, width in ((0, 130, 140), (138, 200, 256), (346, 130, 140)):
        generated = picture[top : top + height, :width]
        assert (generated == halves((height, width), 20, 60)).all()
    assert (picture[:130, 288:510] == 255).all(), "words stand right of the widest pair"


def test_what_is_written_depends_on_the_pair(tmp_path: Path) -> None:
    first = drawn([pair(closeness=0.1)], tmp_path / "a")
    again = drawn([pair(closeness=0.1)], tmp_path / "b")
    other = drawn([pair(closeness=1.3)], tmp_path / "c")
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
