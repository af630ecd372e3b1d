"""Shards: read back by WebDataset and by carsynth, whole or refused, whole or not there."""

import errno
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from carsynth.errors import UserError
from carsynth.export.labelled import LabelledPicture
from carsynth.generation.order_folder import claim, summarise
from carsynth.generation.shards import is_there, read_shard, record_path, shard_path, write_shard
from carsynth.labels import PALETTE
from tests.export.pictures import toy_pictures

RECORD: dict[str, Any] = {"pictures": 5, "rejected": {"specks": 2, "car too small": 1}}


def pictures(count: int = 5) -> list[LabelledPicture]:
    return list(toy_pictures(count, (32, 40)))


def write(folder: Path, number: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    path = shard_path(folder, number)
    write_shard(path, pictures(), RECORD)
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert is_there(path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        "shard-000000.json",
        "shard-000000.tar",
    ]
    assert json.loads(record_path(path).read_text()) == RECORD
    for ours, read in zip(pictures(), read_shard(path), strict=True):
        assert (read.name, read.info) == (ours.name, ours.info)
        np.testing.assert_array_equal(read.photo, ours.photo)
        np.testing.assert_array_equal(read.part_map, ours.part_map)


def test_webdataset_reads_shards(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    for number in (0, 1):
        write(tmp_path, number)
    urls = [str(shard_path(tmp_path, number)) for number in (0, 1)]
    plain = list(webdataset.WebDataset(urls, shardshuffle=False))
    decoded = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    assert len(plain) == len(decoded) == 10
    for ours, raw, sample in zip(pictures() * 2, plain, decoded, strict=True):
        assert raw["__key__"] == ours.name
        assert {"photo.png", "map.png", "json"} <= raw.keys()
        ids = np.array(Image.open(io.BytesIO(raw["map.png"])))
        np.testing.assert_array_equal(ids, ours.part_map)
        np.testing.assert_array_equal(sample["photo.png"], ours.photo)
        np.testing.assert_array_equal(sample["map.png"], PALETTE[ours.part_map])
        assert sample["json"] == ours.info


def test_torch_loads_shards_through_webdataset(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    data = webdataset.WebDataset(str(write(tmp_path)), shardshuffle=False).decode("torchrgb8")
    loader = webdataset.WebLoader(data.to_tuple("photo.png", "json").batched(5), batch_size=None)
    (batch,) = loader
    assert batch[0].shape == (5, 3, 32, 40)
    assert [info["index"] for info in batch[1]] == [0, 1, 2, 3, 4]


def test_bytes_depend_on_the_content_alone(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one"), write(tmp_path / "other", 3)
    os.utime(one, (1, 1))
    assert one.read_bytes() == other.read_bytes()
    assert write(tmp_path / "one").read_bytes() == other.read_bytes()


def test_a_torn_shard_is_said(tmp_path: Path) -> None:
    whole = write(tmp_path).read_bytes()
    torn = tmp_path / "torn.tar"
    # At every block, where an archive can end without a sign of it, and within blocks. Of the
    # zeros at the end, which fill up a record of tar's, two blocks are enough.
    end = len(whole.rstrip(b"\0"))
    for length in [*range(0, end, 512), *range(1, end, 997)]:
        torn.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"torn.tar is damaged .*delete it and generate it"):
            list(read_shard(torn))
    with pytest.raises(UserError, match=r"gone.tar is damaged"):
        list(read_shard(tmp_path / "gone.tar"))


def test_spoilt_bytes_are_said_or_harmless(tmp_path: Path) -> None:
    whole = bytearray(write(tmp_path).read_bytes())
    spoilt = tmp_path / "spoilt.tar"
    said = 0
    draws = np.random.default_rng(0)
    for place in draws.integers(0, len(bytes(whole).rstrip(b"\0")), 300):
        spoilt.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            found = list(read_shard(spoilt))
        except UserError:
            said += 1
            continue
        # JSON and the padding of blocks have no checksums, all else has.
        for ours, read in zip(pictures(), found, strict=True):
            np.testing.assert_array_equal(read.photo, ours.photo)
            np.testing.assert_array_equal(read.part_map, ours.part_map)
    assert said > 150


def test_a_full_disk_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"shard-000000.tar cannot be written \(No space left"):
            write(tmp_path)
        with pytest.raises(UserError, match=r"order.json cannot be written .*make room"):
            claim(tmp_path, {"seed": 0})
    assert not list(tmp_path.iterdir())
    assert is_there(write(tmp_path))


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written .*see to it that the folder"):
        write_shard(shard_path(tmp_path / "file", 0), pictures(), RECORD)
    with pytest.raises(UserError, match=r"order.json cannot be written"):
        claim(tmp_path / "file", {"seed": 0})


def test_what_killed_processes_left_is_cleared_away(tmp_path: Path) -> None:
    own = (".shard-000000.tar.77.partial", ".shard-000000.json.77.tmp")
    others = (".shard-000001.tar.77.partial", "mine.txt")
    drafts = (".order.json.77.tmp", ".generated.json.77.tmp")
    for name in (*own, *others, *drafts):
        (tmp_path / name).write_text("half")
    order = claim(tmp_path, {"seed": 0})
    write(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert not left & set(own)
    assert left >= set(others)
    summarise(tmp_path, 1, order)
    assert not {path.name for path in tmp_path.iterdir()} & set(drafts)


def test_a_shard_without_its_record_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path)
    record_path(path).unlink()
    assert not is_there(path)
    assert summarise(tmp_path, 1, {}) == {}


def test_records_are_added_up(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path, number)
    result = summarise(tmp_path, 3, {"seed": 4})
    assert result == {"seed": 4, "pictures": 15, "rejected": {"specks": 6, "car too small": 3}}
    assert json.loads((tmp_path / "generated.json").read_text()) == result
    assert summarise(tmp_path, 4, {"seed": 4}) == {}


ORDER: dict[str, Any] = {
    "seed": 1,
    "balance": {"view": "uniform"},
    "models": {"maps": {"path": "a.ckpt", "sha256": "aa"}, "reference": {"sha256": "bb"}},
}


def test_a_folder_is_one_orders(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert claim(folder, ORDER) == claim(folder, ORDER) == ORDER
    moved = {**ORDER, "models": {**ORDER["models"], "maps": {"path": "b.ckpt", "sha256": "aa"}}}
    assert claim(folder, moved) == ORDER
    with pytest.raises(UserError, match=r"holds another order \(seed 1, not 2\): name a new"):
        claim(folder, {**ORDER, "seed": 2})
    other = {**ORDER, "models": {**ORDER["models"], "maps": {"path": "a.ckpt", "sha256": "cc"}}}
    with pytest.raises(UserError, match=r"holds another order .*cc"):
        claim(folder, other)
    (folder / "order.json").write_text("{")
    with pytest.raises(UserError, match=r"order.json cannot be read"):
        claim(folder, ORDER)
    (folder / "order.json").unlink()
    write(folder)
    with pytest.raises(UserError, match="holds shards of no order"):
        claim(folder, ORDER)
