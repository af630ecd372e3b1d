"""Where the whole car is: told by the annotations, by given masks, or by a detector."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from carsynth.data.files import list_pictures, one_of
from carsynth.data.masks import mask_readers
from carsynth.data.photos import open_upright
from carsynth.errors import UserError
from carsynth.labels import BACKGROUND
from carsynth.preparation.car_choice import Detections, choose_car

Detector = Callable[[NDArray[np.uint8]], Detections]

_INSIDE = 0.5
"""Share of the annotated parts that a car covers at least if it is theirs."""


class CarMask(NamedTuple):
    """A whole car and how it was found."""

    mask: NDArray[np.bool_]
    """(H, W)."""
    how: dict[str, Any]
    """For the manifest."""
    independent: bool = True
    """Whether it was told from anything but the parts."""
    note: str | None = None
    """What a person should know of it."""


class WholeCar(Protocol):
    """Finds the whole car of a photo."""

    def __call__(self, name: str, photo: NDArray[np.uint8], parts: NDArray[np.bool_]) -> CarMask:
        """The car's mask.

        Args:
            name: of the sample.
            photo: RGB, (H, W, 3).
            parts: where a part, or the body, is annotated, (H, W).

        Raises:
            UserError: there is no car, or it is not the one that is annotated.
        """
        ...

    def files(self, name: str) -> tuple[Path, ...]:
        """What is read for a sample."""
        ...

    def load(self) -> None:
        """What is loaded once, before the first photo.

        Raises:
            UserError: it cannot be had.
        """
        ...


class FromParts:
    """The union of all parts, and of the body where the annotations have one."""

    def __call__(self, name: str, photo: NDArray[np.uint8], parts: NDArray[np.bool_]) -> CarMask:
        return CarMask(parts, {"from": "parts"}, independent=False)

    def files(self, name: str) -> tuple[Path, ...]:
        return ()

    def load(self) -> None:
        pass


class FromFolder:
    """Given masks, named as the photos or with ``_mask`` behind the name: black and white, or 0/1.

    Raises:
        UserError: the folder is missing or empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._masks = list_pictures(folder)
        self._read = mask_readers()["binary"]

    def __call__(self, name: str, photo: NDArray[np.uint8], parts: NDArray[np.bool_]) -> CarMask:
        paths = self.files(name)
        if not paths:
            raise UserError(f"{name} has no whole-car mask in car_mask={self._folder}: add it")
        path = paths[0]
        mask = self._read(path, open_upright(path)) != BACKGROUND
        if mask.shape != photo.shape[:2]:
            raise UserError(
                f"{path} is {mask.shape[1]}x{mask.shape[0]} (width x height) and its photo "
                f"{photo.shape[1]}x{photo.shape[0]}: bring them to the same size"
            )
        if not mask.any():
            raise UserError(f"no car found: {path} is all background")
        return CarMask(mask, {"from": "mask", "inside": _inside(parts, mask)})

    def files(self, name: str) -> tuple[Path, ...]:
        found = self._masks.get(name) or self._masks.get(f"{name}_mask")
        return (one_of(found),) if found else ()

    def load(self) -> None:
        pass


class FromDetector:
    """The largest car that a detector finds, by ``car_choice.choose_car``.

    Args:
        detector: makes what turns a photo into its detections.
        min_score: only detections with a higher score count.
        min_area: least share of the picture.
        max_area: largest share of the picture.
    """

    def __init__(
        self,
        detector: Callable[[], Detector],
        min_score: float,
        min_area: float,
        max_area: float,
    ) -> None:
        self._make = detector
        self._detector: Detector | None = None
        self._rules = (min_score, min_area, max_area)

    def __call__(self, name: str, photo: NDArray[np.uint8], parts: NDArray[np.bool_]) -> CarMask:
        assert self._detector is not None
        found = self._detector(photo)
        choice = choose_car(found, *self._rules)
        mask = found.masks[choice.number]
        how = {"from": "detector", "score": choice.score, "area": choice.area}
        note = None
        if choice.others:
            note = (
                f"{len(choice.others) + 1} cars: the largest taken ({choice.area:.1%} of the "
                f"picture, the next {choice.others[0]:.1%})"
            )
        return CarMask(mask, how | {"inside": _inside(parts, mask)}, note=note)

    def files(self, name: str) -> tuple[Path, ...]:
        return ()

    def load(self) -> None:
        self._detector = self._make()


def whole_car_by(
    car_mask: str,
    detector: Callable[[], Detector],
    min_score: float,
    min_area: float,
    max_area: float,
) -> WholeCar:
    """The way that ``car_mask`` names: ``parts``, ``detector``, or else a folder of masks.

    Raises:
        UserError: a share is out of range, or there is no such folder.
    """
    if not 0 <= min_area < max_area <= 1:
        raise UserError(
            f"min_area={min_area} max_area={max_area}: give shares from 0 to 1, the smaller first"
        )
    if not 0 <= min_score <= 1:
        raise UserError(f"min_score={min_score}: give a share from 0 to 1")
    if car_mask == "parts":
        return FromParts()
    if car_mask == "detector":
        return FromDetector(detector, min_score, min_area, max_area)
    folder = Path(str(car_mask))
    if not folder.exists():
        raise UserError(f"car_mask={car_mask} is no folder: give parts, detector or a folder")
    return FromFolder(folder)


def _inside(parts: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    """Share of the parts that the car covers; UserError where it is another car."""
    share = float((parts & mask).sum() / max(parts.sum(), 1))
    if share < _INSIDE:
        raise UserError(
            f"the car found covers {share:.0%} of the annotated parts: it is another one"
        )
    return share
