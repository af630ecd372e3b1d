"""What is kept, what is made anew, and that a bad folder stops nothing."""

import errno
import multiprocessing
import os
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from carsynth.metrics import feature_cache
from carsynth.metrics.extractor import features_of
from carsynth.metrics.feature_cache import FeatureCache
from tests.metrics.tiny_extractor import TinyExtractor, pictures


class Counting(TinyExtractor):
    """Knows how many pictures passed through it."""

    def __init__(self, offset: float = 0.0) -> None:
        super().__init__(offset)
        self.fingerprint = f"{offset}"
        self.seen = 0

    def forward(self, photo: Tensor) -> Tensor:
        self.seen += len(photo)
        return super().forward(photo)


def plain(photo: Tensor, offset: float = 0.0) -> Tensor:
    """The features without a cache."""
    return features_of(Counting(offset), photo)


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def counts(cache: FeatureCache) -> tuple[int, int]:
    return cache.hits, cache.misses


def test_the_second_time_is_read(tmp_path: Path) -> None:
    photo, extractor = pictures(10, 0), Counting()
    first, second = (FeatureCache(extractor, tmp_path / "new" / "folder") for _ in range(2))
    expected = plain(photo)
    assert torch.equal(first.features(photo), expected)
    found = second.features(photo.clone())
    assert torch.equal(found, expected)
    assert found.dtype == torch.float32
    assert extractor.seen == 10
    assert counts(first) == (0, 10)
    assert counts(second) == (10, 0)
    assert len(files(tmp_path / "new" / "folder")) == 1
    found += 1.0  # what is read is the caller's own
    assert torch.equal(second.features(photo), expected)


def test_many_pictures_are_kept_in_chunks(tmp_path: Path) -> None:
    photo = pictures(600, 0)
    cache = FeatureCache(Counting(), tmp_path)
    assert torch.equal(cache.features(photo), plain(photo))
    assert len(files(tmp_path)) == 3
    photo[300, 0, 0, 0] ^= 1
    assert torch.equal(cache.features(photo), plain(photo))
    assert counts(cache) == (344, 600 + 256)
    assert len(files(tmp_path)) == 4


def test_whatever_changes_makes_a_new_entry(tmp_path: Path) -> None:
    photo = pictures(4, 0)
    cache = FeatureCache(Counting(), tmp_path)
    cache.features(photo)
    changed = photo.clone()
    changed[3, 2, 8, 10] ^= 1
    turned = photo.reshape(4, 3, 11, 9)  # the same bytes as another size
    for other in (changed, turned, photo[:3], photo.flip(0)):
        assert torch.equal(cache.features(other), plain(other))
    assert torch.equal(FeatureCache(Counting(0.5), tmp_path).features(photo), plain(photo, 0.5))
    assert cache.hits == 0
    assert len(files(tmp_path)) == 6


def test_the_layout_in_memory_makes_none(tmp_path: Path) -> None:
    photo = pictures(4, 0)
    cache = FeatureCache(Counting(), tmp_path)
    cache.features(photo)
    cache.features(photo.contiguous(memory_format=torch.channels_last))
    assert counts(cache) == (4, 4)


@pytest.mark.parametrize("fault", ["bit", "torn", "empty", "longer", "another's"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, fault: str) -> None:
    photo = pictures(5, 0)
    expected = FeatureCache(Counting(), tmp_path).features(photo)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    if fault == "another's":
        other = FeatureCache(Counting(), tmp_path)
        other.features(pictures(5, 1))
        (foreign,) = set(files(tmp_path)) - {path}
        path.write_bytes(foreign.read_bytes())
    else:
        flipped = whole[:77] + bytes([whole[77] ^ 4]) + whole[78:]
        damaged = {"bit": flipped, "torn": whole[:-9], "empty": b"", "longer": whole + b"\0"}
        path.write_bytes(damaged[fault])
    cache = FeatureCache(Counting(), tmp_path)
    assert torch.equal(cache.features(photo), expected)
    assert counts(cache) == (0, 5)
    assert path.read_bytes() == whole


def test_no_folder_and_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    extractor = Counting()
    cache = FeatureCache(extractor, None)
    for _ in range(2):
        cache.features(pictures(3, 0))
    assert extractor.seen == cache.misses == 6
    assert files(tmp_path) == []
    assert cache.features(pictures(3, 0)[:0]).shape == (0, 12)
    with pytest.raises(TypeError, match="uint8"):
        cache.features(torch.zeros(1, 3, 9, 9))


def goes_on_with_one_warning(folder: Path) -> None:
    extractor = Counting()
    cache = FeatureCache(extractor, folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for seed in range(3):
            photo = pictures(3, seed)
            assert torch.equal(cache.features(photo), plain(photo))
    (warning,) = caught
    assert str(folder) in str(warning.message)
    assert extractor.seen == cache.misses == 9


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    goes_on_with_one_warning(tmp_path / "file")
    goes_on_with_one_warning(tmp_path / "file" / "below")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    goes_on_with_one_warning(tmp_path)
    assert files(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    goes_on_with_one_warning(tmp_path)
    tmp_path.chmod(0o700)


def test_what_is_there_is_read_though_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    FeatureCache(Counting(), tmp_path).features(pictures(3, 0))
    monkeypatch.setattr(feature_cache, "replace_atomically", refuse)
    cache = FeatureCache(Counting(), tmp_path)
    with pytest.warns(UserWarning, match="cannot be kept"):
        cache.features(pictures(3, 1))
    cache.features(pictures(3, 0))
    assert counts(cache) == (3, 3)


def _fill(folder: Path, both: object) -> None:
    torch.set_num_threads(1)
    for seed in range(20):
        both.wait(30)  # type: ignore[attr-defined]
        FeatureCache(Counting(), folder).features(pictures(6, seed))


@pytest.mark.slow
def test_two_processes_may_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    both = context.Barrier(2)
    processes = [context.Process(target=_fill, args=(tmp_path, both)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(files(tmp_path)) == 20
    cache = FeatureCache(Counting(), tmp_path)
    for seed in range(20):
        assert torch.equal(cache.features(pictures(6, seed)), plain(pictures(6, seed)))
    assert counts(cache) == (120, 0)
