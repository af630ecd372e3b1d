from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from carsynth.callbacks.best_checkpoint import BestCheckpoint
from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.callbacks.loggers import AppendingCSVLogger, finish_wandb, make_wandb_logger
from carsynth.callbacks.run_record import RunRecord
from carsynth.callbacks.sample_grid import SampleGrid
from tests.callbacks.test_loggers import rows
from tests.callbacks.tiny_players import TinyData, TinyMetric, make_trainer, seeded_players
from tests.callbacks.wandb_file import read_run

CONFIG = {"seed": 1, "data": {"size": [12, 20]}}


@pytest.mark.slow
def test_an_offline_run_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    run_dir = tmp_path / "run"
    best = BestCheckpoint()
    grid = SampleGrid(num_samples=3, num_masks=2)
    callbacks = [RunRecord(CONFIG), GenerationMetrics(TinyMetric()), grid, best]
    loggers = [AppendingCSVLogger(run_dir), make_wandb_logger(run_dir, config=CONFIG)]
    try:
        trainer = make_trainer(run_dir, callbacks, 2, logger=loggers)
        trainer.fit(seeded_players(), TinyData())
    finally:
        finish_wandb()
    run = read_run(run_dir)

    assert run.exit_code == 0
    assert run.config["data"] == CONFIG["data"]
    assert run.step_metrics["*"] == "seen"
    assert all({"seen", "epoch"} <= row.keys() for row in run.history)
    assert not any("trainer/global_step" in row for row in run.history)
    curve = [
        (row["seen"], row["val/frechet_tiny"]) for row in run.history if "val/frechet_tiny" in row
    ]
    table = rows(run_dir)
    assert curve == [
        (int(r["seen"]), float(r["val/frechet_tiny"])) for r in table if r["val/frechet_tiny"]
    ]
    assert [seen for seen, _ in curve] == [12, 24]
    losses = [row["seen"] for row in run.history if "train/generator" in row]
    assert losses == [4, 8, 12, 16, 20, 24]
    assert all(row["epoch"] and row["seen"] for row in table)
    assert run.summary["best_score"] == best.best_score
    assert run.summary["best_epoch"] == best.best_epoch
    assert run.summary["floor"]["n_per_half"] == 3

    files = run_dir / "wandb" / "latest-run" / "files"
    pictures = [row for row in run.history if "samples/grid" in row]
    assert [row["seen"] for row in pictures] == [12, 24]
    shown = Image.open(files / pictures[1]["samples/grid"]["path"])
    assert shown.tobytes() == Image.open(run_dir / "samples" / "epoch_0001.png").tobytes()
    masked = pictures[1]["samples/parts"]
    assert masked["count"] == 2
    mask = Image.open(files / masked["all_masks"][0]["parts"]["path"])
    assert (mask.width, mask.height) == (20, 12)
    expected = TinyData().samples(1)[0].part_map
    assert np.array_equal(np.asarray(mask), expected.numpy())
    (labels,) = run.config["_wandb"]["mask/class_labels"].values()
    assert labels["value"]["18"] == "wheel"
