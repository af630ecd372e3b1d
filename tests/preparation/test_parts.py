"""Sets made of real files: what is in them, where it came from, and what was left out and why."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import OmegaConf
from PIL import Image

from carsynth.cli import CONFIG_DIR
from carsynth.data.coco import CarParts
from carsynth.data.folders import PairedFolders
from carsynth.data.new_folder import MARK
from carsynth.data.photos import read_photo
from carsynth.data.toycars import ToyCars
from carsynth.errors import UserError
from carsynth.labels import BODY, PALETTE, PART_ID, VIEWS
from carsynth.preparation import parts
from carsynth.preparation.palette import load_palette
from tests.data.cars import noise, rectangle, save, save_coco
from tests.doors.commands import mistake, succeed

HOOD, WHEEL = PART_ID["hood"], PART_ID["wheel"]
SIZE = "data.size=[40,60]"


def prepare(out: Path, *words: str) -> dict[str, Any]:
    """Run the task as the door does; the manifest."""
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        config = compose("prepare", ["task=parts", f"output_dir={out}", *words])
    OmegaConf.resolve(config)
    instantiate(config.task).run()
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text())
    return manifest


def files_below(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def check_complete(out: Path, manifest: dict[str, Any]) -> None:
    """Every file is accounted for, and what came from files is so by their content."""
    named = {file for sample in manifest["samples"] for file in sample["files"].values()}
    assert files_below(out) == named | set(manifest["sheets"]) | {"manifest.json"}
    for sample in manifest["samples"]:
        for source in sample["source"]["files"]:
            content = Path(source["file"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == source["sha256"]


def steps_of(sample: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["step"]: step for step in sample["steps"]}


def annotated(root: Path, boxes: dict[str, list[tuple[str, int, int, int, int]]]) -> Path:
    """Photos of 60x80 with rectangles: part, left, top, right, bottom."""
    names = sorted({box[0] for some in boxes.values() for box in some})
    annotations = []
    for image, (name, some) in enumerate(boxes.items()):
        save(noise(60, 80, image), root / "JPEGImages" / f"{name}.png")
        for part, *box in some:
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": image,
                    "category_id": names.index(part),
                    "segmentation": [rectangle(*map(float, box))],
                }
            )
    save_coco(
        root,
        images=[{"id": i, "file_name": f"{name}.png"} for i, name in enumerate(boxes)],
        categories=[{"id": i, "name": name} for i, name in enumerate(names)],
        annotations=annotations,
    )
    return root


def test_every_key_of_the_task_reaches_it() -> None:
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        config = compose("prepare", ["task=parts", "data=toycars", "output_dir=out"])
    raw = OmegaConf.to_yaml(config.task)
    for key in config.keys() - {"task", "debug", "data"}:
        assert f"${{{key}}}" in raw, key
    assert hasattr(instantiate(config.task), "run")


def test_drawn_cars_become_a_set_that_reads_back(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "set"
    words = ("data=toycars", "data.source.length=24", "data.source.seed=3", SIZE, "framing=keep")
    manifest = prepare(out, *words)
    check_complete(out, manifest)
    assert manifest["settings"]["size"] == [40, 60]
    assert not [key for key in manifest["settings"] if key.startswith("_")]
    assert [path.name for path in out.parent.iterdir()] == ["set"]
    cars, back = ToyCars(24, 3), PairedFolders(out / "photos", out / "masks")
    assert back.mask_format == "ids"
    assert back.names == cars.names == tuple(s["name"] for s in manifest["samples"])
    for index, sample in enumerate(manifest["samples"]):
        car, read = cars.draw(index, (40, 60)), back.read(index, (40, 60))
        np.testing.assert_array_equal(read.photo, car.photo)
        np.testing.assert_array_equal(read.part_map, car.part_map)
        colours = read_photo(out / sample["files"]["map"])
        np.testing.assert_array_equal(colours, PALETTE[car.part_map])
        assert sample["view"] == VIEWS[car.view]
        assert sample["view_from"] == "yaw"
        assert sample["doors"] == (5 if car.doors > 3 else 3)
        assert sample["body"] == car.body
        assert sample["source"] == {"files": [], "drawn_by": "toycars", "seed": 3, "index": index}
    assert np.mean([sample["weight"] for sample in manifest["samples"]]) == pytest.approx(1)
    again = prepare(tmp_path / "again", *words)
    assert again == manifest
    assert files_below(tmp_path / "again") == files_below(out)


def test_annotated_photos_and_the_whole_car(tmp_path: Path, capsys: Any) -> None:
    left = ("front_left_door", 10, 10, 30, 40)
    root = annotated(
        tmp_path / "cars",
        {
            "audi/one": [left, ("hood", 30, 20, 60, 40)],
            "two": [left, ("back_left_door", 40, 10, 60, 40), ("back_bumper", 60, 20, 70, 50)],
            "bare": [("_background_", 10, 10, 30, 30)],
            "broken": [left],
            "lone": [left],
        },
    )
    (root / "JPEGImages" / "broken.png").write_bytes(b"not a photo")
    (root / "JPEGImages" / "lone.png").unlink()
    save(noise(60, 80, 9), root / "JPEGImages" / "unannotated.jpg")
    given = np.zeros((60, 80), np.uint8)
    given[5:55, 5:75] = 255
    for name in ("audi/one", "two", "bare"):
        save(given, tmp_path / "whole" / f"{name}.png")
    words = ("data=car_parts", f"data.root={root}", "data.size=[30,40]", "palette=report")
    manifest = prepare(tmp_path / "set", *words, f"car_mask={tmp_path / 'whole'}")
    check_complete(tmp_path / "set", manifest)
    one, two = manifest["samples"]
    assert (one["name"], one["view"], one["doors"]) == ("audi/one", "C", 3)
    assert (two["name"], two["view"], two["doors"]) == ("two", "D", 5)
    assert {Path(source["file"]).name for source in one["source"]["files"]} == {
        "one.png",
        "annotations.json",
    }
    assert len(one["source"]["files"]) == 3
    reasons = {left_out["name"]: left_out["reason"] for left_out in manifest["left_out"]}
    assert reasons.keys() == {"bare", "broken", "lone", "unannotated"}
    assert reasons["bare"] == "no part is annotated"
    assert "cannot be decoded" in reasons["broken"]
    assert "is not in" in reasons["lone"]
    assert "annotate it or remove it" in reasons["unannotated"]
    assert manifest["views_without_pictures"] == ["A", "B"]
    said = capsys.readouterr().out
    assert "no picture of view A, B" in said
    assert "left out: bare: no part is annotated" in said
    assert "2 cars in" in said
    mask = np.asarray(Image.open(tmp_path / "set" / two["files"]["mask"]))
    assert set(np.unique(mask)) == {0, BODY, *(PART_ID[p] for p in (left[0], "back_left_door"))} | {
        PART_ID["back_bumper"]
    }
    assert (mask != 0).mean() == pytest.approx(50 * 70 / 4800, abs=0.02)
    # the report's colours do not tell the doors apart; the ids still do
    colours = read_photo(tmp_path / "set" / two["files"]["map"])
    assert (colours[mask == PART_ID["back_left_door"]] == (255, 0, 255)).all()
    assert (colours[mask == BODY] == 255).all()


def test_unknown_classes_are_said_at_once(tmp_path: Path) -> None:
    root = annotated(tmp_path / "cars", {"one": [("spoiler", 10, 10, 30, 40)]})
    with pytest.raises(Exception, match="category 0 'spoiler', used by 1 annotations"):
        prepare(tmp_path / "set", "data=car_parts", f"data.root={root}")
    assert not (tmp_path / "set").exists()


def paint(part_map: NDArray[np.uint8], photo: NDArray[np.uint8], soft: int) -> NDArray[np.uint8]:
    """Parts in the report's colours over a grey photo, edges blurred."""
    colours = load_palette("report").paint[part_map]
    coloured = ((part_map != 0) & (colours != 255).any(axis=2)).astype(np.float32)
    grey = np.repeat(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if soft:
        coloured = cv2.GaussianBlur(coloured, (soft, soft), 0)
        colours = cv2.GaussianBlur(colours, (soft, soft), 0)
    mixed = grey * (1 - coloured[..., None]) + colours * coloured[..., None]
    return np.asarray(mixed, np.uint8)


def test_painted_parts_are_isolated_and_snapped(tmp_path: Path, capsys: Any) -> None:
    cars, palette = ToyCars(8, 5), load_palette("report")
    drawn = [cars.draw(index, (128, 192)) for index in range(8)]
    for index, car in enumerate(drawn):
        painted = paint(car.part_map, car.photo, soft=3 if index < 6 else 0)
        if index == 6:
            painted = np.repeat(painted[..., :1], 3, axis=2)
        if index == 7:
            purple = (painted == (255, 144, 0)).all(2) | (painted == (255, 0, 255)).all(2)
            painted[purple] = (190, 70, 128)
        save(car.photo, tmp_path / "data" / "photos" / f"{index}.png")
        save(painted, tmp_path / "data" / "masks" / f"{index}.jpg", quality=97, subsampling=0)
        save(car.car_mask.astype(np.uint8) * 255, tmp_path / "whole" / f"{index}.png")
    words = [
        "data=paired_folders",
        f"data.root={tmp_path / 'data'}",
        "painted=true",
        "framing=keep",
    ]
    words += ["palette=report", "data.size=[128,192]", f"car_mask={tmp_path / 'whole'}"]
    manifest = prepare(tmp_path / "set", *words)
    check_complete(tmp_path / "set", manifest)
    assert [sample["name"] for sample in manifest["samples"]] == list("012345")
    for sample in manifest["samples"]:
        car = drawn[int(sample["name"])]
        assert (sample["view"], sample["doors"]) == (None, None)
        colours = read_photo(tmp_path / "set" / sample["files"]["map"])
        known = {tuple(colour) for colour in palette.colours.tolist()}
        assert {tuple(colour) for colour in colours.reshape(-1, 3).tolist()} <= known
        assert (colours == palette.paint[car.part_map]).all(axis=2).mean() > 0.96
        assert ((colours > 0).any(axis=2) >= car.car_mask).all()
        snap = steps_of(sample)["snap"]
        assert 0.01 < snap["moved"] < 0.5
        assert snap["between"] < 0.1
        assert list(steps_of(sample)) == [
            "isolate",
            "whole_car",
            "overlay",
            "snap",
            "frame",
            "resize",
        ]
        moved = read_photo(tmp_path / "set" / sample["files"]["moved"])
        assert (moved.max(axis=2) == 255).mean() == pytest.approx(snap["moved"], abs=1e-6)
    reasons = {left_out["name"]: left_out["reason"] for left_out in manifest["left_out"]}
    assert reasons["6"] == "no coloured part: no saturation reaches 120"
    assert re.match(r"\d\d\.\d% of the car's pixels lie between two .* moved\)$", reasons["7"])
    assert "no view is known" in capsys.readouterr().out
    assert len(prepare(tmp_path / "more", *words, "max_between=0.9")["samples"]) == 7
    with pytest.raises(Exception, match=r"255,170,170 has a saturation of 85.*set saturation=85"):
        prepare(tmp_path / "own", *words, "palette=carsynth")


def test_cars_of_odd_size_are_dropped_rescaled_or_kept(tmp_path: Path) -> None:
    boxes = {f"{i}": [("hood", 20, 20, 60 + i % 3, 50)] for i in range(9)}
    boxes["small"] = [("hood", 2, 40, 22, 55)]
    root = annotated(tmp_path / "cars", boxes)
    words = ("data=car_parts", f"data.root={root}", "data.size=[60,80]")
    dropped = prepare(tmp_path / "dropped", *words)
    check_complete(tmp_path / "dropped", dropped)
    assert len(dropped["samples"]) == 9
    assert dropped["left_out"][0]["name"] == "small"
    assert re.match(r"its box takes 7% of the frame; \d+% to", dropped["left_out"][0]["reason"])
    assert dropped["sheets"]["sheets/odd_sizes.png"] == {"samples": ["small"]}
    kept = prepare(tmp_path / "kept", *words, "framing=keep")
    assert len(kept["samples"]) == 10
    rescaled = prepare(tmp_path / "rescaled", *words, "framing=rescale")
    check_complete(tmp_path / "rescaled", rescaled)
    small = rescaled["samples"][-1]
    frame = steps_of(small)["frame"]
    assert frame["window"]["width"] == pytest.approx(80 / 2, abs=3)
    assert frame["filled"] == 0
    mask = np.asarray(Image.open(tmp_path / "rescaled" / small["files"]["mask"]))
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert len(rows) * len(columns) == pytest.approx(30 * 41, rel=0.1)
    assert [steps_of(s)["frame"]["window"] for s in rescaled["samples"][:-1]] == [None] * 9


def test_nothing_half_written_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("data=toycars", "data.source.length=4", SIZE)
    out = tmp_path / "set"

    def full(*_: object) -> None:
        assert (tmp_path / "set.partial" / "masks").is_dir()
        assert not out.exists()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(parts, "draw_sheets", full)
        with pytest.raises(UserError, match=r"the disk of .*set is full"):
            prepare(out, *words)
    assert list(tmp_path.iterdir()) == []
    # what a killed run left
    (tmp_path / "set.partial" / "photos").mkdir(parents=True)
    (tmp_path / "set.partial" / MARK).touch()
    (tmp_path / "set.partial" / "photos" / "old.png").touch()
    out.mkdir()  # an empty one may be there
    manifest = prepare(out, *words)
    check_complete(out, manifest)
    assert os.listdir(tmp_path) == ["set"]
    with pytest.raises(Exception, match=r"set is there already and not empty"):
        prepare(out, *words)
    (tmp_path / "other.partial").mkdir()
    with pytest.raises(UserError, match=r"other\.partial is in the way"):
        prepare(tmp_path / "other", *words)
    assert (tmp_path / "other.partial").is_dir()


def test_when_no_car_can_be_used(tmp_path: Path) -> None:
    root = annotated(tmp_path / "cars", {"one": [("_background_", 1, 1, 9, 9)]})
    with pytest.raises(UserError, match="none of 1 cars can be used; the first, one: no part"):
        prepare(tmp_path / "set", "data=car_parts", f"data.root={root}")
    assert [path.name for path in tmp_path.iterdir()] == ["cars"]


def test_real_photos(car_parts_folder: Path, tmp_path: Path) -> None:
    coco = json.loads((car_parts_folder / "annotations.json").read_text())
    images = coco["images"][::10]
    some = {image["id"] for image in images}
    root = tmp_path / "cars"
    (root / "JPEGImages").mkdir(parents=True)
    for image in images:
        path = root / "JPEGImages" / image["file_name"]
        path.symlink_to((car_parts_folder / "JPEGImages" / image["file_name"]).resolve())
    annotations = [one for one in coco["annotations"] if one["image_id"] in some]
    save_coco(root, images=images, annotations=annotations, categories=coco["categories"])
    words = ("data=car_parts", f"data.root={root}", "data.size=[64,64]", "framing=keep")
    manifest = prepare(tmp_path / "set", *words)
    check_complete(tmp_path / "set", manifest)
    assert manifest["views_without_pictures"] == []
    source = CarParts(root)
    back = PairedFolders(tmp_path / "set" / "photos", tmp_path / "set" / "masks")
    assert back.names == source.names
    for index in range(len(source.names)):
        sample, read = source.read(index, (64, 64)), back.read(index, (64, 64))
        np.testing.assert_array_equal(read.photo, sample.photo)
        np.testing.assert_array_equal(read.part_map, sample.part_map)
        if manifest["samples"][index]["view"] is not None:
            assert manifest["samples"][index]["view"] == VIEWS[sample.label]


@pytest.mark.slow
def test_the_door(tmp_path: Path) -> None:
    words = ("task=parts", "data=toycars", "data.source.length=12", "data.size=[64,96]")
    said = succeed(tmp_path, "prepare", *words, "output_dir=set", "framing=keep")
    assert "12 cars in set, 0 left out; look at set/sheets" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "set"]
    check_complete(tmp_path / "set", json.loads((tmp_path / "set" / "manifest.json").read_text()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "You must specify 'data'"),
        (("data=class_folders", "data.root=cars"), "these data have no parts: choose data=car_p"),
        (("data=car_parts",), "data.root is not set: add data.root=VALUE"),
        (("data=toycars", "painted=true"), "choose data=paired_folders"),
        (("data=toycars", "framing=crop"), "framing=crop is unknown: choose one of drop, rescale"),
        (("data=toycars", "far=0"), "far=0: give a number over 0"),
        (("data=toycars", "saturation=300"), "saturation=300: give 0 to 255"),
        (("data=toycars", "max_between=3"), "max_between=3: give a share from 0 to 1"),
        (("data=toycars", "data.size=[64]"), "data.size=[64]: give a height and a width"),
        (("data=toycars", "pallete=report"), "no key or group pallete; did you mean palette?"),
        (("data=toycars", "car_mask=detector", "weights_path=no.pth"), "weights_path=FILE"),
    ],
)
def test_mistakes(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    assert said in mistake(tmp_path, "prepare", "task=parts", "output_dir=out", *words)
    assert not (tmp_path / "out").exists()
