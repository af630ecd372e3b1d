"""Planted copies of toy cars and of real photos, strangers beside them, and sets made by hand."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from carsynth.data.photos import read_photo, resize_photo
from carsynth.data.toycars import ToyCars
from carsynth.errors import UserError
from carsynth.metrics import neighbours
from carsynth.metrics.extractor import features_of
from carsynth.metrics.inception import random_inception
from carsynth.metrics.memorisation import Memorisation, Pictures, memorisation, threshold_of
from carsynth.metrics.neighbours import looks_of, nearest_by_features, nearest_by_looks
from tests.metrics.tiny_extractor import TinyExtractor

Photo = NDArray[np.uint8]
TRAIN, HELD_OUT, COPIES = 60, 30, 20


# Copies -----------------------------------------------------------------------------------------


def jpeg(photo: Photo, quality: int) -> Photo:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def shifted(photo: Photo, pixels: int) -> Photo:
    """Down and to the right."""
    return np.pad(photo, ((pixels, 0), (pixels, 0), (0, 0)), "edge")[:-pixels, :-pixels]


def resized(photo: Photo, factor: float) -> Photo:
    height, width = photo.shape[:2]
    return resize_photo(photo, (int(height * factor), int(width * factor)))


KINDS: dict[str, Callable[[Photo], Photo]] = {
    "exact": lambda photo: photo,
    "mirrored": lambda photo: photo[:, ::-1],
    "jpeg 75": lambda photo: jpeg(photo, 75),
    "jpeg 50": lambda photo: jpeg(photo, 50),
    "jpeg 30": lambda photo: jpeg(photo, 30),
    "mirrored jpeg 50": lambda photo: jpeg(np.ascontiguousarray(photo[:, ::-1]), 50),
    "brighter": lambda photo: cv2.convertScaleAbs(photo, alpha=1.1),
    "darker": lambda photo: cv2.convertScaleAbs(photo, alpha=0.85),
    "shifted by one": lambda photo: shifted(photo, 1),
    "shifted by two": lambda photo: shifted(photo, 2),
    "cropped": lambda photo: resize_photo(photo[1:-1, 1:-1].copy(), photo.shape[:2]),
    "halved and doubled": lambda photo: resized(resized(photo, 0.5), 2.0),
    "half as large": lambda photo: resized(photo, 0.5),
    "twice as large": lambda photo: resized(photo, 2.0),
}
MIRRORED = {"mirrored", "mirrored jpeg 50"}


def batch(photos: list[Photo]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.stack(photos))).permute(0, 3, 1, 2)


def pictures_of(photo: Tensor) -> Pictures:
    return Pictures(TinyExtractor()(photo), looks_of(photo))


class Reals(NamedTuple):
    """Photos of one size, in three sets that share none."""

    train: list[Photo]
    held_out: list[Photo]
    strangers: list[Photo]

    def judge(self, fakes: list[Photo], held_out: bool = True) -> Memorisation:
        train = batch(self.train)
        mirrored = TinyExtractor()(train.flip(3))
        others = pictures_of(batch(self.held_out)) if held_out else None
        return memorisation(pictures_of(batch(fakes)), pictures_of(train), mirrored, others)


def split(photos: list[Photo]) -> Reals:
    held_out = photos[TRAIN : TRAIN + HELD_OUT]
    return Reals(photos[:TRAIN], held_out, photos[TRAIN + HELD_OUT :])


def read(folder: Path, count: int) -> list[Photo]:
    paths = sorted(folder.rglob("*.jpg"))
    if not paths:
        pytest.skip(f"no photos at {folder}")
    order = np.random.default_rng(0).permutation(len(paths))[:count]
    return [resize_photo(read_photo(paths[index]), (64, 64)) for index in order]


@pytest.fixture(scope="module")
def toys() -> Reals:
    cars = ToyCars(130, 7)
    return split([cars.draw(index, (48, 72)).photo for index in range(130)])


@pytest.fixture(scope="module", params=["toys", "car-parts", "car-makes"])
def reals(request: pytest.FixtureRequest) -> Reals:
    if request.param == "toys":
        toys: Reals = request.getfixturevalue("toys")
        return toys
    return split(read(request.getfixturevalue("shared_data") / request.param, 130))


@pytest.mark.parametrize("kind", KINDS)
def test_copies_of_every_kind_are_found(reals: Reals, kind: str) -> None:
    found = reals.judge([KINDS[kind](photo) for photo in reals.train[:COPIES]])
    assert found.suspicious >= 0.95
    assert (found.fake.looks.train == torch.arange(COPIES)).float().mean() >= 0.95
    turned = found.fake.looks.mirrored.float().mean()
    assert (turned >= 0.9) if kind in MIRRORED else (turned <= 0.1)
    assert found.held_out
    for pair in found.worst(5):
        assert pair.train == pair.fake
        assert pair.closeness < 1


def test_strangers_are_seldom_suspicious(reals: Reals) -> None:
    """Of 40 photos each: one may have a true duplicate among real ones, and one may be bad luck."""
    found = reals.judge(reals.strangers)
    assert found.suspicious <= 2 / 40
    assert found.real_suspicious <= 2 / 30
    assert found.authenticity == pytest.approx(found.real_authenticity, abs=0.35)
    assert (found.closeness() < 1).float().mean() == found.suspicious


def test_a_mixture_is_told_apart(toys: Reals) -> None:
    copies = [jpeg(photo, 50) for photo in toys.train[:10]]
    found = toys.judge([*toys.strangers[:30], *copies])
    assert {pair.fake for pair in found.worst(10)} == set(range(30, 40))
    assert 10 / 40 <= found.suspicious <= 11 / 40
    assert [pair.closeness for pair in found.worst(99)] == sorted(found.closeness().tolist())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["car-parts", "car-makes"])
def test_the_random_inception_finds_copies_and_leaves_strangers(
    shared_data: Path, name: str
) -> None:
    photos = read(shared_data / name, 62)
    reals = Reals(photos[:30], photos[30:50], photos[50:])
    extractor = random_inception()
    kinds = ("mirrored jpeg 50", "jpeg 30", "darker", "shifted by two")
    copies = [KINDS[kinds[index % 4]](photo) for index, photo in enumerate(reals.train[:12])]
    train, held_out, fakes = (
        batch(part) for part in (reals.train, reals.held_out, [*copies, *reals.strangers])
    )
    fake, real, others = (
        Pictures(features_of(extractor, part), looks_of(part)) for part in (fakes, train, held_out)
    )
    found = memorisation(fake, real, features_of(extractor, train.flip(3)), others)
    suspicious = found.closeness() < 1
    assert suspicious[:12].all()
    assert suspicious[12:].sum() <= 1
    assert found.real_suspicious <= 1 / 20


# The reference photos ---------------------------------------------------------------------------


@pytest.mark.parametrize("duplicates", [1, 3])
def test_duplicates_in_the_real_data_do_not_blind_the_rule(toys: Reals, duplicates: int) -> None:
    held_out = [*toys.train[-duplicates:], *toys.held_out[duplicates:]]
    train = [*toys.train, *toys.train[:duplicates]]
    fakes = [jpeg(photo, 30) for photo in toys.train[:COPIES]]
    found = Reals(train, held_out, []).judge(fakes)
    assert found.suspicious == 1
    assert found.real_suspicious >= duplicates / 30
    assert Reals(train, held_out, []).judge(toys.strangers).suspicious <= 2 / 40


def test_without_held_out_photos_training_photos_stand_in(toys: Reals) -> None:
    found = toys.judge(toys.train[:COPIES], held_out=False)
    assert not found.held_out
    assert found.suspicious == 1
    assert len(found.real.features.train) == TRAIN
    assert not (found.real.features.train == torch.arange(TRAIN)).any()
    assert not (found.real.looks.train == torch.arange(TRAIN)).any()
    assert found.real_suspicious <= 3 / 60
    assert toys.judge(toys.strangers, held_out=False).suspicious <= 2 / 40


def test_the_training_set_itself_is_all_copies(toys: Reals) -> None:
    found = toys.judge(toys.train, held_out=False)
    assert found.suspicious == 1
    assert found.authenticity == 0
    assert found.fake.features.train.tolist() == list(range(TRAIN))
    assert found.fake.features.distance.max() == 0
    assert found.closeness().max() < 1e-3


def test_held_out_photos_that_were_trained_on_are_refused(toys: Reals) -> None:
    with pytest.raises(UserError, match="give it photos that were not trained on"):
        Reals(toys.train, toys.train[:HELD_OUT], []).judge(toys.strangers)


@pytest.mark.parametrize("dimensions", [2, 5, 20])
def test_the_threshold_holds_its_rate_where_neighbours_follow_weibulls_law(
    dimensions: int,
) -> None:
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(200_000, generator=generator, dtype=torch.float64)
    ratio = 0.7 * (-uniform.log()) ** (1 / dimensions)
    threshold = threshold_of(ratio)
    rate = float((ratio < threshold).double().mean())
    if dimensions < 6:
        assert rate == pytest.approx(0.005, rel=0.1)
    else:
        assert threshold == pytest.approx(float(ratio.median()) / 2)
        assert rate < 0.005


# Distances --------------------------------------------------------------------------------------


def test_nearest_distance_ratio_and_authenticity_by_hand() -> None:
    """On a line whose features deviate by 2: everything is half as far as it looks."""
    train = torch.tensor([[0.0], [1.0], [4.0], [5.0]])
    train = train / train.std(0, correction=0) * 2
    place = train[:, 0].tolist()
    unit = place[1] / 2
    fake = torch.tensor([[0.2 * place[1]], [-1.5 * place[1]]])
    found = nearest_by_features(fake, train, train - 1000)
    assert found.train.tolist() == [0, 0]
    assert found.mirrored.tolist() == [False, False]
    assert found.distance.tolist() == pytest.approx([0.2 * unit, 1.5 * unit])
    assert found.ratio.tolist() == pytest.approx(
        [0.2 / ((0.8 + 3.8 + 4.8) / 3), 1.5 / ((2.5 + 5.5 + 6.5) / 3)], rel=1e-5
    )
    looks = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    both = Pictures(fake, looks[:2] + 0.1)
    judged = memorisation(both, Pictures(train, looks), train - 1000, both)
    assert judged.authenticity == 0.5


def test_mirror_images_are_found_by_the_mirrored_features() -> None:
    generator = torch.Generator().manual_seed(0)
    train, mirrored = torch.randn(2, 30, 8, generator=generator)
    found = nearest_by_features(mirrored[[3, 17]], train, mirrored)
    assert found.train.tolist() == [3, 17]
    assert found.mirrored.all()
    assert found.distance.tolist() == [0, 0]
    own = torch.tensor([3, 17])
    without = nearest_by_features(train[own], train, mirrored, own)
    assert not (without.train == own).any()


def test_near_identical_pictures_keep_their_digits() -> None:
    """A matrix product in float32 says nothing about a ten-thousandth at distance a hundred."""
    generator = torch.Generator().manual_seed(0)
    train = torch.randn(40, 16, generator=generator)
    train[0] *= 100
    fakes = train[:1] + 1e-4 * train.std(0, correction=0)
    distance = nearest_by_features(fakes, train, train.flip(1)).distance
    assert float(distance) == pytest.approx(1e-4 * 4, rel=0.1)


def test_a_constant_feature_is_no_trouble() -> None:
    train = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    train[:, 2] = 7.0
    fakes = train[:3].clone()
    fakes[2, 2] = 8.0
    found = nearest_by_features(fakes, train, train)
    assert found.train.tolist() == [0, 1, 2]
    assert found.distance.tolist() == pytest.approx([0, 0, 1])


def test_the_tangent_distance_equals_least_squares() -> None:
    looks = torch.randn(14, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    train, query = looks[1:].numpy(), looks[0].numpy()
    left = []
    for one in [*train, *train[..., ::-1]]:
        wide = np.pad(one, ((0, 0), (1, 1), (1, 1)), "edge")
        down, across = (wide[:, 2:] - wide[:, :-2])[..., 1:-1], (wide[..., 2:] - wide[..., :-2])
        across, place = across[:, 1:-1], np.linspace(-1, 1, 16)
        moves = [down / 2, across / 2, down / 2 * place[:, None], across / 2 * place]
        stiff = np.vstack([np.stack([move.ravel() for move in moves], 1), np.eye(4)])
        gap = np.concatenate([(query - one).ravel(), np.zeros(4)])
        step = np.linalg.lstsq(stiff, gap, rcond=None)[0]
        left.append(np.linalg.norm((gap - stiff @ step)[:768]))
    nearer = np.minimum(left[:13], left[13:])
    found = nearest_by_looks(looks[:1].float(), looks[1:].float())
    # The nearest eleven are chosen before shifts are allowed for, so the very nearest may be left.
    assert float(found.distance) == pytest.approx(nearer[int(found.train)], rel=1e-4)
    assert nearer[int(found.train)] <= np.sort(nearer)[2]


def test_neither_order_nor_block_size_matters(toys: Reals, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = [*toys.strangers[:10], *(jpeg(photo, 50) for photo in toys.train[:10])]
    plain = toys.judge(fakes)
    monkeypatch.setattr(neighbours, "_BLOCK", 200)
    monkeypatch.setattr(neighbours, "_ROWS", 3)
    train, back = toys.train[::-1], TRAIN - 1
    turned = Reals(train, toys.held_out[::-1], []).judge(fakes[::-1])
    for side in range(2):
        assert (back - turned.fake[side].train.flip(0)).equal(plain.fake[side].train)
        assert turned.fake[side].mirrored.flip(0).equal(plain.fake[side].mirrored)
        ratio = turned.fake[side].ratio.flip(0)
        assert torch.allclose(ratio, plain.fake[side].ratio, rtol=1e-4, atol=1e-6)
    assert turned.suspicious == plain.suspicious
    assert turned.authenticity == plain.authenticity
    assert turned.look_threshold == pytest.approx(plain.look_threshold, rel=1e-4)


# Looks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (16, 16), (64, 64), (100, 37)])
def test_a_look_has_one_size_and_mirrors_with_its_photo(size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    photo = torch.randint(0, 256, (2, 3, *size), generator=generator).to(torch.uint8)
    look = looks_of(photo)
    assert look.shape == (2, 3, 16, 16)
    assert look.dtype == torch.float32
    assert torch.allclose(looks_of(photo.flip(3)), look.flip(3), atol=1e-5)
    assert look.mean((1, 2, 3)).abs().max() < 1e-5
    assert look.square().mean((1, 2, 3)).max() < 1


def test_brightness_and_contrast_hardly_change_a_look(toys: Reals) -> None:
    photo = batch(toys.train[:4])
    dimmer = (photo * 0.8 + 20).to(torch.uint8)
    assert (looks_of(dimmer) - looks_of(photo)).abs().max() < 0.1


def test_empty_pictures_have_empty_looks() -> None:
    assert looks_of(torch.full((1, 3, 20, 20), 80, dtype=torch.uint8)).abs().max() < 1e-4


# Bad input --------------------------------------------------------------------------------------


def test_one_generated_picture_is_enough(toys: Reals) -> None:
    assert toys.judge(toys.train[:1]).suspicious == 1
    assert toys.judge(toys.strangers[:1]).suspicious == 0


def test_a_collapsed_generator_is_not_called_a_copier(toys: Reals) -> None:
    grey = np.full((48, 72, 3), 128, np.uint8)
    found = toys.judge([grey] * 5)
    assert math.isfinite(float(found.closeness().sum()))
    assert found.suspicious == 0


@pytest.mark.parametrize(
    ("fakes", "train", "held_out", "named"),
    [(0, 9, 9, "1 generated"), (9, 2, 9, "3 training"), (9, 9, 0, "1 held-out")],
)
def test_too_few_pictures_are_a_users_mistake(
    fakes: int, train: int, held_out: int, named: str
) -> None:
    sets = [
        Pictures(torch.randn(count, 4), torch.randn(count, 3, 16, 16))
        for count in (fakes, train, held_out)
    ]
    few = min(fakes, train, held_out)
    with pytest.raises(UserError, match=f"{named} pictures or more, and has {few}"):
        memorisation(sets[0], sets[1], sets[1].features, sets[2])


def test_features_that_are_not_finite_are_a_users_mistake() -> None:
    good, bad = (Pictures(torch.randn(9, 4), torch.randn(9, 3, 16, 16)) for _ in range(2))
    bad.features[3, 1] = math.nan
    with pytest.raises(UserError, match="features of generated pictures are not finite"):
        memorisation(bad, good, good.features, None)
