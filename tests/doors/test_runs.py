"""What training, sampling and evaluating leave behind."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from carsynth.data.toycars import ToyCars
from carsynth.labels import PALETTE
from tests.doors.commands import TINY, succeed

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_run_folder_holds_what_the_contract_lists(finished: Path) -> None:
    assert "${" not in (finished / "config.yaml").read_text()
    for name in ("best", "last"):
        torch.load(finished / "checkpoints" / f"{name}.ckpt", weights_only=True)
    assert Image.open(finished / "samples" / "epoch_0000.png").size[0] > 3 * 128
    assert list((finished / "wandb").glob("offline-run-*/*.wandb"))
    assert {"train", "validation", "test"} <= read(finished / "splits.json").keys()
    assert any(row["val/frechet_random_inception"] for row in rows(finished))
    assert any(row["train/g_feature_matching"] for row in rows(finished))
    summary = read(finished / "summary.json")
    assert summary["monitor"] == "val/frechet_random_inception"
    assert summary["best_epoch"] == 0
    assert summary["best_score"] > 0
    assert summary["best_checkpoint"] == "checkpoints/best.ckpt"
    assert summary["seconds"] > 0
    assert summary["images_per_second"] > 0
    said = (finished.parent / "said.txt").read_text()
    assert "best epoch 0" in said


def test_resuming_keeps_what_was_there_and_goes_on(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    before = rows(run)
    words = [word for word in TINY if "max_epochs" not in word]
    last = "ckpt_path=run/checkpoints/last.ckpt"
    succeed(tmp_path, "train", *words, "trainer.max_epochs=2", "hydra.run.dir=run", last)
    after = rows(run)
    assert [row["seen"] for row in after[: len(before)]] == [row["seen"] for row in before]
    assert len(after) > len(before)
    assert read(run / "summary.json")["seen"] == 64
    assert (run / "config_1.yaml").read_text() == (finished / "config.yaml").read_text()


def test_another_runs_weights_start_a_run(finished: Path, tmp_path: Path) -> None:
    source = finished / "checkpoints" / "best.ckpt"
    said = succeed(tmp_path, "train", *TINY, f"init_from={source}", "hydra.run.dir=next")
    assert f"init_from={source}" in said
    assert "tensors taken" in said


def test_a_multirun_leaves_a_folder_for_each_job(tmp_path: Path) -> None:
    succeed(tmp_path, "train", "-m", *TINY, "seed=1,2", "hydra.sweep.dir=sweep")
    found = sorted((tmp_path / "sweep").glob("*/summary.json"))
    assert len(found) == 2
    scores = {read(path)["best_score"] for path in found}
    assert len(scores) == 2
    seeds = [(path.parent / "config.yaml").read_text() for path in found]
    assert "seed: 1\n" in seeds[0]
    assert "seed: 2\n" in seeds[1]


def test_two_processes_train_into_one_folder_also_in_a_sweep(tmp_path: Path) -> None:
    words = [word for word in TINY if word != "trainer=cpu"]
    words += ["trainer=ddp_cpu", "data.batch_size=2", "seed=1,2", "hydra.sweep.dir=sweep"]
    succeed(tmp_path, "train", "-m", *words)
    found = sorted((tmp_path / "sweep").glob("*/summary.json"))
    assert [read(path)["seen"] for path in found] == [32, 32]
    assert not (tmp_path / "outputs").exists()


EXPERIMENTS = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))
OF_THE_PIPELINE = {"two_stage", "two_stage_demo"}
PAINTERS = ["demo", "pix2pixhd", "pix2pixhd_carvana", "pix2pixhd_highres", "pix2pixhd_unet"]
WITHOUT_BLOCKS = {"demo", "pix2pixhd_unet"}


@pytest.mark.parametrize("experiment", PAINTERS)
def test_every_painter_trains(experiment: str, tmp_path: Path) -> None:
    small = [w for w in TINY[1:] if experiment not in WITHOUT_BLOCKS or "arch.blocks" not in w]
    words = [f"+experiment={experiment}", *small, "data.size=[64,96]", "loss=pix2pixhd"]
    if "highres" in experiment:
        words += ["arch.coarse_epochs=1", "arch.fixed_epochs=1", "arch.downsamplings=2"]
        words += ["trainer.max_epochs=3"]
    words += ["trainer.check_val_every_n_epoch=1", "data.fractions=[0.8,0.1,0.1]"]
    succeed(tmp_path, "train", *words, "hydra.run.dir=run")
    assert read(tmp_path / "run" / "summary.json")["status"] == "finished"


@pytest.mark.parametrize("experiment", sorted({*EXPERIMENTS} - {*PAINTERS} - OF_THE_PIPELINE))
def test_every_other_experiment_trains_and_leaves_its_pictures(
    experiment: str, tmp_path: Path
) -> None:
    small = [word for word in TINY[1:] if "arch.blocks" not in word]
    words = [f"+experiment={experiment}", *small, "data.size=[32,56]", "trainer.max_epochs=2"]
    succeed(tmp_path, "train", *words, "hydra.run.dir=run")
    run = tmp_path / "run"
    assert read(run / "summary.json")["status"] == "finished"
    pictures = {path.name for path in (run / "samples").iterdir()}
    grids = {"epoch_0000.png", "epoch_0001.png", "epochs.gif", "interpolation.png"}
    assert grids <= pictures
    frames = Image.open(run / "samples" / "epochs.gif").n_frames
    assert frames == 2 or "parts.png" in pictures  # equal grids of maps are one frame
    scored = [row for row in rows(run) if row["val/frechet_random_inception"]]
    if "parts.png" in pictures:
        assert 0 <= float(scored[-1]["parts/front_rear"]) <= 1
        assert 0 < float(scored[-1]["parts/area_gap"]) <= 1
    if experiment == "acgan_views":
        best = "ckpt_path=run/checkpoints/best.ckpt"
        succeed(tmp_path, "sample", best, "num_images=3", "output_dir=out")
        assert Image.open(tmp_path / "out" / "sheet.png").size == (3 * 172 - 4, 96)
        words = [best, "metric=random_inception", "split=validation", "output_dir=scores"]
        succeed(tmp_path, "evaluate", *words)
        (scores,) = read(tmp_path / "scores" / "metrics.json")["evaluated"]
        assert np.isfinite(scores["figures"]["frechet_random_inception"]["value"])


def test_looks_paint_one_map_in_several_ways(tmp_path: Path) -> None:
    succeed(tmp_path, "train", *TINY, "arch=pix2pixhd_looks", "hydra.run.dir=run")
    best = "ckpt_path=run/checkpoints/best.ckpt"
    maps = tmp_path / "maps"
    maps.mkdir()
    Image.fromarray(ToyCars(1, 5).draw(0, (32, 32)).part_map).save(maps / "one.png")
    succeed(tmp_path, "sample", best, "maps=maps", "num_images=4", "output_dir=out")
    pictures = {(tmp_path / "out" / f"one{t}.png").read_bytes() for t in ("", "_1", "_2", "_3")}
    assert len(pictures) > 1


def test_sampling_needs_the_checkpoint_alone(finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / "checkpoints" / "best.ckpt", tmp_path / "only.ckpt")
    for kind in ("ids", "colours"):
        (tmp_path / kind / "deep").mkdir(parents=True)
        for index in range(3):
            part_map = ToyCars(3, 5).draw(index, (48, 48)).part_map
            picture = part_map if kind == "ids" else PALETTE[part_map]
            Image.fromarray(picture).save(tmp_path / kind / "deep" / f"car{index}.png")
        words = (f"maps={kind}", f"output_dir=out_{kind}", "ckpt_path=only.ckpt")
        succeed(tmp_path, "sample", *words)
    names = sorted(path.name for path in (tmp_path / "out_ids").iterdir())
    assert names == ["deep_car0.png", "deep_car1.png", "deep_car2.png", "sheet.png"]
    for name in names:
        ids, colours = (tmp_path / f"out_{kind}" / name for kind in ("ids", "colours"))
        assert ids.read_bytes() == colours.read_bytes()
    assert Image.open(tmp_path / "out_ids" / "deep_car0.png").size == (32, 32)
    assert Image.open(tmp_path / "out_ids" / "sheet.png").size == (3 * 132 - 4, 256)


def test_drawn_maps_at_another_size(finished: Path, tmp_path: Path) -> None:
    best = finished / "checkpoints" / "best.ckpt"
    words = (f"ckpt_path={best}", "maps=toycars", "num_images=3", "size=[32,64]")
    succeed(tmp_path, "sample", *words, "output_dir=out")
    assert len(list((tmp_path / "out").glob("toycar-*.png"))) == 3
    assert Image.open(tmp_path / "out" / "toycar-000000.png").size == (64, 32)


def test_a_run_is_scored_beside_the_floor(finished: Path, tmp_path: Path) -> None:
    words = (f"ckpt_path={finished}", "metric=random_inception", "split=validation")
    said = succeed(tmp_path, "evaluate", *words, "output_dir=out")
    assert "frechet_random_inception" in said
    (only,) = read(tmp_path / "out" / "metrics.json")["evaluated"]
    score = only["figures"]["frechet_random_inception"]
    trained = read(finished / "summary.json")["best_score"]
    assert score["value"] == pytest.approx(trained, rel=1e-3)  # the same photos and weights
    assert (only["num_real"], only["num_fake"], only["num_train"]) == (4, 4, 32)
    assert score["floor"]["n_per_half"] == 2
    assert score["floor_at_size"]["n_per_half"] == 4
    assert only["figures"]["ssim"]["value"] <= 1.0
    assert "neighbours" in only["figures"]["recall_random_inception"]["why"]
    assert any(name.startswith("view ") for name in only["groups"])
    assert only["memorisation"]["real_are"] == "held out"
    # the curves of the run make the picture taller
    assert Image.open(tmp_path / "out" / "metrics.png").height > 900


def test_several_checkpoints_stand_side_by_side(finished: Path, tmp_path: Path) -> None:
    checkpoints = finished / "checkpoints"
    words = (f"ckpt_path=[{checkpoints / 'best.ckpt'},{checkpoints / 'last.ckpt'}]", "num_images=9")
    quick = ("metric=random_inception", "metric/figures=none", "memorisation=false")
    said = succeed(tmp_path, "evaluate", *words, *quick, "split=validation", "output_dir=out")
    assert "best.ckpt" in said
    first, second = read(tmp_path / "out" / "metrics.json")["evaluated"]
    assert first["num_fake"] == second["num_fake"] == 9


def test_skipped_files_are_listed(tmp_path: Path) -> None:
    for folder in ("photos", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    cars = ToyCars(40, 1)
    for index in range(40):
        car = cars.draw(index, (32, 32))
        Image.fromarray(car.photo).save(tmp_path / "data" / "photos" / f"{index:02d}.png")
        Image.fromarray(car.part_map).save(tmp_path / "data" / "masks" / f"{index:02d}.png")
    grey = tmp_path / "data" / "photos" / "00.png"
    Image.open(grey).convert("L").save(grey)
    Image.open(grey).convert("CMYK").save(tmp_path / "data" / "photos" / "01.jpg")
    (tmp_path / "data" / "photos" / "01.png").unlink()
    for index in range(10, 14):
        (tmp_path / "data" / "photos" / f"{index}.png").write_bytes(b"")
    words = [word for word in TINY if "source.length" not in word]
    words += ["data=paired_folders", "data.root=data", "hydra.run.dir=run"]
    succeed(tmp_path, "train", *words, "data.on_bad_file=skip")
    # Only what training and validation read is looked at: the test split waits for its turn.
    splits = read(tmp_path / "run" / "splits.json")
    used = {*splits["train"], *splits["validation"]}
    bad = {f"{index}" for index in range(10, 14)} & used
    listed = (tmp_path / "run" / "bad_files.txt").read_text().splitlines()
    assert {line.split("\t")[0] for line in listed} == bad


def test_a_wheel_works_from_any_folder(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet"]
    subprocess.run([*command, "--target", str(site), str(wheel)], check=True, timeout=300)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import carsynth, carsynth.cli, runpy;"
        f"assert carsynth.__file__.startswith({str(site)!r});"
        f"assert carsynth.cli.CONFIG_DIR.startswith({str(site)!r});"
        f"sys.argv = ['train', *{list(TINY)!r}, 'hydra.run.dir=run'];"
        "runpy.run_module('carsynth.train', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert np.isfinite(read(tmp_path / "run" / "summary.json")["best_score"])
