"""What training samples are balanced over."""

from collections.abc import Callable, Mapping, Sequence

from carsynth.data.store import Store
from carsynth.errors import UserError
from carsynth.labels import view_of_part_map


def _classes(store: Store, rows: Sequence[int]) -> list[int]:
    return [int(store.labels[row]) for row in rows]


def _views(store: Store, rows: Sequence[int]) -> list[int]:
    if not any(bool(store.part_maps[row].any()) for row in rows):
        raise UserError(
            "data.balance=view needs part maps, which this data has not: set data.balance=class"
        )
    return [view_of_part_map(store.part_maps[row].numpy()) for row in rows]


GROUPS: Mapping[str, Callable[[Store, Sequence[int]], list[int]]] = {
    "class": _classes,
    "view": _views,
}
"""By name, the group of each sample in some rows of a store."""
