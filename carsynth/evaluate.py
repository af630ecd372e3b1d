"""``python -m carsynth.evaluate ckpt_path=FILE``, or ``real=DIR fake=DIR``: score and floor."""

import json
import platform
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from tqdm import tqdm

import carsynth
from carsynth.callbacks.run_record import CHECKPOINT_KEY
from carsynth.checkpoint import module_from_checkpoint, read_checkpoint
from carsynth.cli import door
from carsynth.data.datamodule import CarDataModule
from carsynth.data.files import list_pictures, write_atomically
from carsynth.data.photos import read_photo
from carsynth.device import choose
from carsynth.errors import UserError
from carsynth.metrics.choice import MetricChoice
from carsynth.metrics.floor import split_half_floor
from carsynth.metrics.frechet import FrechetDistance

_SPLITS = ("train", "validation", "test")


def evaluate(config: DictConfig) -> dict[str, Any]:
    """Scores a checkpoint on a split of its data, or one folder against another.

    Prints a table and writes ``metrics.json`` into ``output_dir``.

    Raises:
        UserError: neither or both were asked for, or something named cannot be used.
    """
    by_folders = config.real is not None and config.fake is not None
    if by_folders == (config.ckpt_path is not None):
        raise UserError("say what to evaluate: ckpt_path=FILE, or real=DIR and fake=DIR")
    device = choose(config.device)
    result: dict[str, Any] = {"seed": config.seed, "carsynth": carsynth.__version__}
    result |= {"torch": torch.__version__, "python": platform.python_version()}
    if by_folders:
        result |= {"real": str(config.real), "fake": str(config.fake)}
        reals, fakes = _pictures(config.real, "real"), _pictures(config.fake, "fake")
        pairs: Iterator[tuple[Tensor, bool]] = _chained(reals, fakes)
    else:
        result |= {"ckpt_path": str(config.ckpt_path), "split": config.split}
        pairs = _of_checkpoint(config, device)
    choice: MetricChoice = instantiate(config.metric)
    settled = choice.settle()
    metric = FrechetDistance(settled.build()).to(device)
    for photos, real in pairs:
        metric.update(photos.to(device), real=real)

    floor = split_half_floor(metric.real_features(), seed=config.seed)
    score = metric.compute()
    result |= {
        "metric": settled.name,
        "score": score,
        "floor": None if floor is None else floor._asdict(),
        "num_real": int(metric.real_count),
        "num_fake": int(metric.fake_count),
    }
    path = Path(config.output_dir) / "metrics.json"
    write_atomically(path, json.dumps(result, indent=2) + "\n")
    print(_table(result), f"written to {path}", sep="\n")
    return result


def _of_checkpoint(config: DictConfig, device: torch.device) -> Iterator[tuple[Tensor, bool]]:
    """Batches of real photos and of the photos drawn in their place."""
    if config.split not in _SPLITS:
        raise UserError(f"split={config.split} is unknown: choose one of {', '.join(_SPLITS)}")
    checkpoint = read_checkpoint(config.ckpt_path)
    module = module_from_checkpoint(checkpoint, config.ckpt_path).to(device)
    datamodule = _data_of(config, OmegaConf.create(checkpoint[CHECKPOINT_KEY]["config"]))
    module.seed_draws(config.seed)
    loader = datamodule.split_dataloader(config.split)
    for batch in tqdm(loader, desc=f"{config.split} photos", unit="batch"):
        moved = type(batch)(*(tensor.to(device) for tensor in batch))
        moved = module.on_after_batch_transfer(moved, 0)
        yield moved.photo, True
        with torch.no_grad():
            yield module.generate(moved), False


def _data_of(config: DictConfig, trained: DictConfig) -> CarDataModule:
    """The data of the run with its own splits, or the data set that ``data=`` names."""
    trained.run_dir = None
    splits = Path(config.ckpt_path).absolute().parent.parent / "splits.json"
    if config.get("data") is None:
        if splits.is_file():
            trained.datamodule.splits_file = str(splits)
    else:
        size = trained.data.size
        trained.datamodule.source = config.data.source
        for key in ("fractions", "split_seed", "splits_file", "on_bad_file"):
            trained.datamodule[key] = config.data[key]
        trained.datamodule.size = size
        trained.datamodule.balance = None
    trained.datamodule.batch_size = config.batch_size
    trained.datamodule.run_dir = None
    datamodule: CarDataModule = instantiate(trained.datamodule)
    return datamodule


def _pictures(folder: str, key: str) -> Iterator[Tensor]:
    """Single pictures of a folder, uint8 (1, 3, H, W), behind a progress bar."""
    paths = [path for paths in list_pictures(Path(folder)).values() for path in paths]
    if len(paths) < 2:
        raise UserError(f"{key}={folder} holds one picture: a score needs two or more")
    for path in tqdm(paths, desc=key, unit="picture"):
        yield torch.from_numpy(np.ascontiguousarray(read_photo(path))).permute(2, 0, 1)[None]


def _chained(reals: Iterator[Tensor], fakes: Iterator[Tensor]) -> Iterator[tuple[Tensor, bool]]:
    """Runs of equally sized pictures joined into batches."""
    for pictures, real in ((reals, True), (fakes, False)):
        for _, run in groupby(pictures, key=lambda picture: picture.shape):
            held: list[Tensor] = []
            for picture in run:
                held.append(picture)
                if len(held) == 16:
                    yield torch.cat(held), real
                    held.clear()
            if held:
                yield torch.cat(held), real


def _table(result: dict[str, Any]) -> str:
    floor = result["floor"]
    rows = [("metric", "score", "floor", "score / floor", "real", "generated")]
    shown = (
        "-" if floor is None else f"{floor['mean']:.4g} ± {floor['std']:.2g} (n={floor['half']})"
    )
    ratio = "-" if floor is None or not floor["mean"] else f"{result['score'] / floor['mean']:.2f}"
    rows.append(
        (
            result["metric"],
            f"{result['score']:.4g}",
            shown,
            ratio,
            str(result["num_real"]),
            str(result["num_fake"]),
        )
    )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


main = door("evaluate")(evaluate)

if __name__ == "__main__":
    main()
