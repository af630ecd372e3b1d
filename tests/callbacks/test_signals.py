import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from carsynth.callbacks.best_checkpoint import BestCheckpoint
from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.callbacks.run_record import RunRecord
from carsynth.callbacks.signals import StopOnSigterm
from tests.callbacks.tiny_players import TinyData, TinyMetric, make_trainer, seeded_players


class Sender(Callback):
    """Sends this process a real SIGTERM in the second batch of the second epoch."""

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if (trainer.current_epoch, batch_idx) == (1, 1):
            os.kill(os.getpid(), signal.SIGTERM)


def callbacks(*more: Callback) -> list[Callback]:
    scores = GenerationMetrics(TinyMetric())
    return [*more, StopOnSigterm(), RunRecord({}), scores, BestCheckpoint()]


def test_sigterm_saves_within_the_epoch_and_a_resume_finishes_it(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop:
        make_trainer(tmp_path, callbacks(Sender()), 3).fit(seeded_players(), TinyData())
    assert stop.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["seen"] == 12 + 8
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["status"], summary["best_epoch"]) == ("interrupted", 0)

    module = seeded_players()
    make_trainer(tmp_path, callbacks(), 3).fit(module, TinyData(), ckpt_path=last)
    assert module.seen == 3 * 12
    assert json.loads((tmp_path / "summary.json").read_text())["status"] == "finished"
    assert signal.getsignal(signal.SIGTERM) == before
