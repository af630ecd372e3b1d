"""Sheets of tiles, pixel for pixel, and films read back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from carsynth.reporting.sheets import Tile, save_gif, sheet

WHITE = (255, 255, 255)
GAP = 4


def plain(colour: tuple[int, int, int], height: int = 130, width: int = 140) -> Tile:
    return np.full((height, width, 3), colour, np.uint8)


def pixels(picture: Image.Image) -> NDArray[np.uint8]:
    assert picture.mode == "RGB"
    return np.asarray(picture)


def test_tiles_lie_row_by_row_with_white_between() -> None:
    random = np.random.default_rng(0)
    tiles = list(random.integers(0, 255, (5, 130, 140, 3), dtype=np.uint8))
    drawn = pixels(sheet(tiles, 3))
    assert drawn.shape == (130 + GAP + 130, 140 + GAP + 140 + GAP + 140, 3)
    expected = np.full_like(drawn, 255)
    for number, (top, left) in enumerate([(0, 0), (0, 144), (0, 288), (134, 0), (134, 144)]):
        expected[top : top + 130, left : left + 140] = tiles[number]
    assert (drawn == expected).all()


def test_fewer_tiles_than_columns_leave_no_room() -> None:
    assert sheet([plain((1, 2, 3))] * 2, 8).size == (140 + GAP + 140, 130)
    assert sheet([plain((1, 2, 3))], 1).size == (140, 130)


@pytest.mark.parametrize(
    ("size", "factor"), [((64, 128), 1), ((90, 127), 2), ((64, 64), 2), ((32, 56), 3), ((8, 8), 16)]
)
def test_small_tiles_are_magnified_by_a_whole_factor(size: tuple[int, int], factor: int) -> None:
    tile = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    drawn = pixels(sheet([tile], 1))
    assert drawn.shape == (factor * size[0], factor * size[1], 3)
    assert (drawn == np.kron(tile, np.ones((factor, factor, 1), np.uint8))).all()


def test_row_names_stand_left_of_the_middle_of_their_rows() -> None:
    tiles = [plain((0, 0, 255))] * 6
    drawn = pixels(sheet(tiles, 2, ["real", "", "a much longer name"]))
    margin = drawn.shape[1] - (140 + GAP + 140)
    assert margin > 100
    assert drawn.shape[0] == 3 * 134 - GAP
    assert (drawn[:130, margin : margin + 140] == (0, 0, 255)).all()
    assert (drawn[:, margin + 140 : margin + 144] == 255).all()
    names = (drawn[:, :margin] < 128).all(2)
    found = [names[row * 134 : row * 134 + 130] for row in range(3)]
    assert [bool(one.any()) for one in found] == [True, False, True]
    for one in (found[0], found[2]):
        lines, columns = one.nonzero()
        assert 50 < lines.min() <= lines.max() < 80  # about the middle, at 65
        assert margin - 2 * GAP <= columns.max() < margin  # right-aligned
    short, long = (one.any(0).sum() for one in (found[0], found[2]))
    assert 3 * short < long
    assert found[2].nonzero()[1].min() >= GAP - 1  # nothing is cut off


def test_without_row_names_there_is_no_margin() -> None:
    assert sheet([plain((0, 0, 255))], 1, []).size == (140, 130)


# Films ------------------------------------------------------------------------------------------


def frames(*colours: tuple[int, int, int]) -> list[Image.Image]:
    return [Image.fromarray(plain(colour, 20, 30)) for colour in colours]


RED, GREEN, BLUE = (250, 10, 10), (10, 250, 10), (10, 10, 250)


def read_back(path: Path) -> tuple[list[NDArray[np.uint8]], list[int], Any]:
    """Frames as RGB, milliseconds of each, and how often the film runs (0: for ever)."""
    shown, durations = [], []
    with Image.open(path) as film:
        for number in range(film.n_frames):  # type: ignore[attr-defined]
            film.seek(number)
            shown.append(np.asarray(film.convert("RGB")))
            durations.append(film.info["duration"])
        return shown, durations, film.info.get("loop")


def test_a_film_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "film.gif"
    save_gif(frames(RED, GREEN, BLUE), path, 250)
    shown, durations, loop = read_back(path)
    assert durations == [250, 250, 1500]  # it rests on its last frame
    assert loop == 0
    for frame, colour in zip(shown, (RED, GREEN, BLUE), strict=True):
        assert frame.shape == (20, 30, 3)
        assert np.abs(frame.astype(int) - colour).max() <= 4
    assert [file.name for file in path.parent.iterdir()] == ["film.gif"]


def test_a_slow_film_does_not_hurry_at_its_end(tmp_path: Path) -> None:
    save_gif(frames(RED, GREEN), tmp_path / "film.gif", 2000)
    assert read_back(tmp_path / "film.gif")[1] == [2000, 2000]


def test_colours_of_every_frame_are_in_the_palette(tmp_path: Path) -> None:
    """A walk that comes back to its start shows in between what neither end does."""
    save_gif(frames(RED, GREEN, BLUE, RED), tmp_path / "film.gif", 100)
    shown, _, _ = read_back(tmp_path / "film.gif")
    for frame, colour in zip(shown, (RED, GREEN, BLUE, RED), strict=True):
        assert np.abs(frame.astype(int) - colour).max() <= 4


def test_a_film_of_large_frames_has_its_colours(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 900).astype(np.uint8)
    first = np.stack([np.tile(ramp, (700, 1))] * 3, 2)
    film = [Image.fromarray(picture) for picture in (first, 255 - first, plain(RED, 700, 900))]
    save_gif(film, tmp_path / "film.gif", 100)
    shown, _, _ = read_back(tmp_path / "film.gif")
    for frame, picture in zip(shown, film, strict=True):
        assert np.abs(frame.astype(int) - np.asarray(picture)).max() <= 10
        assert (frame == frame[:1]).all()  # rows stay alike: nothing is dithered


def test_one_frame_is_a_film(tmp_path: Path) -> None:
    save_gif(frames(GREEN), tmp_path / "film.gif", 100)
    shown, _, _ = read_back(tmp_path / "film.gif")
    assert len(shown) == 1
    assert np.abs(shown[0].astype(int) - GREEN).max() <= 4


def test_a_film_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.gif"
    save_gif(frames(RED, GREEN), path, 100)
    before = path.read_bytes()

    def breaks_off(self: Image.Image, file: Any, **_: Any) -> None:
        file.write(b"GIF89a and no more")
        file.flush()
        assert path.read_bytes() == before
        raise OSError("no space left on device")

    monkeypatch.setattr(Image.Image, "save", breaks_off)
    for target in (path, tmp_path / "other.gif"):
        with pytest.raises(OSError, match="no space left"):
            save_gif(frames(BLUE, GREEN), target, 100)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["film.gif"]
