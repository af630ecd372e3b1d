"""Export in COCO's format (https://cocodataset.org/#format-data): run lengths and polygons."""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
import pycocotools.mask
from numpy.typing import NDArray

from carsynth.data.new_folder import new_folder
from carsynth.export.in_order import in_order
from carsynth.export.labelled import LabelledPicture
from carsynth.export.outlines import outlines
from carsynth.export.png import PngEncoder
from carsynth.export.provenance import Provenance
from carsynth.labels import BACKGROUND, NUM_PARTS, PARTS

RLE_FILE = "annotations_rle.json"
POLYGON_FILE = "annotations_polygons.json"


def export_coco(
    pictures: Iterable[LabelledPicture], folder: Path, provenance: Provenance, threads: int = 2
) -> int:
    """Writes ``images/NAME.png`` and two files of annotations; returns the number of pictures.

    A category is a part, the background left out; its id is the part's in ``labels.PARTS``. There
    is one annotation for each part that a picture shows, in all its pieces, with ``iscrowd`` 0. It
    is the same in both files but for its ``segmentation``: run lengths in ``annotations_rle.json``,
    and in ``annotations_polygons.json`` a polygon for each piece, as :func:`outlines` draws them.
    Boxes and areas are those of the pixels. An image has its picture's ``info``, the file's
    ``info`` the provenance. The same pictures give the same bytes, however many the threads.

    Raises:
        UserError: a picture or the folder cannot be used, there are no pictures, or the disk is
            full.
    """
    encoder = PngEncoder(provenance)
    with new_folder(folder) as draft:
        images = draft / "images"
        images.mkdir()
        provenance.save(draft)

        def write(picture: LabelledPicture) -> _Entry:
            file = f"{picture.name}.png"
            (images / file).write_bytes(encoder.photo(picture.photo, picture.info))
            height, width = picture.part_map.shape
            image = {"file_name": file, "width": width, "height": height, "info": picture.info}
            return _Entry(image, list(_regions(picture.part_map)))

        with ExitStack() as stack:
            runs, polygons = (
                stack.enter_context((draft / name).open("w", encoding="utf-8"))
                for name in (RLE_FILE, POLYGON_FILE)
            )
            entries = stack.enter_context(closing(in_order(pictures, write, threads)))
            return _write_files(entries, runs, polygons, provenance)


class _Region(NamedTuple):
    """A part of a picture."""

    fields: dict[str, Any]
    """Of its annotation in both files."""
    runs: dict[str, Any]
    polygons: list[list[int]]


class _Entry(NamedTuple):
    image: dict[str, Any]
    regions: list[_Region]


def _regions(part_map: NDArray[np.uint8]) -> Iterator[_Region]:
    seen = np.bincount(part_map.ravel(), minlength=NUM_PARTS) > 0
    seen[BACKGROUND] = False
    parts = np.flatnonzero(seen).astype(np.uint8)
    if not parts.size:
        return
    # (N, W, H) in memory: pycocotools runs down the columns
    masks = (np.ascontiguousarray(part_map.T) == parts[:, None, None]).view(np.uint8)
    encoded = pycocotools.mask.encode(masks.transpose(2, 1, 0))
    boxes, areas = pycocotools.mask.toBbox(encoded), pycocotools.mask.area(encoded)
    for part, mask, run, box, area in zip(parts, masks, encoded, boxes, areas, strict=True):
        fields = {
            "category_id": int(part),
            "bbox": box.astype(int).tolist(),
            "area": int(area),
            "iscrowd": 0,
        }
        runs = {"size": run["size"], "counts": run["counts"].decode("ascii")}
        polygons = [ring.ravel().tolist() for ring in outlines(np.ascontiguousarray(mask.T))]
        yield _Region(fields, runs, polygons)


def _write_files(
    entries: Iterator[_Entry], runs: TextIO, polygons: TextIO, provenance: Provenance
) -> int:
    """Annotations are written as they come, one a line; images are listed after them."""
    head = f'{{"info": {_json(_info(provenance))},\n"licenses": [],\n"categories": '
    head += f'{_json(_categories())},\n"annotations": ['
    for file in (runs, polygons):
        file.write(head)
    images: list[str] = []
    count = 0
    for number, (image, regions) in enumerate(entries, 1):
        images.append(_json({"id": number} | image))
        for region in regions:
            count += 1
            fields = {"id": count, "image_id": number} | region.fields
            for file, shape in ((runs, region.runs), (polygons, region.polygons)):
                file.write(",\n" if count > 1 else "\n")
                file.write(_json(fields | {"segmentation": shape}))
    for file in (runs, polygons):
        file.write('],\n"images": [\n' + ",\n".join(images) + "]}\n")
    return len(images)


def _info(provenance: Provenance) -> dict[str, Any]:
    return {
        "description": "synthetic car pictures with part masks",
        "version": provenance.version,
        "date_created": provenance.created,
        "provenance": provenance.as_dict(),
    }


def _categories() -> list[dict[str, Any]]:
    return [
        {"id": id_, "name": part.name, "supercategory": "car"}
        for id_, part in enumerate(PARTS)
        if id_ != BACKGROUND
    ]


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
