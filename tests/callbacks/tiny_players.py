"""Two players of a few parameters and random data, for real fits that take a second."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from carsynth.callbacks.best_checkpoint import BestCheckpoint
from carsynth.callbacks.generation_metrics import GenerationMetrics
from carsynth.callbacks.loggers import AppendingCSVLogger
from carsynth.data.batch import CarBatch
from carsynth.labels import NUM_PARTS
from carsynth.metrics.frozen import FrozenNetwork

HEIGHT, WIDTH = 12, 20


class TinyExtractor(FrozenNetwork):
    """Mean colour of each quarter: uint8 (B, 3, H, W) to (B, 12)."""

    def __init__(self) -> None:
        super().__init__("tiny", 12, "area to 2x2", "mean colours")

    def features(self, photo: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(photo.float() / 255.0, 2).flatten(1)


class TinyMetric:
    """A choice that needs no settling."""

    def settle(self) -> "TinyMetric":
        return self

    def build(self) -> TinyExtractor:
        return TinyExtractor()


class TinyPlayers(LightningModule):
    """Colours the part map, against a critic of one convolution.

    Args:
        spoiled_from: epoch from which photos are black, so that later scores are worse.
    """

    def __init__(self, spoiled_from: int = 1000) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Conv2d(NUM_PARTS, 3, 1)
        self.discriminator = nn.Conv2d(3, 1, 4)
        self.seen = 0
        self.spoiled_from = spoiled_from

    def generate(self, batch: CarBatch) -> Tensor:
        one_hot = nn.functional.one_hot(batch.part_map, NUM_PARTS).permute(0, 3, 1, 2)
        return self.generator(one_hot.float()).tanh()

    def training_step(self, batch: CarBatch, batch_idx: int) -> None:
        to_g, to_d = self.optimizers()  # type: ignore[misc]
        real = batch.photo / 127.5 - 1.0
        critic = self.discriminator
        for optimizer, name in ((to_d, "discriminator"), (to_g, "generator")):
            self.toggle_optimizer(optimizer)
            fake = self.generate(batch)
            loss = -critic(fake).mean()
            if name == "discriminator":
                loss = (1 - critic(real)).relu().mean() + (1 + critic(fake.detach())).relu().mean()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            self.untoggle_optimizer(optimizer)
            self.log(f"train/{name}", loss.detach())
        self.seen += len(batch.photo) * self.trainer.world_size

    def validation_step(self, batch: CarBatch, batch_idx: int) -> Tensor:
        photo = self.generate(batch)
        return photo if self.current_epoch < self.spoiled_from else torch.full_like(photo, -1.0)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        adam = torch.optim.Adam
        return [adam(net.parameters(), 1e-2) for net in (self.generator, self.discriminator)]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seen"] = self.seen

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.seen = checkpoint["seen"]


class TinyData(LightningDataModule):
    """Random samples, each process its own share of them without padding."""

    classes = ("coupe", "van")

    def __init__(self, train: int = 12, val: int = 7, batch_size: int = 4) -> None:
        super().__init__()
        self.sizes = (train, val)
        self.val_names = tuple(f"val{i}" for i in range(val))
        self._batch_size = batch_size

    def samples(self, split: int) -> list[CarBatch]:
        generator = torch.Generator().manual_seed(split)
        count = self.sizes[split]
        photo = torch.randint(0, 256, (count, 3, HEIGHT, WIDTH), generator=generator)
        part_map = torch.randint(0, NUM_PARTS, (count, HEIGHT, WIDTH), generator=generator)
        return [
            CarBatch(p.byte(), m, torch.tensor(i % 2))
            for i, (p, m) in enumerate(zip(photo, part_map, strict=True))
        ]

    def _loader(self, split: int) -> DataLoader[CarBatch]:
        assert self.trainer is not None
        samples = self.samples(split)
        share = range(self.trainer.global_rank, len(samples), self.trainer.world_size)
        return DataLoader(Subset(samples, share), self._batch_size)  # type: ignore[arg-type]

    def train_dataloader(self) -> DataLoader[CarBatch]:
        return self._loader(0)

    def val_dataloader(self) -> DataLoader[CarBatch]:
        return self._loader(1)


def make_trainer(
    run_dir: Path, callbacks: list[Callback] | None = None, max_epochs: int = 2, **options: Any
) -> Trainer:
    """A quiet CPU Trainer as the door makes it, with scores and checkpoints unless told."""
    if callbacks is None:
        callbacks = [GenerationMetrics(TinyMetric()), BestCheckpoint()]
    defaults: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": AppendingCSVLogger(run_dir),
        "log_every_n_steps": 1,
        "enable_model_summary": False,
        "enable_progress_bar": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
    }
    return Trainer(
        default_root_dir=run_dir,
        callbacks=callbacks,
        max_epochs=max_epochs,
        **{**defaults, **options},
    )


def seeded_players(**options: Any) -> TinyPlayers:
    torch.manual_seed(0)
    return TinyPlayers(**options)
