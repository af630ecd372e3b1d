"""From what was asked for to sets of pictures, each extracted once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch

from carsynth.data.datamodule import CarDataModule
from carsynth.evaluation.assessment import Material
from carsynth.evaluation.folder import collect_folder
from carsynth.evaluation.pairs import feed_folders
from carsynth.evaluation.picture_set import Collector, PictureSet, require_two
from carsynth.evaluation.request import Checkpoint, Request
from carsynth.evaluation.trained import collect_drawn, collect_photos, paints_maps
from carsynth.metrics.extractor import Extractor
from carsynth.metrics.feature_cache import FeatureCache
from carsynth.metrics.paired import PairedFigure
from carsynth.metrics.paired_card import PairedCard
from carsynth.modules.generative import GenerativeModule


class Gatherer(NamedTuple):
    """Where and how pictures are looked at."""

    extractor: Extractor
    device: torch.device
    cache: FeatureCache
    memorisation: bool
    paired: Sequence[PairedFigure]

    def of_checkpoint(
        self,
        asked: Checkpoint,
        module: GenerativeModule,
        datamodule: CarDataModule,
        split: str,
        num_images: int | None,
    ) -> Material:
        """A model's pictures beside the photos of its data's split, and those it trained on."""
        learnt = split == "train"
        real = collect_photos(module, datamodule, split, self._collector(mirrored=learnt))
        require_two(real, f"the {split} split of {asked.name}")
        paired = PairedCard(self.paired if paints_maps(module) else ())
        paired.reset()
        count = num_images or len(real)
        collector = self._collector(cached=False)
        fake = collect_drawn(module, datamodule, split, count, collector, paired)
        train = None
        if not learnt:
            train = collect_photos(module, datamodule, "train", self._collector(mirrored=True))
        return Material(asked.name, real, fake, train, paired.scores(), {}, asked.run)

    def of_folders(
        self, request: Request, datamodule: CarDataModule | None, split: str, by_name: bool
    ) -> Iterator[Material]:
        """Folders of generated pictures beside the one real folder, or beside a data set's split.

        Args:
            by_name: whether pictures of one name are pairs.
        """
        skipped: dict[str, str] = {}
        train: PictureSet | None = None
        learnt = request.train is None and (request.real is not None or split == "train")
        if request.real is not None:
            collector = self._collector(mirrored=learnt)
            real, left_out = collect_folder(request.real, "real", collector)
            skipped |= _below("real", left_out)
        else:
            assert datamodule is not None
            real = collect_photos(None, datamodule, split, self._collector(mirrored=learnt))
            require_two(real, f"the {split} split")
            if not learnt and request.train is None:
                train = collect_photos(None, datamodule, "train", self._collector(mirrored=True))
        if request.train is not None:
            collector = self._collector(mirrored=True)
            train, left_out = collect_folder(request.train, "train", collector)
            skipped |= _below("train", left_out)
        for folder in request.fakes:
            fake, left_out = collect_folder(folder, "fake", self._collector())
            paired = PairedCard(self.paired if by_name else ())
            if by_name and request.real is not None:
                feed_folders(request.real, folder, paired)
            own = skipped | _below("fake", left_out)
            yield Material(str(folder), real, fake, train, paired.scores(), own)

    def _collector(self, *, cached: bool = True, mirrored: bool = False) -> Collector:
        return Collector(
            self.extractor,
            self.device,
            self.cache if cached else None,
            with_looks=self.memorisation,
            mirrored=mirrored,
        )


def _below(key: str, skipped: Mapping[str, str]) -> dict[str, str]:
    return {f"{key}/{name}": reason for name, reason in skipped.items()}
