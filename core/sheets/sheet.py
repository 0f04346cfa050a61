"""A CSV file as it comes: whatever its encoding, what stands between its cells, and how large it is."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

LARGEST_BYTES = 200_000_000
MOST_COLUMNS = 500
LONGEST_LINE = 1_000_000
_DELIMITERS = (",", ";", "\t", "|")
_HEAD_BYTES = 65_536
_NO_ENCODING = "The table is in no encoding that is known. Save it as CSV (UTF-8)."
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class SheetRefused(ValueError):
    """The file as a whole is no table that can be read; the sentence says what to do."""


@dataclass(frozen=True)
class Line:
    """One line of a sheet below its head; `number` counts lines of the file from 1. `trouble` is why it is none."""

    number: int
    cells: tuple[str, ...]
    trouble: str | None = None


@dataclass(frozen=True)
class Sheet:
    """A table: its columns, and its lines, read anew each time they are asked for, so that none is kept."""

    path: Path
    name: str
    columns: tuple[str, ...]
    encoding: str
    delimiter: str
    notices: tuple[str, ...] = ()

    def lines(self) -> Iterator[Line]:
        """Yield the lines below the head; empty ones are left out."""
        with self.path.open(encoding=self.encoding, newline="", errors="strict") as file:
            # A NUL ends nothing here: the csv module of Python 3.11 takes it as any other character.
            reader = csv.reader(file, delimiter=self.delimiter)
            started = 1
            head = True
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield Line(started, (), f"It cannot be read: {error}.")
                    started = reader.line_num + 1
                    continue
                number, started = started, reader.line_num + 1
                if head:
                    head = False
                elif any(cell.strip() for cell in cells):
                    yield self._line(number, cells)

    def _line(self, number: int, cells: list[str]) -> Line:
        if len(cells) > len(self.columns) and any(cell.strip() for cell in cells[len(self.columns) :]):
            return Line(number, (), f"It has {len(cells)} cells, the head {len(self.columns)}.")
        padded = [*cells, *[""] * len(self.columns)][: len(self.columns)]
        return Line(number, tuple(cell.strip() for cell in padded))

    def sha256(self) -> str:
        """Return the sha256 of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def open_sheet(path: Path, name: str | None = None) -> Sheet:
    """Look at a CSV file: its encoding, its delimiter and its columns.

    Raises
    ------
    SheetRefused
        If it is no table: a spreadsheet's own format, empty, without a head, too large, or in no encoding that is known.
    """
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise SheetRefused(
            f"The table has {size / 1e6:.0f} MB; at most {LARGEST_BYTES / 1e6:.0f} MB are read. Divide it."
        )
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head.strip():
        raise SheetRefused("The table is empty.")
    if head[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise SheetRefused("This is a spreadsheet. Save it as CSV (UTF-8) and choose that file.")
    encoding = _encoding(path, head)
    notices: tuple[str, ...] = ()
    if encoding == "cp1252":
        notices = ("The table is not in UTF-8 and is read as Windows-1252: look whether names are right.",)
    with path.open(encoding=encoding, newline="", errors="strict") as file:
        first = file.readline(_HEAD_BYTES)
        # A separator may be said in a line of its own, as spreadsheets write it; it would be no head.
        if first.lower().startswith("sep="):
            raise SheetRefused("Its first line says only what stands between cells. Take that line out.")
        delimiter = max(_DELIMITERS, key=first.count)
        file.seek(0)
        try:
            columns = next(csv.reader(file, delimiter=delimiter))
        except (StopIteration, csv.Error) as error:
            raise SheetRefused("The first line cannot be read as names of columns.") from error
    while columns and not columns[-1].strip():
        columns.pop()
    names = [column.strip().lstrip("\ufeff") for column in columns]
    if not any(names) or len(names) > MOST_COLUMNS:
        raise SheetRefused("The first line has to name the columns.")
    # Two columns of one name are told apart by their place.
    told = [
        f"{column or 'column'} ({n})" if not column or names.count(column) > 1 else column
        for n, column in enumerate(names, 1)
    ]
    return Sheet(path, name or path.name, tuple(told), encoding, delimiter, notices)


def _encoding(path: Path, head: bytes) -> str:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            _check_reads(path, encoding)
            return encoding
    if b"\0" in head:
        raise SheetRefused("This is no table of text. Save it as CSV (UTF-8) and choose that file.")
    for encoding in ("utf-8", "cp1252"):
        try:
            with path.open(encoding=encoding, newline="") as file:
                _check_lines(file)
        except UnicodeError:
            continue
        return encoding
    raise SheetRefused(_NO_ENCODING)


def _check_lines(file: TextIO) -> None:
    """Read a file to its end; raises `SheetRefused` for a line that no table has, which would be held in memory whole."""
    since = 0
    while block := file.read(1 << 20).replace("\r", "\n"):
        first = block.find("\n")
        if since + (first if first >= 0 else len(block)) > LONGEST_LINE:
            raise SheetRefused("A line of it is longer than those of any table. Save it as CSV (UTF-8) anew.")
        since = len(block) - 1 - block.rfind("\n") if first >= 0 else since + len(block)


def _check_reads(path: Path, encoding: str) -> None:
    try:
        with path.open(encoding=encoding, newline="") as file:
            _check_lines(file)
    except UnicodeError as error:
        raise SheetRefused(_NO_ENCODING) from error
