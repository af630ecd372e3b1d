"""Photos of part maps, by models that paint them."""

from collections.abc import Iterator
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig

from carsynth.data.map_folder import MapFolder, MapSource, ToyMaps
from carsynth.errors import UserError
from carsynth.labels import PALETTE
from carsynth.metrics.pixels import to_pictures
from carsynth.modules.generative import GenerativeModule

_TOYCARS = "toycars"
_TOYCARS_IMAGES = 16


class Drawn(NamedTuple):
    """One drawn picture."""

    name: str
    """Of its file, without a suffix."""
    picture: NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    tile: NDArray[np.uint8]
    """What a sheet shows of it, RGB; the same width for all."""


class PaintedMaps:
    """Every map of a folder painted, again and again where more photos are asked for.

    A model with stored looks paints a map differently each time.

    Raises:
        UserError: a setting that this kind of model has no use for, or no maps.
    """

    def __init__(self, module: GenerativeModule, config: DictConfig, size: tuple[int, int]):
        for key in ("label", "truncation"):
            if config[key] is not None:
                raise UserError(
                    f"{key}: this model paints part maps and draws nothing else; leave it out"
                )
        if config.form == "gif":
            raise UserError(
                "form=gif walks through latents, which this model has not: leave it out"
            )
        module.check_size(*size)
        self._module = module
        self._size = size
        self._maps = _maps(config)
        self._draws = torch.Generator().manual_seed(config.seed)
        self.total: int = config.num_images or len(self._maps.names)

    def drawn(self, batch_size: int) -> Iterator[list[Drawn]]:
        """All photos, a batch at a time."""
        names = self._maps.names
        turns = list(islice(cycle(range(len(names))), self.total))
        for start in range(0, self.total, batch_size):
            chosen = turns[start : start + batch_size]
            part_maps = np.stack([self._maps.read(index, self._size) for index in chosen])
            on_device = torch.from_numpy(part_maps).long().to(self._module.device)
            pictures = to_pictures(self._module.draw(on_device, self._draws))
            batch = []
            drawn = zip(chosen, part_maps, pictures, strict=True)
            for number, (index, part_map, picture) in enumerate(drawn, start):
                turn = number // len(names)
                name = names[index].replace("/", "_") + (f"_{turn}" if turn else "")
                batch.append(Drawn(name, picture, np.concatenate([PALETTE[part_map], picture])))
            yield batch


def _maps(config: DictConfig) -> MapSource:
    if config.maps is None:
        raise UserError(
            f"maps is not set: this model paints part maps; give maps=DIR, or maps={_TOYCARS} for "
            "maps of drawn cars"
        )
    if config.maps == _TOYCARS:
        return ToyMaps(config.num_images or _TOYCARS_IMAGES, config.seed)
    return MapFolder(config.maps)
