"""Copies of training photos: found however they are changed, and strangers are left alone."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from carsynth.errors import UserError
from carsynth.generation.reference import Reference
from tests.generation.stand_ins import toy_maps, toy_photos, toy_reference

COUNT = 60
SIZE = (64, 64)


@pytest.fixture(scope="module")
def photos() -> Tensor:
    return toy_photos(COUNT, 1, SIZE)


@pytest.fixture(scope="module")
def reference(photos: Tensor) -> Reference:
    names = [f"car-{index:03d}" for index in range(COUNT)]
    maps = np.stack(toy_maps(COUNT, 1, SIZE))
    return Reference.learn(list(photos.split(16)), maps, names)


def same(photos: Tensor) -> Tensor:
    return photos


def mirrored(photos: Tensor) -> Tensor:
    return photos.flip(3)


def brighter(photos: Tensor) -> Tensor:
    return (photos.float() * 1.1).clamp(0, 255).to(torch.uint8)


def compressed(photos: Tensor) -> Tensor:
    found = []
    for photo in photos.permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(photo).save(file, "JPEG", quality=50)
        found.append(torch.from_numpy(np.array(Image.open(file))))
    return torch.stack(found).permute(0, 3, 1, 2)


def shifted(photos: Tensor) -> Tensor:
    return photos.roll(1, 3)


@pytest.mark.parametrize("change", [same, mirrored, brighter, compressed, shifted])
def test_planted_copies_are_found(
    change: Callable[[Tensor], Tensor], photos: Tensor, reference: Reference
) -> None:
    found = reference.copied(change(photos))
    right = [name == f"car-{index:03d}" for index, name in enumerate(found)]
    assert np.mean(right) >= 0.95


def test_other_cars_are_no_copies(reference: Reference) -> None:
    found = reference.copied(toy_photos(150, 2, SIZE))
    assert found.count(None) >= 0.97 * len(found)


def test_a_saved_reference_is_the_same(reference: Reference, tmp_path: Path) -> None:
    path = tmp_path / "new" / "reference.pt"
    reference.save(path)
    torch.load(path, weights_only=True)
    held = Reference.load(path)
    for one, other in zip(held.rules, reference.rules, strict=True):
        np.testing.assert_array_equal(one, other)
        assert type(one) is type(other)
    assert torch.equal(held.looks, reference.looks)
    assert held[2:] == reference[2:]
    assert [path.name for path in path.parent.iterdir()] == ["reference.pt"]


def test_a_file_that_is_no_reference(tmp_path: Path) -> None:
    text, tensor = tmp_path / "text.pt", tmp_path / "tensor.pt"
    text.write_text("no tensors")
    torch.save({"looks": torch.zeros(1)}, tensor)
    for path in (text, tensor, tmp_path / "none.pt"):
        with pytest.raises(UserError, match=f"reference={path} cannot be read .*make it again"):
            Reference.load(path)


def test_few_photos_teach_nothing(photos: Tensor) -> None:
    maps = np.stack(toy_maps(2, 1))
    with pytest.raises(UserError, match="there are 2 training photos, fewer than 3"):
        Reference.learn([photos[:2]], maps, ["a", "b"])


def test_photos_that_are_there_twice_do_not_hide_copies(photos: Tensor) -> None:
    twice = torch.cat([photos, photos])
    maps = np.stack(toy_maps(4, 1, SIZE))
    reference = Reference.learn([twice[: COUNT + 20]], maps, [str(i) for i in range(COUNT + 20)])
    assert reference.copied(photos).count(None) == 0
    found = reference.copied(toy_photos(150, 2, SIZE))
    assert found.count(None) >= 0.97 * len(found)
    with pytest.raises(UserError, match="fewer than 3 of them different"):
        Reference.learn([photos[:1].expand(5, -1, -1, -1)], maps, list("abcde"))


def test_rules_come_from_the_maps() -> None:
    reference = toy_reference(40)
    assert [reference.rules.objection(one) for one in toy_maps(40, 1)] == [None] * 40
