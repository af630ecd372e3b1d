"""One car from its original to a part map at its own size: the steps in their order."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from carsynth.data.photos import resize_map, resize_photo
from carsynth.errors import UserError
from carsynth.labels import BACKGROUND, BODY, PALETTE
from carsynth.preparation.framing import Window, map_through, size_in_frame, through
from carsynth.preparation.isolation import coloured, saturation_of
from carsynth.preparation.orientation import Seen, orient
from carsynth.preparation.originals import Original
from carsynth.preparation.overlay import overlay, overlay_ids
from carsynth.preparation.palette import Palette
from carsynth.preparation.snapping import Snapper, picture_of_moved
from carsynth.preparation.whole_car import WholeCar

Picture = NDArray[np.uint8]
"""RGB, (H, W, 3)."""


class Cut(NamedTuple):
    """A car whose every pixel is a part, at its original's size."""

    photo: Picture
    part_map: NDArray[np.uint8]
    """Ids of ``labels.PARTS``, (H, W)."""
    moved: Picture | None
    """Which pixels snapping moved; None where it moved none."""
    seen: Seen
    size: float
    """In the frame, as :func:`carsynth.preparation.framing.size_in_frame`."""
    steps: list[dict[str, Any]]
    """What was done, for the manifest."""
    notes: list[str]
    """What a person should know."""
    stages: dict[str, Picture]
    """What it looked like on the way, by name."""


class Cutter:
    """Does the steps that need no other car than the one.

    Args:
        palette: of painted parts, and of the colour maps that are written.
        whole_car: finds the whole car.
        saturation: least one, 0 to 255, of painted parts; 0 takes every pixel for painted.
        max_between: largest share of the car's pixels between two colours of the palette.

    Raises:
        UserError: a number is out of range.
    """

    def __init__(
        self, palette: Palette, whole_car: WholeCar, saturation: int, max_between: float
    ) -> None:
        if not 0 <= saturation <= 255:
            raise UserError(f"saturation={saturation}: give 0 to 255")
        if not 0 <= max_between <= 1:
            raise UserError(f"max_between={max_between}: give a share from 0 to 1")
        self.palette = palette
        self.whole_car = whole_car
        self._saturation = saturation
        self._max_between = max_between
        self._snapper = Snapper(palette.colours)

    def check_palette(self) -> None:
        """To be asked where parts are painted.

        Raises:
            UserError: a part's colour is less saturated than what is taken for painted.
        """
        own = saturation_of(self.palette.colours[None])[0]
        for colour, part, saturation in zip(
            self.palette.colours, self.palette.parts, own, strict=True
        ):
            if part not in (BACKGROUND, BODY) and saturation < self._saturation:
                raise UserError(
                    f"palette={self.palette.name}: the colour {','.join(map(str, colour))} has a "
                    f"saturation of {saturation}, and saturation={self._saturation} would take it "
                    f"for unpainted: set saturation={saturation} or less"
                )

    def cut(self, name: str, original: Original) -> Cut:
        """All steps up to the orientation.

        Raises:
            UserError: the car cannot be used; the message is the reason.
        """
        if original.painted is not None:
            return self._from_painted(name, original, original.painted)
        assert original.part_map is not None
        return self._from_ids(name, original, original.part_map)

    def _from_ids(self, name: str, original: Original, part_map: NDArray[np.uint8]) -> Cut:
        parts = part_map != BACKGROUND
        if not (parts & (part_map != BODY)).any():
            raise UserError("no part is annotated")
        car = self.whole_car(name, original.photo, parts)
        laid = overlay_ids(part_map, car.mask)
        steps = [
            {"step": "whole_car", **car.how},
            {"step": "overlay", "body": _share(laid == BODY)},
        ]
        stages = {
            "photo": original.photo,
            "parts": PALETTE[part_map],
            "whole car": _white(car.mask),
            "overlay": PALETTE[laid],
        }
        seen = orient(laid, original.yaw, original.doors)
        notes = [] if car.note is None else [car.note]
        size = size_in_frame(laid)
        return Cut(original.photo, laid, None, seen, size, steps, notes, stages)

    def _from_painted(self, name: str, original: Original, painted: Picture) -> Cut:
        palette = self.palette
        parts = coloured(painted, self._saturation)
        if not parts.any():
            raise UserError(f"no coloured part: no saturation reaches {self._saturation}")
        car = self.whole_car(name, original.photo, parts)
        ground, body = palette.paint[BACKGROUND], palette.paint[BODY]
        laid = overlay(painted, parts, car.mask, ground, body)
        snapped = self._snapper(laid)
        part_map = palette.parts[snapped.indices]
        if car.independent:  # no dark edge of a part is a hole in the car
            part_map = overlay_ids(part_map, car.mask)
        shown = part_map != BACKGROUND
        between = float((snapped.between & shown).sum() / max(shown.sum(), 1))
        moved = _share(snapped.moved)
        if not (shown & (part_map != BODY)).any():
            raise UserError(
                f"no coloured part: nothing is near a part's colour ({moved:.1%} moved)"
            )
        if between > self._max_between:
            raise UserError(
                f"{between:.1%} of the car's pixels lie between two colours of "
                f"palette={palette.name}, over max_between={self._max_between:g} ({moved:.1%} of "
                "all pixels moved)"
            )
        isolated = np.where(parts[..., None], painted, np.uint8(0))
        steps = [
            {"step": "isolate", "saturation": self._saturation, "kept": _share(parts)},
            {"step": "whole_car", **car.how},
            {"step": "overlay", "body": _share(car.mask & ~parts)},
            {"step": "snap", "palette": palette.name, "moved": moved, "between": between},
        ]
        picture = picture_of_moved(snapped, palette.colours)
        stages = {
            "photo": original.photo,
            "painted": painted,
            "isolated": isolated,
            "whole car": _white(car.mask),
            "overlay": laid,
            "snapped": palette.paint[part_map],
            "moved": picture,
        }
        seen = orient(
            part_map,
            original.yaw,
            original.doors,
            palette.tells_sides(),
            palette.tells_rear_doors(),
        )
        return Cut(
            original.photo,
            part_map,
            picture if snapped.moved.any() else None,
            seen,
            size_in_frame(part_map),
            steps,
            [] if car.note is None else [car.note],
            stages,
        )


def framed(
    cut: Cut, window: Window | None, size: tuple[int, int]
) -> tuple[Picture, NDArray[np.uint8]]:
    """Photo and part map in a window, or in the whole frame, at ``size`` (height, width)."""
    photo, part_map = cut.photo, cut.part_map
    if window is not None:
        photo, part_map = through(window, photo), map_through(window, part_map)
    return resize_photo(photo, size), resize_map(part_map, size)


def _share(mask: NDArray[np.bool_]) -> float:
    return float(mask.mean())


def _white(mask: NDArray[np.bool_]) -> Picture:
    return np.repeat(mask[..., None], 3, axis=2).astype(np.uint8) * np.uint8(255)
