"""Comparing runs that were really trained, and the mistakes that end in one line."""

import csv
from pathlib import Path

import pytest
from PIL import Image

from tests.doors.commands import TINY, mistake, run, succeed
from tests.reporting.run_folders import make_run

pytestmark = pytest.mark.slow


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "comparison.csv").open() as file:
        return list(csv.DictReader(file))


def fail_before_the_first_score(folder: Path, run_dir: Path) -> None:
    """A training on photos of which none can be decoded."""
    for name in ("photos", "masks"):
        (folder / "data" / name).mkdir(parents=True)
        for index in range(40):
            path = folder / "data" / name / f"{index:02d}.png"
            Image.new("L", (32, 32)).save(path)
            if name == "photos":
                path.write_bytes(path.read_bytes()[:40])
    words = [word for word in TINY if "source.length" not in word]
    words += ["data=paired_folders", "data.root=data", "data.mask_format=ids"]
    assert "cannot be decoded" in mistake(folder, "train", *words, f"hydra.run.dir={run_dir}")


def test_a_sweep_over_experiments_and_seeds_is_compared(tmp_path: Path) -> None:
    words = [word for word in TINY if not word.startswith(("+experiment", "arch."))]
    # Before an experiment is chosen there is no arch: its keys are forced in.
    words += ["++arch.width=4", "trainer.check_val_every_n_epoch=1"]
    succeed(tmp_path, "train", "-m", "+experiment=pix2pixhd,demo", "seed=0,1", *words)
    (sweep,) = (tmp_path / "outputs").glob("*/*_sweep")
    assert sorted(path.name for path in sweep.iterdir() if path.is_dir()) == ["0", "1", "2", "3"]
    assert (sweep / "0" / "curves.png").is_file()

    fail_before_the_first_score(tmp_path, sweep / "bad")
    said = succeed(tmp_path, "compare", str(sweep))
    found = rows(sweep)
    assert {row["run"] for row in found} == {"0", "1", "2", "3", "bad"}
    scored = [row for row in found if row["best_score"]]
    scores = [float(row["best_score"]) for row in scored]
    assert scores == sorted(scores)
    assert {(row["experiment"], row["seed"]) for row in scored} == {
        (name, seed) for name in ("pix2pixhd", "demo") for seed in ("0", "1")
    }
    assert {row["seeds_n"] for row in scored} == {"2"}
    assert {row["status"] for row in scored} == {"finished"}
    assert all(float(row["score_over_floor"]) > 0 for row in scored)
    (bad_row,) = [row for row in found if row["run"] == "bad"]
    assert bad_row["best_score"] == ""
    assert bad_row["status"] == "failed"
    assert "over seeds" in said
    assert "comparison.png" in said
    assert Image.open(sweep / "comparison.png").width > 1000


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    for name in ("lr=0.1,seed=2", "it's (mine)"):
        make_run(tmp_path / name / "run")
        succeed(tmp_path, "compare", name)
        assert [row["run"] for row in rows(tmp_path / name)] == ["run"]
    make_run(tmp_path / "plain" / "run")
    succeed(tmp_path, "compare", "dir=plain")
    assert (tmp_path / "plain" / "comparison.png").is_file()
    assert not (tmp_path / "outputs").exists()


def test_mistakes(tmp_path: Path) -> None:
    assert "say what to compare" in mistake(tmp_path, "compare")
    assert "no does not exist" in mistake(tmp_path, "compare", "no")
    assert "holds no run" in mistake(tmp_path, "compare", ".")
    assert "one folder" in mistake(tmp_path, "compare", "a", "b")
    assert "did you mean dir?" in mistake(tmp_path, "compare", "dri=a")
    done = run(tmp_path, "compare", "no", "debug=true")
    assert "Traceback" in done.stderr
