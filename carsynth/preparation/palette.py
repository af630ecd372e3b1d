"""Which colour stands for which part: carsynth's palette, the two-stage report's, or a file's."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from carsynth.errors import UserError
from carsynth.labels import BODY, NUM_PARTS, PART_ID, PARTS

MOST_COLOURS = 120

_OWN = {",".join(map(str, part.colour)): (part.name,) for part in PARTS}

_REPORT: Mapping[str, tuple[str, ...]] = {
    "0,0,0": ("background",),
    "255,255,255": ("body",),
    "0,255,255": ("front_glass", "back_glass"),
    "0,0,255": ("wheel",),
    "255,144,0": ("front_bumper",),
    "255,0,255": ("front_left_door", "front_right_door", "back_left_door", "back_right_door"),
    "0,100,0": ("hood",),
    "125,30,0": ("back_bumper",),
    "255,255,0": ("front_left_light", "front_right_light", "back_left_light", "back_right_light"),
}
"""The report gives nine colours and no names: they are taken for what they are in
``labels.PALETTE``, and for the twins of that where no other colour is left for them."""

_NAMED: Mapping[str, Mapping[str, tuple[str, ...]]] = {"carsynth": _OWN, "report": _REPORT}


class Palette(NamedTuple):
    """Colours of parts, both ways; colours are RGB."""

    name: str
    colours: NDArray[np.uint8]
    """Distinct, (K, 3)."""
    parts: NDArray[np.uint8]
    """Id of ``labels.PARTS`` that each colour is read as, (K,)."""
    paint: NDArray[np.uint8]
    """Colour that each part id is painted in, (20, 3): the body's where a part has none."""

    def tells_sides(self) -> bool:
        """Whether any colour means one side of the car and another its twin."""
        twins = {int(PART_ID[PARTS[part].twin]) for part in self.parts}
        return any(
            PARTS[part].twin != PARTS[part].name for part in twins & set(map(int, self.parts))
        )

    def tells_rear_doors(self) -> bool:
        """Whether rear doors have a colour that front doors have not."""
        rear = {PART_ID["back_left_door"], PART_ID["back_right_door"]}
        return bool(rear & set(map(int, self.parts)))


def load_palette(name: str) -> Palette:
    """``carsynth`` (``labels.PALETTE``), ``report`` (nine colours), or a JSON file's palette.

    A file holds ``{"255,0,0": "hood", "0,0,255": ["wheel"], ...}``: of several parts the first is
    what the colour is read as, and all are painted in it. Black is the background and white the
    body unless the file says otherwise.

    Raises:
        UserError: there is no such file, or it is no palette.
    """
    if name in _NAMED:
        return _palette(name, _NAMED[name])
    path = Path(name)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(_NAMED)
        raise UserError(f"palette={name}: no such file; give {known} or a JSON file") from error
    except (OSError, ValueError) as error:
        raise UserError(f"palette={name} is no readable JSON ({error}): mend it") from error
    if not isinstance(entries, dict):
        raise UserError(f'palette={name} holds no {{"255,0,0": "hood", ...}}: write it so')
    parts_of = {
        colour: tuple(parts) if isinstance(parts, list) else (parts,)
        for colour, parts in entries.items()
    }
    taken = {part for parts in parts_of.values() for part in parts}
    for colour, part in (("0,0,0", "background"), ("255,255,255", "body")):
        if part not in taken:
            parts_of.setdefault(colour, (part,))
    return _palette(name, parts_of)


def _palette(name: str, entries: Mapping[str, Sequence[str]]) -> Palette:
    """Of parts by ``"red,green,blue"``, refusing what is doubtful."""
    if len(entries) > MOST_COLOURS:
        raise UserError(f"palette={name} has {len(entries)} colours: {MOST_COLOURS} are the most")
    colours: list[tuple[int, ...]] = []
    painted: dict[str, tuple[int, ...]] = {}
    for text, parts in entries.items():
        colour = _rgb(name, text)
        if colour in colours:
            raise UserError(f"palette={name} has the colour {text} twice: keep one of them")
        colours.append(colour)
        if not parts:
            raise UserError(f"palette={name}: no part is named for {text}: name one")
        for part in parts:
            if part not in PART_ID:
                raise UserError(
                    f"palette={name}: '{part}' (for {text}) is no part: choose of "
                    f"{', '.join(PART_ID)}"
                )
            if part in painted:
                raise UserError(f"palette={name} has {part} in two colours: keep one of them")
            painted[part] = colour
    for part in ("background", "body"):
        if part not in painted:
            raise UserError(f"palette={name} has no colour for {part}: add one")
    paint = np.array([painted[PARTS[BODY].name]] * NUM_PARTS, np.uint8)
    for part, colour in painted.items():
        paint[PART_ID[part]] = colour
    first = np.array([PART_ID[parts[0]] for parts in entries.values()], np.uint8)
    return Palette(name, np.array(colours, np.uint8), first, paint)


def _rgb(name: str, text: str) -> tuple[int, ...]:
    channels = [channel.strip() for channel in text.split(",")]
    if len(channels) != 3 or not all(c.isdecimal() and int(c) <= 255 for c in channels):
        raise UserError(f"palette={name}: '{text}' is no RGB colour: write it as \"255,0,0\"")
    return tuple(int(channel) for channel in channels)
