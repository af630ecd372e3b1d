"""Samples read once, into memory or a file that workers share."""

import gc
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
import torch.multiprocessing as multiprocessing

from carsynth.data.batch import CarSample
from carsynth.data.cache import Cache
from carsynth.data.store import Store, bytes_needed
from carsynth.errors import UserError
from tests.data.cars import NumberedCars

SIZE = (16, 24)


def cache(
    source: NumberedCars, gib: float = 1.0, skip: bool = False, bad_list: Path | None = None
) -> Cache:
    return Cache(source, SIZE, gib, skip_bad=skip, bad_list=bad_list, quiet=True)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("gib", [1.0, 0.0])
def test_samples_come_back_as_read(temporary: Path, gib: float) -> None:
    source = NumberedCars(9)
    split = cache(source, gib).load("train", source.names[2:])
    assert split.store.in_memory == (gib > 0)
    assert split.names == source.names[2:]
    for row, index in enumerate(range(2, 9)):
        sample = source.read(index, SIZE)
        np.testing.assert_array_equal(split.store.photos[row], sample.photo)
        np.testing.assert_array_equal(split.store.part_maps[row], sample.part_map)
        assert split.store.labels[row] == sample.label
    assert split.store.photos.is_shared()
    assert len(list(temporary.iterdir())) == (gib == 0)
    del split
    gc.collect()
    assert not list(temporary.iterdir())


def test_the_limit_counts_all_splits(temporary: Path) -> None:
    source = NumberedCars(10)
    limited = cache(source, gib=bytes_needed(7, SIZE) / 2**30)
    splits = [limited.load(*part) for part in (("a", source.names[:4]), ("b", source.names[4:8]))]
    splits.append(limited.load("c", source.names[8:]))
    assert [split.store.in_memory for split in splits] == [True, False, True]


def test_the_first_bad_sample_stops() -> None:
    source = NumberedCars(40, bad=(30, 11))
    with pytest.raises(UserError, match="car-011 is broken: mend it"):
        cache(source).load("train", source.names)


def test_bad_samples_are_skipped_and_listed(tmp_path: Path) -> None:
    source = NumberedCars(10, bad=(0, 3, 9))
    bad_list = tmp_path / "run" / "bad_files.txt"
    skipping = cache(source, skip=True, bad_list=bad_list)
    split = skipping.load("train", source.names[:6])
    assert split.names == ("car-001", "car-002", "car-004", "car-005")
    assert split.rows == [1, 2, 4, 5]
    skipping.load("validation", source.names[6:])
    lines = bad_list.read_text().splitlines()
    assert lines == [f"car-00{i}\tcar-00{i} is broken: mend it" for i in (0, 3, 9)]


def test_a_split_of_bad_samples_only_stops() -> None:
    source = NumberedCars(5, bad=(3, 4))
    with pytest.raises(UserError, match=r"none of the 2 samples of the test split .*car-003 is"):
        cache(source, skip=True).load("test", source.names[3:])


def test_a_source_that_gives_another_size_is_a_fault() -> None:
    class Wrong(NumberedCars):
        def read(self, index: int, size: tuple[int, int]) -> CarSample:
            return super().read(index, (size[0], 1))

    with pytest.raises(RuntimeError, match=r"Wrong gave a photo \(16, 1, 3\)"):
        cache(Wrong(3)).load("train", Wrong(3).names)


def test_reading_is_threaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carsynth.data.cache._threads", lambda: 4)
    meeting = threading.Barrier(4, timeout=5)

    class Meeting(NumberedCars):
        def read(self, index: int, size: tuple[int, int]) -> CarSample:
            meeting.wait()
            return super().read(index, size)

    source = Meeting(8)
    assert len(cache(source).load("train", source.names).rows) == 8


def test_a_file_that_does_not_fit_is_refused(temporary: Path) -> None:
    with pytest.raises(UserError, match=r"GiB free and the cache needs .*TMPDIR"):
        Store(2**31, (1024, 1024), in_memory=False)
    assert not list(temporary.iterdir())


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_that_drops_its_copy_leaves_the_file(temporary: Path) -> None:
    held = [Store(3, SIZE, in_memory=False)]
    child = os.fork()
    if child == 0:
        held.clear()
        gc.collect()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(list(temporary.iterdir())) == 1
    held.clear()
    gc.collect()
    assert not list(temporary.iterdir())


def mark(store: Store, row: int) -> None:
    store.photos[row] = os.getpid() % 251


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("in_memory", [True, False])
def test_processes_see_the_same_bytes(temporary: Path, method: str, in_memory: bool) -> None:
    """A child writes where its parent reads, and the file stays when the child goes."""
    store = Store(3, SIZE, in_memory)
    store.photos.zero_()
    worker = multiprocessing.get_context(method).Process(target=mark, args=(store, 1))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 0
    assert (store.photos[1] == worker.pid % 251).all()
    assert (store.photos[0] == 0).all()
    assert len(list(temporary.glob("carsynth-cache-*"))) == (not in_memory)
