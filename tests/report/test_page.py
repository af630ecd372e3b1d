"""The whole page: what it says of a result, and what it says where parts are missing."""

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from carsynth.report.page import write_report
from tests.report.outline import Outline, left_out
from tests.report.results import DIGEST, GENERATED, HOSTILE, REJECTED

STAGES = (
    "data", "pretrain", "maps", "photos_scratch", "photos_25", "scores", "generated", "export",
    "usefulness",
)  # fmt: skip


@pytest.fixture(scope="module")
def outline(page: Path) -> Outline:
    return Outline(page)


def test_nothing_is_left_out_of_a_whole_result(page: Path) -> None:
    assert left_out(page) == []


def test_the_page_needs_nothing_else(page: Path, outline: Outline) -> None:
    assert {tag for tag, _ in outline.elements}.isdisjoint({"script", "link", "iframe", "object"})
    style = page.read_text().partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    for tag, attributes in outline.elements:
        for name, value in attributes.items():
            assert "://" not in value, (tag, name)
    assert all(image["src"].startswith("data:image/") for image in outline.all("img"))
    assert page.stat().st_size < 8e6


def test_the_page_can_be_read_by_everyone(outline: Outline) -> None:
    assert outline.all("html") == [{"lang": "en"}]
    assert any(meta.get("name") == "viewport" for meta in outline.all("meta"))
    assert all(image["alt"] for image in outline.all("img"))
    levels = [int(tag[1]) for tag, _ in outline.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    anchors = [link["href"] for link in outline.all("a")]
    assert anchors == [f"#{section['id']}" for section in outline.all("section")]
    assert len(set(anchors)) == len(anchors) == 8
    assert all(box["tabindex"] == "0" for box in outline.all("div", "scroll") if "role" in box)


def test_every_picture_lies_beside_the_page_too(result: Path, page: Path, outline: Outline) -> None:
    files = {path.name for path in page.parent.iterdir()} - {page.name}
    assert files == set(re.findall(r"<code>([\w.]+\.png)</code>", page.read_text()))
    assert len(files) == len(outline.all("img"))
    for name in files:
        Image.open(page.parent / name).load()
    copied = {
        "maps_curves.png": "maps/run/curves.png",
        "photos_best.png": "photos/run/samples/epoch_0001.png",
        "copies_photos_2.png": "scores/photos/copies_2.png",
    }
    for name, source in copied.items():
        assert (page.parent / name).read_bytes() == (result / source).read_bytes()


def test_names_are_escaped(page: Path, outline: Outline) -> None:
    assert HOSTILE not in page.read_text()
    assert f"{HOSTILE}: labelled car pictures" in outline.text  # the title
    assert "fake/x<y.png was left out: torn" in outline.text
    assert "--and=more" in outline.text


def test_what_was_trained(outline: Outline) -> None:
    assert "Part maps Hinge" not in outline.text
    row = "Photos without pre-training {} pixarch Hinge 10 feature matching - - 1 7 val/tiny"
    assert row.format(HOSTILE) in outline.text
    assert "2 ± 0.1 10 a side 3.50 12.5 s" in outline.text
    for words in ("Epoch 0, the first with samples.", "Epoch 1, the best."):
        assert words in outline.text


def test_scores_stand_beside_their_floors(result: Path, outline: Outline) -> None:
    told = json.loads((result / "scores/photos/metrics.json").read_text())
    assert [Path(one["name"]).parent.name for one in told["evaluated"]] == [
        "photos", "photos_scratch"
    ]  # fmt: skip
    with_it, without = (one["figures"]["frechet_tiny"] for one in told["evaluated"])
    floor = with_it["floor_at_size"]
    assert (
        f"Photos without pre-training {without['value']:.4g} {without['ratio']:.2f} "
        f"Photos with pre-training {with_it['value']:.4g} {with_it['ratio']:.2f} "
        f"Floor: real photos against real photos, 16 a side {floor['mean']:.4g} ±"
    ) in outline.text
    precision = told["evaluated"][0]["figures"]["precision_tiny"]
    assert precision["enough"] is not None
    assert f"precision_tiny ({precision['enough']})" in outline.text
    assert "12 of them; resize: none" in outline.text


def test_copies_of_each_set_stand_under_its_own_name(result: Path, outline: Outline) -> None:
    for title, file in (("with", "copies_1.csv"), ("without", "copies_2.csv")):
        lines = (result / "scores/photos" / file).read_text().splitlines()[1:]
        below = sum(float(line.rpartition(",")[2]) < 1 for line in lines)
        said = f"Photos {title} pre-training: the worst pairs; {below} of 16 lie below"
        assert said in outline.text
        closest = f"{float(lines[0].rpartition(',')[2]):.2f}"
        assert closest in outline.text.partition(said)[2][:200]


def test_what_was_generated_and_thrown_away(outline: Outline) -> None:
    drawings = GENERATED + sum(REJECTED.values())
    assert f"{drawings} drawings of part maps, all labelled pictures" in outline.text
    assert f"kept 30 {30 / drawings:.1%} specks 40 {40 / drawings:.1%}" in outline.text
    assert "asked for view uniform; doors 3: 0.5, 5: 0.5" in outline.text
    assert "synthetic: made by a generator, not photographed" in outline.text


def test_usefulness_and_what_each_row_saw(outline: Outline) -> None:
    assert "25 real+synthetic 0.6050 ± 0.0071 1.20 0.6050 ± 0.0071 1.20 2" in outline.text
    assert f"320 synthetic 320 pictures of {HOSTILE} exactly the row's labelled" in outline.text
    short = "reaches {} times the mIoU of one trained on {} real pictures alone."
    assert f"synthetic pictures alone {short.format('0.90', 320)}" in outline.text
    assert f"real and synthetic pictures {short.format('1.20', 25)}" in outline.text


def test_provenance(outline: Outline) -> None:
    assert outline.text.count(DIGEST) == 6
    assert "maps/run/checkpoints/best.ckpt" in outline.text
    assert "# photos_scratch python -m carsynth.photos_scratch 'a<b'" in outline.text
    assert "export_25/folders" in outline.text


def test_an_empty_folder_still_gives_a_page(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    page = write_report(tmp_path / "empty", tmp_path / "report")
    assert Outline(page).all("img") == []
    assert len(left_out(page)) >= 8
    assert not any("another form" in line for line in left_out(page))
    assert [path.name for path in page.parent.iterdir()] == ["index.html"]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_shown_without_the_others(tmp_path: Path, result: Path, stage: str) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / stage).symlink_to(result / stage)
    page = write_report(tmp_path / "root", tmp_path / "report")
    outline = Outline(page)
    assert len(outline.all("table")) >= 1
    assert left_out(page)
    assert not any("another form" in line for line in left_out(page))
    assert not any(line.startswith(f"Left out: {stage}/") for line in left_out(page))


def test_models_that_were_never_pre_trained(tmp_path: Path, result: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for stage in ("maps", "photos", "photos_25"):
        (root / stage).symlink_to(result / stage)
    shutil.copytree(result / "photos_scratch", root / "photos_25_before_1")
    (root / "config.yaml").write_text("name: plain\nmaps: {checkpoint: last}\n")
    text = Outline(write_report(root, tmp_path / "report")).text
    assert "plain: labelled car pictures" in text
    assert "Part maps are generated with the last checkpoint" in text
    assert "Photos, 25 labelled pictures" in text
    assert "pre-training" not in text
    assert "before_1" not in text


def damaged(result: Path, root: Path, content: bytes | None) -> Path:
    """A copy whose files hold something else, or only their first half."""
    shutil.copytree(result, root)
    for path in root.rglob("*"):
        if path.is_file():
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    return root


@pytest.mark.parametrize("content", [None, b"", b'{"rows": 1, "evaluated": [3]}', b"\xff\xfe[1"])
def test_damaged_files_are_named_and_left_out(
    tmp_path: Path, result: Path, content: bytes | None
) -> None:
    page = write_report(damaged(result, tmp_path / "root", content), tmp_path / "report")
    Outline(page)
    assert len(left_out(page)) >= 8


def test_a_damaged_shard_takes_only_its_own_part_away(tmp_path: Path, result: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(result / "generated", root / "generated")
    (root / "data").symlink_to(result / "data")
    shard = root / "generated" / "shard-000000.tar"
    shard.write_bytes(shard.read_bytes()[:700])
    page = write_report(root, tmp_path / "report")
    damage = [line for line in left_out(page) if "shard-000000.tar is damaged" in line]
    assert len(damage) == 2  # the balance, and the examples
    assert not any("another form" in line for line in left_out(page))
    assert "kept 30" in Outline(page).text
