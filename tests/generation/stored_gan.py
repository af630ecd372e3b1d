"""A map model that a checkpoint can hold and that draws cars without being trained."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from carsynth.callbacks.run_record import CHECKPOINT_KEY
from carsynth.labels import BODY, PALETTE
from carsynth.modules.canvas import Shown
from carsynth.modules.latent_gan import LatentGAN
from tests.generation.stand_ins import PartMap, toy_maps

_COUNT = 150


class StoredGAN(LatentGAN):
    """Draws one of 150 stored maps of 32x32, whatever its networks have learnt."""

    stored: Tensor

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.register_buffer("stored", torch.zeros(_COUNT, 32, 32, dtype=torch.uint8))

    def paint(self, latent: Tensor, label: Tensor | None) -> Shown:
        rank = torch.special.ndtr(latent[:, 0].double())
        ids = self.stored[(rank * _COUNT).long().clamp(max=_COUNT - 1)]
        photo = torch.from_numpy(PALETTE)[ids.long()].permute(0, 3, 1, 2)
        return Shown(photo.float() / 127.5 - 1, torch.zeros(len(photo)))


def some_broken(maps: list[PartMap]) -> list[PartMap]:
    """Every third map without any part but the body."""
    return [
        np.where(one > 0, BODY, 0).astype(np.uint8) if index % 3 == 2 else one
        for index, one in enumerate(maps)
    ]


def save_stored_gan(trained: Path, path: Path) -> None:
    """The checkpoint of a trained map model with stored maps in the place of what it draws."""
    checkpoint = torch.load(trained, weights_only=True)
    checkpoint[CHECKPOINT_KEY]["config"]["arch"]["module"]["_target_"] = (
        f"{StoredGAN.__module__}.StoredGAN"
    )
    maps = np.stack(some_broken(toy_maps(_COUNT, 4)))
    checkpoint["state_dict"]["stored"] = torch.from_numpy(maps)
    torch.save(checkpoint, path)
