"""``python -m carsynth.evaluate ckpt_path=FILE``, or ``real=DIR fake=DIR``: honest figures."""

import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torchvision
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

import carsynth
from carsynth.callbacks.run_record import CHECKPOINT_KEY
from carsynth.checkpoint import module_from_checkpoint, read_checkpoint
from carsynth.cli import door
from carsynth.data.datamodule import CarDataModule
from carsynth.data.files import write_atomically
from carsynth.device import choose
from carsynth.evaluation.assessment import Material, assess
from carsynth.evaluation.copies import save_copies
from carsynth.evaluation.gather import Gatherer
from carsynth.evaluation.plot import evaluation_figure
from carsynth.evaluation.report import to_data, to_text
from carsynth.evaluation.request import Checkpoint, Request, read_request
from carsynth.metrics.choice import MetricChoice
from carsynth.metrics.feature_cache import FeatureCache
from carsynth.metrics.floor import FloorBook
from carsynth.metrics.frechet import Frechet
from carsynth.reporting.plots import save


def evaluate(config: DictConfig) -> dict[str, Any]:
    """Scores checkpoints on a split of their data, or folders against real photos.

    Prints a table and leaves ``metrics.json``, ``metrics.png`` and, with memorisation,
    ``copies.csv`` and ``copies.png`` in ``output_dir``.

    Raises:
        UserError: what was asked for does not fit together, or something named cannot be used.
    """
    request = read_request(config)
    device = choose(config.device)
    choice: MetricChoice = instantiate(config.metric.extractor)
    extractor = choice.settle().build().to(device)
    cache = FeatureCache(extractor, config.metric.cache_dir)
    paired = [instantiate(node) for node in config.metric.paired.values()]
    gatherer = Gatherer(extractor, device, cache, config.memorisation, paired)
    figures = [Frechet(), *map(instantiate, config.metric.figures.values())]
    book = FloorBook(figures, extractor, config.seed)
    assessments = [
        assess(material, figures, extractor, book)
        for material in _materials(config, request, gatherer)
    ]
    result = {
        "carsynth": carsynth.__version__,
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "python": platform.python_version(),
        "seed": config.seed,
        "real": str(request.real or f"{config.split} split"),
        "train": str(request.train) if request.train else None,
        "extractor": {
            "name": extractor.name,
            "resize": extractor.resize,
            "num_features": extractor.num_features,
            "fingerprint": extractor.fingerprint,
        },
        "evaluated": [to_data(assessment) for assessment in assessments],
    }
    folder = Path(config.output_dir)
    table, picture = folder / "metrics.json", folder / "metrics.png"
    write_atomically(table, json.dumps(result, indent=2, allow_nan=False) + "\n")
    save(evaluation_figure(assessments), picture)
    written = [table, picture, *save_copies(assessments, folder)]
    print(to_text(assessments), f"\nwritten: {', '.join(map(str, written))}", sep="\n")
    return result


def _materials(config: DictConfig, request: Request, gatherer: Gatherer) -> Iterator[Material]:
    """What is to be scored, one after the other."""
    if not request.checkpoints:
        datamodule = None if request.real is not None else _data_alone(config)
        yield from gatherer.of_folders(request, datamodule, config.split, config.paired)
    for asked in request.checkpoints:
        checkpoint = read_checkpoint(asked.path)
        module = module_from_checkpoint(checkpoint, asked.path).to(gatherer.device)
        module.seed_draws(config.seed)
        trained = OmegaConf.create(checkpoint[CHECKPOINT_KEY]["config"])
        datamodule = _data_of(config, asked, trained)
        yield gatherer.of_checkpoint(asked, module, datamodule, config.split, config.num_images)


def _data_of(config: DictConfig, asked: Checkpoint, trained: DictConfig) -> CarDataModule:
    """The data of the run with its own splits, or the data set that ``data=`` names."""
    trained.run_dir = None
    splits = asked.path.absolute().parent.parent / "splits.json"
    if config.get("data") is None:
        if splits.is_file():
            trained.datamodule.splits_file = str(splits)
    else:
        size = trained.data.size
        trained.datamodule.source = config.data.source
        for key in _OF_DATA:
            trained.datamodule[key] = config.data[key]
        trained.datamodule.size = size
        trained.datamodule.balance = None
    trained.datamodule.batch_size = config.batch_size
    trained.datamodule.run_dir = None
    datamodule: CarDataModule = instantiate(trained.datamodule)
    return datamodule


def _data_alone(config: DictConfig) -> CarDataModule:
    """The data set that ``data=`` names, at its own size."""
    return CarDataModule(
        instantiate(config.data.source),
        config.data.size,
        config.batch_size,
        **{key: config.data[key] for key in _OF_DATA},
    )


_OF_DATA = ("fractions", "split_seed", "splits_file", "on_bad_file")

main = door("evaluate")(evaluate)

if __name__ == "__main__":
    main()
