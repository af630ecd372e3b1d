"""What a set is prepared from: every source of samples at its own size, with files and facts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from hydra.utils import get_class
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from carsynth.data.coco import CarParts
from carsynth.data.files import list_pictures, one_of
from carsynth.data.folders import PairedFolders
from carsynth.data.photos import read_photo
from carsynth.data.toycars import ToyCars
from carsynth.errors import UserError

_SUFFIX = "_mask"


class Original(NamedTuple):
    """A car with its parts as ids, or as a picture that they are painted in; the other is None."""

    photo: NDArray[np.uint8]
    """RGB, (H, W, 3)."""
    part_map: NDArray[np.uint8] | None
    """Ids of ``labels.PARTS``, (H, W)."""
    painted: NDArray[np.uint8] | None
    """RGB, (H, W, 3)."""
    yaw: float | None = None
    """Degrees, as ``labels.VIEWS`` counts them."""
    doors: int | None = None
    """As car people count: a tailgate is a door."""
    body: str | None = None


class Originals(Protocol):
    """Cars to prepare, by index."""

    names: tuple[str, ...]
    painted: bool
    """Whether parts are painted rather than numbered."""

    def read(self, index: int, size: tuple[int, int]) -> Original:
        """One car, at its own size, or at ``size`` (height, width) where it has none.

        Raises:
            UserError: its files cannot be used.
        """
        ...

    def files(self, index: int) -> tuple[Path, ...]:
        """What the car is read from, the photo first; none where it is drawn."""
        ...

    def origin(self, index: int) -> dict[str, Any]:
        """What a car without files is drawn from."""
        ...


class AnnotatedPhotos:
    """COCO polygons, as :class:`carsynth.data.coco.CarParts` takes them."""

    painted = False

    def __init__(self, root: str | Path, label: str = "view") -> None:
        self._source = CarParts(root, label)
        self._photos = list_pictures(Path(root) / "JPEGImages")
        self._annotations = Path(root) / "annotations.json"
        self.names = self._source.names

    def read(self, index: int, size: tuple[int, int]) -> Original:
        sample = self._source.read(index, _size_of(self._photos.get(self.names[index])))
        return Original(sample.photo, sample.part_map, None)

    def files(self, index: int) -> tuple[Path, ...]:
        return (*self._photos.get(self.names[index], ()), self._annotations)

    def origin(self, index: int) -> dict[str, Any]:
        return {}


class PairedPhotos:
    """Photos and masks, as :class:`carsynth.data.folders.PairedFolders` takes them.

    Args:
        painted: masks are pictures of any kind with parts painted in colours, which are not yet
            those of a palette; ``mask_format`` and ``colours`` then mean nothing.
    """

    def __init__(
        self,
        photos: str | Path,
        masks: str | Path | None = None,
        mask_format: str = "auto",
        colours: Mapping[str, str] | None = None,
        label: str = "car",
        painted: bool = False,
    ) -> None:
        if painted and (colours is not None or mask_format != "auto"):
            raise UserError(
                "painted=true takes colours from the palette: name them in palette=FILE and leave "
                "data.colours and data.mask_format out"
            )
        self.painted = painted
        # only for painted masks, so that nobody tells their format before they are snapped
        mask_format = "colours" if painted else mask_format
        self._source = PairedFolders(photos, masks, mask_format, colours, label)
        photo_folder = Path(photos)
        mask_folder = photo_folder if masks is None else Path(masks)
        self._photos = list_pictures(photo_folder)
        self._masks = list_pictures(mask_folder)
        self._beside = photo_folder.resolve() == mask_folder.resolve()
        self.names = self._source.names

    def read(self, index: int, size: tuple[int, int]) -> Original:
        name = self.names[index]
        photos, masks = self._photos.get(name), self._masks_of(name)
        if not self.painted or not photos or not masks:
            sample = self._source.read(index, _size_of(photos))
            return Original(sample.photo, sample.part_map, None)
        photo, painted = read_photo(one_of(photos)), read_photo(one_of(masks))
        if photo.shape != painted.shape:
            raise UserError(
                f"{photos[0]} is {photo.shape[1]}x{photo.shape[0]} (width x height) when upright, "
                f"but its mask {masks[0]} is {painted.shape[1]}x{painted.shape[0]}: bring them to "
                "the same size"
            )
        return Original(photo, None, painted)

    def files(self, index: int) -> tuple[Path, ...]:
        name = self.names[index]
        return (*self._photos.get(name, ()), *self._masks_of(name))

    def origin(self, index: int) -> dict[str, Any]:
        return {}

    def _masks_of(self, name: str) -> list[Path]:
        own = [] if self._beside else self._masks.get(name, [])
        return own or self._masks.get(f"{name}{_SUFFIX}", [])


class DrawnCars:
    """Cars of the embedded renderer, as :class:`carsynth.data.toycars.ToyCars` takes them."""

    painted = False

    def __init__(self, length: int = 2000, seed: int = 0, label: str = "make") -> None:
        self._source = ToyCars(length, seed, label)
        self._seed = seed
        self.names = self._source.names

    def read(self, index: int, size: tuple[int, int]) -> Original:
        car = self._source.draw(index, size)
        return Original(car.photo, car.part_map, None, car.yaw, car.doors, car.body)

    def files(self, index: int) -> tuple[Path, ...]:
        return ()

    def origin(self, index: int) -> dict[str, Any]:
        return {"drawn_by": "toycars", "seed": self._seed, "index": index}


_KINDS: Mapping[type, type[Any]] = {
    CarParts: AnnotatedPhotos,
    PairedFolders: PairedPhotos,
    ToyCars: DrawnCars,
}


def originals_of(source: DictConfig, painted: bool) -> Originals:
    """The originals behind a data set.

    Args:
        source: ``data.source`` of a data set's YAML, not yet instantiated.
        painted: as :class:`PairedPhotos`.

    Raises:
        UserError: the data set has no part annotations or cannot be used.
    """
    arguments: dict[str, Any] = OmegaConf.to_container(source, resolve=True)  # type: ignore[assignment]
    kind = _KINDS.get(get_class(arguments.pop("_target_")))
    if kind is None:
        raise UserError(
            "these data have no parts: choose data=car_parts, paired_folders or toycars"
        )
    if painted and kind is not PairedPhotos:
        raise UserError("painted=true is for pictures of masks: choose data=paired_folders")
    originals: Originals = kind(**arguments, **({"painted": True} if painted else {}))
    return originals


def _size_of(photos: list[Path] | None) -> tuple[int, int]:
    """Of the photo when upright; any where it is missing, which the source itself will say."""
    if not photos:
        return (1, 1)
    height, width = read_photo(one_of(photos)).shape[:2]
    return height, width
