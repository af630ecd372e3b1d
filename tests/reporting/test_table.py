import csv
import io
from pathlib import Path

import pytest

from carsynth.reporting.runs import find_runs
from carsynth.reporting.table import Comparison, compare, to_csv, to_text
from tests.reporting.run_folders import MONITOR, make_run


def compared(folder: Path) -> Comparison:
    return compare(find_runs(folder))


def lines(comparison: Comparison) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(comparison))))


def test_a_setting_that_differs_is_one_column_however_often_it_is_said(tmp_path: Path) -> None:
    make_run(tmp_path / "a", [5.0], optim__lr=1e-4)
    make_run(tmp_path / "b", [4.0], optim__lr=1e-3, ckpt_path="b/checkpoints/last.ckpt")
    comparison = compared(tmp_path)
    assert comparison.keys == ["optim.lr"], "not the folders, nor where it was resumed from"
    assert [(line["run"], line["optim.lr"]) for line in lines(comparison)] == [
        ("b", "0.001"),
        ("a", "0.0001"),
    ]


def test_settings_that_agree_by_chance_are_both_shown(tmp_path: Path) -> None:
    make_run(tmp_path / "a", seed=1, arch__width=1)
    make_run(tmp_path / "b", seed=2, arch__width=2)
    assert set(compared(tmp_path).keys) == {"seed", "arch.width"}


def test_a_setting_that_only_some_runs_have_differs(tmp_path: Path) -> None:
    make_run(tmp_path / "a")
    make_run(tmp_path / "b", arch__clusters=10)
    comparison = compared(tmp_path)
    assert comparison.keys == ["arch.clusters"]
    assert {line["run"]: line["arch.clusters"] for line in lines(comparison)} == {
        "a": "",
        "b": "10",
    }


def test_seeds_are_put_together_with_mean_and_spread(tmp_path: Path) -> None:
    for seed, score in enumerate((3.0, 4.0, 8.0)):
        make_run(tmp_path / f"wide{seed}", [score], seed=seed, arch__width=16)
    make_run(tmp_path / "narrow", [4.5])
    make_run(tmp_path / "wide3", [], status="failed", seed=3, arch__width=16)
    comparison = compared(tmp_path)
    narrow, wide = comparison.groups[MONITOR]
    assert (narrow.label, narrow.mean, narrow.std) == ("width=8", 4.5, None)
    assert wide.label == "width=16"
    assert wide.mean == 5.0
    assert wide.std == pytest.approx(7**0.5)  # (4 + 1 + 9) / (3 - 1)
    rows = lines(comparison)
    assert [row["run"] for row in rows] == ["wide0", "wide1", "narrow", "wide2", "wide3"]
    assert {row["seeds_n"] for row in rows} == {"3", ""}
    assert rows[2]["seeds_mean"] == ""
    assert "width=16    5     2.646  3" in to_text(comparison)


def test_a_seed_that_ran_twice_is_one_seed(tmp_path: Path) -> None:
    for name, seed, score in (("a", 0, 3.0), ("again", 0, 3.0), ("b", 1, 5.0)):
        make_run(tmp_path / name, [score], seed=seed)
    (group,) = compared(tmp_path).groups[MONITOR]
    assert sorted(group.scores) == [3.0, 5.0]
    assert group.mean == 4.0


def test_metrics_have_an_order_of_their_own(tmp_path: Path) -> None:
    make_run(tmp_path / "a", [3.0], monitor="val/one")
    make_run(tmp_path / "b", [2.0], monitor="val/one", seed=1)
    make_run(tmp_path / "c", [100.0], monitor="val/other")
    comparison = compared(tmp_path)
    assert list(comparison.groups) == ["val/one", "val/other"]
    assert [row["run"] for row in lines(comparison)] == ["b", "a", "c"]
    said = to_text(comparison)
    assert "not ranked against each other" in said
    assert said.index("val/one (lower is better)") < said.index("val/other (lower is better)")
    alone = compare([run for run in find_runs(tmp_path) if run.monitor == "val/one"])
    assert "not ranked" not in to_text(alone)


def test_runs_without_a_score_are_listed_with_empty_cells(tmp_path: Path) -> None:
    make_run(tmp_path / "good")
    make_run(tmp_path / "early", [], status="interrupted", floor=None)
    make_run(tmp_path / "killed", status=None)
    (make_run(tmp_path / "torn") / "config.yaml").write_text("a: [1\n")
    comparison = compared(tmp_path)
    rows = {row["run"]: row for row in lines(comparison)}
    assert rows.keys() == {"good", "early", "killed", "torn"}
    assert rows["early"]["status"] == "interrupted"
    assert rows["early"]["best_score"] == rows["early"]["score_over_floor"] == ""
    assert rows["killed"]["status"] == "unfinished"
    assert rows["good"]["score_over_floor"] == "1.5"
    assert comparison.keys == [], "a config that cannot be read makes nothing differ"
    for name in rows:
        assert name in to_text(comparison)


def test_floors_of_different_numbers_of_photos_are_pointed_out(tmp_path: Path) -> None:
    make_run(tmp_path / "a", half=10)
    make_run(tmp_path / "b", half=20)
    assert "different numbers of photos" in to_text(compared(tmp_path))


def test_what_an_experiment_stands_for_is_left_to_the_csv(tmp_path: Path) -> None:
    other = {f"arch__extra{n}": n for n in range(8)}
    for seed in (0, 1):
        make_run(tmp_path / f"a{seed}", seed=seed)
        make_run(tmp_path / f"b{seed}", seed=seed, name="other", arch__name="otherarch", **other)
    comparison = compared(tmp_path)
    assert len(comparison.keys) == 9
    assert comparison.told == ["seed"]
    assert {group.label for group in comparison.groups[MONITOR]} == {"pix", "other"}
    assert "8 more settings differ" in to_text(comparison)
