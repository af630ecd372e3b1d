import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch import Tensor, nn

from carsynth.callbacks.best_checkpoint import BestCheckpoint
from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.data.batch import CarBatch
from carsynth.errors import UserError
from carsynth.metrics.floor import floors
from carsynth.metrics.frechet import Frechet
from carsynth.metrics.gaussian import frechet_distance, gaussian_of_features
from carsynth.metrics.kernel import KernelDistance
from carsynth.metrics.manifold import Manifold
from carsynth.metrics.paired import PeakSignalToNoise, StructuralSimilarity
from carsynth.metrics.pixels import to_uint8
from tests.callbacks.tiny_players import (
    TinyData,
    TinyExtractor,
    TinyMetric,
    make_trainer,
    seeded_players,
)


class Watcher(Callback):
    """Keeps each epoch's score as logged and as computed from all its photos at once."""

    def __init__(self) -> None:
        self.expected: list[float] = []
        self.logged: list[dict[str, float]] = []

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        batch = CarBatch(*map(torch.stack, zip(*trainer.datamodule.samples(1), strict=True)))
        extractor = TinyExtractor()
        real = gaussian_of_features(extractor(batch.photo))
        fake = gaussian_of_features(extractor(to_uint8(pl_module.generate(batch))))
        self.expected.append(frechet_distance(real, fake))
        self.logged.append({k: float(v) for k, v in trainer.callback_metrics.items()})


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_each_epoch_logs_the_distance_of_all_validation_photos(
    tmp_path: Path, precision: str
) -> None:
    watcher, metrics = Watcher(), GenerationMetrics(TinyMetric())
    trainer = make_trainer(tmp_path, [watcher, metrics], max_epochs=3, precision=precision)
    data = TinyData()
    trainer.fit(seeded_players(), data)
    scores = [row["val/frechet_tiny"] for row in watcher.logged]
    # The watcher generates outside autocast: bf16 photos differ by a level, scores by little.
    assert scores == pytest.approx(watcher.expected, rel=1e-5 if precision == "32-true" else 0.1)
    assert len(set(scores)) == 3
    assert metrics.monitor == "val/frechet_tiny"
    photos = torch.stack([sample.photo for sample in data.samples(1)])
    extractor = TinyExtractor()
    assert metrics.floor == floors([Frechet()], extractor(photos), extractor)["frechet"]
    assert metrics.floor is not None
    assert watcher.logged[0]["floor/frechet_tiny"] == pytest.approx(metrics.floor.mean, rel=1e-6)


def test_figures_beside_the_score_are_those_of_all_photos(tmp_path: Path) -> None:
    module, data, watcher = seeded_players(), TinyData(val=9), Watcher()
    figures = {"kernel": KernelDistance(), "manifold": Manifold(k=3)}
    paired = {"psnr": PeakSignalToNoise()}
    metrics = GenerationMetrics(TinyMetric(), figures, paired)
    make_trainer(tmp_path, [watcher, metrics], max_epochs=1).fit(module, data)
    (logged,) = watcher.logged
    batch = CarBatch(*map(torch.stack, zip(*data.samples(1), strict=True)))
    fake, extractor = to_uint8(module.generate(batch)), TinyExtractor()
    for figure in figures.values():
        measured = figure.measure(extractor(batch.photo), extractor(fake), extractor)
        for name, value in measured.items():
            assert logged[f"val/{name}_tiny"] == pytest.approx(value.value, rel=1e-4, abs=1e-6)
    error = (fake.double() - batch.photo).square().mean((1, 2, 3))
    psnr = (10 * torch.log10(255**2 / error)).mean()
    assert logged["val/psnr"] == pytest.approx(float(psnr), rel=1e-5)
    assert "floor/kernel_tiny" in logged


def test_a_figure_that_cannot_be_measured_is_named_once_and_stops_nothing(tmp_path: Path) -> None:
    watcher = Watcher()
    metrics = GenerationMetrics(
        TinyMetric(), {"manifold": Manifold(k=50)}, {"ssim": StructuralSimilarity()}
    )
    trainer = make_trainer(tmp_path, [watcher, metrics], max_epochs=2)
    with pytest.warns(UserWarning, match="val/recall_tiny is not measured") as said:
        trainer.fit(seeded_players(), TinyData())
    assert sum("val/recall_tiny" in str(one.message) for one in said) == 1
    assert len(watcher.logged) == 2
    assert "val/recall_tiny" not in watcher.logged[1]
    assert watcher.logged[1]["val/ssim"] <= 1.0


def test_features_of_real_photos_are_computed_once_for_several_runs(tmp_path: Path) -> None:
    scores = []
    for run in ("first", "second"):
        metrics = GenerationMetrics(TinyMetric(), cache_dir=str(tmp_path / "cache"))
        trainer = make_trainer(tmp_path / run, [metrics], max_epochs=1)
        trainer.fit(seeded_players(), TinyData())
        assert metrics.cache is not None
        scores.append((float(trainer.callback_metrics["val/frechet_tiny"]), metrics.cache.hits))
    (first, none), (second, all_of_them) = scores
    assert (none, all_of_them) == (0, 7)
    assert first == pytest.approx(second, rel=1e-9)


def test_sanity_checking_scores_nothing(tmp_path: Path) -> None:
    watcher, metrics = Watcher(), GenerationMetrics(TinyMetric())
    trainer = make_trainer(tmp_path, [watcher, metrics], max_epochs=1, num_sanity_val_steps=2)
    trainer.fit(seeded_players(), TinyData())
    sanity, first = watcher.logged
    assert not sanity
    assert first["val/frechet_tiny"] == pytest.approx(watcher.expected[1], rel=1e-5)


def test_the_extractor_enters_no_checkpoint(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, max_epochs=1)
    trainer.fit(seeded_players(), TinyData())
    checkpoint = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert {name.split(".")[0] for name in checkpoint["state_dict"]} == {
        "generator",
        "discriminator",
    }
    assert set(checkpoint["callbacks"]) == {"BestCheckpoint"}


def test_one_validation_photo_fails_before_training(tmp_path: Path) -> None:
    module = seeded_players()
    with pytest.raises(UserError, match="two validation photos or more, and the data has 1"):
        make_trainer(tmp_path).fit(module, TinyData(val=1))
    assert module.seen == 0


def test_photos_that_are_not_finite_score_infinity_and_are_never_the_best(tmp_path: Path) -> None:
    class Diverged(type(seeded_players())):  # type: ignore[misc]
        def validation_step(self, batch: CarBatch, batch_idx: int) -> Tensor:
            return torch.full_like(self.generate(batch), math.nan)

    best = BestCheckpoint()
    trainer = make_trainer(tmp_path, [GenerationMetrics(TinyMetric()), best], max_epochs=1)
    with pytest.warns(UserWarning, match="not finite"):
        trainer.fit(Diverged(), TinyData())
    assert trainer.callback_metrics["val/frechet_tiny"] == math.inf
    assert best.best_score is None
    assert not (tmp_path / "checkpoints" / "best.ckpt").exists()
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()


class Missing:
    name = "fid"

    def settle(self) -> "Missing":
        raise UserError("no weights: set metric.weights_path=FILE")

    def build(self) -> nn.Module:
        raise AssertionError("what could not be settled is not built")


def test_a_metric_that_cannot_be_had_fails_before_training(tmp_path: Path) -> None:
    module = seeded_players()
    trainer = make_trainer(tmp_path, [GenerationMetrics(Missing()), BestCheckpoint()])
    with pytest.raises(UserError, match=r"^no weights: set metric\.weights_path=FILE$"):
        trainer.fit(module, TinyData())
    assert module.seen == 0
