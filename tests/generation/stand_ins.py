"""Models that draw from stored maps and paint them simply, and what they are held against."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from carsynth.data.toycars import ToyCars
from carsynth.generation.reference import Reference
from carsynth.labels import PALETTE
from carsynth.modules.canvas import Shown

SIZE = (32, 32)
PartMap = NDArray[np.uint8]


def toy_maps(count: int, seed: int, size: tuple[int, int] = SIZE) -> list[PartMap]:
    """Maps of drawn cars."""
    cars = ToyCars(count, seed)
    return [cars.draw(index, size).part_map for index in range(count)]


def toy_photos(count: int, seed: int, size: tuple[int, int] = SIZE) -> Tensor:
    """Photos of drawn cars, uint8 (N, 3, H, W)."""
    cars = ToyCars(count, seed)
    photos = np.stack([cars.draw(index, size).photo for index in range(count)])
    return torch.from_numpy(photos).permute(0, 3, 1, 2)


def toy_reference(count: int = 100, seed: int = 1) -> Reference:
    """Learnt of drawn cars."""
    names = [f"car-{index:03d}" for index in range(count)]
    return Reference.learn([toy_photos(count, seed)], np.stack(toy_maps(count, seed)), names)


class StoredMaps:
    """Draws one of its maps at random; asked for a class, one of that class's half."""

    def __init__(self, maps: Sequence[PartMap], class_names: tuple[str, ...] = ()) -> None:
        self._maps = np.stack(maps)
        self.class_names = class_names

    def latents(self, count: int, draws: torch.Generator) -> Tensor:
        return torch.rand(count, 4, generator=draws)

    def paint(self, latent: Tensor, label: Tensor | None) -> Shown:
        index = (latent[:, 0] * len(self._maps)).long().numpy()
        photo = torch.from_numpy(PALETTE[self._maps[index]]).permute(0, 3, 1, 2)
        return Shown(photo.float() / 127.5 - 1, torch.zeros(len(photo)))


class NoisyPainter:
    """Paints noise, and now and then a photo that it has stored."""

    device = torch.device("cpu")

    def __init__(self, stored: Tensor | None = None, often: float = 0.0) -> None:
        self._stored = stored
        self._often = often

    def draw(self, part_map: Tensor, draws: torch.Generator) -> Tensor:
        photos = 2 * torch.rand(len(part_map), 3, *part_map.shape[1:], generator=draws) - 1
        if self._stored is not None:
            chosen = torch.randint(len(self._stored), (len(photos),), generator=draws)
            copies = torch.rand(len(photos), generator=draws) < self._often
            photos[copies] = self._stored[chosen[copies]].float() / 127.5 - 1
        return photos
