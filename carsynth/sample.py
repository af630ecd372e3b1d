"""``python -m carsynth.sample ckpt_path=FILE output_dir=DIR``: photos from a checkpoint alone."""

from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig
from PIL import Image
from tqdm import tqdm

from carsynth.callbacks.run_record import CHECKPOINT_KEY
from carsynth.checkpoint import module_from_checkpoint, read_checkpoint
from carsynth.cli import door
from carsynth.data.map_folder import MapFolder, MapSource, ToyMaps
from carsynth.device import choose
from carsynth.errors import UserError
from carsynth.labels import PALETTE
from carsynth.metrics.pixels import to_uint8

_TOYCARS = "toycars"
_TOYCARS_IMAGES = 16
_SHEET = "sheet.png"
_SHEET_COLUMNS = 8
_SHEET_ROWS = 4
_GAP = 4
_TILE = 128  # pixels of width below which tiles are magnified


def sample(config: DictConfig) -> None:
    """Draws photos into ``output_dir``: a PNG each, and a sheet of the first maps over theirs.

    With more photos asked for than there are maps, the maps are taken again and again; a model
    with stored looks paints them differently each time.

    Raises:
        UserError: the checkpoint, the maps or the output folder cannot be used.
    """
    folder = _claim(Path(config.output_dir))
    checkpoint = read_checkpoint(config.ckpt_path)
    if config.label is not None:
        raise UserError("label: this model paints part maps and draws no classes; leave it out")
    height, width = config.size or checkpoint[CHECKPOINT_KEY]["config"]["data"]["size"]
    module = module_from_checkpoint(checkpoint, config.ckpt_path)
    module.check_size(height, width)
    maps = _maps(config)
    device = choose(config.device)
    module.to(device)

    draws = torch.Generator().manual_seed(config.seed)
    total = config.num_images or len(maps.names)
    turns = list(islice(cycle(range(len(maps.names))), total))
    tiles: list[NDArray[np.uint8]] = []
    folder.mkdir(parents=True, exist_ok=True)
    with tqdm(desc="photos", total=total, unit="img") as bar:
        for start in range(0, total, config.batch_size):
            chosen = turns[start : start + config.batch_size]
            part_maps = np.stack([maps.read(index, (height, width)) for index in chosen])
            photos = to_uint8(module.draw(torch.from_numpy(part_maps).long().to(device), draws))
            pictures = photos.permute(0, 2, 3, 1).cpu().numpy()
            drawn = zip(chosen, part_maps, pictures, strict=True)
            for number, (index, part_map, picture) in enumerate(drawn, start):
                turn = number // len(maps.names)
                name = maps.names[index].replace("/", "_") + (f"_{turn}" if turn else "")
                Image.fromarray(picture).save(folder / f"{name}.png")
                if len(tiles) < _SHEET_COLUMNS * _SHEET_ROWS:
                    tiles.append(np.concatenate([PALETTE[part_map], picture]))
            bar.update(len(chosen))
    _sheet(tiles).save(folder / _SHEET)
    print(f"{total} photos in {folder}; {folder / _SHEET} shows the first below their maps")


def _claim(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"output_dir={folder} is there already and not empty: name a new folder")
    return folder


def _maps(config: DictConfig) -> MapSource:
    if config.maps is None:
        raise UserError(
            f"maps is not set: this model paints part maps; give maps=DIR, or maps={_TOYCARS} for "
            "maps of drawn cars"
        )
    if config.maps == _TOYCARS:
        return ToyMaps(config.num_images or _TOYCARS_IMAGES, config.seed)
    return MapFolder(config.maps)


def _sheet(tiles: list[NDArray[np.uint8]]) -> Image.Image:
    """Tiles of one size in rows, white between them, magnified where they are small."""
    scale = -(-_TILE // tiles[0].shape[1])
    tiles = [tile.repeat(scale, 0).repeat(scale, 1) for tile in tiles]
    height, width = tiles[0].shape[:2]
    columns = min(len(tiles), _SHEET_COLUMNS)
    rows = -(-len(tiles) // columns)
    sheet = Image.new(
        "RGB", (columns * (width + _GAP) - _GAP, rows * (height + _GAP) - _GAP), "white"
    )
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        sheet.paste(Image.fromarray(tile), (column * (width + _GAP), row * (height + _GAP)))
    return sheet


main = door("sample")(sample)

if __name__ == "__main__":
    main()
