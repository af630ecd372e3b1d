"""COCO exports, read with pycocotools."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from carsynth.data.coco import CarParts
from carsynth.export.coco import POLYGON_FILE, RLE_FILE, export_coco
from carsynth.export.labelled import LabelledPicture
from carsynth.labels import NUM_PARTS, PART_ID, PARTS
from tests.export.pictures import PROVENANCE, hard_mask, overlap, plain, toy_pictures

SIZES = [(64, 64), (96, 168), (128, 128), (256, 256)]
LEAST = 0.98


def overlaps(file: Path, pictures: list[LabelledPicture]) -> list[float]:
    """IoU of each part of each picture with what pycocotools draws of it."""
    coco = COCO(str(file))
    assert len(coco.imgs) == len(pictures)
    found = []
    for image, picture in zip(coco.imgs.values(), pictures, strict=True):
        assert image["file_name"] == f"{picture.name}.png"
        drawn = np.zeros((NUM_PARTS, *picture.part_map.shape), np.uint8)
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
            drawn[annotation["category_id"]] += coco.annToMask(annotation)
        seen = np.unique(picture.part_map)
        assert set(np.flatnonzero(drawn.any((1, 2)))) == set(seen) - {0}
        found += [overlap(picture.part_map == part, drawn[part]) for part in seen if part]
    return found


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_toy_cars_come_back(tmp_path: Path, size: tuple[int, int]) -> None:
    pictures = list(toy_pictures(12, size))
    assert export_coco(pictures, tmp_path / "set", PROVENANCE) == 12
    for file in (RLE_FILE, POLYGON_FILE):
        found = overlaps(tmp_path / "set" / file, pictures)
        assert len(found) > 50
        assert min(found) > LEAST, (file, np.mean(found), min(found))


def test_real_annotations_come_back(tmp_path: Path, car_parts_folder: Path) -> None:
    source = CarParts(car_parts_folder)
    pictures = []
    for index, name in enumerate(source.names[:10]):
        (file,) = (car_parts_folder / "JPEGImages").glob(f"{name}.*")
        with Image.open(file) as photo:
            sample = source.read(index, (photo.height, photo.width))
        pictures.append(LabelledPicture(name, sample.photo, sample.part_map, {}))
    export_coco(pictures, tmp_path / "set", PROVENANCE)
    for file in (RLE_FILE, POLYGON_FILE):
        found = overlaps(tmp_path / "set" / file, pictures)
        assert min(found) > LEAST, (file, np.mean(found), min(found))


def test_holes_and_thin_parts_survive(tmp_path: Path) -> None:
    part_map = np.where(hard_mask(), PART_ID["body"], PART_ID["front_glass"]).astype(np.uint8)
    part_map[20, 50] = PART_ID["left_mirror"]
    pictures = [plain("hard", part_map)]
    export_coco(pictures, tmp_path / "set", PROVENANCE)
    for file in (RLE_FILE, POLYGON_FILE):
        assert overlaps(tmp_path / "set" / file, pictures) == [1.0, 1.0, 1.0]


def test_annotations_say_what_the_map_shows(tmp_path: Path) -> None:
    two = np.zeros((12, 20), np.uint8)
    two[2:5, 1:4] = two[8, 15:20] = PART_ID["wheel"]
    pictures = [plain("b"), plain("nothing", np.zeros((6, 8), np.uint8)), plain("a", two)]
    export_coco(iter(pictures), tmp_path / "set", PROVENANCE)
    files = [json.loads((tmp_path / "set" / name).read_text()) for name in (RLE_FILE, POLYGON_FILE)]
    shapes = [[one.pop("segmentation") for one in file["annotations"]] for file in files]
    assert files[0] == files[1]
    coco = files[0]
    info = {"info": {"seed": 3}}
    assert coco["images"] == [
        {"id": 1, "file_name": "b.png", "width": 20, "height": 12, **info},
        {"id": 2, "file_name": "nothing.png", "width": 8, "height": 6, **info},
        {"id": 3, "file_name": "a.png", "width": 20, "height": 12, **info},
    ]
    fields = ("id", "image_id", "category_id", "bbox", "area", "iscrowd")
    assert [tuple(one[field] for field in fields) for one in coco["annotations"]] == [
        (1, 1, PART_ID["hood"], [4, 3, 5, 3], 15, 0),
        (2, 3, PART_ID["wheel"], [1, 2, 19, 7], 14, 0),
    ]
    assert [shape["size"] for shape in shapes[0]] == [[12, 20], [12, 20]]
    assert [len(shape) for shape in shapes[1]] == [1, 2]
    assert {one["id"]: one["name"] for one in coco["categories"]} == {
        id_: part.name for id_, part in enumerate(PARTS) if id_
    }
    assert "synthetic" in coco["info"]["description"]
    assert coco["info"]["provenance"] == PROVENANCE.as_dict()


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    for threads in (1, 3):
        pictures = toy_pictures(20, (48, 48))
        export_coco(pictures, tmp_path / str(threads), PROVENANCE, threads)
    one, three = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "1", tmp_path / "3")
    )
    assert len(one) == 20 + 3
    assert one == three
