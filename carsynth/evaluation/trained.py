"""Pictures of a trained model beside the real ones of its data."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from carsynth.data.batch import CarBatch
from carsynth.data.datamodule import CarDataModule
from carsynth.evaluation.picture_set import Collector, PictureSet
from carsynth.labels import BACKGROUND, BODY, VIEWS, view_of_part_map
from carsynth.metrics.paired_card import PairedCard
from carsynth.metrics.part_statistics import maps_of_palette
from carsynth.metrics.pixels import to_pictures, to_uint8
from carsynth.modules.canvas import PhotoCanvas
from carsynth.modules.generative import GenerativeModule
from carsynth.modules.latent_drawing import LatentDrawing


class Turn(NamedTuple):
    """A batch of a split that is gone through again and again."""

    number: int
    """How often the split has been gone through before."""
    names: tuple[str, ...]
    batch: CarBatch


def collect_photos(
    module: GenerativeModule | None,
    datamodule: CarDataModule,
    split: str,
    collector: Collector,
) -> PictureSet:
    """The photos of a split, each with its class and view.

    With a model that draws part maps, these are the maps in their colours.

    Raises:
        UserError: the split is empty or cannot be read.
    """
    with tqdm(
        desc=f"{split} photos", total=len(datamodule.split_names(split)), unit="picture"
    ) as bar:
        for turn in _turns(module, datamodule, split):
            if turn.number:
                break
            collector.add(turn.batch.photo, turn.names, groups_of(turn.batch, datamodule.classes))
            bar.update(len(turn.names))
    return collector.finish()


def collect_drawn(
    module: GenerativeModule,
    datamodule: CarDataModule,
    split: str,
    num_images: int,
    collector: Collector,
    paired: PairedCard,
) -> PictureSet:
    """Pictures that a model draws for the samples of a split, again where there are fewer.

    A model that paints maps paints those of the split; ``paired`` is fed with its photos and the
    real ones. Drawn pictures belong to the groups of their map, to the class that they were asked
    as, or, if they are part maps, to the view that they show.

    Raises:
        UserError: the split is empty or cannot be read.
    """
    drawn = 0
    with tqdm(desc="generated", total=num_images, unit="picture") as bar:
        for turn in _turns(module, datamodule, split):
            with torch.no_grad():
                pictures = module.generate(turn.batch)[: num_images - drawn]
            again = f" ({turn.number + 1})" if turn.number else ""
            names = [name + again for name in turn.names[: len(pictures)]]
            groups = _groups_drawn(module, turn.batch, pictures, datamodule.classes)
            collector.add(pictures, names, groups)
            real = turn.batch.photo[: len(pictures)]
            paired.update(to_uint8(pictures.nan_to_num()), real)
            drawn += len(pictures)
            bar.update(len(pictures))
            if drawn == num_images:
                break
    return collector.finish()


def paints_maps(module: GenerativeModule) -> bool:
    """Whether each drawn photo has a real one that it should equal."""
    return not isinstance(module, LatentDrawing)


def groups_of(batch: CarBatch, classes: Sequence[str]) -> list[list[str]]:
    """The class of each sample, and its view where its map shows parts that tell it."""
    maps = batch.part_map.cpu().numpy()
    labels = batch.label.tolist()
    return [
        [*([f"class {classes[label]}"] if classes else []), *_view(part_map)]
        for label, part_map in zip(labels, maps, strict=True)
    ]


def _groups_drawn(
    module: GenerativeModule, batch: CarBatch, pictures: Tensor, classes: Sequence[str]
) -> list[list[str]]:
    if not isinstance(module, LatentDrawing):
        return groups_of(batch, classes)[: len(pictures)]
    known = module.class_names
    labels = batch.label.tolist()[: len(pictures)]
    groups = [[f"class {known[label]}"] if known else [] for label in labels]
    if not isinstance(module.canvas, PhotoCanvas):
        maps = maps_of_palette(to_pictures(pictures))
        groups = [[*own, *_view(part_map)] for own, part_map in zip(groups, maps, strict=True)]
    return groups


def _view(part_map: NDArray[np.integer]) -> list[str]:
    if np.isin(part_map, (BACKGROUND, BODY)).all():
        return []
    return [f"view {VIEWS[view_of_part_map(part_map)]}"]


def _turns(
    module: GenerativeModule | None, datamodule: CarDataModule, split: str
) -> Iterator[Turn]:
    """Without end; batches are on the module's device, as its validation sees them."""
    names = datamodule.split_names(split)
    loader = datamodule.split_dataloader(split)
    for number in count():
        place = 0
        for batch in loader:
            own = names[place : place + len(batch.photo)]
            place += len(own)
            if module is not None:
                moved = CarBatch(*(tensor.to(module.device) for tensor in batch))
                batch = module.on_after_batch_transfer(moved, 0)
            yield Turn(number, own, batch)
