"""Batches that come out the same to the bit, however many threads and processes there are.

Sums round by the size of a batch and by the number of threads that share it. So a batch is one
thread's, and several threads work at a batch each.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

Task = TypeVar("Task")
Made = TypeVar("Made")

_BATCH = 16
"""Maps that are drawn at once, and photos that are painted."""


class Over(Protocol):
    """Python's ``map``, or one that does several at a time."""

    def __call__(
        self, work: Callable[[Task], Made], tasks: Iterable[Task], /
    ) -> Iterable[Made]: ...


@contextmanager
def several_at_once(device: torch.device) -> Iterator[Over]:
    """A ``map`` whose tasks have one of torch's threads each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if device.type != "cpu" or threads == 1:
            yield map
            return
        with ThreadPoolExecutor(threads) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)


def batches_of(tasks: Sequence[Task]) -> list[Sequence[Task]]:
    """Cut into batches, the same ones wherever they are worked at."""
    return [tasks[start : start + _BATCH] for start in range(0, len(tasks), _BATCH)]
