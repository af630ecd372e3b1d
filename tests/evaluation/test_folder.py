from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from carsynth.data.toycars import ToyCars
from carsynth.errors import UserError
from carsynth.evaluation.folder import collect_folder
from carsynth.evaluation.picture_set import Collector, same_pictures
from tests.callbacks.tiny_players import TinyExtractor


def collector(with_looks: bool = False, mirrored: bool = False) -> Collector:
    return Collector(
        TinyExtractor(), torch.device("cpu"), None, with_looks=with_looks, mirrored=mirrored
    )


def draw(folder: Path, count: int, size: tuple[int, int] = (32, 48), seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cars = ToyCars(max(count, 1), seed)
    for index in range(count):
        Image.fromarray(cars.draw(index, size).photo).save(folder / f"{index:02d}.png")


def test_a_folder_becomes_a_set_in_the_order_of_its_names(tmp_path: Path) -> None:
    draw(tmp_path / "audi", 3)
    draw(tmp_path / "volvo", 2, (32, 32), seed=1)
    pictures, skipped = collect_folder(tmp_path, "real", collector(True, True))
    assert pictures.names == (
        "audi/00.png", "audi/01.png", "audi/02.png", "volvo/00.png", "volvo/01.png"
    )  # fmt: skip
    assert skipped == {}
    assert {name: rows.tolist() for name, rows in pictures.groups.items()} == {
        "class audi": [0, 1, 2],
        "class volvo": [3, 4],
    }
    assert pictures.sizes == ((32, 32), (32, 48))
    photo = np.array(Image.open(tmp_path / "volvo" / "01.png"))
    tensor = torch.from_numpy(photo).permute(2, 0, 1)[None]
    assert torch.equal(pictures.features[4:], TinyExtractor()(tensor))
    assert pictures.mirrored is not None
    assert torch.equal(pictures.mirrored[4:], TinyExtractor()(tensor.flip(3)))
    assert np.array_equal(pictures.picture(4), photo)


def test_what_is_no_picture_is_listed_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(tmp_path, 4)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "torn.png").write_bytes((tmp_path / "00.png").read_bytes()[:60])
    (tmp_path / "empty.jpg").write_bytes(b"")
    pictures, skipped = collect_folder(tmp_path, "fake", collector())
    assert len(pictures) == 4
    assert set(skipped) == {"notes.txt", "torn.png", "empty.jpg"}
    said = capsys.readouterr().err
    for name in skipped:
        assert name in said


@pytest.mark.parametrize("good", [0, 1])
def test_fewer_than_two_pictures_are_a_mistake_that_names_the_folder(
    tmp_path: Path, good: int
) -> None:
    draw(tmp_path, good)
    for number in range(3):
        (tmp_path / f"bad{number}.png").write_bytes(b"no")
    with pytest.raises(UserError, match=f"fake={tmp_path} holds {good} picture"):
        collect_folder(tmp_path, "fake", collector())


def test_equal_pictures_are_known_again_whatever_their_names(tmp_path: Path) -> None:
    draw(tmp_path / "a", 4)
    draw(tmp_path / "b", 3)
    draw(tmp_path / "b" / "more", 2, seed=7)
    first, second = (collect_folder(tmp_path / n, "real", collector())[0] for n in "ab")
    assert same_pictures(first, second) == 3
