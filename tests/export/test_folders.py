"""What all exports share: whole or not there, where from, and mistakes that are said."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from carsynth.errors import UserError
from carsynth.export.coco import RLE_FILE, export_coco
from carsynth.export.index_folders import export_index_folders
from carsynth.export.labelled import LabelledPicture
from carsynth.export.yolo import export_yolo
from tests.export.pictures import PROVENANCE, plain, toy_pictures

Export = Callable[..., int]

EXPORTS = [export_coco, export_yolo, export_index_folders]
LAST = {export_coco: "images", export_yolo: "images", export_index_folders: "masks"}

each_export = pytest.mark.parametrize("export", EXPORTS)

ENDLESS = """
import itertools, sys
from pathlib import Path
from carsynth.export.coco import export_coco
from tests.export.pictures import PROVENANCE, plain
export_coco((plain(str(n)) for n in itertools.count()), Path(sys.argv[1]), PROVENANCE)
"""


@each_export
def test_every_file_says_where_it_is_from(tmp_path: Path, export: Export) -> None:
    export(toy_pictures(2, (32, 32)), tmp_path / "set", PROVENANCE)
    expected = PROVENANCE.as_dict()
    assert expected["synthetic"] is True
    assert expected["models"]["maps"]["sha256"] == "ab" * 32
    assert json.loads((tmp_path / "set" / "provenance.json").read_text()) == expected
    pngs = sorted((tmp_path / "set").rglob("*.png"))
    assert len(pngs) in (2, 4)
    for path in pngs:
        with Image.open(path) as picture:
            text = picture.text
        assert text["Software"] == "carsynth 0.1.0"
        assert text["synthetic"].startswith("synthetic")
        assert json.loads(text["provenance"]) == expected
        assert json.loads(text["info"])["index"] == int(path.stem[-1])


@each_export
def test_a_folder_in_use_stays_as_it_is(tmp_path: Path, export: Export) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("dear to me")
    with pytest.raises(UserError, match="is there already and not empty"):
        export([plain("a")], tmp_path / "set", PROVENANCE)
    with pytest.raises(UserError, match="is there already and not empty"):
        export([plain("a")], tmp_path / "set" / "mine.txt", PROVENANCE)
    assert [path.name for path in tmp_path.rglob("*")] == ["set", "mine.txt"]


@each_export
def test_an_empty_folder_is_filled(tmp_path: Path, export: Export) -> None:
    (tmp_path / "set").mkdir()
    assert export([plain("a")], tmp_path / "set", PROVENANCE) == 1
    assert (tmp_path / "set" / "provenance.json").is_file()
    assert not [path for path in (tmp_path / "set").iterdir() if path.name.startswith(".")]


def bad_id() -> LabelledPicture:
    part_map = np.zeros((12, 20), np.uint8)
    part_map[:2, :3] = 20
    return plain("bad", part_map)


MISTAKES = {
    "sizes": ([plain("b")._replace(photo=np.zeros((12, 21, 3), np.uint8))], "12x21.*12x20"),
    "id": ([bad_id()], r"picture bad: id 20 \(6 pixels\)"),
    "twice": ([plain("b"), plain("c"), plain("b")], "two pictures are called b"),
    "case": ([plain("b"), plain("B")], "two pictures are called B"),
    "path": ([plain("../b")], r"picture '\.\./b' cannot be a file"),
    "empty name": ([plain("")], "picture '' cannot be a file"),
}


@each_export
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_bad_picture_leaves_nothing(tmp_path: Path, export: Export, mistake: str) -> None:
    pictures, message = MISTAKES[mistake]
    with pytest.raises(UserError, match=message):
        export([plain("a"), *pictures], tmp_path / "set", PROVENANCE)
    assert not list(tmp_path.iterdir())


@each_export
def test_nothing_to_export(tmp_path: Path, export: Export) -> None:
    with pytest.raises(UserError, match="no pictures to export"):
        export([], tmp_path / "set", PROVENANCE)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@each_export
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, export: Export) -> None:
    def pictures() -> Iterator[LabelledPicture]:
        yield plain("a")
        # the kernel refuses every byte that goes there: no space left on device
        (tmp_path / "set.partial" / LAST[export] / "b.png").symlink_to("/dev/full")
        yield plain("b")

    with pytest.raises(UserError, match=r"the disk of .*set is full: make space"):
        export(pictures(), tmp_path / "set", PROVENANCE)
    assert not list(tmp_path.iterdir())
    assert export([plain("a")], tmp_path / "set", PROVENANCE) == 1


def test_a_killed_export_never_looks_whole(tmp_path: Path) -> None:
    folder, draft = tmp_path / "set", tmp_path / "set.partial"
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root}
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(folder)], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while len(list(draft.glob("images/*.png"))) < 20:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not folder.exists()
    assert export_coco(toy_pictures(3, (32, 32)), folder, PROVENANCE) == 3
    export_coco(toy_pictures(3, (32, 32)), tmp_path / "undisturbed", PROVENANCE)
    assert not draft.exists()
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 6
    for file in files:
        assert (folder / file).read_bytes() == (tmp_path / "undisturbed" / file).read_bytes()


def test_what_is_not_an_export_is_never_cleared_away(tmp_path: Path) -> None:
    mine = tmp_path / "set.partial" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("dear to me")
    with pytest.raises(UserError, match=r"set\.partial is in the way"):
        export_coco([plain("a")], tmp_path / "set", PROVENANCE)
    assert mine.read_text() == "dear to me"


def test_a_file_where_a_folder_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be made: Not a directory"):
        export_coco([plain("a")], tmp_path / "file" / "set", PROVENANCE)


@each_export
def test_few_pictures_are_held_at_a_time(tmp_path: Path, export: Export) -> None:
    def pictures() -> Iterator[LabelledPicture]:
        for number in range(60):
            written = len(list((tmp_path / "set.partial" / LAST[export]).iterdir()))
            assert written >= number - 8
            yield plain(str(number))

    assert export(pictures(), tmp_path / "set", PROVENANCE, threads=2) == 60


def test_annotations_are_written_as_they_come(tmp_path: Path) -> None:
    def pictures() -> Iterator[LabelledPicture]:
        yield from toy_pictures(100, (32, 32))
        assert (tmp_path / "set.partial" / RLE_FILE).stat().st_size > 50_000

    export_coco(pictures(), tmp_path / "set", PROVENANCE)
