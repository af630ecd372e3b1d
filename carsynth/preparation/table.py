"""A table of photo addresses: a CSV file whose first line names its columns."""

import csv
import io
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from carsynth.errors import UserError

_DELIMITERS = ",;\t"
_FORBIDDEN = '<>:"/\\|?*'  # in file names, on one system or another


class Row(NamedTuple):
    """A photo to fetch."""

    number: int
    """As a spreadsheet counts: the line of column names is 1."""
    address: str
    folder: str
    """Of its label, below the output folder; empty without labels."""


class Failure(NamedTuple):
    """A row that brought no photo."""

    row: int
    address: str
    reason: str


class Table(NamedTuple):
    """What a file holds, row by row either to fetch or failed already."""

    rows: list[Row]
    failures: list[Failure]
    column: str
    """Where the addresses stand."""
    passed_over: list[str]
    """Other columns that look like addresses."""


def read_table(path: Path, column: str | None, label_column: str | None) -> Table:
    """The rows of a CSV file in UTF-8 with commas, semicolons or tabs.

    Without ``column`` the first one is taken in which most values are http or https addresses.
    Labels become folder names, with an underscore for each character that some system forbids.

    Raises:
        UserError: the file cannot be read or has no rows, or a column is missing or in doubt.
    """
    header, lines = _split(path)
    if any(map(is_address, header)):
        raise UserError(
            f"table {path} holds an address in its first line: put a line of column names above it"
        )
    for key, name in (("column", column), ("label_column", label_column)):
        if name is not None and name not in header:
            raise UserError(
                f"{key}={name}: table {path} has no such column; it has {', '.join(header)}"
            )
    likely = [] if column else [name for i, name in enumerate(header) if _looks_right(lines, i)]
    if not column and not likely:
        raise UserError(
            f"table {path} has no column of http or https addresses: name it with column=NAME, "
            f"one of {', '.join(header)}"
        )
    chosen = column or likely[0]
    table = Table([], [], chosen, likely[1:])
    place = header.index(chosen)
    label_place = None if label_column is None else header.index(label_column)
    for number, cells in enumerate(lines, 2):
        if not any(cells):
            continue
        address = _cell(cells, place)
        label = "" if label_place is None else _cell(cells, label_place)
        folder = _folder_name(label)
        if not address:
            table.failures.append(Failure(number, "", "no address"))
        elif not is_address(address):
            table.failures.append(Failure(number, address, "not an http or https address"))
        elif label_place is not None and not folder:
            reason = f"no label in column {label_column}" if not label else f"no folder for {label}"
            table.failures.append(Failure(number, address, reason))
        else:
            table.rows.append(Row(number, address, folder))
    return table


def is_address(text: str) -> bool:
    """Whether ``text`` is an http or https address with a host."""
    try:
        parts = urlsplit(text.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _split(path: Path) -> tuple[list[str], list[list[str]]]:
    """The column names, and the cells of every other line, stripped."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UserError(f"table {path} does not exist: check table=FILE") from error
    except UnicodeDecodeError as error:
        raise UserError(f"table {path} is not UTF-8 text: save it as CSV in UTF-8") from error
    except OSError as error:
        raise UserError(f"table {path} cannot be read ({error.strerror}): check it") from error
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise UserError(f"table {path} is no CSV file ({error}): export it again") from error
    stripped = [[cell.strip() for cell in line] for line in lines]
    if not any(any(line) for line in stripped[1:]):
        raise UserError(f"table {path} has no rows below its column names: check table=FILE")
    return stripped[0], stripped[1:]


def _looks_right(lines: list[list[str]], place: int) -> bool:
    values = [value for cells in lines if (value := _cell(cells, place))]
    return 2 * sum(map(is_address, values)) > len(values)


def _cell(cells: list[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""


def _folder_name(label: str) -> str:
    """Empty where nothing is left that could name a folder."""
    safe = "".join("_" if c in _FORBIDDEN or not c.isprintable() else c for c in label)
    return safe.strip(" .")
