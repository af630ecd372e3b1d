"""Everything that is measured on one set of generated pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from carsynth.errors import UserError
from carsynth.evaluation.picture_set import PictureSet, same_pictures
from carsynth.metrics.extractor import Extractor
from carsynth.metrics.figure import Figure
from carsynth.metrics.floor import FloorBook
from carsynth.metrics.memorisation import Memorisation, memorisation
from carsynth.metrics.score_card import Score, score_card

_FEWEST = 2
"""Pictures of a group on each side below which it is passed over."""


class Material(NamedTuple):
    """What is scored."""

    name: str
    """Of a checkpoint or a folder, as the user gave it."""
    real: PictureSet
    fake: PictureSet
    train: PictureSet | None
    """What the generator learnt from; None where that is ``real``."""
    paired: list[Score]
    """Figures of generated photos against the real ones of the same maps."""
    skipped: dict[str, str]
    """Files that were left out, with the reason."""
    run: Path | None = None
    """Run folder that the pictures come from."""


class GroupScores(NamedTuple):
    """Of one class or view."""

    num_real: int
    num_fake: int
    scores: list[Score]


class Assessment(NamedTuple):
    """The figures of one material."""

    material: Material
    scores: list[Score]
    groups: dict[str, GroupScores]
    memorisation: Memorisation | None
    notes: list[str]
    """What a reader of the figures has to know, a sentence each."""


def assess(
    material: Material, figures: Sequence[Figure], extractor: Extractor, book: FloorBook
) -> Assessment:
    """Measures all figures, on all pictures and on each class and view that both sides have."""
    real, fake, train = material.real, material.fake, material.train
    more = None if train is None else train.features
    scores = score_card(real.features, fake.features, figures, extractor, book=book, more_real=more)
    groups = {}
    for group in sorted(real.groups.keys() & fake.groups.keys()):
        own_real = real.features[torch.from_numpy(real.groups[group])]
        own_fake = fake.features[torch.from_numpy(fake.groups[group])]
        if min(len(own_real), len(own_fake)) >= _FEWEST:
            card = score_card(own_real, own_fake, figures, extractor, book=book)
            groups[group] = GroupScores(len(own_real), len(own_fake), card)
    found, notes = None, _notes(material)
    if fake.looks is not None:
        known, held_out = (real, None) if train is None else (train, real.compared())
        assert known.mirrored is not None
        try:
            found = memorisation(fake.compared(), known.compared(), known.mirrored, held_out)
        except UserError as error:
            notes.append(str(error))
    return Assessment(material, [*scores, *material.paired], groups, found, notes)


def _notes(material: Material) -> list[str]:
    real, fake = material.real, material.fake
    notes = []
    if sorted(real.digests) == sorted(fake.digests):
        notes.append("real and generated are the same pictures: every distance is 0 by itself")
    elif shared := same_pictures(real, fake):
        notes.append(
            f"{shared} of the {len(fake)} generated pictures are real ones, pixel by pixel"
        )
    if fake.broken:
        notes.append(
            f"{fake.broken} generated pictures have values that are not finite and are scored grey"
        )
    for name, pictures in (("real", real), ("generated", fake)):
        if len(pictures.sizes) > 1:
            small, large = pictures.sizes[0], pictures.sizes[-1]
            notes.append(
                f"{name} pictures have {len(pictures.sizes)} sizes, from {small[0]}x{small[1]} to "
                f"{large[0]}x{large[1]}: each is resized to the extractor's"
            )
    if real.sizes != fake.sizes and len(real.sizes) == len(fake.sizes) == 1:
        of_real, of_fake = real.sizes[0], fake.sizes[0]
        notes.append(
            f"real pictures are {of_real[0]}x{of_real[1]} and generated ones "
            f"{of_fake[0]}x{of_fake[1]}: the difference in sharpness alone makes a distance"
        )
    return notes
