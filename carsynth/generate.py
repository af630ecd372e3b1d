"""``python -m carsynth.generate``: labelled pictures on order, sharded over processes."""

import os
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

import carsynth
from carsynth.callbacks.run_record import CHECKPOINT_KEY
from carsynth.checkpoint import module_from_checkpoint, read_checkpoint
from carsynth.cli import door
from carsynth.data.files import sha256_of
from carsynth.device import choose
from carsynth.errors import UserError
from carsynth.generation.order import make_order
from carsynth.generation.order_folder import claim, summarise
from carsynth.generation.reference import Reference
from carsynth.generation.shards import is_there, shard_path, write_shard
from carsynth.generation.worker import Worker
from carsynth.modules.canvas import PhotoCanvas
from carsynth.modules.latent_drawing import LatentDrawing
from carsynth.modules.pix2pixhd import Pix2PixHD


def generate(config: DictConfig) -> dict[str, Any]:
    """Fills ``output_dir`` with shards of photos and part maps, those that are not there yet.

    Every process of ``torchrun`` or ``srun`` makes its share; what is made does not depend on how
    many there are. A process that ends and finds all shards there writes ``generated.json``.

    Raises:
        UserError: something named cannot be used, the folder holds another order, the maps that
            were asked for do not come about, or the disk is full.
    """
    rank, world = _place()
    files = {"maps": _existing(config, "maps_from"), "photos": _existing(config, "photos_from")}
    maps = _map_model(files["maps"])
    photos, size = _photo_model(files["photos"], config.photos_per_map)
    reference = None
    if config.check:
        files["reference"] = _existing(config, "reference")
        reference = Reference.load(files["reference"])
    balance = _balance(config.balance)
    order = make_order(
        config.num_images, balance, maps.class_names, config.photos_per_map, config.seed
    )
    device = choose(config.device)
    if device.type == "cuda":
        device = torch.device("cuda", rank % torch.cuda.device_count())
    maps.to(device)
    photos.to(device)
    worker = Worker(maps, photos, size, reference, order, config.maps_per_shard, config.attempts)
    folder = Path(config.output_dir)
    claimed = claim(folder, _provenance(config, balance, size, files))
    own = range(rank, worker.num_shards, world)
    missing = [number for number in own if not is_there(shard_path(folder, number))]
    for number in tqdm(missing, desc="shards", initial=len(own) - len(missing), total=len(own)):
        shard = worker.make(number)
        record = {"pictures": len(shard.pictures), "rejected": dict(shard.rejected)}
        write_shard(shard_path(folder, number), shard.pictures, record)
    return summarise(folder, worker.num_shards, claimed)


def _place() -> tuple[int, int]:
    """Rank and number of processes, as torchrun or srun say."""
    # In a batch script of SLURM's, outside srun, SLURM_NTASKS counts processes that nobody starts.
    for rank, world in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")):
        if rank in os.environ and world in os.environ:
            return int(os.environ[rank]), int(os.environ[world])
    return 0, 1


def _existing(config: DictConfig, key: str) -> Path:
    if config[key] is None:
        raise UserError(f"{key} is not set: give {key}=FILE")
    path = Path(config[key])
    if not path.is_file():
        raise UserError(f"{key}={path} does not exist: check the path")
    return path


def _map_model(path: Path) -> LatentDrawing:
    model = module_from_checkpoint(read_checkpoint(path), path)
    if not isinstance(model, LatentDrawing) or isinstance(model.canvas, PhotoCanvas):
        raise UserError(f"maps_from={path} draws no part maps: give a model of part maps")
    return model


def _photo_model(path: Path, photos_per_map: int) -> tuple[Pix2PixHD, tuple[int, int]]:
    """The model, and the height and width that it was trained at."""
    checkpoint = read_checkpoint(path)
    model = module_from_checkpoint(checkpoint, path)
    if not isinstance(model, Pix2PixHD):
        raise UserError(f"photos_from={path} paints no part maps: give a run of pix2pixhd")
    if photos_per_map > 1 and model.clusters is None:
        raise UserError(
            f"photos_per_map={photos_per_map}: photos_from={path} paints a map always alike; train "
            "it with arch=pix2pixhd_looks, or leave photos_per_map=1"
        )
    height, width = checkpoint[CHECKPOINT_KEY]["config"]["data"]["size"]
    return model, (height, width)


def _balance(node: Any) -> dict[str, Any]:
    """Plain values; names that YAML takes for numbers, such as 3 doors, are words again."""
    if node is None:
        return {}
    if not isinstance(node, DictConfig):
        raise UserError(f"balance={node}: write balance={{view: uniform}} or the like")
    balance = OmegaConf.to_container(node, resolve=True)
    assert isinstance(balance, dict)
    return {
        str(kind): {str(name): share for name, share in asked.items()}
        if isinstance(asked, dict)
        else asked
        for kind, asked in balance.items()
    }


def _provenance(
    config: DictConfig, balance: dict[str, Any], size: tuple[int, int], files: dict[str, Path]
) -> dict[str, Any]:
    """All that the pictures depend on, and that they are synthetic."""
    models = {name: {"path": str(path), "sha256": sha256_of(path)} for name, path in files.items()}
    if "reference" in models:
        del models["reference"]["path"]  # it is no checkpoint
    keys = ("seed", "num_images", "photos_per_map", "maps_per_shard", "check")
    return {
        "synthetic": True,
        "carsynth": carsynth.__version__,
        **{key: config[key] for key in keys},
        "balance": balance,
        "size": list(size),
        "models": models,
    }


main = door("generate")(generate)

if __name__ == "__main__":
    main()
