"""``python -m carsynth.sample ckpt_path=FILE output_dir=DIR ...``: photos from a checkpoint alone."""

from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig
from PIL import Image
from tqdm import tqdm

from carsynth.checkpoint import RECORD, module_from_checkpoint, read_checkpoint
from carsynth.cli import door
from carsynth.data.batch import CarSource
from carsynth.data.maps import MapFolder
from carsynth.data.toycars import ToyCars
from carsynth.device import choose
from carsynth.errors import UserError
from carsynth.labels import PALETTE
from carsynth.metrics.pixels import to_uint8

_TOYCARS = "toycars"
_SHEET_COLUMNS = 8


def sample(config: DictConfig) -> None:
    """Draws ``num_images`` photos into ``output_dir``, one PNG each, and a sheet of the first ones.

    Raises:
        UserError: the checkpoint, the maps or the output folder cannot be used.
    """
    folder = _empty_folder(Path(config.output_dir))
    checkpoint = read_checkpoint(config.ckpt_path)
    if config.label is not None:
        raise UserError("label: this model draws from part maps and takes no class; remove it")
    size = tuple(config.size or checkpoint[RECORD]["config"]["data"]["size"])
    module = module_from_checkpoint(checkpoint, config.ckpt_path)
    module.check_size(*size)
    maps = _maps(config.maps, config.num_images, config.seed)
    device = choose(config.device)
    module.to(device)

    draws = torch.Generator().manual_seed(config.seed)
    indices = range(len(maps.names))
    chosen = list(islice(cycle(indices), config.num_images or len(indices)))
    rows = []
    for start in tqdm(range(0, len(chosen), config.batch_size), desc="sample", unit="batch"):
        part = chosen[start : start + config.batch_size]
        part_maps = np.stack([maps.read(index, size).part_map for index in part])
        photos = to_uint8(module.draw(torch.from_numpy(part_maps).long().to(device), draws))
        for offset, (index, part_map, photo) in enumerate(zip(part, part_maps, photos, strict=True)):
            picture = photo.permute(1, 2, 0).cpu().numpy()
            turn = (start + offset) // len(indices)
            name = maps.names[index].replace("/", "_") + (f"_{turn}" if turn else "")
            Image.fromarray(picture).save(folder / f"{name}.png")
            if len(rows) < 2 * _SHEET_COLUMNS:
                rows.append(np.concatenate([PALETTE[part_map], picture]))
'''
