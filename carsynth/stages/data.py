"""The first stage: which labelled pictures are seen by whom, and what is to be known of them."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig
from torch import Tensor

from carsynth.data.datamodule import CarDataModule
from carsynth.data.files import write_atomically
from carsynth.data.splits import SPLITS, save_splits
from carsynth.errors import UserError
from carsynth.generation.kinds import KINDS
from carsynth.generation.reference import Reference
from carsynth.labels import PALETTE
from carsynth.metrics.pixels import to_pictures
from carsynth.reporting.sheets import sheet
from carsynth.usefulness_study.subsets import subset_splits

ALL, STUDY = "all", "study"
_EXAMPLES = 8


class Seen(NamedTuple):
    """The training pictures of one choice."""

    photos: list[Tensor]
    """uint8 batches (B, 3, H, W)."""
    maps: NDArray[np.uint8]
    """(N, H, W)."""
    labels: list[int]
    names: tuple[str, ...]


def splits_file(folder: Path, choice: str) -> Path:
    """Where the splits of a choice of labelled pictures lie."""
    return folder / ("splits.json" if choice == ALL else f"splits_{choice}.json")


def reference_file(folder: Path, choice: str) -> Path:
    return folder / f"reference_{choice}.pt"


def prepare_data(config: DictConfig, counts: Sequence[int], folder: Path) -> None:
    """Draws the splits, once for all labelled pictures and once for each count of them.

    What chooses epochs counts as seen: a count of labelled pictures is drawn from the training and
    the validation split together, and shared out anew. The test split is the same everywhere.

    Leaves ``splits*.json``, ``splits_study.json`` (all labelled pictures as training pictures),
    ``reference_*.pt``, ``counts.json`` (pictures by view, doors and class) and ``examples.png``.

    Raises:
        UserError: the data cannot be used, has no part maps, or has fewer pictures than a count.
    """
    datamodule = _datamodule(config, None)
    splits = {split: datamodule.names_drawn(split) for split in SPLITS}
    save_splits(splits, splits_file(folder, ALL))
    pool = (*splits["train"], *splits["validation"])
    study = {"train": tuple(sorted(pool)), "validation": (), "test": splits["test"]}
    save_splits(study, splits_file(folder, STUDY))
    found: dict[str, Any] = {}
    for choice in (ALL, *map(str, counts)):
        if choice != ALL:
            part = subset_splits(study, int(choice), config.usefulness.subset_seed)
            save_splits(part, splits_file(folder, choice))
        own = _datamodule(config, splits_file(folder, choice))
        seen = _seen(own)
        if not seen.maps.any():
            raise UserError("the data have no part maps: the two stages need photos with maps")
        reference = Reference.learn(seen.photos, seen.maps, seen.names)
        reference.save(reference_file(folder, choice))
        found[choice] = _counted(seen, own.classes)
        if choice == ALL:
            _save_examples(seen, folder / "examples.png")
    write_atomically(folder / "counts.json", json.dumps(found, indent=2) + "\n")


def _datamodule(config: DictConfig, splits: Path | None) -> CarDataModule:
    data = config.data
    return CarDataModule(
        instantiate(data.source),
        data.size,
        data.batch_size,
        fractions=data.fractions,
        split_seed=data.split_seed,
        on_bad_file=data.on_bad_file,
        splits_file=data.splits_file if splits is None else splits,
    )


def _seen(datamodule: CarDataModule) -> Seen:
    photos, maps, labels = [], [], []
    for batch in datamodule.split_dataloader("train"):
        photos.append(batch.photo)
        maps.append(batch.part_map.to(torch.uint8).numpy())
        labels += batch.label.tolist()
    return Seen(photos, np.concatenate(maps), labels, datamodule.split_names("train"))


def _counted(seen: Seen, classes: Sequence[str]) -> dict[str, Any]:
    counts: dict[str, Any] = {"train": len(seen.maps)}
    for name, kind in KINDS.items():
        values = Counter(kind.read(one) or "unknown" for one in seen.maps)
        counts[name] = {value: values[value] for value in (*kind.values, "unknown")}
    if classes:
        labels = Counter(seen.labels)
        counts["class"] = {name: labels[index] for index, name in enumerate(classes)}
    return counts


def _save_examples(seen: Seen, path: Path) -> None:
    photos = to_pictures(torch.cat(seen.photos)[:_EXAMPLES])
    tiles = [*(PALETTE[one] for one in seen.maps[:_EXAMPLES]), *photos]
    sheet(tiles, len(photos)).save(path)
