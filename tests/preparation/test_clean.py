"""A report of real files, each with its own fault; the folder itself stays as it is."""

import csv
import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from carsynth.errors import UserError
from carsynth.preparation.clean import Clean
from carsynth.preparation.contact_sheet import draw_sheet
from carsynth.preparation.findings import Finding, Kind
from carsynth.preparation.near import Pair, groups_of, looks_of, near_pairs
from carsynth.preparation.outliers import far_ones
from tests.data.cars import noise, save
from tests.metrics.tiny_extractor import TinyExtractor


def motif(seed: int, height: int = 120, width: int = 180) -> NDArray[np.uint8]:
    """Coarse and fine blots, as unlike others as photos are."""
    size = (width, height)
    blots = [
        cv2.resize(noise(2 << scale, 3 << scale, seed + 1000 * scale), size) / 2.0**scale
        for scale in range(4)
    ]
    return (sum(blots) / 1.875).astype(np.uint8)


def clean(root: Path, output_dir: Path, **options: Any) -> list[tuple[str, str, str]]:
    """The lines of the report."""
    options = {"extractor": TinyExtractor, "device": torch.device("cpu")} | options
    Clean(root, output_dir, **options).run()
    with (output_dir / "report.csv").open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    assert header == ["file", "finding", "detail"]
    return [(line[0], line[1], line[2]) for line in lines]


def tree(root: Path) -> str:
    """Hash of all names, contents and times below a folder."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        digest.update(repr((str(path), path.stat().st_mtime_ns, content)).encode())
    return digest.hexdigest()


def test_every_fault_is_listed_and_nothing_is_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "cars"
    for seed in range(6):
        save(motif(seed), root / "audi" / f"{seed}.png")
    save(motif(0), root / "bmw" / "copy.bmp")
    turned = Image.fromarray(np.rot90(motif(1)).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # a viewer turns it back by 90 degrees clockwise
    save(turned, root / "bmw" / "turned.png", exif=exif)
    save(motif(2), root / "bmw" / "again.jpg", quality=40)
    save(motif(3)[:, ::-1].copy(), root / "bmw" / "mirrored.jpg", quality=80)
    save(motif(4, 80, 120), root / "aaa_smaller.jpg")
    save(motif(20, 200, 100), root / "tall.jpg")
    save(motif(21, 70, 250), root / "flat.jpg")
    save(motif(22, 40, 60), root / "tiny.png")
    whole = save(motif(23), root / "whole.jpg")
    (root / "broken.jpg").write_bytes(whole.read_bytes()[:900])
    (root / "empty.png").write_bytes(b"")
    (root / "notes.txt").write_text("not a photo")
    before = tree(root)

    lines = clean(root, tmp_path / "out")
    assert tree(root) == before
    assert [line[:2] for line in lines] == [
        ("broken.jpg", "not decodable"),
        ("empty.png", "not decodable"),
        ("tiny.png", "too small"),
        ("flat.jpg", "wrong aspect"),
        ("tall.jpg", "wrong aspect"),
        ("bmw/copy.bmp", "duplicate"),
        ("bmw/turned.png", "duplicate"),
        ("aaa_smaller.jpg", "near duplicate"),
        ("bmw/again.jpg", "near duplicate"),
        ("bmw/mirrored.jpg", "near duplicate"),
    ]
    details = {line[0]: line[2] for line in lines}
    assert details["broken.jpg"].startswith("cannot be decoded (image file is truncated")
    assert details["tiny.png"] == "60x40, shorter side under 64"
    assert details["tall.jpg"] == "100x200, 0.50 is not in 1 to 3"
    assert details["bmw/turned.png"] == "same pixels as audi/1.png"
    assert details["aaa_smaller.jpg"].startswith("like audi/4.png, ")
    assert details["bmw/mirrored.jpg"].startswith("like mirrored audi/3.png, ")
    said = capsys.readouterr().out
    assert "near duplicate      3" in said
    assert "10 of 17 photos are listed" in said
    assert "are not looked for among fewer than 30" in said
    with Image.open(tmp_path / "out" / "report.png") as sheet:
        assert sheet.width > 1500
        assert sheet.height > 5 * 160
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "report.csv",
        "report.png",
    ]


def test_clean_photos_have_an_empty_report(tmp_path: Path) -> None:
    for seed in range(40):
        save(motif(seed), tmp_path / "cars" / f"{seed}.png")
    assert clean(tmp_path / "cars", tmp_path / "out", outliers=False) == []
    with Image.open(tmp_path / "out" / "report.png") as sheet:
        assert sheet.size[1] < 100


def test_limits_are_the_users(tmp_path: Path) -> None:
    save(motif(0, 40, 120), tmp_path / "cars" / "a.png")
    save(motif(0, 40, 120) // 2, tmp_path / "cars" / "b.png")
    save(motif(1, 60, 60), tmp_path / "cars" / "c.png")
    options: dict[str, Any] = {"min_side": 40, "min_aspect": 1.2, "max_aspect": 3.0}
    lines = clean(tmp_path / "cars", tmp_path / "out", **options, near_bits=0)
    assert [line[:2] for line in lines if line[1] != "near duplicate"] == [
        ("c.png", "wrong aspect")
    ]
    options |= {"min_side": 41, "max_aspect": 2.9}
    lines = clean(tmp_path / "cars", tmp_path / "more", **options)
    assert [line[:2] for line in lines] == [
        ("a.png", "too small"),
        ("b.png", "too small"),
        ("a.png", "wrong aspect"),
        ("b.png", "wrong aspect"),
        ("c.png", "wrong aspect"),
        ("b.png", "near duplicate"),
    ]


def test_a_photo_unlike_the_rest(tmp_path: Path) -> None:
    for seed in range(40):
        save(motif(seed) // 4 + 90, tmp_path / "cars" / f"{seed:02d}.png")
    tiles = np.indices((12, 18)).sum(0) % 2 * 255
    save(np.kron(tiles, np.ones((10, 10))).astype(np.uint8), tmp_path / "cars" / "x.png")
    lines = clean(tmp_path / "cars", tmp_path / "out")
    scores = {line[0]: float(line[2].split()[0]) for line in lines if line[1] == "outlier"}
    assert scores.pop("x.png") > 3 * max(scores.values(), default=6.0)
    assert len(scores) < 5
    unwanted = partial(pytest.fail, "an extractor was made")
    assert clean(tmp_path / "cars", tmp_path / "more", outliers=False, extractor=unwanted) == []


def test_outliers_are_far_from_their_fifth_neighbour() -> None:
    usual = torch.randn(2000, 6, generator=torch.Generator().manual_seed(0)) + 50.0
    odd = torch.full((4, 6), 70.0) + torch.arange(4)[:, None] * 1e-3  # four of a kind
    found = far_ones(torch.cat([usual[:1500], odd, usual[1500:]]))
    assert {1500, 1501, 1502, 1503} <= found.keys()
    assert len(found) < 4 + 2000 * 0.05
    assert min(found[index] for index in range(1500, 1504)) > 20
    assert far_ones(torch.zeros(50, 3)) == {}
    assert far_ones(torch.cat([usual[:25], odd])) == {}


@pytest.mark.parametrize("size", [(90, 140), (31, 200), (12, 9)])
def test_looks_of_a_mirror_image_are_the_second_looks(size: tuple[int, int]) -> None:
    photo = motif(3, *size)
    looks, flipped = looks_of(photo), looks_of(photo[:, ::-1].copy())
    assert looks.shape == (2, 2)
    # by at most a bit or two, where a wave is next to nothing
    assert np.bitwise_count(looks ^ flipped[::-1]).sum() <= 4
    assert np.bitwise_count(looks[0] ^ looks[1]).sum() > 20


def test_looks_bear_what_happens_to_photos() -> None:
    photo = motif(8, 240, 360)
    brighter = np.clip(photo * 1.2 + 10, 0, 255).astype(np.uint8)
    smaller = cv2.resize(photo, (90, 60), interpolation=cv2.INTER_AREA)
    for other in (brighter, smaller):
        assert np.bitwise_count(looks_of(photo)[0] ^ looks_of(other)[0]).sum() <= 12
    assert np.bitwise_count(looks_of(photo)[0] ^ looks_of(motif(9, 240, 360))[0]).sum() > 30


def test_pairs_are_those_that_all_comparisons_find() -> None:
    rng = np.random.default_rng(0)
    looks = rng.integers(0, 2**64, (600, 2, 2), dtype=np.uint64)
    looks[590, 0] = looks[3, 0] ^ np.uint64(7)  # 3 bits in each word, far apart
    looks[300, 0] = looks[299, 1]  # a mirror image
    looks[300, 1] = looks[299, 0]
    looks[555] = looks[290]
    assert sorted(near_pairs(looks, 6)) == [
        Pair(3, 590, 6, False),
        Pair(290, 555, 0, False),
        Pair(299, 300, 0, True),
    ]
    assert Pair(3, 590, 6, False) not in list(near_pairs(looks, 5))
    bits = np.unpackbits(looks.view(np.uint8).reshape(600, 2, 16), axis=2).astype(np.int64)
    plain, mirrored = bits[:, 0], bits[:, 1]
    both = np.minimum(
        np.abs(plain[:, None] - plain[None]).sum(2), np.abs(plain[:, None] - mirrored[None]).sum(2)
    )
    expected = {(i, j) for i, j in np.argwhere(both <= 44) if i < j}
    assert len(expected) > 20
    assert {pair[:2] for pair in near_pairs(looks, 44)} == expected


def test_chains_are_one_group() -> None:
    links = [(7, 9), (1, 4), (4, 9), (2, 3), (9, 12)]
    pairs = [Pair(first, second, 1, False) for first, second in links]
    assert sorted(groups_of(pairs)) == [[1, 4, 7, 9, 12], [2, 3]]
    assert groups_of([]) == []


def test_the_sheet_shows_the_photos(tmp_path: Path) -> None:
    colours = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}
    for name, colour in colours.items():
        save(np.full((50, 75, 3), colour, np.uint8), tmp_path / f"{name}.png")
    near = Finding("red.png", Kind.NEAR, "like green.png", "3 bits", "green.png", "kept", 3)
    long = Finding("folder/" * 40 + "gone.png", Kind.BROKEN, "cannot be decoded", "no " * 90)
    findings = [near, long]
    many = [Finding("blue.png", Kind.OUTLIER, "far", weight=i) for i in range(30)]

    def area(sheet: Image.Image, name: str) -> int:
        return int((np.asarray(sheet) == colours[name]).all(axis=2).sum())

    sheet = draw_sheet(tmp_path, findings)
    assert area(sheet, "red") == area(sheet, "green") == 192 * 128
    assert area(sheet, "blue") == 0
    taller = draw_sheet(tmp_path, findings + many)
    assert area(taller, "blue") == 24 * 192 * 128
    assert taller.height > sheet.height


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    save(motif(0), tmp_path / "cars" / "a.png")
    with pytest.raises(UserError, match=r"data folder .*no does not exist"):
        clean(tmp_path / "no", tmp_path / "out")
    for inside in (tmp_path / "cars", tmp_path / "cars" / "new" / "report"):
        with pytest.raises(UserError, match=r"lies in root=.*, which is only read"):
            clean(tmp_path / "cars", inside)
    (tmp_path / "link").symlink_to(tmp_path / "cars")
    with pytest.raises(UserError, match="lies in root="):
        clean(tmp_path / "cars", tmp_path / "link" / "report")
    save(motif(0), tmp_path / "full" / "a.png")
    with pytest.raises(UserError, match="full is there already and not empty"):
        clean(tmp_path / "cars", tmp_path / "full")
    assert [path.name for path in tmp_path.joinpath("cars").iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"min_aspect": 3.0, "max_aspect": 1.0}, "two numbers over 0, the smaller first"),
        ({"min_aspect": 0.0}, "two numbers over 0"),
        ({"near_bits": -1}, "near_bits=-1: give 0 to 31"),
        ({"near_bits": 64}, "near_bits=64: give 0 to 31"),
        ({"batch_size": 0}, "batch_size=0: give 1 or more"),
    ],
)
def test_numbers_that_cannot_be_used(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        Clean(tmp_path, tmp_path / "out", nn.Identity, torch.device("cpu"), **options)


def test_car_makes(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "car-makes"
    if not folder.is_dir():
        pytest.skip(f"no car makes at {folder}")
    (tmp_path / "cars").symlink_to(folder / "fiat")
    lines = clean(tmp_path / "cars", tmp_path / "out", outliers=False)
    assert [line[:2] for line in lines] == [("03741.jpg", "near duplicate")]
    assert "like mirrored 07909.jpg" in lines[0][2]
