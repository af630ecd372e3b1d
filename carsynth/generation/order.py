"""What is to be generated: how many pictures, and of which kinds in which shares."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from carsynth.errors import UserError
from carsynth.generation.kinds import KINDS

UNIFORM = "uniform"

Wish = dict[str, str]
"""The value that a map is to have of each balanced kind."""


class Order(NamedTuple):
    """An order that every process reads the same way."""

    num_images: int
    photos_per_map: int
    seed: int
    wishes: tuple[Wish, ...]
    """Of each map, by its number."""

    @property
    def num_maps(self) -> int:
        return len(self.wishes)

    def photos_of(self, number: int) -> range:
        """Numbers of the pictures that are painted from a map."""
        first = number * self.photos_per_map
        return range(first, min(first + self.photos_per_map, self.num_images))


def make_order(
    num_images: int,
    balance: Mapping[str, str | Mapping[str, float]],
    classes: Sequence[str],
    photos_per_map: int,
    seed: int,
) -> Order:
    """The wishes of every map: of each kind exactly its share, in an order drawn from the seed.

    Args:
        balance: for a kind (:data:`~carsynth.generation.kinds.KINDS`, or ``class``) ``uniform`` or
            the share of each value; shares are brought to a sum of 1.
        classes: what the map model can be asked for; empty if nothing.

    Raises:
        UserError: a number below 1, an unknown kind or value, or shares that are none.
    """
    for key, value in (("num_images", num_images), ("photos_per_map", photos_per_map)):
        if value < 1:
            raise UserError(f"{key}={value}: give 1 or more")
    num_maps = math.ceil(num_images / photos_per_map)
    columns = {
        kind: _column(kind, _shares(kind, asked, classes), num_maps, seed)
        for kind, asked in balance.items()
    }
    wishes = tuple({kind: column[n] for kind, column in columns.items()} for n in range(num_maps))
    return Order(num_images, photos_per_map, seed, wishes)


def _shares(
    kind: str, asked: str | Mapping[str, float], classes: Sequence[str]
) -> dict[str, float]:
    known = {name: one.values for name, one in KINDS.items()}
    if classes:
        known["class"] = tuple(classes)
    if kind not in known:
        raise UserError(f"balance: {kind} is unknown: choose {', '.join(known)}")
    if isinstance(asked, str):
        if asked != UNIFORM:
            raise UserError(
                f"balance.{kind}={asked}: say {UNIFORM}, or a share for each of "
                f"{', '.join(known[kind])}"
            )
        return dict.fromkeys(known[kind], 1.0)
    shares = {str(name): float(share) for name, share in asked.items()}
    if unknown := [name for name in shares if name not in known[kind]]:
        raise UserError(
            f"balance.{kind}: {unknown[0]} is unknown: choose among {', '.join(known[kind])}"
        )
    if not shares or min(shares.values()) < 0 or not 0 < sum(shares.values()) < math.inf:
        raise UserError(f"balance.{kind}: shares are 0 or more, and not all 0")
    return shares


def _column(kind: str, shares: Mapping[str, float], count: int, seed: int) -> list[str]:
    """``count`` values in their shares by largest remainder, shuffled."""
    total = sum(shares.values())
    exact = {name: count * share / total for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    rest = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in rest[: count - sum(counts.values())]:
        counts[name] += 1
    column = [name for name, number in counts.items() for _ in range(number)]
    words = hashlib.sha256(f"{kind} {seed}".encode()).digest()
    order = np.random.Generator(np.random.PCG64(int.from_bytes(words[:8]))).permutation(count)
    return [column[place] for place in order]
