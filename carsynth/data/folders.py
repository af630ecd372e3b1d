"""Car photos in one folder and their masks in another, or beside them."""

from collections.abc import Mapping
from pathlib import Path

from carsynth.data.batch import CarSample
from carsynth.data.classes import class_rule
from carsynth.data.files import list_pictures, one_of
from carsynth.data.masks import FORMATS, mask_readers, tell_format
from carsynth.data.photos import open_upright, read_photo, resize_map, resize_photo
from carsynth.errors import UserError

_SUFFIX = "_mask"


class PairedFolders:
    """Photos and masks matched by name as a source of samples.

    ``car.jpg`` belongs to ``car.png`` or ``car_mask.png`` (or ``.gif``, or any other picture
    suffix); subfolders count as part of the name. Photo and mask must have the same size when both
    are upright: what a viewer shows after it has heeded their EXIF orientation.

    Args:
        photos: folder of photos, with or without subfolders.
        masks: folder of masks, which may lie inside ``photos``; None where masks lie beside their
            photos as ``name_mask.*``.
        mask_format: ``ids``, ``colours`` or ``binary``, as :func:`carsynth.data.masks.mask_readers`
            defines them, or ``auto``, which tells it from the masks and stops where they leave a
            doubt.
        colours: part name of each mask colour, such as ``{"255,0,0": "hood"}``, in place of the
            palette; ``auto`` then means ``colours``.
        label: ``view``, the quadrant of yaw that the visible parts speak for, which binary masks
            cannot tell; ``car``, one class for all; ``auto`` is ``car`` for binary masks and
            ``view`` for others.

    Raises:
        UserError: a folder is missing or empty, no photo has a mask, the masks' format is in doubt,
            or an argument does not fit.
    """

    def __init__(
        self,
        photos: str | Path,
        masks: str | Path | None = None,
        mask_format: str = "auto",
        colours: Mapping[str, str] | None = None,
        label: str = "auto",
    ) -> None:
        self._photo_folder = Path(photos)
        self._mask_folder = Path(photos if masks is None else masks)
        self._photos, self._masks = _list_pairs(self._photo_folder, self._mask_folder)
        if not (pairs := sorted(self._photos.keys() & self._masks.keys())):
            raise UserError(
                f"no photo in {self._photo_folder} has a mask of its name in {self._mask_folder}: "
                f"name masks as the photos, or with {_SUFFIX} after the name"
            )
        self.names = tuple(sorted(self._photos.keys() | self._masks.keys()))
        readers = mask_readers(colours)
        if mask_format == "auto":
            paths = [self._masks[name][0] for name in pairs]
            mask_format = "colours" if colours is not None else tell_format(paths, readers)
        elif mask_format not in FORMATS:
            raise UserError(
                f"mask_format={mask_format} is unknown: choose auto or one of {', '.join(FORMATS)}"
            )
        if colours is not None and mask_format != "colours":
            raise UserError(f"colours mean nothing with mask_format={mask_format}: leave one out")
        self.mask_format = mask_format
        self._read_mask = readers[mask_format]
        if label == "view" and mask_format == "binary":
            raise UserError("label=view needs part masks, and these are binary: set label=car")
        if label == "auto":
            label = "car" if mask_format == "binary" else "view"
        self._rule = class_rule(label)
        self.classes = self._rule.classes
        self.class_twins = self._rule.twins

    def read(self, index: int, size: tuple[int, int]) -> CarSample:
        """The sample at ``size`` (height, width); the label is told from the map before resizing.

        Raises:
            UserError: photo or mask is missing, cannot be decoded, or is there twice; their sizes
                differ; the mask holds an id or a colour that stands for no part.
        """
        name = self.names[index]
        if name not in self._masks:
            raise UserError(
                f"{self._photos[name][0]} has no mask in {self._mask_folder}: add it or remove "
                "the photo"
            )
        mask_path = one_of(self._masks[name])
        if name not in self._photos:
            raise UserError(
                f"{mask_path} has no photo in {self._photo_folder}: add it or remove the mask"
            )
        photo_path = one_of(self._photos[name])
        photo = read_photo(photo_path)
        mask = open_upright(mask_path)
        height, width = photo.shape[:2]
        if mask.size != (width, height):
            raise UserError(
                f"{photo_path} is {width}x{height} (width x height) when upright, but its mask "
                f"{mask_path} is {mask.width}x{mask.height}: bring them to the same size"
            )
        part_map = self._read_mask(mask_path, mask)
        return CarSample(
            resize_photo(photo, size), resize_map(part_map, size), self._rule.of(part_map)
        )


def _list_pairs(
    photo_folder: Path, mask_folder: Path
) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Photos and masks by the name that they share, however the two folders lie to each other."""
    if photo_folder.resolve() == mask_folder.resolve():
        files = list_pictures(photo_folder)
        photos = {name: paths for name, paths in files.items() if not name.endswith(_SUFFIX)}
        masks = {name: paths for name, paths in files.items() if name.endswith(_SUFFIX)}
    else:
        nested = mask_folder if mask_folder.is_relative_to(photo_folder) else None
        photos = list_pictures(photo_folder, without=nested)
        nested = photo_folder if photo_folder.is_relative_to(mask_folder) else None
        masks = list_pictures(mask_folder, without=nested)
    matched: dict[str, list[Path]] = {}
    for name, paths in masks.items():
        key = name if name in photos else name.removesuffix(_SUFFIX)
        matched.setdefault(key, []).extend(paths)
    return photos, matched
