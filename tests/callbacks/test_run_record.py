import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from omegaconf import OmegaConf

import carsynth
from carsynth.callbacks.best_checkpoint import BestCheckpoint
from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.callbacks.run_record import RunRecord
from tests.callbacks.tiny_players import TinyData, TinyMetric, make_trainer, seeded_players

CONFIG = {"seed": 1, "data": {"size": [12, 20], "root": None}, "arch": {"width": 0.5}}


def callbacks(*more: Callback) -> list[Callback]:
    return [*more, RunRecord(CONFIG), GenerationMetrics(TinyMetric()), BestCheckpoint()]


def summary(run_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run_dir / "summary.json").read_text())
    return found


def test_every_checkpoint_holds_config_classes_and_version(tmp_path: Path) -> None:
    make_trainer(tmp_path, callbacks(), max_epochs=1).fit(seeded_players(), TinyData())
    for name in ("best", "last"):
        checkpoint = torch.load(tmp_path / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert checkpoint["carsynth"] == {
            "version": carsynth.__version__,
            "config": CONFIG,
            "classes": ["coupe", "van"],
        }


def test_the_summary_of_a_finished_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = callbacks()
    trainer = make_trainer(tmp_path, run, max_epochs=3)
    trainer.fit(seeded_players(spoiled_from=2), TinyData())
    best, metrics = trainer.checkpoint_callback, run[1]
    assert isinstance(best, BestCheckpoint)
    assert isinstance(metrics, GenerationMetrics)
    assert metrics.floor is not None
    found = summary(tmp_path)
    assert found["images_per_second"] * found["seconds"] > found["seen"], "validation is left out"
    del found["seconds"], found["images_per_second"]
    mean, std, half = metrics.floor
    assert found == {
        "status": "finished",
        "monitor": "val/frechet_tiny",
        "best_epoch": best.best_epoch,
        "best_score": best.best_score,
        "best_checkpoint": "checkpoints/best.ckpt",
        "floor": {"mean": mean, "std": std, "n_per_half": half},
        "seen": 36,
        "epochs": 3,
    }
    assert (tmp_path / found["best_checkpoint"]).is_file()
    told = capsys.readouterr().out.strip().splitlines()
    assert told == [
        f"best epoch {best.best_epoch}: val/frechet_tiny {best.best_score:.4g}, "
        "in checkpoints/best.ckpt",
        f"real against real: {mean:.4g} ± {std:.2g} (3 photos a half)",
    ]


class Stop(Callback):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def on_train_batch_start(self, trainer: Any, *arguments: Any) -> None:
        if trainer.current_epoch == 1:
            raise self.error


@pytest.mark.parametrize(
    ("error", "raised", "status"),
    [
        (KeyboardInterrupt(), SystemExit, "interrupted"),
        (RuntimeError("out of memory"), RuntimeError, "failed"),
    ],
)
def test_the_summary_of_a_broken_run(
    tmp_path: Path, error: BaseException, raised: type[BaseException], status: str
) -> None:
    with pytest.raises(raised):
        make_trainer(tmp_path, callbacks(Stop(error))).fit(seeded_players(), TinyData())
    found = summary(tmp_path)
    assert found["status"] == status
    assert found["epochs"] == 1
    assert found["seen"] == 12
    assert found["best_epoch"] == 0


def test_the_summary_of_a_run_that_failed_before_its_first_score(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two validation photos"):
        make_trainer(tmp_path, callbacks()).fit(seeded_players(), TinyData(val=1))
    found = summary(tmp_path)
    assert found["status"] == "failed"
    assert found["monitor"] == "val/frechet_tiny"
    assert found["best_score"] is found["best_checkpoint"] is found["floor"] is None


def test_a_resumed_run_counts_its_own_images_and_all_that_were_seen(tmp_path: Path) -> None:
    make_trainer(tmp_path, callbacks(), max_epochs=1).fit(seeded_players(), TinyData())
    last = tmp_path / "checkpoints" / "last.ckpt"
    trainer = make_trainer(tmp_path, callbacks(), max_epochs=2)
    trainer.fit(seeded_players(), TinyData(), ckpt_path=last)
    found = summary(tmp_path)
    assert found["seen"] == 24
    assert found["images_per_second"] * found["seconds"] < 10 * 12


@pytest.mark.parametrize(
    ("config", "where"),
    [
        (OmegaConf.create({"a": 1}), "config is a DictConfig"),
        ({"a": {"b": [1, Path("x")]}}, r"config\.a\.b\[1\] is a "),
    ],
)
def test_a_config_that_would_spoil_checkpoints_is_refused(config: Any, where: str) -> None:
    with pytest.raises(TypeError, match=where):
        RunRecord(config)
