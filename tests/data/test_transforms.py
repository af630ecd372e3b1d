"""Mirrored cars exchange left and right, whichever transform mirrored them."""

from collections.abc import Sequence
from pathlib import Path

import albumentations as A
import numpy as np
import pytest

from carsynth.data.batch import CarSample
from carsynth.data.coco import CarParts
from carsynth.data.transforms import Augmentation
from carsynth.errors import UserError
from carsynth.labels import PART_ID, PART_TWINS, PARTS, VIEW_TWINS, VIEWS, view_of_part_map
from tests.data.cars import NumberedCars, noise

CAR = NumberedCars(1).read(0, (48, 64))
SQUARE = NumberedCars(1).read(0, (48, 48))


def augment(
    sample: CarSample, transforms: Sequence[A.BasicTransform], epoch: int = 0, index: int = 0
) -> CarSample:
    return Augmentation(transforms, VIEW_TWINS, seed=5)(sample, epoch, index)


def assert_mirrored(out: CarSample, sample: CarSample, mirrored: bool) -> None:
    """Whether left parts became right ones and the class its twin, or all stayed."""
    parts = set(np.unique(sample.part_map))
    twins = {int(PART_TWINS[part]) for part in parts}
    assert set(np.unique(out.part_map)) <= (twins if mirrored else parts)
    assert out.label == (VIEW_TWINS[sample.label] if mirrored else sample.label)


def test_a_flip_exchanges_left_and_right() -> None:
    before = CarSample(*(np.copy(field) for field in CAR[:2]), CAR.label)
    out = augment(CAR, [A.HorizontalFlip(p=1)])
    np.testing.assert_array_equal(out.photo, CAR.photo[:, ::-1])
    np.testing.assert_array_equal(out.part_map, PART_TWINS[CAR.part_map[:, ::-1]])
    assert (out.part_map == PART_ID["front_right_door"]).sum() == 48 * 32
    assert (VIEWS[CAR.label], VIEWS[out.label]) == ("C", "B")
    for field, copy in zip(CAR, before, strict=True):
        np.testing.assert_array_equal(field, copy)


@pytest.mark.parametrize(
    ("transforms", "mirrored"),
    [
        ([A.HorizontalFlip(p=0)], False),
        ([A.HorizontalFlip(p=1), A.HorizontalFlip(p=1)], False),
        ([A.VerticalFlip(p=1)], True),
        ([A.VerticalFlip(p=1), A.HorizontalFlip(p=1)], False),
        ([A.Transpose(p=1)], True),
        ([A.RandomRotate90(p=1)], False),
        ([A.OneOf([A.HorizontalFlip(p=1)], p=1)], True),
        ([A.SomeOf([A.HorizontalFlip(p=1)], n=3, replace=True, p=1)], True),
        ([A.Compose([A.Affine(rotate=(40, 40), p=1), A.HorizontalFlip(p=1)])], True),
        ([A.Affine(rotate=(40, 40), scale=(0.5, 0.5), translate_percent=0.3, p=1)], False),
        ([A.Perspective(p=1), A.ElasticTransform(p=1)], False),
        ([A.GridDistortion(p=1), A.HorizontalFlip(p=1)], True),
        ([A.RandomResizedCrop((48, 48), scale=(0.1, 0.2), p=1), A.HorizontalFlip(p=1)], True),
        ([A.CoarseDropout(p=1), A.RandomBrightnessContrast(p=1), A.GaussNoise(p=1)], False),
        ([A.RandomGridShuffle(p=1), A.HorizontalFlip(p=1)], True),
    ],
)
def test_any_transform_is_judged_by_what_it_did(
    transforms: list[A.BasicTransform], mirrored: bool
) -> None:
    out = augment(SQUARE, transforms)
    assert_mirrored(out, SQUARE, mirrored)
    assert out.photo.shape == SQUARE.photo.shape
    assert out.part_map.dtype == np.uint8


@pytest.mark.filterwarnings("ignore:This augmenter is very slow")
def test_lost_key_points_do_not_matter() -> None:
    assert_mirrored(augment(SQUARE, [A.PiecewiseAffine(p=1)]), SQUARE, False)
    assert_mirrored(augment(SQUARE, [A.PiecewiseAffine(p=1), A.Transpose(p=1)]), SQUARE, True)


def test_d4_is_judged_draw_by_draw() -> None:
    sample = SQUARE._replace(photo=noise(48, 48))  # no symmetry in it
    seen = set()
    for index in range(20):
        out = augment(sample, [A.D4(p=1)], index=index)
        mirrored = out.label != sample.label
        assert_mirrored(out, sample, mirrored)
        turns = [np.rot90(out.photo, count) for count in range(4)]
        assert mirrored != any(np.array_equal(turned, sample.photo) for turned in turns)
        seen.add(mirrored)
    assert seen == {True, False}


def test_draws_depend_on_seed_epoch_and_index_alone() -> None:
    transforms = [A.HorizontalFlip(p=0.5), A.RandomBrightnessContrast(p=0.5), A.GaussNoise(p=0.5)]
    first = Augmentation(transforms, VIEW_TWINS, seed=5)
    draws = {(e, i): first(CAR, e, i) for e in range(4) for i in range(8)}
    again = Augmentation(transforms, VIEW_TWINS, seed=5)
    for (epoch, index), draw in reversed(draws.items()):
        for field, other in zip(draw, again(CAR, epoch, index), strict=True):
            np.testing.assert_array_equal(field, other)
    photos = {draw.photo.tobytes() for draw in draws.values()}
    assert len(photos) > 20
    other_seed = Augmentation(transforms, VIEW_TWINS, seed=6)
    assert any(not np.array_equal(draws[k].photo, other_seed(CAR, *k).photo) for k in draws)


@pytest.mark.parametrize("transform", [A.GaussNoise((0.2, 0.2), p=1), A.HorizontalFlip(p=0.5)])
@pytest.mark.parametrize("changed", ["epoch", "index"])
def test_both_random_generators_follow_epoch_and_index(
    transform: A.BasicTransform, changed: str
) -> None:
    """albumentations draws from NumPy (noise) and from Python's random (probabilities)."""
    photos = {augment(CAR, [transform], **{changed: draw}).photo.tobytes() for draw in range(10)}
    assert len(photos) > 1


def test_a_transform_that_works_in_place_spares_the_sample() -> None:
    def blacken(picture: np.ndarray, **_: object) -> np.ndarray:
        picture[:] = 0
        return picture

    before = CAR.photo.copy(), CAR.part_map.copy()
    out = augment(CAR, [A.Lambda(image=blacken, mask=blacken, p=1)])
    assert not out.photo.any()
    assert not out.part_map.any()
    np.testing.assert_array_equal(CAR.photo, before[0])
    np.testing.assert_array_equal(CAR.part_map, before[1])


def test_transforms_do_not_echo_each_other() -> None:
    transforms = [A.HorizontalFlip(p=0.5), A.ToGray(p=0.5)]
    augmentation = Augmentation(transforms, VIEW_TWINS, seed=0)
    seen = set()
    for index in range(60):
        out = augmentation(CAR, 0, index)
        grey = np.array_equal(out.photo[..., 0], out.photo[..., 1])
        seen.add((out.label != CAR.label, grey))
    assert len(seen) == 4


def test_half_of_the_cars_are_flipped() -> None:
    augmentation = Augmentation([A.HorizontalFlip(p=0.5)], VIEW_TWINS, seed=0)
    flipped = sum(augmentation(CAR, 0, index).label != CAR.label for index in range(1000))
    assert 440 < flipped < 560


def test_what_batches_cannot_take_is_refused() -> None:
    with pytest.raises(UserError, match=r"turns 48x64 pictures .* into 32x32: add albumentations"):
        augment(CAR, [A.RandomCrop(32, 32, p=1)])
    with pytest.raises(UserError, match="turns uint8 pictures into float32"):
        augment(CAR, [A.Normalize(p=1)])
    with pytest.raises(UserError, match="into 64x48"):
        augment(CAR, [A.Transpose(p=1)])


def test_flipped_real_annotations(car_parts_folder: Path) -> None:
    """Each left part's pixels turn up mirrored as its right twin, and the view follows."""
    source = CarParts(car_parts_folder)
    exchanged = set()
    for index in range(0, 400, 20):
        sample = source.read(index, (128, 128))
        out = augment(sample, [A.HorizontalFlip(p=1)])
        for part in PARTS:
            before = sample.part_map == PART_ID[part.name]
            after = out.part_map == PART_ID[part.twin]
            np.testing.assert_array_equal(after, before[:, ::-1])
            if before.any() and part.twin != part.name:
                exchanged.add(part.name)
        assert out.label == VIEW_TWINS[sample.label]
        if view_of_part_map(sample.part_map) == sample.label:
            assert view_of_part_map(out.part_map) == out.label
    assert len(exchanged) == 10
