"""Pictures to look at: map, generated photo and real photo of the same samples, epoch by epoch."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from carsynth.data.batch import CarBatch
from carsynth.labels import PALETTE, PARTS
from carsynth.metrics.pixels import to_pictures

CAPTIONS = ("part map", "generated", "real")
MIN_CELL = 128
"""Pixels below which cells are magnified, so that they and their captions can be read."""
_GAP = 4
_BANNER = 20


class _Sample(NamedTuple):
    part_map: NDArray[np.int64]
    generated: NDArray[np.uint8]
    real: NDArray[np.uint8]


class SampleGrid(Callback):
    """Writes ``samples/epoch_0004.png`` in the Trainer's root folder after each validation.

    Shown are the first samples of the first process's validation data, which keep their order, so
    that epochs compare. W&B gets the same picture, and some generated photos with the part map as
    a mask that the page can switch. Only the first process works, and waits for no other.

    Args:
        num_samples: rows of the grid.
        num_masks: samples that W&B gets with their masks, at most ``num_samples``.
    """

    def __init__(self, num_samples: int = 8, num_masks: int = 4) -> None:
        self._num_samples = num_samples
        self._num_masks = num_masks
        self._samples: list[_Sample] = []

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._samples = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: CarBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        missing = self._num_samples - len(self._samples)
        if missing <= 0 or trainer.sanity_checking or not trainer.is_global_zero:
            return
        assert isinstance(outputs, Tensor), "validation_step returns the generated photos"
        maps = batch.part_map[:missing].cpu().numpy()
        generated = to_pictures(outputs[:missing])
        real = to_pictures(batch.photo[:missing])
        self._samples += map(_Sample, maps, generated, real)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._samples:
            return
        epoch = trainer.current_epoch
        picture = draw_grid(self._samples)
        folder = Path(trainer.default_root_dir, "samples")
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / f"epoch_{epoch:04d}.png")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_metrics({"epoch": epoch, **_wandb_images(picture, self._masked())})
        self._samples = []

    def _masked(self) -> list[_Sample]:
        return self._samples[: self._num_masks]


def draw_grid(samples: list[_Sample]) -> Image.Image:
    """One row a sample under a captioned banner: map in ``PALETTE``, generated, real."""
    height, width = samples[0].part_map.shape
    scale = max(1, math.ceil(MIN_CELL / width))
    cell_h, cell_w = height * scale, width * scale
    size = (
        len(CAPTIONS) * (cell_w + _GAP) - _GAP,
        _BANNER + len(samples) * (cell_h + _GAP) - _GAP,
    )
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=14)
    for column, caption in enumerate(CAPTIONS):
        middle = column * (cell_w + _GAP) + cell_w // 2
        draw.text((middle, _BANNER // 2), caption, fill="black", font=font, anchor="mm")
    for row, sample in enumerate(samples):
        cells = (PALETTE[sample.part_map], sample.generated, sample.real)
        for column, cell in enumerate(cells):
            image = Image.fromarray(cell).resize((cell_w, cell_h), Image.Resampling.NEAREST)
            picture.paste(image, (column * (cell_w + _GAP), _BANNER + row * (cell_h + _GAP)))
    return picture


def _wandb_images(picture: Image.Image, samples: list[_Sample]) -> dict[str, Any]:
    import wandb

    names = {index: part.name for index, part in enumerate(PARTS)}
    masked = [
        wandb.Image(
            sample.generated,
            masks={"parts": {"mask_data": sample.part_map, "class_labels": names}},
        )
        for sample in samples
    ]
    return {"samples/grid": wandb.Image(picture), "samples/parts": masked}
