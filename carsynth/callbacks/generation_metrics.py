"""Scores the generator after each validation, and what real photos score against themselves."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import Strategy
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from carsynth.data.batch import CarBatch
from carsynth.errors import UserError
from carsynth.metrics.choice import MetricChoice, SettledMetric
from carsynth.metrics.extractor import Extractor
from carsynth.metrics.feature_cache import CHUNK, FeatureCache
from carsynth.metrics.figure import Figure, full_name
from carsynth.metrics.floor import Floor, floors
from carsynth.metrics.frechet import Frechet, FrechetDistance
from carsynth.metrics.paired import PairedFigure
from carsynth.metrics.paired_card import PairedCard
from carsynth.metrics.pixels import to_uint8
from carsynth.metrics.score_card import Score, score_card


class GenerationMetrics(Callback):
    """Logs ``val/<figure>`` after each validation and ``floor/<figure>`` after the first.

    ``validation_step`` returns the generated photos, floats (B, 3, H, W) in [-1, 1]. The Frechet
    distance picks the best epoch; every process feeds its own share and computes on the sums of
    all. Other figures are measured by the first process on the features of all. The callback owns
    its metrics, so that no extractor enters a checkpoint.

    Args:
        metric: the extractor to measure with; what ``metric=auto`` stands for is settled in
            ``setup``, by the first process for all.
        figures: measured beside the Frechet distance, by any name.
        paired: measured on each generated photo and the real one of its part map.
        cache_dir: where features of real photos are kept for later runs; None keeps none.
    """

    def __init__(
        self,
        metric: MetricChoice,
        figures: Mapping[str, Figure] | None = None,
        paired: Mapping[str, PairedFigure] | None = None,
        cache_dir: str | None = None,
    ) -> None:
        self._choice = metric
        self._figures = list((figures or {}).values())
        self._paired = PairedCard(list((paired or {}).values()))
        self._cache_dir = cache_dir
        self._extractor: Extractor | None = None
        self._metric: FrechetDistance | None = None
        self.cache: FeatureCache | None = None
        """Features of real photos; made in ``setup``."""
        self._waiting: list[Tensor] = []
        self._reals_fed = False
        self._silent: set[str] = set()
        self.floor: Floor | None = None
        """Of the Frechet distance; None before the first validation, and for ever with less than
        four photos."""

    @property
    def monitor(self) -> str:
        """Log name of the score, lower is better; known from ``setup`` on."""
        assert self._extractor is not None, "the metric is settled in setup"
        return f"val/{full_name('frechet', self._extractor.name)}"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._extractor = _settle(self._choice, trainer.strategy)
        self._metric = FrechetDistance(self._extractor, keep_features=bool(self._figures))
        self.cache = FeatureCache(self._extractor, self._cache_dir)
        self._waiting = []
        self._reals_fed = False
        self.floor = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Fails before the first epoch, not after it, where the data cannot be scored.

        Raises:
            UserError: fewer than two validation photos.
        """
        names = getattr(trainer.datamodule, "val_names", None)  # type: ignore[attr-defined]
        if names is not None and len(names) < 2:
            raise UserError(
                f"{self.monitor} needs two validation photos or more, and the data has "
                f"{len(names)}: enlarge the validation split"
            )

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or self._metric is None:
            return
        # Apple's GPUs know no float64.
        device = torch.device("cpu") if pl_module.device.type == "mps" else pl_module.device
        self._metric.to(device)
        self._paired.to(device)
        self._metric.reset()
        self._paired.reset()

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: CarBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.sanity_checking or self._metric is None:
            return
        assert isinstance(outputs, Tensor), "validation_step returns the generated photos"
        real = batch.photo if batch.photo.dtype == torch.uint8 else to_uint8(batch.photo)
        if not self._reals_fed:
            self._waiting.append(real)
            if sum(map(len, self._waiting)) >= CHUNK:
                self._feed_reals()
        self._metric.update(outputs, real=False)
        self._paired.update(to_uint8(outputs.nan_to_num()), real)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or self._metric is None:
            return
        self._feed_reals()
        # torchmetrics adds up all processes here; the broadcast makes the last bit agree too.
        score = trainer.strategy.broadcast(self._metric.compute())
        broken = score == float("inf")
        if broken:
            rank_zero_warn(f"generated photos are not finite: {self.monitor} is infinite")
        logged = {self.monitor: score}
        if not broken:
            logged |= self._beside(trainer)
        if not self._reals_fed:
            self._reals_fed = True
            logged |= self._floors(trainer)
        pl_module.log_dict(logged, sync_dist=True)

    def _feed_reals(self) -> None:
        assert self._metric is not None
        assert self.cache is not None
        if self._waiting:
            self._metric.update_features(self.cache.features(torch.cat(self._waiting)), real=True)
        self._waiting = []

    def _beside(self, trainer: Trainer) -> dict[str, float]:
        """The figures beside the score: a collective call, computed once."""
        assert self._metric is not None
        assert self._extractor is not None
        card: list[Score] = []
        if self._figures:
            real, fake = self._metric.real_features(), self._metric.fake_features()
            if trainer.is_global_zero:
                card = score_card(real, fake, self._figures, self._extractor)
        card += self._paired.scores()
        for score in card:
            if score.why is not None and score.name not in self._silent:
                rank_zero_warn(f"val/{score.name} is not measured: {score.why}")
                self._silent.add(score.name)
        told = {f"val/{score.name}": score.value for score in card if score.value is not None}
        found: dict[str, float] = trainer.strategy.broadcast(told)
        return found

    def _floors(self, trainer: Trainer) -> dict[str, float]:
        assert self._metric is not None
        assert self._extractor is not None
        features = self._metric.real_features()
        found: dict[str, Floor] = {}
        if trainer.is_global_zero:
            found = floors([Frechet(), *self._figures], features, self._extractor)
        found = trainer.strategy.broadcast(found)
        self.floor = found.get("frechet")
        name = self._extractor.name
        return {f"floor/{full_name(key, name)}": floor.mean for key, floor in found.items()}


def _settle(choice: MetricChoice, strategy: Strategy) -> Extractor:
    """The first process decides, and every process leaves with the same outcome or the same error.

    An error on one process alone would leave the others waiting for it. Where the first has the
    weights and another machine has not, the run stops: it would not be alike on every process.
    """
    settled: SettledMetric | None = None
    error: str | None = None
    if strategy.is_global_zero:
        try:
            settled = choice.settle()
        except UserError as mistake:
            error = str(mistake)
    settled, error = strategy.broadcast((settled, error))
    extractor: Extractor | None = None
    if settled is not None:
        try:
            extractor = settled.build()
        except UserError as mistake:
            error = str(mistake)
    if not strategy.reduce_boolean_decision(extractor is not None, all=True):
        raise UserError(error or "another process could not load the extractor of the metric")
    assert extractor is not None
    return extractor
