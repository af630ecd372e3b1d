import json
from pathlib import Path
from typing import Any

import pytest

from tests.doors.commands import mistake, succeed

TINY = (
    "+experiment=two_stage",
    "data.source.length=60",
    "data.size=[32,32]",
    "trainer=cpu",
    "metric=random_inception",
    "metric/figures=none",
    "maps.words=['arch.width=4','arch.latent=8','data.batch_size=8']",
    "maps.budget=['trainer.max_epochs=1']",
    "photos.words=['arch.width=4']",
    "photos.budget=['trainer.max_epochs=1']",
    "generation.num_images=20",
    "generation.maps_per_shard=8",
    "generation.check=false",  # maps after one epoch are none
    "usefulness.real_counts=[]",
    "usefulness.seeds=[0]",
    "usefulness.steps=2",
    "usefulness.batch_size=8",
    "pretrain={experiment: pix2pixhd_unet, data: ['data=toycars','data.source.length=30',"
    "'data.source.seed=5','data.size=[32,32]'], words: ['arch.width=4'],"
    "budget: ['trainer.max_epochs=1'], told: '30 other drawn cars'}",
    "hydra.run.dir=out",
)
STAGES = (
    "data",
    "pretrain",
    "maps",
    "photos_scratch",
    "photos",
    "scores/maps",
    "scores/photos",
    "generated",
    "export",
    "usefulness",
    "report",
)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    said = succeed(folder, "pipeline", *TINY)
    assert "out/report/index.html" in said
    return folder


@pytest.mark.slow
def test_every_stage_leaves_its_result(finished: Path) -> None:
    out = finished / "out"
    for stage in STAGES:
        assert read(out / stage / "stage.json")["finished"], stage
    splits = read(out / "data" / "splits.json")
    for kind in ("coco", "yolo", "folders"):
        assert read(out / "export" / kind / "provenance.json")["synthetic"] is True
    told = (out / "export" / "folders" / "provenance.json").read_text()
    assert "30 other drawn cars" in told
    assert all(f'"{name}"' in told for name in splits["train"] + splits["validation"])
    assert not any(f'"{name}"' in told for name in splits["test"])
    names = [one["name"] for one in read(out / "scores" / "photos" / "metrics.json")["evaluated"]]
    assert [Path(name).parent.name for name in names] == ["photos", "photos_scratch"]
    assert "synthetic" in (out / "report" / "index.html").read_text()


@pytest.mark.slow
def test_a_second_run_does_nothing_again(finished: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (finished / "out").rglob("stage.json")}
    said = succeed(finished, "pipeline", *TINY)
    assert said.count("done before") == len(STAGES)
    assert {p: p.stat().st_mtime_ns for p in (finished / "out").rglob("stage.json")} == before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "name a recipe"),
        (("+experiment=two_stage", "export=[voc]"), "voc"),
        (("+experiment=two_stage", "data=car_parts"), "data.root"),
    ],
)
def test_mistakes_get_one_line(tmp_path: Path, words: tuple[str, ...], expected: str) -> None:
    assert expected in mistake(tmp_path, "pipeline", *words, "hydra.run.dir=out")
