import math
from pathlib import Path

import pytest

from carsynth.callbacks.loggers import AppendingCSVLogger
from carsynth.reporting.history import last_per_epoch, mean_per_epoch, names, read_history


def logged(folder: Path, rows: list[tuple[int, dict[str, float]]]) -> Path:
    """What the CSV logger leaves of rows with their counts of seen photos."""
    logger = AppendingCSVLogger(folder)
    for seen, row in rows:
        logger.seen = lambda seen=seen: seen  # type: ignore[misc]
        logger.log_metrics(row)
    return folder / "metrics.csv"


def test_terms_are_averaged_and_scores_taken_as_they_are(tmp_path: Path) -> None:
    rows = read_history(
        logged(
            tmp_path,
            [
                (10, {"epoch": 0, "train/d": 1.0}),
                (20, {"epoch": 0, "train/d": 2.0}),
                (20, {"epoch": 0, "val/x": 9.0}),
                (30, {"epoch": 1, "train/d": 5.0}),
                (40, {"epoch": 1, "val/x": math.inf}),
                (60, {"epoch": 2, "val/x": 7.0}),
            ],
        )
    )
    assert mean_per_epoch(rows, "train/d") == ([0, 1], [1.5, 5.0])
    score = last_per_epoch(rows, "val/x")
    assert score == ([0, 2], [9.0, 7.0]), "an infinite score is no point of the curve"
    assert score.lowest == 1
    assert last_per_epoch(rows, "val/y").lowest is None
    assert names(rows, "train/") == ["train/d"]


def test_what_a_resumed_run_did_again_counts_once(tmp_path: Path) -> None:
    first = [(10 * n, {"epoch": n - 1, "train/d": 1.0}) for n in (1, 2, 3)]
    scores = [(10 * n, {"epoch": n - 1, "val/x": float(n)}) for n in (1, 2, 3)]
    broken_off = [row for pair in zip(first, scores, strict=True) for row in pair]
    again = [(20, {"epoch": 1, "train/d": 3.0}), (20, {"epoch": 1, "val/x": 0.5})]
    rows = read_history(logged(tmp_path, [*broken_off, *again]))
    assert mean_per_epoch(rows, "train/d") == ([0, 1], [1.0, 3.0])
    assert last_per_epoch(rows, "val/x") == ([0, 1], [1.0, 0.5])


def test_a_missing_file_is_an_empty_history_and_a_strange_one_is_named(tmp_path: Path) -> None:
    assert read_history(tmp_path / "metrics.csv") == []
    (tmp_path / "metrics.csv").write_text("epoch,seen,val/x\n0,1,2\n1,2,many\n")
    with pytest.raises(ValueError, match=r"metrics\.csv, line 3: .*many"):
        read_history(tmp_path / "metrics.csv")
