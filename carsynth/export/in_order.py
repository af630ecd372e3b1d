"""Pictures through several threads, a few at a time, and out again in their order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tqdm import tqdm

from carsynth.errors import UserError
from carsynth.export.labelled import LabelledPicture, check

T = TypeVar("T")

_AHEAD = 4  # pictures a thread that wait or are done early


def in_order(
    pictures: Iterable[LabelledPicture], work: Callable[[LabelledPicture], T], threads: int
) -> Generator[T, None, None]:
    """What ``work`` makes of each picture, which is checked before.

    At most four pictures a thread are held. Close the iterator to be sure that no thread works any
    more; it does so itself where it ends or fails.

    Raises:
        UserError: there are no pictures, or one is bad, or has a name that was there before. Names
            that differ in upper and lower case only count as one, as some disks see them.
    """
    names: set[str] = set()
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for picture in tqdm(pictures, desc="export", unit="img"):
            check(picture)
            if (name := picture.name.casefold()) in names:
                raise UserError(f"two pictures are called {picture.name}: give each its own name")
            names.add(name)
            waiting.append(pool.submit(work, picture))
            if len(waiting) == _AHEAD * threads:
                yield waiting.popleft().result()
        if not names:
            raise UserError("there are no pictures to export: generate some first")
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
