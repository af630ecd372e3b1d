from pathlib import Path

import pytest

from carsynth.errors import UserError
from carsynth.reporting.runs import find_runs, flatten
from tests.reporting.run_folders import MONITOR, make_run


def test_runs_are_found_at_any_depth_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("sweep/10", "sweep/2", "alone", "alone/again"):
        make_run(tmp_path / name)
    (tmp_path / "sweep" / "2" / "wandb").mkdir()
    make_run(tmp_path / "sweep" / "2" / "wandb" / "copy")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.yaml").write_text("a: 1\n")
    found = [run.name for run in find_runs(tmp_path)]
    assert found == ["alone", "alone/again", "sweep/2", "sweep/10"]
    assert [run.name for run in find_runs(tmp_path / "alone")] == [".", "again"]


def test_a_run_tells_what_its_files_say(tmp_path: Path) -> None:
    make_run(tmp_path / "a", [4.0, 3.0, 5.0])
    (run,) = find_runs(tmp_path)
    assert (run.experiment, run.arch, run.status) == ("pix", "pixarch", "finished")
    assert (run.monitor, run.best_score, run.best_epoch) == (MONITOR, 3.0, 1)
    assert (run.floor, run.floor_photos, run.over_floor) == (2.0, 10, 1.5)
    assert (run.seconds, run.images_per_second) == (12.5, 100.0)
    assert run.curve == ([0, 1, 2], [4.0, 3.0, 5.0])
    assert run.config["optim.betas"] == "[0.5, 0.999]"


def test_no_run_is_dropped(tmp_path: Path) -> None:
    make_run(tmp_path / "early", [], status="failed", floor=None)
    make_run(tmp_path / "killed", status=None)
    (make_run(tmp_path / "torn") / "summary.json").write_text('{"status": "fin')
    (make_run(tmp_path / "mixed") / "metrics.csv").write_text("epoch,val/tiny\nzero,1\n")
    (make_run(tmp_path / "bare") / "metrics.csv").unlink()
    (make_run(tmp_path / "garbled") / "config.yaml").write_text("a: [1\n")
    runs = {run.name: run for run in find_runs(tmp_path)}
    assert {name: run.status for name, run in runs.items()} == {
        "early": "failed",
        "killed": "unfinished",
        "torn": "unreadable",
        "mixed": "unreadable",
        "bare": "finished",
        "garbled": "unreadable",
    }
    assert runs["early"].best_score is runs["early"].over_floor is None
    assert runs["killed"].monitor is None
    assert runs["bare"].best_score == 3.0
    assert runs["bare"].curve == ([], [])


def test_a_folder_without_runs_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        find_runs(tmp_path / "no")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        find_runs(tmp_path / "file")
    with pytest.raises(UserError, match="holds no run"):
        find_runs(tmp_path)


def test_dotted_keys() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": [1, 2]}}, "e": None}) == {
        "a.b": 1,
        "a.c.d": "[1, 2]",
        "e": None,
    }
