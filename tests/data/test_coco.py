"""Polygons to part maps, by category name, and every way in which a folder can be wrong."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from carsynth.data.coco import CarParts
from carsynth.errors import UserError
from carsynth.labels import PART_ID, VIEW_TWINS, VIEWS
from tests.data.cars import noise, rectangle, save, save_coco

HOOD, MIRROR, WHEEL = PART_ID["hood"], PART_ID["left_mirror"], PART_ID["wheel"]
CATEGORIES = [
    {"id": 40, "name": "hood"},
    {"id": 7, "name": "left_mirror"},
    {"id": 3, "name": "wheel"},
    {"id": 1, "name": "_background_"},
]


def entry(id_: int, name: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "file_name": name, **more}


def polygons(image: int, category: int, *rings: list[float], id_: int = 1) -> dict[str, Any]:
    return {"id": id_, "image_id": image, "category_id": category, "segmentation": list(rings)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        save(noise(40, 60), tmp_path / "JPEGImages" / f"{name}.png")
    return tmp_path


def one_annotation(folder: Path, annotation: dict[str, Any]) -> CarParts:
    save_coco(
        folder,
        images=[entry(1, "one.png"), entry(2, "two.png")],
        categories=CATEGORIES,
        annotations=[annotation],
    )
    return CarParts(folder)


def test_categories_map_by_name_and_small_parts_stay_on_top(folder: Path) -> None:
    save_coco(
        folder,
        images=[entry(5, "one.png", width=60, height=40), entry(6, "two.png")],
        categories=CATEGORIES,
        annotations=[
            polygons(5, 7, rectangle(10, 10, 14, 14)),  # listed before the larger hood
            polygons(5, 40, rectangle(4, 4, 30, 30)),
            polygons(5, 3, rectangle(40, 30, 44, 34), rectangle(50, 30, 54, 34)),
            polygons(5, 1, rectangle(20, 20, 22, 22)),
            polygons(6, 3, rectangle(0, 0, 60, 40)),
        ],
    )
    source = CarParts(folder)
    assert source.names == ("one", "two")
    assert source.classes == VIEWS
    assert source.class_twins == VIEW_TWINS
    sample = source.read(0, (40, 60))
    part_map = sample.part_map
    assert part_map[12, 12] == MIRROR
    assert part_map[7, 7] == part_map[25, 28] == HOOD
    assert part_map[32, 42] == part_map[32, 52] == WHEEL
    assert part_map[21, 21] == part_map[0, 0] == part_map[32, 47] == 0
    assert sample.label == VIEWS.index("C")
    # borders lie where the polygon says, give or take a pixel that it cuts
    columns = np.flatnonzero((part_map == HOOD).any(0))
    assert columns[0] == pytest.approx(4, abs=1)
    assert columns[-1] == pytest.approx(29, abs=1)
    assert (source.read(1, (10, 20)).part_map == WHEEL).all()


def test_overlapping_polygons_of_one_part_leave_no_hole(folder: Path) -> None:
    source = one_annotation(
        folder, polygons(1, 3, rectangle(5, 5, 25, 25), rectangle(15, 5, 35, 25))
    )
    assert (source.read(0, (40, 60)).part_map[6:24, 6:34] == WHEEL).all()


def test_label_car_is_one_class(folder: Path) -> None:
    one_annotation(folder, polygons(1, 3, rectangle(5, 5, 25, 25)))
    source = CarParts(folder, label="car")
    assert (source.classes, source.class_twins) == (("car",), (0,))
    assert source.read(0, (8, 8)).label == 0
    with pytest.raises(UserError, match="label=make is unknown"):
        CarParts(folder, label="make")


def test_an_unknown_category_tells_all(folder: Path) -> None:
    save_coco(
        folder,
        images=[entry(1, "one.png")],
        categories=[*CATEGORIES, {"id": 22, "name": "spoiler"}, {"id": 23, "name": "unused"}],
        annotations=[polygons(1, 22, rectangle(1, 1, 5, 5))] * 3,
    )
    with pytest.raises(UserError, match=r"annotations\.json: category 22 'spoiler', used by 3 "):
        CarParts(folder)


def test_an_unlisted_category_is_told(folder: Path) -> None:
    with pytest.raises(UserError, match=r"category 99 \(not listed\), used by 1 "):
        one_annotation(folder, polygons(1, 99, rectangle(1, 1, 5, 5)))


def test_photo_and_entry_must_have_each_other(folder: Path) -> None:
    save_coco(
        folder,
        images=[entry(1, "one.png"), entry(3, "three.png")],
        categories=CATEGORIES,
        annotations=[polygons(i, 3, rectangle(1, 1, 9, 9)) for i in (1, 3)],
    )
    source = CarParts(folder)
    assert source.names == ("one", "three", "two")
    source.read(0, (8, 8))
    with pytest.raises(UserError, match=r"lists the photo three, which is not in .*JPEGImages"):
        source.read(1, (8, 8))
    with pytest.raises(UserError, match=r"two\.png has no polygons in .*annotations\.json"):
        source.read(2, (8, 8))


def test_annotations_must_be_polygons(folder: Path) -> None:
    run_lengths = polygons(1, 3) | {"segmentation": {"counts": [3], "size": [40, 60]}, "id": 8}
    with pytest.raises(UserError, match="annotation 8 is no list of polygons"):
        one_annotation(folder, run_lengths).read(0, (8, 8))
    for ring in ([1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7], ["a", 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, None]):
        source = one_annotation(folder, polygons(1, 3, ring, id_=9))  # type: ignore[arg-type]
        with pytest.raises(UserError, match="annotation 9 has a polygon that is not three"):
            source.read(0, (8, 8))


def test_polygons_belong_to_the_upright_photo(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(noise(60, 40), tmp_path / "JPEGImages" / "one.png", exif=exif)
    annotations = [polygons(1, 3, rectangle(30, 0, 60, 40))]
    for width, height in ((60, 40), (40, 60)):
        save_coco(
            tmp_path,
            images=[entry(1, "one.png", width=width, height=height)],
            categories=CATEGORIES,
            annotations=annotations,
        )
        source = CarParts(tmp_path)
        if width == 60:
            part_map = source.read(0, (40, 60)).part_map
            assert (part_map[:, 31:] == WHEEL).all()
            assert (part_map[:, :29] == 0).all()
        else:
            with pytest.raises(UserError, match=r"is 60x40 .* says 40x60"):
                source.read(0, (40, 60))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "does not exist"),
        ("{", "no readable JSON"),
        ("[]", "no list 'images'"),
        ('{"images": [{"id": 1}]}', "an entry of 'images' lacks"),
        (json.dumps({"images": [], "annotations": [], "categories": []}), "lists none of the"),
    ],
)
def test_annotations_that_cannot_be_read(folder: Path, content: str | None, reason: str) -> None:
    if content is not None:
        (folder / "annotations.json").write_text(content)
    with pytest.raises(UserError, match=rf"annotations\.json.*{reason}"):
        CarParts(folder)


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.JPEGImages does not exist"):
        CarParts(tmp_path / "nowhere")
    (tmp_path / "JPEGImages").mkdir()
    (tmp_path / "JPEGImages" / "notes.txt").write_text("none")
    with pytest.raises(UserError, match="holds no picture"):
        CarParts(tmp_path)


def test_the_real_data(car_parts_folder: Path) -> None:
    source = CarParts(car_parts_folder)
    assert len(source.names) == 400
    sample = source.read(source.names.index("train10"), (128, 224))
    assert sample.photo.shape == (128, 224, 3)
    # a pick-up seen from its left: mirror and light lie on top of door and trunk
    seen = set(np.unique(sample.part_map))
    assert {PART_ID["left_mirror"], PART_ID["back_left_light"], PART_ID["trunk"]} <= seen
    assert PART_ID["right_mirror"] not in seen
    assert PART_ID["body"] not in seen
