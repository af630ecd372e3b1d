"""The door as people use it."""

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from carsynth.cli import CONFIG_DIR
from carsynth.data.toycars import ToyCars
from carsynth.modules.segmenter import Segmenter
from carsynth.usefulness import plan_of
from tests.data.cars import save
from tests.doors.commands import mistake, succeed

TINY = (
    "data.source.length=40",
    "data.size=[32,32]",
    "data.batch_size=8",
    "segmenter.width=4",
    "segmenter.levels=2",
    "trainer=cpu",
    "real_counts=[10,20]",
    "seeds=[0]",
    "steps=4",
)


def make_set(folder: Path, count: int = 12) -> Path:
    cars = ToyCars(count, seed=9)
    for index, name in enumerate(cars.names):
        sample = cars.read(index, (32, 32))
        save(sample.photo, folder / "photos" / f"{name}.png")
        save(sample.part_map, folder / "masks" / f"{name}.png")
    return folder


@pytest.mark.slow
def test_a_study_from_the_command_line_is_resumed_and_guarded(tmp_path: Path) -> None:
    make_set(tmp_path / "fakes")
    words = (*TINY, "output_dir=out")
    said = succeed(tmp_path, "usefulness", *words, "synthetic=fakes", "pretraining=nothing")
    assert "mIoU merged" in said
    assert "pre-training: nothing" in said
    assert "not known which labelled pictures" in said
    out = tmp_path / "out"
    assert len(json.loads((out / "usefulness.json").read_text())["rows"]) == 6
    assert Image.open(out / "examples.png").size
    written = {path: path.stat().st_mtime_ns for path in (out / "trainings").iterdir()}
    assert len(written) == 2 * 5

    # A folder for each number of real pictures, one of them the same as before.
    make_set(tmp_path / "others", 15)
    succeed(tmp_path, "usefulness", *words, "synthetic={10: fakes, 20: others}")
    kept = {path: path.stat().st_mtime_ns for path in (out / "trainings").iterdir()}
    assert written.items() <= kept.items()
    assert len(kept) == len(written) + 2 * 2

    line = mistake(tmp_path, "usefulness", *words, "synthetic=fakes", "segmenter.width=8")
    assert "another recipe" in line
    saw = {"train": ["toycar-000000"], "validation": [f"toycar-{n:06d}" for n in range(40)]}
    (tmp_path / "splits.json").write_text(json.dumps(saw))
    line = mistake(tmp_path, "usefulness", *words, "synthetic=fakes", "generator_saw=splits.json")
    assert "saw 4 of the 4 test pictures" in line


@pytest.mark.slow
def test_mistakes(tmp_path: Path) -> None:
    make_set(tmp_path / "fakes")
    tiny = [word for word in TINY if not word.startswith("real_counts")]
    fakes = (*tiny, "synthetic=fakes")
    assert "synthetic is not set" in mistake(tmp_path, "usefulness", *tiny)
    assert "nothing does not exist" in mistake(tmp_path, "usefulness", *TINY, "synthetic=nothing")
    line = mistake(tmp_path, "usefulness", *fakes, "real_counts=[10,50]")
    assert "has 32 real pictures, fewer than 50" in line
    line = mistake(tmp_path, "usefulness", *tiny, "synthetic={10: fakes}", "real_counts=[10,20]")
    assert "no folder for 20" in line
    line = mistake(tmp_path, "usefulness", *fakes, "segmenter=torchvision", "segmenter.layer=x")
    assert "width" in line
    line = mistake(tmp_path, "usefulness", *fakes, "data.fractions=[1,0,0]")
    assert "test split is empty" in line
    assert "on_bad_file" in mistake(tmp_path, "usefulness", *fakes, "data.on_bad_file=skip")


@pytest.mark.parametrize("choice", ["unet", "torchvision"])
def test_every_segmenter_of_the_config_is_built(choice: str, tmp_path: Path) -> None:
    make_set(tmp_path / "fakes", 2)
    words = [f"segmenter={choice}", f"synthetic={tmp_path / 'fakes'}", f"output_dir={tmp_path}"]
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        config = compose("usefulness", words)
    plan = plan_of(config)
    module = plan.segmenter()
    assert isinstance(module, Segmenter)
    module.check_size(*plan.size)
    assert plan.counts == [25, 50, 100, 400]
    assert plan.recipe["segmenter"]["rarity"] == 0.35
    assert set(plan.recipe["trainer"]) == {"accelerator", "precision"}
