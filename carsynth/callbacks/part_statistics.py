"""Whether drawn part maps are made as real ones are: figures each epoch, and one picture."""

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray

from carsynth.data.batch import CarBatch
from carsynth.metrics.part_statistics import compare, maps_of_palette, statistics_of
from carsynth.metrics.pixels import to_pictures
from carsynth.reporting.part_plot import draw_parts


class PartStatistics(Callback):
    """Logs ``parts/<figure>`` of :class:`~carsynth.metrics.part_statistics.PartReport`, and as
    ``floor/<figure>`` how often real maps mix up ends or sides.

    Beside the figures after each validation, ``samples/parts.png`` shows the area of every part
    and how often each view shows it, drawn against real. Every process counts its own share of the
    maps and the logged figure is the mean over processes; the picture is of the first's.
    """

    def __init__(self) -> None:
        self._real: list[NDArray[np.integer]] = []
        self._drawn: list[NDArray[np.integer]] = []

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._real, self._drawn = [], []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: CarBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.sanity_checking:
            return
        pictures = to_pictures(outputs)
        self._real.append(batch.part_map.cpu().numpy())
        self._drawn.append(maps_of_palette(pictures))

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or not self._real:
            return
        real, drawn = np.concatenate(self._real), np.concatenate(self._drawn)
        figures = {f"parts/{k}": v for k, v in compare(real, drawn)._asdict().items()}
        of_real = compare(real, real)
        figures |= {"floor/front_rear": of_real.front_rear, "floor/left_right": of_real.left_right}
        pl_module.log_dict(figures, sync_dist=True)
        if trainer.is_global_zero:
            path = Path(trainer.default_root_dir, "samples", "parts.png")
            draw_parts(statistics_of(real), statistics_of(drawn), path)
