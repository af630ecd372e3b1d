"""Export in the format that Ultralytics' YOLO models learn segmentation from.

https://docs.ultralytics.com/datasets/segment/
"""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carsynth.data.new_folder import new_folder
from carsynth.export.in_order import in_order
from carsynth.export.labelled import LabelledPicture
from carsynth.export.outlines import outlines
from carsynth.export.png import PngEncoder
from carsynth.export.provenance import NOTICE, Provenance
from carsynth.labels import BACKGROUND, PARTS

CLASSES = tuple(part.name for id_, part in enumerate(PARTS) if id_ != BACKGROUND)
"""A class is the id of its part less one: classes count from 0, and the background is none."""


def export_yolo(
    pictures: Iterable[LabelledPicture], folder: Path, provenance: Provenance, threads: int = 2
) -> int:
    """Writes ``images/NAME.png``, ``labels/NAME.txt`` and ``data.yaml``; returns the picture count.

    A line is one connected piece of a part: its class, then the corners of its outline as shares of
    width and height, as :func:`outlines` draws them. A part in several pieces has several lines.
    Where nothing of a car is seen the file is empty. ``data.yaml`` names no ``path``, and with it
    the folder may be moved.

    Raises:
        UserError: a picture or the folder cannot be used, there are no pictures, or the disk is
            full.
    """
    encoder = PngEncoder(provenance)
    with new_folder(folder) as draft:
        images, labels = draft / "images", draft / "labels"
        images.mkdir()
        labels.mkdir()
        provenance.save(draft)
        (draft / "data.yaml").write_text(_data_yaml(), encoding="utf-8")

        def write(picture: LabelledPicture) -> None:
            png = encoder.photo(picture.photo, picture.info)
            (images / f"{picture.name}.png").write_bytes(png)
            text = "".join(_lines(picture.part_map))
            (labels / f"{picture.name}.txt").write_text(text, encoding="utf-8")

        with closing(in_order(pictures, write, threads)) as written:
            return sum(1 for _ in written)


def _lines(part_map: NDArray[np.uint8]) -> list[str]:
    height, width = part_map.shape
    lines = []
    for part in np.unique(part_map):
        if part == BACKGROUND:
            continue
        for ring in outlines((part_map == part).view(np.uint8)):
            shares = (ring / (width, height)).ravel().tolist()
            lines.append(f"{part - 1} " + " ".join(f"{share:.6g}" for share in shares) + "\n")
    return lines


def _data_yaml() -> str:
    names = "".join(f"  {number}: {name}\n" for number, name in enumerate(CLASSES))
    return (
        f"# {NOTICE}; see provenance.json\n"
        "train: images\n"
        "val: images  # the same pictures: name photos of real cars here\n"
        f"names:\n{names}"
    )
