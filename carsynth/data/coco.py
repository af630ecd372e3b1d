"""Car photos with COCO polygons of their parts: ``annotations.json`` beside ``JPEGImages/``."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from carsynth.data.batch import CarSample
from carsynth.data.classes import class_rule
from carsynth.data.files import list_pictures, one_of
from carsynth.data.photos import read_photo, resize_map, resize_photo
from carsynth.errors import UserError
from carsynth.labels import BACKGROUND, PART_ID

_BACKGROUND_CATEGORY = "_background_"
_SUBPIXEL_BITS = 4


class _Polygon(NamedTuple):
    part: int
    points: NDArray[np.float64]  # (n, 2) as x, y; the first pixel's centre is 0.5, 0.5


class _Image(NamedTuple):
    size: tuple[int | None, int | None]  # height, width as the file of annotations says
    annotations: list[dict[str, Any]]


class CarParts:
    """A folder of the kind of the DSMLR Car Parts data as a source of samples.

    Categories become parts by their names, whatever their ids; ``_background_`` is the background.
    Polygons are drawn at the photo's own size, larger annotations first, so that mirrors and lights
    stay on top. What lies in no polygon is background: such data know no body.

    Polygons are read in the upright frame: what a viewer shows after it has heeded the photo's EXIF
    orientation. Where ``annotations.json`` states a width and a height, they must be the upright
    photo's.

    Args:
        root: folder with ``annotations.json`` and ``JPEGImages/``, which may have subfolders.
        label: ``view``, the quadrant of yaw that visible parts speak for, or ``car``, one class.

    Raises:
        UserError: a file or folder is missing or unreadable, an annotation uses a category that the
            taxonomy lacks, or no photo has an annotation.
    """

    def __init__(self, root: str | Path, label: str = "view") -> None:
        self._rule = class_rule(label)
        self.classes = self._rule.classes
        self.class_twins = self._rule.twins
        self._folder = Path(root) / "JPEGImages"
        self._file = Path(root) / "annotations.json"
        self._photos = list_pictures(self._folder)
        coco = _load(self._file)
        self._parts = self._parts_of_categories(coco)
        self._images = self._images_by_name(coco)
        if not self._photos.keys() & self._images.keys():
            raise UserError(
                f"{self._file} lists none of the photos in {self._folder}: check that they belong "
                "together"
            )
        self.names = tuple(sorted(self._photos.keys() | self._images.keys()))

    def read(self, index: int, size: tuple[int, int]) -> CarSample:
        """The sample at ``size`` (height, width); the label is told from the map before resizing.

        Raises:
            UserError: the photo cannot be decoded, has another size than its entry says, or is
                there without annotations; an annotation is there without its photo, or is not made
                of polygons.
        """
        name = self.names[index]
        if name not in self._photos:
            raise UserError(
                f"{self._file} lists the photo {name}, which is not in {self._folder}: put it back "
                "or remove its entry"
            )
        path = one_of(self._photos[name])
        image = self._images.get(name)
        polygons = self._polygons(image.annotations) if image else []
        if image is None or not polygons:
            raise UserError(f"{path} has no polygons in {self._file}: annotate it or remove it")
        photo = read_photo(path)
        height, width = photo.shape[:2]
        if image.size not in ((height, width), (None, None)):
            raise UserError(
                f"{path} is {width}x{height} (width x height) when upright, but {self._file} says "
                f"{image.size[1]}x{image.size[0]}: annotate the photo as it is shown upright"
            )
        part_map = _draw(polygons, (height, width))
        return CarSample(
            resize_photo(photo, size), resize_map(part_map, size), self._rule.of(part_map)
        )

    def _parts_of_categories(self, coco: dict[str, list[dict[str, Any]]]) -> dict[int, int]:
        uses = Counter(annotation["category_id"] for annotation in coco["annotations"])
        names = {category["id"]: category["name"] for category in coco["categories"]}
        parts = {id_: PART_ID[name] for id_, name in names.items() if name in PART_ID}
        parts |= {id_: BACKGROUND for id_, name in names.items() if name == _BACKGROUND_CATEGORY}
        for id_, count in sorted(uses.items()):
            if id_ not in parts:
                name = f"'{names[id_]}'" if id_ in names else "(not listed)"
                raise UserError(
                    f"{self._file}: category {id_} {name}, used by {count} annotations, is no part "
                    "that carsynth knows: rename or remove it"
                )
        return parts

    def _images_by_name(self, coco: dict[str, list[dict[str, Any]]]) -> dict[str, _Image]:
        by_id = {entry["id"]: entry for entry in coco["images"]}
        images = {
            id_: _Image((entry.get("height"), entry.get("width")), [])
            for id_, entry in by_id.items()
        }
        for annotation in coco["annotations"]:
            if annotation["image_id"] not in images:
                raise UserError(
                    f"{self._file}: annotation {annotation.get('id')} belongs to image "
                    f"{annotation['image_id']}, which is not listed: remove it"
                )
            images[annotation["image_id"]].annotations.append(annotation)
        named: dict[str, _Image] = {}
        for id_, image in images.items():
            name = Path(by_id[id_]["file_name"]).with_suffix("").as_posix()
            if name in named:
                raise UserError(f"{self._file} lists the photo {name} twice: keep one entry")
            named[name] = image
        return named

    def _polygons(self, annotations: list[dict[str, Any]]) -> list[_Polygon]:
        """Polygons in drawing order: those of larger annotations first."""
        groups: list[tuple[float, list[_Polygon]]] = []
        for annotation in annotations:
            part = self._parts[annotation["category_id"]]
            polygons = [
                _Polygon(part, self._points(ring, annotation)) for ring in self._rings(annotation)
            ]
            groups.append((sum(_area(polygon.points) for polygon in polygons), polygons))
        groups.sort(key=lambda group: -group[0])
        return [polygon for _, polygons in groups for polygon in polygons]

    def _rings(self, annotation: dict[str, Any]) -> list[Any]:
        rings = annotation.get("segmentation", [])
        if not isinstance(rings, list):
            raise UserError(
                f"{self._file}: annotation {annotation.get('id')} is no list of polygons: export "
                "polygons, not run lengths"
            )
        return rings

    def _points(self, ring: Any, annotation: dict[str, Any]) -> NDArray[np.float64]:
        try:
            points = np.asarray(ring, dtype=np.float64).reshape(-1, 2)
        except (TypeError, ValueError):
            points = np.empty((0, 2))
        if len(points) < 3 or not np.isfinite(points).all():
            raise UserError(
                f"{self._file}: annotation {annotation.get('id')} has a polygon that is not three "
                "or more pairs of numbers: mend or remove it"
            )
        return points


def _load(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Lists ``images``, ``annotations`` and ``categories``, whose entries have the keys needed."""
    needed = {
        "images": ("id", "file_name"),
        "annotations": ("image_id", "category_id"),
        "categories": ("id", "name"),
    }
    try:
        coco = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: check data.root") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no readable JSON ({error}): export it again") from error
    for key, fields in needed.items():
        entries = coco.get(key) if isinstance(coco, dict) else None
        if not isinstance(entries, list):
            raise UserError(f"{path} has no list '{key}': export it in COCO's format")
        for entry in entries:
            if not isinstance(entry, dict) or not entry.keys() >= set(fields):
                raise UserError(
                    f"{path}: an entry of '{key}' lacks one of {', '.join(fields)}: export it in "
                    "COCO's format"
                )
    return coco  # type: ignore[no-any-return]


def _area(points: NDArray[np.float64]) -> float:
    """Area in square pixels, by the shoelace formula."""
    x, y = points.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def _draw(polygons: list[_Polygon], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Part map (H, W) with every polygon filled over those before it."""
    part_map = np.full(size, BACKGROUND, dtype=np.uint8)
    for part, points in polygons:
        # cv2 counts from the first pixel's centre, COCO from its corner
        fixed = np.rint((points - 0.5) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(part_map, [fixed], int(part), shift=_SUBPIXEL_BITS)
    return part_map
