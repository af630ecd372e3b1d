import re
import sys
from pathlib import Path

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer

from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.callbacks.progress import TrainingProgress
from tests.callbacks.tiny_players import TinyData, TinyMetric, make_trainer, seeded_players


def fit(run_dir: Path, refresh_rate: int = 1, max_epochs: int = 3) -> None:
    callbacks = [TrainingProgress(refresh_rate), GenerationMetrics(TinyMetric())]
    trainer = make_trainer(run_dir, callbacks, max_epochs, enable_progress_bar=True)
    trainer.fit(seeded_players(), TinyData())


def test_without_a_terminal_each_epoch_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(tmp_path)
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 3
    pattern = (
        r"epoch {}: discriminator=\S+ generator=\S+ val/frechet_tiny=\S+ "
        r"img/s=([\d.e+]+) left=(\d\d:\d\d)"
    )
    for epoch, line in enumerate(lines):
        found = re.fullmatch(pattern.format(epoch), line)
        assert found, line
        assert float(found.group(1)) > 0
    assert lines[-1].endswith("left=00:00")


def test_on_a_terminal_the_bar_shows_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    fit(tmp_path)
    shown = capsys.readouterr().out
    for word in (
        "Epoch 2",
        "discriminator=",
        "generator=",
        "val/frechet_tiny=",
        "img/s=",
        "left=00:00",
    ):
        assert word in shown
    assert "v_num" not in shown
    assert "epoch 0:" not in shown


def test_a_refresh_rate_of_zero_is_silent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(tmp_path, refresh_rate=0)
    assert capsys.readouterr().out == ""


def test_a_run_without_an_end_shows_no_time_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callbacks = [TrainingProgress(), GenerationMetrics(TinyMetric())]
    trainer = make_trainer(
        tmp_path, callbacks, -1, max_steps=12, enable_progress_bar=True
    )  # 12 steps of two optimisers are two epochs of three batches
    trainer.fit(seeded_players(), TinyData())
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 2
    assert not any("left=" in line for line in lines)


def test_a_time_limit_counts_where_it_comes_before_the_last_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callbacks = [TrainingProgress(), GenerationMetrics(TinyMetric())]
    limits = {"max_time": "00:00:00:40", "limit_train_batches": 1}
    trainer = make_trainer(tmp_path, callbacks, 2, enable_progress_bar=True, **limits)
    trainer.fit_loop.max_epochs = 10**6
    trainer.callbacks.append(StopAfter(2))
    trainer.fit(seeded_players(), TinyData())
    for line in capsys.readouterr().out.strip().splitlines():
        assert re.search(r"left=00:[23]\d$", line), line


class StopAfter(Callback):
    """Ends a fit after so many epochs that does not know it."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 >= self._epochs
