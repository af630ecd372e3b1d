import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback

from carsynth.callbacks.best_checkpoint import BestCheckpoint
from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.errors import UserError
from tests.callbacks.tiny_players import (
    TinyData,
    TinyExtractor,
    TinyMetric,
    make_trainer,
    seeded_players,
)


def fit(run_dir: Path, epochs: int, spoiled_from: int = 1000, **options: Any) -> BestCheckpoint:
    best = BestCheckpoint()
    # Listed first on purpose: it finds the score that a later callback logs.
    callbacks: list[Callback] = [best, GenerationMetrics(TinyMetric())]
    ckpt_path = options.pop("ckpt_path", None)
    trainer = make_trainer(run_dir, callbacks, epochs, **options)
    trainer.fit(seeded_players(spoiled_from=spoiled_from), TinyData(), ckpt_path=ckpt_path)
    return best


def load(run_dir: Path, name: str) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(
        run_dir / "checkpoints" / f"{name}.ckpt", weights_only=True
    )
    return checkpoint


def scores(run_dir: Path) -> dict[int, float]:
    with (run_dir / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["val/frechet_tiny"]]
    return {int(row["epoch"]): float(row["val/frechet_tiny"]) for row in rows}


def test_the_best_epoch_is_kept_and_the_last_one_saved_whatever_its_score(tmp_path: Path) -> None:
    best = fit(tmp_path, epochs=5, spoiled_from=3)
    logged = scores(tmp_path)
    assert set(logged) == set(range(5))
    assert best.best_epoch == min(logged, key=lambda epoch: logged[epoch]) <= 2
    assert best.best_score == pytest.approx(min(logged.values()))
    assert load(tmp_path, "best")["epoch"] == best.best_epoch
    assert load(tmp_path, "last")["epoch"] == 4
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["best.ckpt", "last.ckpt"]
    assert not any(path.is_symlink() for path in (tmp_path / "checkpoints").iterdir())


def test_an_unscored_epoch_saves_the_last_and_not_an_old_score_again(tmp_path: Path) -> None:
    best = fit(tmp_path, epochs=3, check_val_every_n_epoch=2)
    assert set(scores(tmp_path)) == {1}
    assert best.best_epoch == load(tmp_path, "best")["epoch"] == 1
    assert load(tmp_path, "last")["epoch"] == 2


def test_validation_within_an_epoch_saves_the_weights_that_were_scored(tmp_path: Path) -> None:
    class Weights(Callback):
        def __init__(self) -> None:
            self.scored: dict[float, torch.Tensor] = {}

        def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
            score = float(trainer.callback_metrics["val/frechet_tiny"])
            self.scored[score] = pl_module.generator.weight.detach().clone()

    best, weights = BestCheckpoint(), Weights()
    callbacks = [best, weights, GenerationMetrics(TinyMetric())]
    trainer = make_trainer(tmp_path, callbacks, 2, val_check_interval=2)
    trainer.fit(seeded_players(), TinyData(train=20))
    assert len(weights.scored) == 4
    assert best.best_score is not None
    saved = load(tmp_path, "best")["state_dict"]["generator.weight"]
    assert torch.equal(saved, weights.scored[best.best_score])


def test_best_score_and_epoch_survive_a_resume(tmp_path: Path) -> None:
    first = fit(tmp_path, epochs=2)
    last = tmp_path / "checkpoints" / "last.ckpt"
    before = load(tmp_path, "best")
    second = fit(tmp_path, epochs=4, spoiled_from=2, ckpt_path=last)
    assert (second.best_epoch, second.best_score) == (first.best_epoch, first.best_score)
    after = load(tmp_path, "best")
    assert torch.equal(
        after["state_dict"]["generator.weight"], before["state_dict"]["generator.weight"]
    )
    assert load(tmp_path, "last")["epoch"] == 3
    assert set(scores(tmp_path)) == set(range(4)), "the resumed run appends"


def test_a_run_resumed_elsewhere_takes_the_best_along(tmp_path: Path) -> None:
    first = fit(tmp_path / "old", epochs=2)
    last = tmp_path / "old" / "checkpoints" / "last.ckpt"
    second = fit(tmp_path / "new", epochs=3, spoiled_from=2, ckpt_path=last)
    assert second.best_score == first.best_score
    assert load(tmp_path / "new", "best")["epoch"] == first.best_epoch
    assert Path(second.best_model_path) == tmp_path / "new" / "checkpoints" / "best.ckpt"


def test_a_best_whose_file_is_gone_is_looked_for_anew(tmp_path: Path) -> None:
    fit(tmp_path / "old", epochs=2)
    moved = shutil.move(tmp_path / "old" / "checkpoints" / "last.ckpt", tmp_path / "last.ckpt")
    with pytest.warns(UserWarning, match="looked for anew"):
        second = fit(tmp_path / "new", epochs=3, spoiled_from=2, ckpt_path=moved)
    assert second.best_epoch == 2
    assert load(tmp_path / "new", "best")["epoch"] == 2


def test_a_run_resumed_with_another_metric_does_not_compare_the_two(tmp_path: Path) -> None:
    fit(tmp_path, epochs=1)

    class Other(TinyMetric):
        def build(self) -> TinyExtractor:
            extractor = TinyExtractor()
            extractor.name = "other"
            return extractor

    best = BestCheckpoint()
    trainer = make_trainer(tmp_path, [best, GenerationMetrics(Other())], 2)
    last = tmp_path / "checkpoints" / "last.ckpt"
    with pytest.warns(
        UserWarning, match=r"chosen by val/frechet_tiny, this run goes by val/frechet_other"
    ):
        trainer.fit(seeded_players(spoiled_from=1), TinyData(), ckpt_path=last)
    assert best.best_epoch == 1


def test_without_scores_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="keep GenerationMetrics"):
        make_trainer(tmp_path, [BestCheckpoint()]).fit(seeded_players(), TinyData())
