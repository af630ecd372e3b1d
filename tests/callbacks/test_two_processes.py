import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.callbacks.test_loggers import rows

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def run(run_dir: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """What both processes report."""
    command = [sys.executable, "-m", "tests.callbacks.two_processes", str(run_dir), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == code, done.stderr[-3000:]
    return [json.loads((run_dir / f"process_{rank}.json").read_text()) for rank in (0, 1)]


def load(run_dir: Path, name: str) -> dict[str, Any]:
    path = run_dir / "checkpoints" / f"{name}.ckpt"
    checkpoint: dict[str, Any] = torch.load(path, weights_only=True)
    return checkpoint


def test_both_score_all_photos_and_keep_the_same_best_also_when_resumed(tmp_path: Path) -> None:
    first, second = run(tmp_path, "2", "1000", "fit")
    assert first["scores"] == pytest.approx(first["expected"], rel=1e-5)
    assert first["floor"] is not None
    for known in ("scores", "best_epoch", "best_score", "floor", "seen"):
        assert first[known] == second[known]
    assert first["seen"] == 32
    assert first["best_score"] == min(first["scores"])
    assert load(tmp_path, "best")["epoch"] == first["best_epoch"]
    assert load(tmp_path, "last")["epoch"] == 1
    assert len(list((tmp_path / "samples").iterdir())) == 2
    assert json.loads((tmp_path / "summary.json").read_text())["seen"] == 32

    last = str(tmp_path / "checkpoints" / "last.ckpt")
    resumed, beside = run(tmp_path, "3", "2", "fit", last)
    assert resumed["best_score"] == beside["best_score"] == first["best_score"]
    assert load(tmp_path, "best")["epoch"] == first["best_epoch"]
    assert load(tmp_path, "last")["epoch"] == 2
    scores = [float(row["val/frechet_tiny"]) for row in rows(tmp_path) if row["val/frechet_tiny"]]
    assert scores == pytest.approx(first["scores"] + resumed["scores"])
    assert scores[2] > scores[1], "the third epoch was spoiled"


def test_a_sigterm_to_one_stops_both_with_a_checkpoint(tmp_path: Path) -> None:
    first, second = run(tmp_path, "40", "1000", "sigterm", code=143)
    assert first["seen"] == second["seen"] == load(tmp_path, "last")["seen"]
    assert 16 < first["seen"] < 16 * 40
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    assert summary["best_epoch"] == first["best_epoch"]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no_metric", ("no weights here", "no weights here")),
        ("uneven_metric", ("another process could not load", "no weights there")),
    ],
)
def test_a_metric_that_one_cannot_have_stops_both_before_training(
    tmp_path: Path, what: str, said: tuple[str, str]
) -> None:
    for report, words in zip(run(tmp_path, "1", "1000", what), said, strict=True):
        assert words in report["error"]
        assert report["seen"] == 0
