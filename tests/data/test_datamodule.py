"""Loaders as trainers and scripts use them, on files and on numbered cars."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import albumentations as A
import numpy as np
import pytest
import torch
from torch import Tensor

from carsynth.data.batch import CarBatch
from carsynth.data.coco import CarParts
from carsynth.data.datamodule import CarDataModule
from carsynth.data.folders import PairedFolders
from carsynth.data.transforms import Augmentation
from carsynth.errors import UserError
from carsynth.labels import PART_ID, VIEW_TWINS, VIEWS
from tests.data.cars import NumberedCars, noise, save

SIZE = (16, 24)


def data(source: Any = None, batch_size: int = 4, **options: Any) -> CarDataModule:
    return CarDataModule(source or NumberedCars(40), SIZE, batch_size, **options)


def on_rank(module: CarDataModule, rank: int, world: int) -> CarDataModule:
    module.trainer = SimpleNamespace(  # type: ignore[assignment]
        global_rank=rank, world_size=world, overfit_batches=0
    )
    return module


def numbers(batch: CarBatch) -> list[int]:
    return batch.photo[:, 0, 0, 1].tolist()  # type: ignore[no-any-return]


def epoch_of(module: CarDataModule, epoch: int = 0) -> list[CarBatch]:
    module.setup("fit")
    loader = module.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def assert_same(batches: list[CarBatch], others: list[CarBatch]) -> None:
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        for field, other_field in zip(batch, other, strict=True):
            assert torch.equal(field, other_field)


def test_batches_are_what_modules_expect() -> None:
    module = data()
    for batch in epoch_of(module):
        assert isinstance(batch, CarBatch)
        assert (batch.photo.dtype, batch.photo.shape) == (torch.uint8, (4, 3, *SIZE))
        assert (batch.part_map.dtype, batch.part_map.shape) == (torch.int64, (4, *SIZE))
        assert (batch.label.dtype, batch.label.shape) == (torch.int64, (4,))
        assert batch.photo.is_contiguous()
        for number, part_map in zip(numbers(batch), batch.part_map, strict=True):
            assert 0 <= number < 40
            assert part_map[-1, 0] == PART_ID["front_left_door"]
    assert module.train_size == 32
    assert module.classes == VIEWS


def test_validation_and_test_need_no_trainer_and_pass_once() -> None:
    module = data()
    module.setup("fit")
    shown = [number for batch in module.val_dataloader() for number in numbers(batch)]
    assert [f"car-{number:03d}" for number in shown] == list(module.val_names)
    assert len(shown) == 4
    assert len(module.split_dataloader("train").dataset) == 32  # type: ignore[arg-type]


def test_only_what_a_stage_needs_is_read() -> None:
    source = NumberedCars(40)
    module = data(source, fractions=(0.5, 0.3, 0.2))
    module.setup("validate")
    assert len(source.reads) == 12
    module.setup("fit")
    assert len(source.reads) == 32
    module.setup("test")
    list(module.test_dataloader())
    module.setup("fit")
    assert sorted(source.reads) == list(range(40))


@pytest.mark.parametrize("augment", [None, [A.HorizontalFlip(p=0.5), A.GaussNoise(p=0.5)]])
def test_workers_change_nothing(augment: list[A.BasicTransform] | None) -> None:
    alone = data(augment=augment, seed=3)
    helped = data(augment=augment, seed=3, num_workers=2)
    helped.setup("fit")
    loader = helped.train_dataloader()
    workers = None
    for epoch in (0, 1, 5):  # with the workers of the first epoch
        loader.sampler.set_epoch(epoch)
        assert_same(list(loader), epoch_of(alone, epoch))
        assert workers in (None, loader._iterator)
        workers = loader._iterator
    assert_same(list(helped.val_dataloader()), list(alone.val_dataloader()))


def test_a_saved_place_counts_for_its_epoch_alone() -> None:
    module = data()
    whole = {epoch: epoch_of(module, epoch) for epoch in (1, 2)}
    loader = module.train_dataloader()
    loader.sampler.set_epoch(1)
    batches = iter(loader)
    for _ in range(3):
        next(batches)
    state = loader.state_dict()
    for epoch, rest in ((1, whole[1][3:]), (2, whole[2])):
        resumed = module.train_dataloader()
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        iterator = iter(resumed)
        resumed.sampler.set_epoch(epoch)  # as Lightning does, after iter and before next
        assert_same(list(iterator), rest)
        assert len(resumed) == 8
        assert resumed.state_dict() == {"epoch": epoch, "given": 8}
        assert_same(list(resumed), whole[epoch])


def test_augmented_batches_hold_the_augmented_samples() -> None:
    augment = [A.HorizontalFlip(p=0.5)]
    source = NumberedCars(40)
    module = data(source, augment=augment, seed=3, fractions=(0.9, 0.1, 0))
    module.setup("fit")
    loader = module.train_dataloader()
    loader.sampler.set_epoch(2)
    draws = list(loader.sampler)
    batches = list(loader)
    names = module._split("train").names
    augmentation = Augmentation(augment, VIEW_TWINS, seed=3)
    for k, (index, epoch) in enumerate(draws):
        sample = source.read(source.names.index(names[index]), SIZE)
        expected = augmentation(sample, epoch, index)
        photo, part_map, label = (field[k % 4] for field in batches[k // 4])
        np.testing.assert_array_equal(photo.permute(1, 2, 0), expected.photo)
        np.testing.assert_array_equal(part_map, expected.part_map)
        assert label == expected.label
    labels = torch.cat([batch.label for batch in batches])
    assert set(labels.tolist()) == {VIEWS.index("B"), VIEWS.index("C")}


def test_two_ranks_see_what_one_process_sees() -> None:
    augment = [A.HorizontalFlip(p=0.5)]
    one = epoch_of(data(batch_size=8, augment=augment), 1)
    ranks = [epoch_of(on_rank(data(augment=augment), rank, 2), 1) for rank in range(2)]

    def contents(*batches: CarBatch) -> list[tuple[int, int]]:
        fields: list[Tensor] = [torch.cat(parts) for parts in zip(*batches, strict=True)]
        return sorted(zip(numbers(CarBatch(*fields)), fields[2].tolist(), strict=True))

    for whole, *parts in zip(one, *ranks, strict=True):
        assert contents(whole) == contents(*parts)


def test_ranks_share_validation_without_repeats() -> None:
    shown = []
    for rank in range(3):
        module = on_rank(data(fractions=(0.5, 0.25, 0.25)), rank, 3)
        module.setup("validate")
        loader = module.val_dataloader()
        shown.append([number for batch in loader for number in numbers(batch)])
    assert [len(share) for share in shown] == [4, 3, 3]
    assert len({number for share in shown for number in share}) == 10


def test_too_small_splits_say_what_to_do() -> None:
    with pytest.raises(UserError, match=r"has 32 samples, fewer than one batch of 33: lower"):
        epoch_of(data(batch_size=33))
    with pytest.raises(UserError, match="fewer than one batch of 17 on each of 2 ranks"):
        epoch_of(on_rank(data(batch_size=17), 0, 2))
    module = on_rank(data(), 0, 5)
    module.setup("validate")
    with pytest.raises(UserError, match="validation split has 4 samples for 5 ranks"):
        module.val_dataloader()
    module = data(fractions=(0.9, 0.1, 0))
    module.setup("test")
    with pytest.raises(UserError, match="the test split is empty: give it a share"):
        module.test_dataloader()


def test_the_run_folder_keeps_the_splits(tmp_path: Path) -> None:
    first = data(run_dir=tmp_path, split_seed=4)
    first.setup("fit")
    stored = json.loads((tmp_path / "splits.json").read_text())
    assert stored["validation"] == list(first.val_names)
    assert not (tmp_path / "bad_files.txt").exists()
    larger = NumberedCars(60)
    again = data(larger, splits_file=tmp_path / "splits.json", split_seed=9)
    again.setup("fit")
    assert again.val_names == first.val_names
    assert again.train_size == 32
    with pytest.raises(UserError, match="which the data lack"):
        data(NumberedCars(20), splits_file=tmp_path / "splits.json").setup("fit")


def test_other_ranks_write_nothing(tmp_path: Path) -> None:
    source = NumberedCars(40, bad=(5,))
    module = data(source, fractions=(0.9, 0.1, 0), run_dir=tmp_path, on_bad_file="skip")
    on_rank(module, 1, 2).setup("fit")
    assert not list(tmp_path.iterdir())


def test_seeds_of_splits_and_order_are_apart() -> None:
    modules = [data(seed=seed) for seed in (0, 1)]
    orders = [[numbers(batch) for batch in epoch_of(module)] for module in modules]
    assert modules[0].val_names == modules[1].val_names
    assert orders[0] != orders[1]
    other = data(split_seed=1)
    other.setup("fit")
    assert other.val_names != modules[0].val_names


def test_the_fingerprint_tells_changed_data(tmp_path: Path) -> None:
    def fingerprint(source: NumberedCars, **options: Any) -> str:
        module = CarDataModule(source, **({"size": SIZE, "batch_size": 4} | options))
        module.setup("validate")
        return module.fingerprint

    class Changed(NumberedCars):
        def read(self, index: int, size: tuple[int, int]) -> Any:
            sample = super().read(index, size)
            sample.photo[0, 0, 0] += 1
            return sample

    source = NumberedCars(40)
    same = fingerprint(source)
    assert fingerprint(NumberedCars(40), batch_size=2, cache_limit_gib=0, seed=8) == same
    others = [
        fingerprint(Changed(40)),
        fingerprint(NumberedCars(41)),
        fingerprint(NumberedCars(40), size=(24, 16)),
        fingerprint(NumberedCars(40), split_seed=8),
    ]
    assert len({same, *others}) == 5


def test_bad_files_are_skipped_or_stop(tmp_path: Path) -> None:
    ids = np.full((20, 30), PART_ID["hood"], np.uint8)
    for i in range(12):
        save(noise(20, 30, i), tmp_path / "photos" / f"{i:02d}.jpg")
        save(ids, tmp_path / "masks" / f"{i:02d}.png")
    (tmp_path / "photos" / "03.jpg").write_bytes(b"")
    (tmp_path / "masks" / "05.png").unlink()
    (tmp_path / "photos" / "07.jpg").unlink()
    save(noise(20, 31), tmp_path / "photos" / "08.jpg")
    source = PairedFolders(tmp_path / "photos", tmp_path / "masks")
    options: dict[str, Any] = {"fractions": (0.8, 0.2, 0), "run_dir": tmp_path / "run"}
    with pytest.raises(UserError, match=r"0 bytes|has no mask|has no photo|31x20"):
        data(source, **options).setup("fit")
    module = data(source, on_bad_file="skip", **options)
    module.setup("fit")
    assert module.train_size + len(module.val_names) == 8
    listed = (tmp_path / "run" / "bad_files.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in listed] == ["03", "05", "07", "08"]
    for line, reason in zip(
        listed,
        ["03.jpg is empty", "05.jpg has no mask", "07.png has no photo", "31x20"],
        strict=True,
    ):
        assert reason in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": [128]}, r"size=\[128\]: give height and width"),
        ({"size": [0, 8]}, "give height and width"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"num_workers": -1}, "num_workers=-1"),
        ({"seed": -1}, "seed=-1"),
        ({"on_bad_file": "ignore"}, "on_bad_file=ignore is unknown: choose stop or skip"),
    ],
)
def test_arguments_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        CarDataModule(NumberedCars(40), **({"size": SIZE, "batch_size": 4} | options))


def test_loading_draws_nothing_from_the_global_random_state() -> None:
    module = data(augment=[A.HorizontalFlip(p=0.5), A.GaussNoise(p=1)], num_workers=1)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    epoch_of(module)
    assert torch.equal(torch.get_rng_state(), before)


def test_real_photos_pass_through(car_parts_folder: Path) -> None:
    source = CarParts(car_parts_folder)
    module = CarDataModule(
        source, (128, 224), 8, [A.HorizontalFlip(p=0.5)], fractions=(0.06, 0.03, 0.0)
    )
    batches = epoch_of(module)
    assert len(batches) == 3
    assert batches[0].photo.shape == (8, 3, 128, 224)
    assert batches[0].photo.float().std() > 20
