"""What a car's surfaces are made of: colours and how much of the sky they mirror."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""RGB, 0 to 255."""


class Finish(IntEnum):
    """Materials of the atlas; the order is that of the tables below."""

    PAINT = 0
    SHUT_LINE = 1
    PLASTIC = 2
    RUBBER = 3
    GLASS = 4
    CABIN = 5
    CHROME = 6
    MESH = 7
    LAMP_RIM = 8
    LAMP = 9
    BULB = 10
    AMBER = 11
    RED = 12
    RED_BULB = 13
    PLATE = 14
    INK = 15
    TYRE = 16
    RIM = 17
    RIM_GAP = 18
    DARK = 19
    ACCENT = 20


_TABLE: dict[Finish, tuple[Colour, int]] = {
    Finish.PAINT: ((128, 128, 128), 150),
    Finish.SHUT_LINE: ((20, 20, 22), 20),
    Finish.PLASTIC: ((50, 51, 54), 30),
    Finish.RUBBER: ((22, 23, 25), 40),
    Finish.GLASS: ((34, 44, 52), 215),
    Finish.CABIN: ((20, 25, 31), 185),
    Finish.CHROME: ((172, 176, 182), 200),
    Finish.MESH: ((26, 27, 30), 25),
    Finish.LAMP_RIM: ((44, 47, 52), 140),
    Finish.LAMP: ((176, 184, 192), 170),
    Finish.BULB: ((250, 250, 244), 200),
    Finish.AMBER: ((226, 128, 30), 110),
    Finish.RED: ((158, 14, 22), 110),
    Finish.RED_BULB: ((236, 46, 48), 110),
    Finish.PLATE: ((232, 232, 226), 20),
    Finish.INK: ((32, 34, 52), 10),
    Finish.TYRE: ((34, 34, 36), 16),
    Finish.RIM: ((178, 181, 186), 90),
    Finish.RIM_GAP: ((34, 35, 38), 20),
    Finish.DARK: ((22, 22, 24), 0),
    Finish.ACCENT: ((128, 128, 128), 150),
}

GLOSS: NDArray[np.int32] = np.array([_TABLE[finish][1] for finish in Finish], dtype=np.int32)
"""Strength of mirrored light, 0 to 255, of every finish."""


def colours(paint: Colour, accent: Colour, rim: Colour) -> NDArray[np.int32]:
    """RGB of every finish on a car of these colours, (finishes, 3).

    ``accent`` is the roof and mirrors, which some cars wear in another colour than ``paint``.
    """
    table = np.array([_TABLE[finish][0] for finish in Finish], dtype=np.int32)
    table[Finish.PAINT] = paint
    table[Finish.ACCENT] = accent
    table[Finish.RIM] = rim
    table[Finish.SHUT_LINE] = [channel * 2 // 9 + 6 for channel in paint]
    return table
