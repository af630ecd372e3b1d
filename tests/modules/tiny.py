"""The smallest adversarial module that is a real one, and the data to train it on."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from carsynth.data.batch import CarBatch
from carsynth.losses.adversarial import LeastSquares
from carsynth.modules.adversarial import AdversarialModule


class TinyGan(AdversarialModule):
    """Photos of 4x4 from a fixed noise; one turn each, D first."""

    def __init__(self, lr: float = 1e-2, **training: Any) -> None:
        torch.manual_seed(0)
        generator = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 48), nn.Tanh())
        discriminator = nn.Sequential(nn.Linear(48, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
        optimizer = partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999))
        training = {"optimizer_g": optimizer, "optimizer_d": optimizer, **training}
        super().__init__(generator, discriminator, **training)
        self.loss = LeastSquares()

    def training_step(self, batch: CarBatch, batch_idx: int) -> None:
        real = (batch.photo.to(self.dtype) / 127.5 - 1).flatten(1)
        # The noise belongs to the sample, so that it is the same on one process and on two.
        noise = torch.linspace(-1, 1, 5, dtype=self.dtype) * batch.label[:, None]
        with self.turn("discriminator") as backward:
            fake = self.generator(noise).detach()
            d_loss = self.loss.discriminator(self.discriminator(real), self.discriminator(fake))
            backward(d_loss)
        with self.turn("generator") as backward:
            g_loss = self.loss.generator(self.discriminator(self.generator(noise)))
            backward(g_loss)
        self.finish_batch(batch, {"d_adversarial": d_loss, "g_adversarial": g_loss})

    def generate(self, batch: CarBatch) -> Tensor:
        noise = torch.linspace(-1, 1, 5, dtype=self.dtype) * batch.label[:, None]
        return self.generator_ema.module(noise).unflatten(1, (3, 4, 4))


def batches(count: int, batch_size: int, rank: int = 0, ranks: int = 1) -> DataLoader[CarBatch]:
    """``count`` batches in a fixed order; a rank of several has its share of each."""
    draws = torch.Generator().manual_seed(1)
    total = count * batch_size
    photos = torch.randint(0, 256, (total, 3, 4, 4), generator=draws, dtype=torch.uint8)
    labels = torch.arange(total) % 7
    whole = []
    for start in range(0, total, batch_size):
        index = torch.arange(start, start + batch_size)[rank::ranks]
        part_map = torch.zeros(len(index), 4, 4, dtype=torch.int64)
        whole.append(CarBatch(photos[index], part_map, labels[index]))
    return DataLoader(whole, batch_size=None)


def fit(
    module: AdversarialModule,
    loader: DataLoader[CarBatch],
    folder: Path,
    epochs: int = 1,
    ckpt_path: Path | None = None,
    **trainer: Any,
) -> Trainer:
    """A real fit, quiet and on the CPU."""
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": epochs,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "default_root_dir": folder,
    }
    runner = Trainer(**{**settings, **trainer})
    runner.fit(module, loader, ckpt_path=ckpt_path, weights_only=True)
    return runner
