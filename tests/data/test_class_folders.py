"""A folder a class, as people sort photos by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from carsynth.data.class_folders import ClassFolders
from carsynth.data.datamodule import CarDataModule
from carsynth.errors import UserError
from carsynth.labels import BACKGROUND
from tests.data.cars import noise, save

COLOURS = {"audi": 20, "bmw": 120, "citroën": 220}


def sort_photos(root: Path, count: int = 6) -> Path:
    """Grey photos, whose level tells the class; some PNG, some JPEG, some in nested folders."""
    for name, level in COLOURS.items():
        for number in range(count):
            place = root / name / ("nested/deep" if number % 2 else ".")
            suffix = ("png", "jpg")[number % 2]
            grey = np.full((12, 20, 3), level, np.uint8)
            save(grey, place / f"{number:02d}.{suffix}")
    return root


def test_classes_names_and_samples(tmp_path: Path) -> None:
    root = sort_photos(tmp_path, count=2)
    (root / "audi" / "Thumbs.db").write_bytes(b"no picture")
    (root / "audi" / "._00.png").write_bytes(b"nor this")
    (root / "list.txt").write_text("nor this")
    save(noise(4, 4), root / ".cache" / "a.png")
    source = ClassFolders(root)
    assert source.classes == ("audi", "bmw", "citroën")
    assert source.class_twins == (0, 1, 2)
    assert source.names == (
        "audi/00",
        "audi/nested/deep/01",
        "bmw/00",
        "bmw/nested/deep/01",
        "citroën/00",
        "citroën/nested/deep/01",
    )
    sample = source.read(3, (6, 30))
    assert (sample.photo.shape, sample.label) == ((6, 30, 3), 1)
    np.testing.assert_allclose(sample.photo, COLOURS["bmw"], atol=2)
    assert sample.part_map.shape == (6, 30)
    assert sample.part_map.dtype == np.uint8
    assert (sample.part_map == BACKGROUND).all()


def test_a_folder_of_folders_is_a_class_a_top_folder(tmp_path: Path) -> None:
    for path in ("audi/a4/1.png", "audi/a6/1.png", "bmw/m3/2001/1.png", "bmw/m3/2002/1.png"):
        save(noise(8, 8), tmp_path / path)
    source = ClassFolders(tmp_path)
    assert source.classes == ("audi", "bmw")
    assert [source.read(i, (8, 8)).label for i in range(4)] == [0, 0, 1, 1]


def test_a_class_may_be_a_link_to_a_folder(tmp_path: Path) -> None:
    sort_photos(tmp_path / "photos")
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "bmw").symlink_to(tmp_path / "photos" / "bmw")
    source = ClassFolders(tmp_path / "chosen")
    assert (source.classes, len(source.names)) == (("bmw",), 6)


def test_batches_carry_the_class_of_each_photo(tmp_path: Path) -> None:
    source = ClassFolders(sort_photos(tmp_path))
    module = CarDataModule(source, (8, 16), 4, fractions=(0.5, 0.25, 0.25))
    module.setup(None)
    levels = torch.tensor(list(COLOURS.values()))
    seen = 0
    for split in ("train", "validation", "test"):
        for batch in module.split_dataloader(split):
            assert batch.photo.shape[1:] == (3, 8, 16)
            expected = levels[batch.label].to(torch.float32)
            torch.testing.assert_close(
                batch.photo.float().mean((1, 2, 3)), expected, atol=2, rtol=0
            )
            assert not batch.part_map.any()
            seen += len(batch.label)
    assert (seen, module.classes) == (18, tuple(COLOURS))


def test_a_broken_photo_is_named_and_can_be_skipped(tmp_path: Path) -> None:
    broken = sort_photos(tmp_path / "cars") / "bmw" / "02.png"
    broken.write_bytes(broken.read_bytes()[:40])
    source = ClassFolders(tmp_path / "cars")
    with pytest.raises(UserError, match=r"bmw/02\.png cannot be decoded"):
        source.read(source.names.index("bmw/02"), (8, 8))
    module = CarDataModule(
        source, (8, 8), 4, fractions=(1, 0, 0), on_bad_file="skip", run_dir=tmp_path
    )
    module.setup("fit")
    assert module.train_size == 17
    assert "bmw/02" in (tmp_path / "bad_files.txt").read_text()


def test_two_files_of_one_name(tmp_path: Path) -> None:
    save(noise(8, 8), sort_photos(tmp_path) / "audi" / "00.jpg")
    source = ClassFolders(tmp_path)
    with pytest.raises(UserError, match=r"00\.jpg and .*00\.png share one name"):
        source.read(0, (8, 8))


def test_a_class_with_too_few_photos(tmp_path: Path) -> None:
    save(noise(8, 8), sort_photos(tmp_path) / "lancia" / "delta" / "1.png")
    with pytest.raises(UserError, match=r"class lancia has 1 photo in .*add photos or remove"):
        ClassFolders(tmp_path)
    (tmp_path / "lancia" / "delta" / "1.png").unlink()
    with pytest.raises(UserError, match="class lancia has 0 photos in"):
        ClassFolders(tmp_path)


def test_roots_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no does not exist: check the path"):
        ClassFolders(tmp_path / "no")
    with pytest.raises(UserError, match="has no subfolders: give each class a folder"):
        ClassFolders(tmp_path)
    photo = save(noise(8, 8), tmp_path / "flat" / "1.png")
    with pytest.raises(UserError, match=r"1\.png is not a folder"):
        ClassFolders(photo)
    with pytest.raises(UserError, match="flat has no subfolders"):
        ClassFolders(tmp_path / "flat")
    sort_photos(tmp_path / "flat")
    with pytest.raises(UserError, match=r"holds 1\.png \(1 such in all\) beside its class folders"):
        ClassFolders(tmp_path / "flat")


def test_car_makes(shared_data: Path) -> None:
    folder = shared_data / "car-makes"
    if not folder.is_dir():
        pytest.skip(f"no car makes at {folder}")
    source = ClassFolders(folder)
    assert (len(source.classes), len(source.names)) == (49, 2879)
    for name in ("bmw", "rolls-royce"):
        files = sorted((folder / name).iterdir())
        index = source.names.index(f"{name}/{files[-1].stem}")
        sample = source.read(index, (64, 112))
        assert (source.classes[sample.label], sample.photo.shape) == (name, (64, 112, 3))
        with Image.open(files[-1]) as picture:
            mean = np.asarray(picture.convert("RGB")).mean()
        assert abs(sample.photo.mean() - mean) < 2
