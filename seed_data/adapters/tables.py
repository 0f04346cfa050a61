"""Tables as public data sets publish them: CSV from many hands, and Excel's .xlsx."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from seed_data.adapters.public_set import Account, WrongLayout

__all__ = ["Row", "find", "folders_within", "read_table"]

_DELIMITERS = (",", ";", "\t")
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LONGEST_SHEET_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: where it stands, and its values by the names that were asked for, trimmed."""

    where: str
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]


def folders_within(src: Path, depth: int, *, whole: re.Pattern[str] | None = None) -> Iterator[Path]:
    """Yield a folder and those in it down to `depth`, by name, hidden ones left out.

    What lies in a folder whose name matches `whole` is not looked at.
    """
    yield src
    if depth == 0 or (whole is not None and whole.fullmatch(src.name)):
        return
    for inner in sorted(one for one in src.iterdir() if one.is_dir() and not one.name.startswith(".")):
        yield from folders_within(inner, depth - 1, whole=whole)


def find(src: Path, names: Sequence[str], *, depth: int = 1) -> Path | None:
    """Return the first of these files in the folder or, down to `depth`, in those within; None if there is none."""
    for folder in folders_within(src, depth):
        for name in names:
            if (folder / name).is_file():
                return folder / name
    return None


def read_table(
    path: Path, required: Sequence[str], optional: Sequence[str] = (), *, account: Account
) -> Iterator[Row]:
    """Read the columns asked for from a CSV or .xlsx table.

    Column names are compared without regard to case, blanks and underscores. Commas, semicolons and tabs are
    understood. Rows with more fields than the header are left out and recorded; rows without any value are passed
    over. An optional column that is missing gives empty values.

    Raises
    ------
    WrongLayout
        If the file cannot be read as a table, or lacks a required column.
    """
    lines = _xlsx(path) if path.suffix.lower() == ".xlsx" else _csv(path, required)
    try:
        _, header = next(lines)
    except StopIteration:
        raise WrongLayout(f"{path} is empty.") from None
    places = {_plain(name): place for place, name in reversed(list(enumerate(header)))}
    missing = [name for name in required if _plain(name) not in places]
    if missing:
        raise WrongLayout(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}. "
            f"It has: {', '.join(name for name in header[:40] if name) or 'none'}."
        )
    chosen = {name: places[_plain(name)] for name in (*required, *optional) if _plain(name) in places}
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{path.name}, line {line}"
        if len(cells) > len(header):
            account.leave_out(where, "the row has more fields than the header", cells[0][:80])
            continue
        values = dict.fromkeys((*required, *optional), "")
        for name, place in chosen.items():
            if place < len(cells):
                values[name] = cells[place].strip()
        yield Row(where, values)


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name.replace("﻿", "")).strip().casefold()


def _csv(path: Path, required: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            wanted = {_plain(name) for name in required}
            delimiter = max(
                _DELIMITERS,
                key=lambda mark: len(wanted & {_plain(n.strip('"')) for n in head.split(mark)}),
            )
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter)
            line = 1
            for cells in reader:
                yield line, cells
                line = reader.line_num + 1
    except FileNotFoundError as error:
        raise WrongLayout(f"There is no file {path}.") from error
    except UnicodeDecodeError as error:
        raise WrongLayout(f"{path} is not UTF-8. Save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise WrongLayout(f"{path} is not a CSV file: {error}.") from error


def _xlsx(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of the first sheet of a workbook (ECMA-376: zipped XML, texts shared in a table of their own)."""
    try:
        with zipfile.ZipFile(path) as book:
            texts = [
                "".join(part.text or "" for part in entry.iter(f"{_SHEET}t"))
                for entry in _parts(book, "xl/sharedStrings.xml", "si")
            ]
            sheets = sorted(
                (n for n in book.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", n)),
                key=lambda name: (len(name), name),
            )
            if not sheets:
                raise WrongLayout(f"{path} holds no sheet. Save it as CSV in UTF-8.")
            for number, entry in enumerate(_parts(book, sheets[0], "row"), start=1):
                cells: list[str] = []
                for cell in entry.iter(f"{_SHEET}c"):
                    place = _column(cell.get("r") or "", len(cells))
                    cells += [""] * (place + 1 - len(cells))
                    cells[place] = _cell(cell, texts)
                yield int(entry.get("r") or number), cells
    except FileNotFoundError as error:
        raise WrongLayout(f"There is no file {path}.") from error
    except (zipfile.BadZipFile, ElementTree.ParseError, KeyError, ValueError, OSError) as error:
        if isinstance(error, WrongLayout):
            raise
        raise WrongLayout(f"{path} is not an Excel workbook. Save it as CSV in UTF-8.") from error


def _parts(book: zipfile.ZipFile, name: str, tag: str) -> Iterator[ElementTree.Element]:
    if name not in book.namelist():
        return
    if book.getinfo(name).file_size > _LONGEST_SHEET_BYTES:
        raise ValueError("The sheet is too large.")
    with book.open(name) as file:
        data = file.read(_LONGEST_SHEET_BYTES + 1)
    # Tables need no document type; with none, no entity can be declared to swell or to reach for other files.
    if b"<!DOCTYPE" in data:
        raise ValueError("The sheet declares a document type.")
    yield from ElementTree.parse(io.BytesIO(data)).getroot().iter(f"{_SHEET}{tag}")  # noqa: S314 - see above


def _column(reference: str, following: int) -> int:
    letters = re.match(r"[A-Z]{1,3}", reference)
    if letters is None:
        return following
    place = 0
    for letter in letters[0]:
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def _cell(cell: ElementTree.Element, texts: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(part.text or "" for part in cell.iter(f"{_SHEET}t"))
    value = cell.find(f"{_SHEET}v")
    text = (value.text or "") if value is not None else ""
    return texts[int(text)] if cell.get("t") == "s" and text else text
