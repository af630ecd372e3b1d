"""Small models that draw from latents, as the config makes them, and real fits on drawn cars or
plain patterns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from lightning.pytorch import Callback, Trainer
from omegaconf import DictConfig

from carsynth.cli import CONFIG_DIR
from carsynth.data.batch import CarSample, CarSource
from carsynth.data.datamodule import CarDataModule
from carsynth.data.toycars import ToyCars
from carsynth.modules.latent_drawing import LatentDrawing

SMALL = ("arch.width=4", "data.batch_size=4", "seed=3", "optim.ema_decay=0.9")


def config_of(experiment: str, *words: str, classes: Sequence[str] = ("a", "b")) -> DictConfig:
    """The config of ``+experiment=NAME``, of a small model."""
    overrides = [f"+experiment={experiment}", "data.size=[16,28]", *SMALL, *words]
    with initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        config = compose("train", [*overrides, "run_dir=run", "name=test"])
    config.data.classes = list(classes)
    return config


def module_of(experiment: str, *words: str, classes: Sequence[str] = ("a", "b")) -> Any:
    """The module of a config, with the same weights at every call."""
    config = config_of(experiment, *words, classes=classes)
    torch.manual_seed(0)
    return instantiate(config.arch.module)


class Corners:
    """Four classes of pictures that a person tells at once: which quarter is bright."""

    classes = ("top_left", "top_right", "bottom_left", "bottom_right")
    class_twins = (0, 1, 2, 3)

    def __init__(self, length: int) -> None:
        self.names = tuple(f"corner-{i:04d}" for i in range(length))

    def read(self, index: int, size: tuple[int, int]) -> CarSample:
        random = np.random.default_rng(index)
        photo = random.integers(0, 60, (*size, 3), dtype=np.uint8)
        label = index % 4
        rows = slice(0, size[0] // 2) if label < 2 else slice(size[0] // 2, None)
        columns = slice(0, size[1] // 2) if label % 2 == 0 else slice(size[1] // 2, None)
        photo[rows, columns] += np.uint8(random.integers(130, 190))
        return CarSample(photo, np.zeros(size, np.uint8), label)


def data_of(
    source: CarSource | None = None, size: tuple[int, int] = (32, 56), batch_size: int = 4
) -> CarDataModule:
    """Sixteen drawn cars a training epoch, or another source."""
    source = source or ToyCars(20, seed=1)
    return CarDataModule(source, size, batch_size, fractions=(0.8, 0.2, 0.0))


def fit(
    module: LatentDrawing,
    data: CarDataModule,
    folder: Path,
    epochs: int,
    *callbacks: Callback,
    ckpt_path: Path | None = None,
    **options: Any,
) -> Trainer:
    """A real fit, quiet and on the CPU; ``last.ckpt`` in the folder afterwards."""
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": epochs,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
        "limit_val_batches": 0,
        "default_root_dir": folder,
        "callbacks": list(callbacks),
    }
    trainer = Trainer(**{**settings, **options})
    trainer.fit(module, data, ckpt_path=ckpt_path, weights_only=True)
    trainer.save_checkpoint(folder / "last.ckpt")
    return trainer
