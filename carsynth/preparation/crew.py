"""Threads that fetch photos side by side, try again where it may help, and report each one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

from carsynth.data.files import replace_atomically
from carsynth.preparation.host_queue import HostQueue, Job
from carsynth.preparation.picture import suffix_of
from carsynth.preparation.request import Moved, Never, NotNow, request
from carsynth.preparation.table import Row

_MOST_REDIRECTIONS = 5
_LONGEST_HOLD = 120.0  # seconds; a host that asks for more is left for another run


class Manners(NamedTuple):
    """How hosts are treated."""

    workers: int
    per_host: int
    """Connections to one host at the same time, at most."""
    pause: float
    """Seconds between two requests to one host, at least."""
    timeout: float
    """Seconds without a byte before a host counts as silent."""
    retries: int
    """Further tries after a failure that may pass."""
    retry_wait: float
    """Seconds before the second try; each further wait is twice as long."""
    max_bytes: int


class Crew:
    """Fetches photos to ``stems[row] + suffix``; hosts are treated as the manners say."""

    def __init__(self, stems: dict[Row, Path], manners: Manners) -> None:
        self._stems = stems
        self._manners = manners
        jobs = [Job(row, row.address) for row in stems]
        self._queue = HostQueue(jobs, manners.per_host, manners.pause)
        self._reports: SimpleQueue[tuple[Row, str | None] | Exception] = SimpleQueue()

    def results(self) -> Iterator[tuple[Row, str | None]]:
        """Each row once it is settled, with the reason why it failed, None where it did not."""
        try:
            for _ in range(min(self._manners.workers, len(self._stems))):
                Thread(target=self._work, daemon=True).start()
            for _ in self._stems:
                report = self._reports.get()
                if isinstance(report, Exception):
                    raise report
                yield report
        finally:
            self._queue.clear()

    def _work(self) -> None:
        try:
            while job := self._queue.take():
                host = job.host
                try:
                    self._fetch(job)
                finally:
                    self._queue.finish(host)
        except Exception as error:
            self._reports.put(error)

    def _fetch(self, job: Job) -> None:
        try:
            content = request(job.url, self._manners.timeout, self._manners.max_bytes)
            stem = self._stems[job.row]
            path = stem.with_name(stem.name + suffix_of(content))
            replace_atomically(path, lambda file: file.write(content))
            self._settle([job], None)
        except Moved as moved:
            self._redirect(job, moved.url)
        except NotNow as busy:
            self._try_again(job, busy)
        except Never as error:
            self._settle([job], str(error))

    def _redirect(self, job: Job, url: str) -> None:
        job.redirections += 1
        job.url = url
        if job.redirections > _MOST_REDIRECTIONS:
            self._settle([job], f"more than {_MOST_REDIRECTIONS} redirections")
        else:
            self._queue.put(job)

    def _try_again(self, job: Job, busy: NotNow) -> None:
        if busy.seconds is not None and busy.seconds > _LONGEST_HOLD:
            reason = f"{busy}: the host asks to be left alone for {busy.seconds:.0f} seconds"
            self._settle([job, *self._queue.drop(job.host)], reason)
            return
        if busy.seconds is not None:
            self._queue.hold(job.host, busy.seconds)
        job.tries += 1
        if job.tries > self._manners.retries:
            self._settle([job], f"{busy} ({job.tries} tries)")
        else:
            wait = self._manners.retry_wait * 2 ** (job.tries - 1)
            self._queue.put(job, max(wait, busy.seconds or 0.0))

    def _settle(self, jobs: Sequence[Job], reason: str | None) -> None:
        for job in jobs:
            self._reports.put((job.row, reason))
