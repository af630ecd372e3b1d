"""Addresses in line for their hosts: who may be asked next, and when."""

import heapq
import itertools
import math
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Condition
from urllib.parse import urlsplit

from carsynth.preparation.table import Row


@dataclass
class Job:
    """A photo on its way."""

    row: Row
    url: str
    """What to ask for next; after a redirection another one than the row's address."""
    tries: int = 0
    redirections: int = 0

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


@dataclass
class _Host:
    waiting: list[tuple[float, int, Job]] = field(default_factory=list)  # a heap by time and order
    active: int = 0
    next_start: float = 0.0  # by time.monotonic, like every time here


class HostQueue:
    """Hands jobs to threads so that no host is asked too much at once, and none waits for another.

    Args:
        jobs: what to begin with.
        per_host: jobs of one host that may be out at the same time.
        pause: seconds between the starts of two jobs of one host, at least.
    """

    def __init__(self, jobs: Iterable[Job], per_host: int, pause: float) -> None:
        self._per_host = per_host
        self._pause = pause
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._order = itertools.count()
        self._changed = Condition()
        for job in jobs:
            self.put(job)

    def put(self, job: Job, wait: float = 0.0) -> None:
        """Line a job up, to be handed out in ``wait`` seconds at the earliest."""
        with self._changed:
            host = self._hosts.setdefault(job.host, _Host())
            ready = time.monotonic() + wait if wait else 0.0
            heapq.heappush(host.waiting, (ready, next(self._order), job))
            self._changed.notify()

    def take(self) -> Job | None:
        """The next job, once its host may be asked; None when no job is waiting or out any more.

        Every job taken has to be given back by :meth:`finish`, after it was put in line again if
        need be.
        """
        with self._changed:
            while True:
                now = time.monotonic()
                soonest = math.inf
                for name, host in self._hosts.items():
                    if not host.waiting or host.active >= self._per_host:
                        continue
                    ready = max(host.next_start, host.waiting[0][0])
                    if ready <= now:
                        host.active += 1
                        host.next_start = now + self._pause
                        self._hosts.move_to_end(name)
                        return heapq.heappop(host.waiting)[2]
                    soonest = min(soonest, ready)
                if not any(host.waiting or host.active for host in self._hosts.values()):
                    return None
                self._changed.wait(None if soonest == math.inf else soonest - now)

    def finish(self, host: str) -> None:
        """A job taken from ``host`` is out no more."""
        with self._changed:
            self._hosts[host].active -= 1
            self._changed.notify_all()

    def hold(self, host: str, seconds: float) -> None:
        """Ask ``host`` for nothing during the next seconds."""
        with self._changed:
            state = self._hosts[host]
            state.next_start = max(state.next_start, time.monotonic() + seconds)

    def drop(self, host: str) -> list[Job]:
        """Take all jobs that wait for ``host`` out of the line."""
        with self._changed:
            state = self._hosts[host]
            jobs = [job for _, _, job in sorted(state.waiting)]
            state.waiting.clear()
            return jobs

    def clear(self) -> None:
        """Take every waiting job out, so that the threads come to an end."""
        with self._changed:
            for host in self._hosts.values():
                host.waiting.clear()
            self._changed.notify_all()
