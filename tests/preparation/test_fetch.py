"""Photos fetched from a real server, which is not always kind."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from carsynth.errors import UserError
from carsynth.preparation.fetch import Fetch
from tests.preparation.photo_server import PhotoServer, serving


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with serving() as server:
        yield server


def write_table(folder: Path, rows: list[list[str]], header: str = "name,address") -> Path:
    path = folder / "cars.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(header + "\n")
        csv.writer(file).writerows(rows)
    return path


def fetch(folder: Path, addresses: list[str], **options: Any) -> list[list[str]]:
    """Fetch them as rows 2, 3 and so on into ``folder/photos``; the lines of ``failed.csv``."""
    table = write_table(folder, [[f"car {i}", address] for i, address in enumerate(addresses)])
    options = {"pause": 0.0, "retry_wait": 0.05, "timeout": 5.0} | options
    Fetch(table, folder / "photos", **options).run()
    return failed(folder)


def failed(folder: Path) -> list[list[str]]:
    with (folder / "photos" / "failed.csv").open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    assert header == ["row", "address", "reason"]
    return lines


def photos(folder: Path) -> list[str]:
    files = (path for path in (folder / "photos").rglob("*") if path.is_file())
    return sorted(p.relative_to(folder / "photos").as_posix() for p in files if p.suffix != ".csv")


def test_good_photos_arrive_and_the_rest_is_listed(
    server: PhotoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    addresses = [
        server.at("photo/1.jpg"),
        server.at("photo/2.png"),
        server.at("missing"),
        server.at("page"),
        "",
        "file:///etc/hostname",
        server.at("moved"),
        server.at("cut"),
        server.at("circle"),
        server.at("photo/mit leer und ü.jpg?a=1&b=%20"),
    ]
    lines = fetch(tmp_path, addresses)
    names = photos(tmp_path)
    assert [name[:9] + name[-4:] for name in names] == [
        "row000002.jpg",
        "row000003.png",
        "row000008.jpg",
        "row000011.jpg",
    ]
    for name in names:
        with Image.open(tmp_path / "photos" / name) as photo:
            assert np.asarray(photo).shape == (24, 32, 3)
    assert [(row, reason[:24]) for row, _, reason in lines] == [
        ("4", "HTTP 404 Not Found"),
        ("5", "not a picture"),
        ("6", "no address"),
        ("7", "not an http or https add"),
        ("9", "not a picture that can b"),
        ("10", "more than 5 redirections"),
    ]
    assert lines[0][1] == server.at("missing")
    assert "4 fetched, 0 there before, 6 failed" in capsys.readouterr().out
    assert server.asked["missing"] == server.asked["page"] == 1
    assert server.asked["photo/mit%20leer%20und%20%C3%BC.jpg?a=1&b=%20"] == 1
    (agent,) = server.agents
    assert agent.startswith("carsynth/")


def test_what_may_pass_is_tried_again(server: PhotoServer, tmp_path: Path) -> None:
    addresses = [server.at(path) for path in ("flaky/1", "down", "short", "silent")]
    lines = fetch(tmp_path, addresses, retries=2, timeout=0.5, per_host=4)
    assert len(photos(tmp_path)) == 1
    assert [line[0] for line in lines] == ["3", "4", "5"]
    assert lines[0][2] == "HTTP 503 Service Unavailable (3 tries)"
    assert "broke off after" in lines[1][2]
    assert "timed out" in lines[2][2]
    assert dict(server.asked) == {
        "flaky/1": 3,
        "down": 3,
        "short": 3,
        "silent": 3,
    }


def test_waits_between_tries_grow(server: PhotoServer, tmp_path: Path) -> None:
    fetch(tmp_path, [server.at("down"), server.at("photo/1")], retries=3, retry_wait=0.1)
    first, _, *later = server.times
    gaps = np.diff([first, *later])
    assert (gaps > [0.09, 0.19, 0.39]).all()
    assert gaps.sum() < 3


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_holds_the_whole_host(
    server: PhotoServer, tmp_path: Path, as_date: bool
) -> None:
    server.retry_after = formatdate(time.time() + 2, usegmt=True) if as_date else "1"
    addresses = [server.at(f"busy/{i}") for i in range(2)]
    assert fetch(tmp_path, addresses, per_host=1) == []
    first, second, *_ = server.times
    # a date has whole seconds
    assert second - first > (0.5 if as_date else 0.95)
    assert len(photos(tmp_path)) == 2


def test_a_host_that_asks_for_an_hour_is_left_alone(server: PhotoServer, tmp_path: Path) -> None:
    server.retry_after = "3600"
    addresses = [server.at("photo/0"), *(server.at(f"busy/{i}") for i in range(9))]
    start = time.monotonic()
    lines = fetch(tmp_path, addresses, per_host=1)
    assert time.monotonic() - start < 5
    assert server.asked.total() == 2
    assert len(lines) == 9
    assert "left alone for 3600 seconds" in lines[-1][2]


def test_hosts_are_not_asked_too_much_at_once(server: PhotoServer, tmp_path: Path) -> None:
    server.seconds = 0.05
    addresses = [server.at(f"photo/{i}") for i in range(12)]
    assert fetch(tmp_path, addresses, workers=8, per_host=2) == []
    assert server.busiest == 2
    assert server.asked.total() == 12


def test_a_pause_lies_between_requests(server: PhotoServer, tmp_path: Path) -> None:
    fetch(tmp_path, [server.at(f"photo/{i}") for i in range(5)], per_host=4, pause=0.1)
    gaps = np.diff(sorted(server.times))
    assert gaps.min() > 0.07
    assert gaps.sum() < 2


def test_one_slow_host_does_not_keep_others_waiting(server: PhotoServer, tmp_path: Path) -> None:
    with serving() as other:
        server.seconds = 0.3
        # by another name it is another host, first in line and with fewer threads than photos
        addresses = [server.at(f"photo/{i}") for i in range(6)]
        addresses += [other.at(f"photo/{i}", "localhost") for i in range(6)]
        assert fetch(tmp_path, addresses, workers=3, per_host=1) == []
        assert max(other.times) < sorted(server.times)[2]


def test_hosts_take_turns(server: PhotoServer, tmp_path: Path) -> None:
    with serving() as other:
        addresses = [server.at(f"photo/{i}") for i in range(4)]
        addresses += [other.at(f"photo/{i}", "localhost") for i in range(4)]
        assert fetch(tmp_path, addresses, workers=1) == []
        assert sorted(other.times)[0] < sorted(server.times)[1]
        assert sorted(server.times)[3] < sorted(other.times)[3]


def test_redirections_to_another_host_wait_in_its_line(server: PhotoServer, tmp_path: Path) -> None:
    with serving() as other:
        other.seconds = 0.05
        server.elsewhere = other.at("photo/here", "localhost")
        addresses = [server.at(f"away/{i}") for i in range(6)]
        assert fetch(tmp_path, addresses, per_host=1) == []
        assert (other.busiest, other.asked["photo/here"]) == (1, 6)
    server.elsewhere = "file:///etc/hostname"
    (line,) = fetch(tmp_path, [*addresses, server.at("away/file")])
    assert "redirected to file:///etc/hostname, which is not http or https" in line[2]


def test_a_second_run_fetches_what_is_missing(
    server: PhotoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    addresses = [server.at(path) for path in ("photo/1", "flaky/1", "photo/2.png")]
    assert [line[0] for line in fetch(tmp_path, addresses, retries=0)] == ["3"]
    kept = photos(tmp_path)
    stamps = {name: (tmp_path / "photos" / name).stat().st_mtime_ns for name in kept}
    (tmp_path / "photos" / kept[1]).unlink()
    server.asked.clear()
    server.asked["flaky/1"] = 2
    assert fetch(tmp_path, addresses) == []
    assert server.asked == {"flaky/1": 3, "photo/2.png": 1}
    assert len(photos(tmp_path)) == 3
    assert (tmp_path / "photos" / kept[0]).stat().st_mtime_ns == stamps[kept[0]]
    assert "2 fetched, 1 there before, 0 failed" in capsys.readouterr().out
    # another address in the same row is another photo
    fetch(tmp_path, [server.at("photo/other"), *addresses[1:]])
    assert server.asked["photo/other"] == 1


def test_labels_become_folders(server: PhotoServer, tmp_path: Path) -> None:
    labels = ["Audi", "Land Rover", "a/b", "..", "", "Audi"]
    rows = [[label, server.at(f"photo/{i}")] for i, label in enumerate(labels)]
    table = write_table(tmp_path, rows, header="make,image")
    Fetch(table, tmp_path / "photos", label_column="make", pause=0.0).run()
    folders = [Path(name).parent.as_posix() for name in photos(tmp_path)]
    assert folders == ["Audi", "Audi", "Land Rover", "a_b"]
    assert [(line[0], line[2]) for line in failed(tmp_path)] == [
        ("5", "no folder for .."),
        ("6", "no label in column make"),
    ]


def test_photos_that_are_too_large(server: PhotoServer, tmp_path: Path) -> None:
    names = ("photo/1.png", "endless", "huge", "photo/1.jpg")
    lines = fetch(tmp_path, [server.at(name) for name in names], max_megabytes=0.002)
    assert [line[2] for line in lines] == ["larger than 0.002 MB"] * 3
    assert server.sent < 3e7
    assert len(photos(tmp_path)) == 1


def test_the_column_of_addresses(
    server: PhotoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [["1", server.at(f"photo/{i}"), server.at("page")] for i in range(3)]
    table = write_table(tmp_path, rows, header="id,image,page")
    Fetch(table, tmp_path / "photos", pause=0.0).run()
    assert len(photos(tmp_path)) == 3
    said = capsys.readouterr().out
    assert "addresses from column image of" in said
    assert "addresses too in page: column=NAME takes another" in said
    table.write_bytes(
        "\ufeffid;bild\n1;{}\n".format(server.at("photo/a,b.jpg")).encode()  # as Excel writes it
    )
    Fetch(table, tmp_path / "more" / "photos", pause=0.0).run()
    assert server.asked["photo/a,b.jpg"] == 1


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("id,make\n1,audi\n", {}, "has no column of http or https addresses: name it with column"),
        ("id,url\n1,http://a/b\n", {"column": "image"}, "column=image: table .* it has id, url"),
        ("id,url\n1,http://a/b\n", {"label_column": "make"}, "label_column=make: table"),
        ("http://a/b\nhttp://a/c\n", {}, "holds an address in its first line"),
        ("id,url\n", {}, "has no rows below its column names"),
        ("", {}, "has no rows below its column names"),
        (b"url\nhttp://a/\xe4\n", {}, "is not UTF-8 text"),
        ("url\nhttp://a/b\n", {"workers": 0}, "workers=0: give 1 or more"),
        ("url\nhttp://a/b\n", {"pause": -1}, "pause=-1: give 0 or more"),
        ("url\nhttp://a/b\n", {"max_megabytes": 0}, "max_megabytes=0: give a number over 0"),
    ],
)
def test_tables_and_numbers_that_cannot_be_used(
    text: str | bytes, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "cars.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=said) as caught:
        Fetch(path, tmp_path / "photos", **options).run()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "photos").exists()


def test_missing_tables_and_useless_folders(server: PhotoServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no\.csv does not exist: check table=FILE"):
        Fetch(tmp_path / "no.csv", tmp_path / "photos").run()
    with pytest.raises(UserError, match="cannot be read"):
        Fetch(tmp_path, tmp_path / "photos").run()
    (tmp_path / "photos").write_text("a file")
    with pytest.raises(UserError, match=r"output_dir=.*photos cannot be written to"):
        fetch(tmp_path, [server.at("photo/1")])


def test_when_no_photo_comes_at_all(server: PhotoServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not one of 2 photos .*2 times: HTTP 404.*failed\.csv"):
        fetch(tmp_path, [server.at("missing/1"), server.at("missing/2")])
    assert len(failed(tmp_path)) == 2


def test_a_full_disk_leaves_no_half_photo(
    server: PhotoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"photos cannot be written to: .*No space left"):
        fetch(tmp_path, [server.at("photo/1")])
    assert photos(tmp_path) == []


@pytest.mark.slow
def test_a_killed_run_leaves_whole_files_and_is_taken_up_again(
    server: PhotoServer, tmp_path: Path
) -> None:
    server.seconds = 0.05
    addresses = [server.at(f"photo/{i}.png") for i in range(60)]
    table = write_table(tmp_path, [["", address] for address in addresses])
    words = ["task=fetch", f"table={table}", "output_dir=photos", "pause=0.02"]
    process = subprocess.Popen(
        [sys.executable, "-m", "carsynth.prepare", *words],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while server.asked.total() < 15 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = photos(tmp_path)
    finished = [name for name in before if not name.startswith(".")]
    assert 5 < len(finished) < 60
    for name in finished:
        with Image.open(tmp_path / "photos" / name) as photo:
            photo.load()
    time.sleep(0.2)  # the server's last answers to the dead
    server.asked.clear()
    server.seconds = 0.0
    assert fetch(tmp_path, addresses) == []
    assert server.asked.total() == 60 - len(finished)
    assert len([name for name in photos(tmp_path) if not name.startswith(".")]) == 60
