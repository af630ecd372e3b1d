"""Scores the generator after each validation, and what real photos score against themselves."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import Strategy
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from carsynth.data.batch import CarBatch
from carsynth.errors import UserError
from carsynth.metrics.choice import MetricChoice, SettledMetric
from carsynth.metrics.floor import Floor, split_half_floor
from carsynth.metrics.frechet import FrechetDistance


class GenerationMetrics(Callback):
    """Logs ``val/<metric>`` after each validation and ``floor/<metric>`` after the first.

    ``validation_step`` returns the generated photos, floats (B, 3, H, W) in [-1, 1]. Every process
    feeds its own share and computes on the sums of all; the value logged is the first process's.
    The callback owns the metric, so that no extractor enters a checkpoint.

    Args:
        metric: the extractor to measure with; what ``metric=auto`` stands for is settled in
            ``setup``, by the first process for all.
    """

    def __init__(self, metric: MetricChoice) -> None:
        self._choice = metric
        self._name: str | None = None
        self._metric: FrechetDistance | None = None
        self._reals_fed = False
        self.floor: Floor | None = None
        """None before the first validation, and for ever with less than four photos."""

    @property
    def monitor(self) -> str:
        """Log name of the score, lower is better; known from ``setup`` on."""
        assert self._name is not None, "the metric is settled in setup"
        return f"val/{self._name}"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        settled, extractor = _settle(self._choice, trainer.strategy)
        self._name = settled.name
        self._metric = FrechetDistance(extractor)
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
        self._metric.to("cpu" if pl_module.device.type == "mps" else pl_module.device)
        self._metric.reset()

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
        if not self._reals_fed:
            self._metric.update(batch.photo, real=True)
        self._metric.update(outputs, real=False)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or self._metric is None:
            return
        # torchmetrics adds up all processes here; the broadcast makes the last bit agree too.
        score = trainer.strategy.broadcast(self._metric.compute())
        if score == float("inf"):
            rank_zero_warn(f"generated photos are not finite: {self.monitor} is infinite")
        pl_module.log(self.monitor, score, sync_dist=True)
        if not self._reals_fed:
            self._reals_fed = True
            features = self._metric.real_features()
            floor = split_half_floor(features) if trainer.is_global_zero else None
            self.floor = trainer.strategy.broadcast(floor)
            if self.floor is not None:
                pl_module.log(f"floor/{self._name}", self.floor.mean, sync_dist=True)


def _settle(choice: MetricChoice, strategy: Strategy) -> tuple[SettledMetric, nn.Module]:
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
    extractor: nn.Module | None = None
    if settled is not None:
        try:
            extractor = settled.build()
        except UserError as mistake:
            error = str(mistake)
    if not strategy.reduce_boolean_decision(extractor is not None, all=True):
        raise UserError(error or "another process could not load the extractor of the metric")
    assert settled is not None
    assert extractor is not None
    return settled, extractor
