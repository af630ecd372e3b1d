"""``task=fetch``: the photos that a table of addresses names, brought into a folder."""

import csv
import hashlib
import io
import math
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from carsynth.data.files import PICTURES, write_atomically
from carsynth.errors import UserError
from carsynth.preparation.crew import Crew, Manners
from carsynth.preparation.table import Failure, Row, Table, read_table

FAILED = "failed.csv"


class Fetch:
    """Fetches photos to ``output_dir``, and only those that are not there yet.

    A file is called by its row and address (``row000002-4d5f0a1b2c3e.jpg``) and has its name only
    once it is complete and was decoded, so that a run may be broken off and started again. Rows
    without a photo are listed in ``failed.csv`` with their reasons, and are tried anew by the next
    run.

    Args:
        table: a CSV file, as :func:`carsynth.preparation.table.read_table` takes it.
        output_dir: folder of the photos; made where it is missing.
        column: name of the column of addresses; None finds it.
        label_column: name of a column whose values become folders, one a class; None for none.
        workers: threads; the hosts' own limits hold whatever their number.
        per_host: connections to one host at the same time.
        pause: seconds between two requests to one host.
        timeout: seconds that a host may keep silent.
        retries: further tries where a host is busy, silent or out of reach.
        retry_wait: seconds before the second try, doubled for each further one; a host's own
            ``Retry-After`` takes its place where that is longer.
        max_megabytes: size of one photo, in 1e6 bytes.

    Raises:
        UserError: a number is out of range.
    """

    def __init__(
        self,
        table: str | Path,
        output_dir: str | Path,
        column: str | None = None,
        label_column: str | None = None,
        workers: int = 16,
        per_host: int = 2,
        pause: float = 0.1,
        timeout: float = 30.0,
        retries: int = 3,
        retry_wait: float = 2.0,
        max_megabytes: float = 50.0,
    ) -> None:
        counts = {"workers": workers, "per_host": per_host}
        for key, count in counts.items():
            if count < 1:
                raise UserError(f"{key}={count}: give 1 or more")
        for key, number in {"timeout": timeout, "max_megabytes": max_megabytes}.items():
            if not 0 < number < math.inf:
                raise UserError(f"{key}={number}: give a number over 0")
        for key, number in {"pause": pause, "retries": retries, "retry_wait": retry_wait}.items():
            if not 0 <= number < math.inf:
                raise UserError(f"{key}={number}: give 0 or more")
        # a name such as 2019 reaches here as a number
        self._table = Path(str(table))
        self._folder = Path(str(output_dir))
        self._column = None if column is None else str(column)
        self._label_column = None if label_column is None else str(label_column)
        max_bytes = int(max_megabytes * 1e6)
        self._manners = Manners(
            workers, per_host, pause, timeout, int(retries), retry_wait, max_bytes
        )

    def run(self) -> None:
        """Fetch, with a progress bar; print the counts.

        Raises:
            UserError: the table or the output folder cannot be used, or there is no photo to show
                for the whole table.
        """
        table = read_table(self._table, self._column, self._label_column)
        print(_chosen(self._table, table))
        stems = {row: self._folder / row.folder / _stem(row) for row in table.rows}
        failures = list(table.failures)
        fetched = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            there = _finished(self._folder)
            missing = {row: stem for row, stem in stems.items() if stem not in there}
            try:
                results = Crew(missing, self._manners).results()
                with tqdm(results, desc="photos", total=len(missing), unit="photo") as bar:
                    for row, reason in bar:
                        if reason is None:
                            fetched += 1
                        else:
                            failures.append(Failure(row.number, row.address, reason))
                            bar.set_postfix(failed=len(failures), refresh=False)
            finally:
                write_atomically(self._folder / FAILED, _as_csv(failures))
        except OSError as error:
            raise UserError(f"output_dir={self._folder} cannot be written to: {error}") from error
        present = len(stems) - len(missing)
        if failures and not fetched + present:
            reason, count = Counter(failure.reason for failure in failures).most_common(1)[0]
            raise UserError(
                f"table {self._table}: not one of {len(failures)} photos could be fetched ({count} "
                f"times: {reason}); see {self._folder / FAILED}"
            )
        print(
            f"{fetched} fetched, {present} there before, {len(failures)} failed"
            + (f"; see {self._folder / FAILED}" if failures else "")
        )


def _chosen(path: Path, table: Table) -> str:
    others = ", ".join(table.passed_over)
    hint = f" (addresses too in {others}: column=NAME takes another)" if others else ""
    return f"addresses from column {table.column} of {path}{hint}"


def _stem(row: Row) -> str:
    digest = hashlib.sha256(row.address.encode("utf-8", "surrogatepass")).hexdigest()
    return f"row{row.number:06d}-{digest[:12]}"


def _finished(folder: Path) -> set[Path]:
    """Paths without suffix of the photos that earlier runs brought."""
    files = (path for path in folder.rglob("row*") if path.suffix in PICTURES)
    return {path.with_suffix("") for path in files}


def _as_csv(failures: list[Failure]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Failure._fields)
    writer.writerows(sorted(failures))
    return text.getvalue()
