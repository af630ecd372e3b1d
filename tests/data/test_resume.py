"""A broken run, resumed, trains on the batches that it had not seen, under a real trainer."""

from pathlib import Path
from typing import Any

import albumentations as A
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from carsynth.data.batch import CarBatch
from carsynth.data.datamodule import CarDataModule
from tests.data.cars import NumberedCars

EPOCHS = 3
BATCHES = 5  # an epoch


class Diary(LightningModule):
    """Trains nothing and writes down what it is shown."""

    def __init__(self, stop_after: int = -1) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.stop_after = stop_after
        self.seen: list[tuple[int, list[int], list[int]]] = []

    def training_step(self, batch: CarBatch) -> Tensor:
        numbers = batch.photo[:, 0, 0, 1].tolist()
        self.seen.append((self.current_epoch, numbers, batch.label.tolist()))
        if len(self.seen) == self.stop_after:
            raise KeyboardInterrupt
        return self.weight * 1.0

    def validation_step(self, batch: CarBatch) -> None:
        return None

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(
    folder: Path, workers: int, saving: dict[str, Any], stop_after: int = -1, resume: bool = False
) -> Diary:
    diary = Diary(stop_after)
    data = CarDataModule(
        NumberedCars(24),
        (8, 8),
        4,
        [A.HorizontalFlip(p=0.5)],
        fractions=(0.85, 0.15, 0.0),
        num_workers=workers,
    )
    checkpoint = ModelCheckpoint(folder, filename="last", save_top_k=1, **saving)
    checkpoint.CHECKPOINT_NAME_LAST = "last"
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        logger=False,
        callbacks=[checkpoint],
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    path = folder / "last.ckpt" if resume else None
    try:
        trainer.fit(diary, data, ckpt_path=path, weights_only=True)
    except (KeyboardInterrupt, SystemExit):
        assert stop_after > 0
    return diary


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists:UserWarning")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("saving", "saved_after"),
    [
        ({"every_n_train_steps": 7}, 7),  # within the second epoch
        ({"every_n_epochs": 1}, 10),  # after the second epoch's validation
        ({"every_n_epochs": 1, "save_on_train_epoch_end": True}, 10),
    ],
    ids=["mid-epoch", "after validation", "at the epoch's end"],
)
def test_resumed_batches_go_on(
    tmp_path: Path, workers: int, saving: dict[str, Any], saved_after: int
) -> None:
    whole = fit(tmp_path / "whole", 0, saving).seen
    assert len(whole) == EPOCHS * BATCHES
    assert [epoch for epoch, *_ in whole] == [0] * 5 + [1] * 5 + [2] * 5
    assert len({tuple(numbers) for _, numbers, _ in whole}) > BATCHES
    broken = fit(tmp_path / "broken", workers, saving, stop_after=12).seen
    assert broken == whole[:12]
    resumed = fit(tmp_path / "broken", workers, saving, resume=True).seen
    assert resumed == whole[saved_after:]
