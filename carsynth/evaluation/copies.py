"""What generated pictures resemble: a list of all, and a picture of those most like copies."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from carsynth.data.files import write_atomically
from carsynth.evaluation.assessment import Assessment, Material
from carsynth.metrics.memorisation import Pair
from carsynth.reporting.pairs import PicturePair, pair_sheet

_PAIRS = 12
"""Pairs that are shown."""


def save_copies(assessments: Sequence[Assessment], folder: Path) -> list[Path]:
    """Writes ``copies.csv`` and ``copies.png``, numbered where there are several sets of pictures.

    The list has every generated picture, the most suspicious first, with its nearest training
    photo, and its closeness: distance over threshold, below 1 where it is suspicious.

    Returns:
        The files; none where memorisation was not looked for.
    """
    written = []
    for number, assessment in enumerate(assessments, 1):
        if assessment.memorisation is None:
            continue
        suffix = "" if len(assessments) == 1 else f"_{number}"
        table, picture = (folder / f"copies{suffix}.{kind}" for kind in ("csv", "png"))
        pairs = assessment.memorisation.worst(len(assessment.material.fake))
        write_atomically(table, _to_csv(assessment.material, pairs))
        pair_sheet(_shown(assessment.material, pairs[:_PAIRS]), picture)
        written += [table, picture]
    return written


def _to_csv(material: Material, pairs: Sequence[Pair]) -> str:
    known = material.train or material.real
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["generated", "training", "mirrored", "closeness"])
    for pair in pairs:
        names = material.fake.names[pair.fake], known.names[pair.train]
        writer.writerow([*names, pair.mirrored, f"{pair.closeness:.4f}"])
    return text.getvalue()


def _shown(material: Material, pairs: Sequence[Pair]) -> list[PicturePair]:
    fake, known = material.fake, material.train or material.real
    return [
        PicturePair(
            fake.picture(pair.fake),
            known.picture(pair.train),
            pair.mirrored,
            pair.closeness,
            fake.names[pair.fake],
            known.names[pair.train],
        )
        for pair in pairs
    ]
