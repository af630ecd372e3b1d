"""Mask R-CNN against torchvision's own, the rules that choose a car, and given masks."""

import hashlib
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights, maskrcnn_resnet50_fpn

from carsynth.errors import UserError
from carsynth.labels import BODY, PART_ID
from carsynth.preparation import car_detector
from carsynth.preparation.car_choice import CAR, Detections, choose_car
from carsynth.preparation.car_detector import (
    MASK_RCNN_FILE,
    MASK_RCNN_SHA256,
    CarDetector,
    load_mask_rcnn,
)
from carsynth.preparation.whole_car import FromDetector, FromFolder, FromParts, whole_car_by
from tests.data.cars import noise, save
from tests.preparation.test_parts import annotated, check_complete, prepare

CPU = torch.device("cpu")
SIDE = 48  # pixels; the network works at any


@pytest.fixture(scope="module")
def published() -> nn.Module:
    """As torchvision builds it, with random weights under which everything is a car."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = maskrcnn_resnet50_fpn(
            weights=None, weights_backbone=None, min_size=SIDE, max_size=round(SIDE * 5 / 3)
        ).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
    with torch.no_grad():
        network.roi_heads.box_predictor.cls_score.weight.mul_(1e-3)
        network.roi_heads.box_predictor.cls_score.bias[CAR] = 5.0
        network.roi_heads.mask_predictor.mask_fcn_logits.weight[CAR] *= 0.1
        network.roi_heads.mask_predictor.mask_fcn_logits.bias[CAR] = 1.0
    return network


@pytest.fixture(scope="module")
def weight_file(published: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rcnn") / "random.pth"
    state = {k: v for k, v in published.state_dict().items() if "num_batches" not in k}
    torch.save(state, path)
    return path


@pytest.fixture
def checksum(weight_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with weight_file.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    load = partial(load_mask_rcnn, sha256_prefix=digest)
    monkeypatch.setattr(car_detector, "load_mask_rcnn", load)


def test_detections_are_torchvisions(
    checksum: None, weight_file: Path, published: nn.Module
) -> None:
    photo = noise(56, 80)
    state = torch.get_rng_state()
    found = CarDetector(CPU, str(weight_file), SIDE)(photo)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        (expected,) = published([torch.from_numpy(photo).permute(2, 0, 1) / 255])
    assert len(found.scores) > 3
    assert (found.categories == CAR).all()
    torch.testing.assert_close(torch.from_numpy(found.scores), expected["scores"])
    masks: Tensor = expected["masks"][:, 0] > 0.5
    np.testing.assert_array_equal(found.masks, masks.numpy())
    assert found.masks.shape == (len(found.scores), 56, 80)


def test_large_photos_are_shrunk_first(checksum: None, weight_file: Path) -> None:
    found = CarDetector(CPU, str(weight_file), SIDE)(noise(300, 400))
    assert found.masks.shape[1:] == (300, 400)


def test_the_published_file_is_asked_for(weight_file: Path) -> None:
    assert MaskRCNN_ResNet50_FPN_Weights.COCO_V1.url.endswith(f"/{MASK_RCNN_FILE}")
    assert f"-{MASK_RCNN_SHA256}." in MASK_RCNN_FILE
    assert MaskRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"][CAR] == "car"
    with pytest.raises(UserError, match=r"random\.pth is not maskrcnn.*weights_path=FILE"):
        CarDetector(CPU, str(weight_file))


@pytest.mark.slow
def test_a_set_by_the_detector(checksum: None, weight_file: Path, tmp_path: Path) -> None:
    rules = (0.2, 0.01, 0.98)
    photo = noise(60, 80)  # the first that annotated() draws
    seen = CarDetector(CPU, str(weight_file), SIDE)(photo)
    mask = seen.masks[choose_car(seen, *rules).number]
    # where it is all car, and all background
    rows, columns = np.nonzero(cv2.erode(mask.astype(np.uint8), np.ones((5, 5))))
    inside = int(rows[0]), int(columns[0])
    rows, columns = np.nonzero(cv2.erode(1 - mask.astype(np.uint8), np.ones((5, 5))))
    outside = int(rows[0]), int(columns[0])
    for name, (row, column) in (("own", inside), ("other", outside)):
        box = ("hood", column - 2, row - 2, column + 2, row + 2)
        root = annotated(tmp_path / name, {"car": [box]})
        words = [f"weights_path={weight_file}", f"detector_side={SIDE}", "device=cpu"]
        words += ["data=car_parts", f"data.root={root}", "data.size=[60,80]", "min_area=0.01"]
        if name == "other":
            with pytest.raises(UserError, match=r"covers \d+% of the annotated parts"):
                prepare(tmp_path / "none", *words, "car_mask=detector")
            continue
        manifest = prepare(tmp_path / "set", *words, "car_mask=detector")
        check_complete(tmp_path / "set", manifest)
        (sample,) = manifest["samples"]
        assert sample["steps"][0]["from"] == "detector"
        assert sample["steps"][0]["inside"] >= 0.9
        written = np.asarray(Image.open(tmp_path / "set" / sample["files"]["mask"]))
        assert set(np.unique(written)) == {0, BODY, PART_ID["hood"]}
        np.testing.assert_array_equal((written != 0) >= mask, True)


def rectangles(*boxes: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Masks of 100x100 by top, left, bottom, right."""
    masks = np.zeros((len(boxes), 100, 100), np.bool_)
    for mask, (top, left, bottom, right) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    return masks


def found(
    masks: NDArray[np.bool_], scores: list[float], categories: list[int] | None = None
) -> Detections:
    kinds = np.array(categories or [CAR] * len(scores))
    return Detections(masks, kinds, np.array(scores, np.float32))


def test_the_largest_car_is_taken() -> None:
    masks = rectangles((0, 0, 20, 20), (30, 30, 80, 90), (35, 35, 60, 60), (0, 50, 20, 100))
    choice = choose_car(found(masks, [0.9, 0.5, 0.95, 0.3]), 0.2, 0.03, 0.98)
    assert choice.number == 1
    assert choice.area == pytest.approx(0.3)
    # the third shows a part of the second one
    assert choice.others == (pytest.approx(0.1), pytest.approx(0.04))
    assert choose_car(found(masks, [0.9, 0.15, 0.95, 0.3]), 0.2, 0.03, 0.98).number == 3
    # a lorry is no car
    kinds = [CAR, 8, 1, 8]
    assert choose_car(found(masks, [0.9, 0.9, 0.9, 0.9], kinds), 0.2, 0.03, 0.98).number == 0


def test_why_there_is_no_car() -> None:
    masks = rectangles((0, 0, 10, 10), (0, 0, 100, 100))
    with pytest.raises(UserError, match=r"^no car found$"):
        choose_car(found(masks[:0], []), 0.2, 0.03, 0.98)
    with pytest.raises(UserError, match=r"^no car found$"):
        choose_car(found(masks, [0.9, 0.9], [1, 8]), 0.2, 0.03, 0.98)
    with pytest.raises(UserError, match=r"the best score is 0\.20, not over 0\.2"):
        choose_car(found(masks, [0.19, 0.1999]), 0.2, 0.03, 0.98)
    with pytest.raises(UserError, match=r"the largest takes 1\.0% .* not 3\.0% to 98\.0%"):
        choose_car(found(masks[:1], [0.9]), 0.2, 0.03, 0.98)
    with pytest.raises(UserError, match=r"the largest takes 100\.0%"):
        choose_car(found(masks, [0.9, 0.9]), 0.2, 0.03, 0.98)


def test_several_cars_are_noted_and_anothers_parts_refused() -> None:
    masks = rectangles((30, 30, 80, 90), (0, 50, 20, 100))
    whole = FromDetector(lambda: lambda photo: found(masks, [0.9, 0.8]), 0.2, 0.03, 0.98)
    whole.load()
    car = whole("a", noise(100, 100), masks[0])
    np.testing.assert_array_equal(car.mask, masks[0])
    assert car.how["from"] == "detector"
    assert car.how["inside"] == 1
    assert car.note == "2 cars: the largest taken (30.0% of the picture, the next 10.0%)"
    with pytest.raises(UserError, match="covers 0% of the annotated parts"):
        whole("a", noise(100, 100), masks[1])


def test_given_masks(tmp_path: Path) -> None:
    masks = rectangles((30, 30, 80, 90))
    save(masks[0].astype(np.uint8) * 255, tmp_path / "a.png")
    save(masks[0].astype(np.uint8), tmp_path / "sub" / "b_mask.png")
    save(masks[0].astype(np.uint8) * 255, tmp_path / "soft.jpg", quality=20)
    save(np.zeros((100, 100), np.uint8), tmp_path / "black.png")
    whole = whole_car_by(str(tmp_path), pytest.fail, 0.2, 0.03, 0.98)
    assert isinstance(whole, FromFolder)
    photo = noise(100, 100)
    for name in ("a", "sub/b"):
        np.testing.assert_array_equal(whole(name, photo, masks[0]).mask, masks[0])
    assert whole.files("sub/b") == (tmp_path / "sub" / "b_mask.png",)
    for name, said in (
        ("c", "c has no whole-car mask in car_mask="),
        ("black", "no car found: .*black.png is all background"),
        ("soft", "in a mask of car and background"),
    ):
        with pytest.raises(UserError, match=said):
            whole(name, photo, masks[0])
    with pytest.raises(UserError, match=r"is 100x100 .* and its photo 50x40"):
        whole("a", noise(40, 50), masks[0][:40, :50])


def test_ways_by_name() -> None:
    make = partial(pytest.fail, "a detector was made")
    assert isinstance(whole_car_by("parts", make, 0.2, 0.03, 0.98), FromParts)
    assert isinstance(whole_car_by("detector", make, 0.2, 0.03, 0.98), FromDetector)
    with pytest.raises(UserError, match="car_mask=nowhere is no folder"):
        whole_car_by("nowhere", make, 0.2, 0.03, 0.98)
    with pytest.raises(UserError, match=r"min_area=0\.5 max_area=0\.4"):
        whole_car_by("parts", make, 0.2, 0.5, 0.4)
    with pytest.raises(UserError, match="min_score=20"):
        whole_car_by("parts", make, 20, 0.03, 0.98)
