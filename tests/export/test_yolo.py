"""YOLO exports, drawn back from their text files."""

from pathlib import Path

import numpy as np
import pycocotools.mask
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image

from carsynth.export.yolo import CLASSES, export_yolo
from carsynth.labels import PART_ID, PARTS
from tests.export.pictures import PROVENANCE, hard_mask, overlap, plain, toy_pictures


def drawn(file: Path, height: int, width: int) -> NDArray[np.uint8]:
    """The map that the lines of a file make up; no pixel may be claimed twice."""
    part_map = np.zeros((height, width), np.uint8)
    for line in file.read_text().splitlines():
        class_, *shares = line.split()
        ring = np.array(shares, float).reshape(-1, 2)
        assert ring.min() >= 0
        assert ring.max() <= 1
        flat = (ring * (width, height)).ravel().tolist()
        mask = pycocotools.mask.decode(pycocotools.mask.frPyObjects([flat], height, width))[..., 0]
        assert not part_map[mask == 1].any()
        part_map[mask == 1] = int(class_) + 1
    return part_map


@pytest.mark.parametrize("size", [(64, 64), (96, 168), (256, 256)], ids=str)
def test_toy_cars_come_back(tmp_path: Path, size: tuple[int, int]) -> None:
    pictures = list(toy_pictures(8, size))
    assert export_yolo(pictures, tmp_path / "set", PROVENANCE) == 8
    for picture in pictures:
        part_map = drawn(tmp_path / "set" / "labels" / f"{picture.name}.txt", *size)
        for part in np.unique(picture.part_map):
            assert overlap(part_map == part, picture.part_map == part) > 0.98
        with Image.open(tmp_path / "set" / "images" / f"{picture.name}.png") as photo:
            np.testing.assert_array_equal(photo, picture.photo)


def test_pieces_are_lines(tmp_path: Path) -> None:
    two = np.zeros((12, 20), np.uint8)
    two[2:5, 1:4] = two[8, 15:20] = PART_ID["wheel"]
    hard = np.where(hard_mask(), PART_ID["body"], PART_ID["hood"]).astype(np.uint8)
    pictures = [plain("two", two), plain("hard", hard), plain("none", np.zeros_like(two))]
    export_yolo(pictures, tmp_path / "set", PROVENANCE)
    labels = tmp_path / "set" / "labels"
    lines = (labels / "two.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == [str(CLASSES.index("wheel"))] * 2
    np.testing.assert_array_equal(drawn(labels / "two.txt", *two.shape), two)
    np.testing.assert_array_equal(drawn(labels / "hard.txt", *hard.shape), hard)
    assert (labels / "none.txt").read_text() == ""


def test_data_yaml_names_the_classes(tmp_path: Path) -> None:
    export_yolo([plain("a")], tmp_path / "set", PROVENANCE)
    data = yaml.safe_load((tmp_path / "set" / "data.yaml").read_text())
    assert data["names"] == {id_ - 1: part.name for id_, part in enumerate(PARTS) if id_}
    assert (tmp_path / "set" / data["train"]).is_dir()
    assert (tmp_path / "set" / data["val"]).is_dir()
    assert "path" not in data
