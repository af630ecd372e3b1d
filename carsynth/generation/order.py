"""What is to be generated: how many pictures, and of which kinds in which shares."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

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
    balance: Mapping[Any, Any],
    classes: Sequence[str],
    photos_per_map: int,
    seed: int,
) -> Order:
    """The wishes of every map, in an order drawn from the seed.

    Each value of a kind has its share of the maps by largest remainder. Among the maps that are
    alike in the other kinds its share is the same, to within a map or two.

    Args:
        balance: for a kind (:data:`~carsynth.generation.kinds.KINDS`, or ``class``) ``uniform`` or
            the share of each value; shares are brought to a sum of 1.
        classes: what the map model can be asked for; empty if nothing.

    Raises:
        UserError: a number below 1, an unknown kind or value, or shares that are none.
    """
    check_count("num_images", num_images)
    check_count("photos_per_map", photos_per_map)
    num_maps = math.ceil(num_images / photos_per_map)
    wishes: list[Wish] = [{} for _ in range(num_maps)]
    for kind in sorted(balance, key=str):
        shares = _shares(str(kind), balance[kind], classes)
        wishes.sort(key=lambda wish: tuple(wish.values()))  # alike ones side by side
        for wish, value in zip(wishes, _dealt(_counts(shares, num_maps)), strict=True):
            wish[str(kind)] = value
    words = hashlib.sha256(str(seed).encode()).digest()
    order = np.random.Generator(np.random.PCG64(int.from_bytes(words[:8]))).permutation(num_maps)
    return Order(num_images, photos_per_map, seed, tuple(wishes[place] for place in order))


def check_count(key: str, value: object) -> None:
    """Raises :class:`UserError` for what is no whole number from 1."""
    if not isinstance(value, int) or value < 1:
        raise UserError(f"{key}={value}: give a whole number from 1")


def _shares(kind: str, asked: Any, classes: Sequence[str]) -> dict[str, float]:
    """The share of each value, in the order in which the kind lists them."""
    known = {name: one.values for name, one in KINDS.items()}
    if classes:
        known["class"] = tuple(classes)
    if kind not in known:
        raise UserError(f"balance: {kind} is unknown: choose {', '.join(known)}")
    values = known[kind]
    if asked == UNIFORM:
        return dict.fromkeys(values, 1.0)
    if not isinstance(asked, Mapping):
        raise UserError(
            f"balance.{kind}={asked}: say {UNIFORM}, or a share for each of {', '.join(values)}"
        )
    shares = {str(name): share for name, share in asked.items()}
    if unknown := [name for name in shares if name not in values]:
        raise UserError(
            f"balance.{kind}: {unknown[0]} is unknown: choose among {', '.join(values)}"
        )
    for name, share in shares.items():
        if not isinstance(share, int | float) or not 0 <= share < math.inf:
            raise UserError(f"balance.{kind}.{name}={share}: a share is a number from 0")
    if not any(shares.values()):
        raise UserError(f"balance.{kind}: all shares are 0: give one that is more")
    return {name: float(shares[name]) for name in values if name in shares}


def _counts(shares: Mapping[str, float], count: int) -> dict[str, int]:
    """``count`` in those shares, by largest remainder."""
    total = sum(shares.values())
    exact = {name: count * share / total for name, share in shares.items()}
    counts = {name: int(value) for name, value in exact.items()}
    rest = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in rest[: count - sum(counts.values())]:
        counts[name] += 1
    return counts


def _dealt(counts: Mapping[str, int]) -> Iterator[str]:
    """Each name so many times, and in every stretch nearly in these shares."""
    total = sum(counts.values())
    given = dict.fromkeys(counts, 0)
    for turn in range(1, total + 1):
        name = max(counts, key=lambda name: counts[name] * turn - given[name] * total)
        given[name] += 1
        yield name
