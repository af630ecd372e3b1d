"""``python -m carsynth.generate``: labelled pictures on order, sharded over processes."""

import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

import carsynth
from carsynth.callbacks.run_record import CHECKPOINT_KEY
from carsynth.checkpoint import module_from_checkpoint, read_checkpoint
from carsynth.cli import door
from carsynth.data.files import write_atomically
from carsynth.device import choose
from carsynth.errors import UserError
from carsynth.generation.order import make_order
from carsynth.generation.reference import Reference
from carsynth.generation.shards import shard_path, write_shard
from carsynth.generation.worker import Worker
from carsynth.modules.canvas import PhotoCanvas
from carsynth.modules.latent_gan import LatentGAN

_ORDER = "order.json"
_SUMMARY = "generated.json"


def generate(config: DictConfig) -> dict[str, Any]:
    """Fills ``output_dir`` with shards of photos and part maps, those that are not there yet.

    Every process of ``torchrun`` or SLURM makes its share; what is made does not depend on how
    many there are. The process that finds all shards there writes ``generated.json``.

    Raises:
        UserError: something named cannot be used, the folder holds another order, or the maps
            that were asked for do not come about.
    """
    folder = Path(config.output_dir)
    maps_from, photos_from = _existing(config, "maps_from"), _existing(config, "photos_from")
    of_maps, of_photos = read_checkpoint(maps_from), read_checkpoint(photos_from)
    maps = module_from_checkpoint(of_maps, maps_from)
    if not isinstance(maps, LatentGAN) or isinstance(maps.canvas, PhotoCanvas):
        raise UserError(f"maps_from={maps_from} draws no part maps: give a model of part maps")
    photos = module_from_checkpoint(of_photos, photos_from)
    if isinstance(photos, LatentGAN):
        raise UserError(f"photos_from={photos_from} paints no maps: give a run of pix2pixhd")
    reference = Reference.load(_existing(config, "reference"))
    balance = cast(dict[str, Any], OmegaConf.to_container(config.balance))
    order = make_order(
        config.num_images, balance, maps.class_names, config.photos_per_map, config.seed
    )
    size = tuple(of_photos[CHECKPOINT_KEY]["config"]["data"]["size"])
    rank, world = _place()
    device = choose(config.device)
    if device.type == "cuda" and world > 1:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", rank)))
    maps.to(device)
    photos.to(device)
    worker = Worker(
        maps, photos, size, reference, order, config.maps_per_shard, config.attempts, config.check
    )
    provenance = {
        "synthetic": True,
        "carsynth": carsynth.__version__,
        "seed": config.seed,
        "balance": balance,
        "num_images": config.num_images,
        "photos_per_map": config.photos_per_map,
        "maps_per_shard": config.maps_per_shard,
        "attempts": config.attempts,
        "check": config.check,
        "size": list(size),
        "models": {
            "maps": {"path": str(maps_from), "sha256": _sha256(maps_from)},
            "photos": {"path": str(photos_from), "sha256": _sha256(photos_from)},
            "reference": {"sha256": _sha256(Path(config.reference))},
        },
    }
    _claim(folder, provenance)
    own = range(rank, worker.num_shards, world)
    missing = [number for number in own if not shard_path(folder, number).exists()]
    for number in tqdm(missing, desc="shards", initial=len(own) - len(missing), total=len(own)):
        shard = worker.make(number)
        record = {"pictures": len(shard.pictures), "rejected": dict(shard.rejected)}
        write_shard(shard_path(folder, number), shard.pictures, record)
    return _summarise(folder, worker.num_shards, provenance)


def _summarise(folder: Path, num_shards: int, provenance: dict[str, Any]) -> dict[str, Any]:
    """Adds up the records of all shards, where all are there."""
    paths = [shard_path(folder, number) for number in range(num_shards)]
    if waiting := sum(not path.exists() for path in paths):
        print(f"{waiting} of {num_shards} shards are other processes' or still to be made")
        return {}
    records = [json.loads(path.with_suffix(".json").read_text()) for path in paths]
    rejected: Counter[str] = Counter()
    for record in records:
        rejected.update(record["rejected"])
    pictures = sum(record["pictures"] for record in records)
    result = provenance | {"pictures": pictures, "rejected": dict(rejected.most_common())}
    write_atomically(folder / _SUMMARY, json.dumps(result, indent=2) + "\n")
    print(f"{pictures} labelled pictures in {num_shards} shards in {folder}")
    if rejected:
        shown = ", ".join(f"{count} {reason}" for reason, count in rejected.most_common())
        print(f"drawings thrown away: {shown}")
    return result


def _claim(folder: Path, provenance: dict[str, Any]) -> None:
    """Makes the folder this order's own; several processes may do so at once."""
    path = folder / _ORDER
    asked = json.dumps(provenance, indent=2, sort_keys=True) + "\n"
    if path.exists():
        if path.read_text() != asked:
            raise UserError(f"output_dir={folder} holds another order: name a new folder")
        return
    if folder.exists() and any(one.suffix == ".tar" for one in folder.iterdir()):
        raise UserError(f"output_dir={folder} holds shards of no order: name a new folder")
    write_atomically(path, asked)


def _place() -> tuple[int, int]:
    """Rank and number of processes, as torchrun or SLURM say."""
    for rank, world in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS")):
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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


main = door("generate")(generate)

if __name__ == "__main__":
    main()
