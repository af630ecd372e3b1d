"""Pictures to look at while a GAN learns to draw from latents: a fixed grid, its film, a walk."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import WandbLogger
from PIL import Image

from carsynth.data.batch import CarBatch
from carsynth.metrics.pixels import to_pictures
from carsynth.modules.latent_drawing import LatentDrawing
from carsynth.modules.latent_walk import spherical
from carsynth.reporting.sheets import Tile, save_gif, sheet

_FILM_MILLISECONDS = 250
_STEPS = 8


class LatentGrid(Callback):
    """Writes ``samples/epoch_0004.png`` after each validation, from the same latents every time.

    The first row shows real pictures. Below it every row is a class, or any pictures where the
    model draws without one. When training ends, ``samples/epochs.gif`` runs through the grids and
    ``samples/interpolation.png`` walks from latent to latent, a class a row. W&B gets the grids.
    Only the first process works, and waits for no other.

    Args:
        columns: pictures a row.
        rows: classes, or rows of any pictures, at most.
    """

    def __init__(self, columns: int = 8, rows: int = 8) -> None:
        self._columns = columns
        self._rows = rows
        self._reals: list[Tile] = []
        self._grid_size = (0, 0)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._reals = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: CarBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        missing = self._columns - len(self._reals)
        if missing > 0 and trainer.is_global_zero and not trainer.sanity_checking:
            self._reals += list(to_pictures(batch.photo[:missing]))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._reals or not isinstance(pl_module, LatentDrawing):
            return
        names = pl_module.class_names[: self._rows]
        rows = len(names) or self._rows
        latents = pl_module.latents(self._columns, torch.Generator().manual_seed(0))
        if not names:
            draws = torch.Generator().manual_seed(0)
            latents = pl_module.latents(rows * self._columns, draws)
        tiles = list(self._reals) + [np.full_like(self._reals[0], 255)] * (
            self._columns - len(self._reals)
        )
        for row in range(rows):
            own = latents if names else latents[row * self._columns : (row + 1) * self._columns]
            label = torch.full((len(own),), row) if names else None
            tiles += list(to_pictures(pl_module.paint(own, label).photo))
        grid = sheet(tiles, self._columns, ["real", *(names or [""] * rows)])
        folder = _folder(trainer)
        grid.save(folder / f"epoch_{trainer.current_epoch:04d}.png")
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                import wandb

                picture = {"epoch": trainer.current_epoch, "samples/grid": wandb.Image(grid)}
                logger.log_metrics(picture)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(pl_module, LatentDrawing):
            return
        folder = _folder(trainer)
        paths = sorted(folder.glob("epoch_*.png"))
        if paths:
            frames = [Image.open(path).convert("RGB") for path in _at_most(paths, 60)]
            same = [frame for frame in frames if frame.size == frames[-1].size]
            save_gif(same, folder / "epochs.gif", _FILM_MILLISECONDS)
        self._walk(pl_module).save(folder / "interpolation.png")

    def _walk(self, module: LatentDrawing) -> Image.Image:
        """A row a class, each from one latent to another in equal turns."""
        names = module.class_names[: self._rows]
        rows = len(names) or min(self._rows, 4)
        ends = module.latents(2 * rows, torch.Generator().manual_seed(1))
        tiles: list[Tile] = []
        for row in range(rows):
            path = spherical(ends[2 * row], ends[2 * row + 1], _STEPS)
            label = torch.full((_STEPS,), row) if names else None
            tiles += list(to_pictures(module.paint(path, label).photo))
        return sheet(tiles, _STEPS, names)


def _folder(trainer: Trainer) -> Path:
    folder = Path(trainer.default_root_dir, "samples")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _at_most(paths: list[Path], count: int) -> list[Path]:
    """Evenly chosen paths, the first and the last among them."""
    if len(paths) <= count:
        return paths
    return [paths[round(i * (len(paths) - 1) / (count - 1))] for i in range(count)]
