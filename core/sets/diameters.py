"""Tables of measured lesions: diameters of women's lesions at their visits, one row a lesion and visit (CSV)."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from core.rules.ages import DAYS_PER_MONTH
from core.rules.response import TARGETS_AN_ORGAN, TOO_SMALL_MM, LesionSize

__all__ = ["DiameterTable", "DiameterTableError", "MeasuredVisit", "read_diameters"]

LARGEST_MM = 500.0
"""A longer diameter is no lesion of a woman: it is a slip, or in another unit."""
KNOWN = ("patient_id", "months", "study_date", "lesion", "diameter_mm", "node", "organ")
_NEEDED = ("patient_id", "lesion", "diameter_mm")
_UNMEASURED = frozenset(("", "ne", "na", "n/a"))
_TOO_SMALL = frozenset(("too small to measure", "too small", "tstm"))
_TRUE, _FALSE = frozenset(("1", "true", "yes", "y")), frozenset(("0", "false", "no", "n", ""))
_MOST_SAID = 20
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class DiameterTableError(ValueError):
    """The table cannot be used; the message names each line and says what is wrong with it."""


@dataclass(frozen=True)
class MeasuredVisit:
    """A woman's lesions at one time: months since her first visit, or as the table has them, and the day if it is known."""

    months: float
    on: date | None
    lesions: tuple[LesionSize, ...]


@dataclass
class DiameterTable:
    """What a table holds: each woman's visits, oldest first, women as they come; and notices for who wrote it."""

    women: dict[str, list[MeasuredVisit]] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    line: int
    patient: str
    when: float | date
    size: LesionSize


def read_diameters(path: Path) -> DiameterTable:
    """Read a table with the columns ``patient_id, months|study_date, lesion, diameter_mm[, node][, organ]``.

    `diameter_mm` is the longest diameter, of a node (``node`` 1 or 0) the short axis. An empty cell (or NE, NA) was not
    measured, 0 is gone, "too small to measure" is 5 mm. `organ` is the breast, of a node its lymph nodes, where none is
    said. Columns are divided by comma, semicolon or tab; with a semicolon or tab the decimal sign may be a comma.

    Raises
    ------
    DiameterTableError
        If the file cannot be read, lacks a column or has no rows, or a row is not what it should be.
    """
    reader, delimiter = _reader(path)
    table = DiameterTable()
    columns = _columns(reader, path, table)
    wrong: list[str] = []
    rows: list[_Row] = []
    lines: list[tuple[int, dict[str, str]]] = []
    for number, cells in _lines(reader, path):
        if len(cells) != len(columns):
            wrong.append(f"line {number}: {len(cells)} cells, the header has {len(columns)}")
        else:
            lines.append((number, dict(zip(columns, cells, strict=True))))
    time = _time_column(columns, lines, table, wrong)
    for number, cells_by_name in lines:
        try:
            rows.append(_row(number, cells_by_name, time, decimal_comma=delimiter != ","))
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
    wrong += _contradictions(rows)
    if wrong:
        wrong.sort(key=_line_of)
        more = f"; and {len(wrong) - _MOST_SAID} more" if len(wrong) > _MOST_SAID else ""
        raise DiameterTableError(f"{path}: {'; '.join(wrong[:_MOST_SAID])}{more}. Correct the table.")
    if not rows:
        raise DiameterTableError(f"{path} has no rows: there is nothing to say.")
    by_woman: dict[str, list[_Row]] = {}
    for row in rows:
        by_woman.setdefault(row.patient, []).append(row)
    table.women = {patient: _visits(hers) for patient, hers in by_woman.items()}
    if "organ" not in columns and any(_has_many(visits) for visits in table.women.values()):
        table.notices.append(
            "No column organ: lesions count as of the breast, nodes as lymph nodes; the two largest of each are followed."
        )
    return table


def _reader(path: Path) -> tuple[Any, str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DiameterTableError(f"{path} cannot be read: {error.strerror or error}.") from error
    encoding = next((name for bom, name in _BOMS.items() if data.startswith(bom)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DiameterTableError(f"{path}, line {line}: this is not UTF-8. Save it as CSV UTF-8.") from error
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        raise DiameterTableError(f"{path}, line {line}: there is a NUL character. This is no CSV file.")
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), delimiter


def _columns(reader: Any, path: Path, table: DiameterTable) -> list[str]:
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
    except csv.Error as error:
        raise DiameterTableError(f"{path}, line 1: this is no CSV ({error}).") from error
    missing = [name for name in _NEEDED if name not in columns]
    if not {"months", "study_date"} & set(columns):
        missing.insert(1 if "patient_id" in missing else 0, "months or study_date")
    if missing:
        raise DiameterTableError(
            f"{path} lacks the column {', '.join(missing)}. See python -m core response --help."
        )
    twice = sorted({name for name in columns if name in KNOWN and columns.count(name) > 1})
    if twice:
        raise DiameterTableError(f"{path}, line 1: the column {', '.join(twice)} stands there twice.")
    unknown = [name or "(no name)" for name in columns if name not in KNOWN]
    if unknown:
        table.notices.append(f"Columns that are not used: {', '.join(unknown)}.")
    return columns


def _lines(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows with the line on which each begins; the header is line 1."""
    before = reader.line_num
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield before + 1, [cell.strip() for cell in cells]
            before = reader.line_num
    except csv.Error as error:
        raise DiameterTableError(f"{path}, line {before + 1}: this is no CSV ({error}).") from error


def _time_column(
    columns: Sequence[str],
    lines: Sequence[tuple[int, Mapping[str, str]]],
    table: DiameterTable,
    wrong: list[str],
) -> str:
    """Return which column says when; where both are there, one of them has to say it for all rows."""
    both = [name for name in ("months", "study_date") if name in columns]
    if len(both) == 1:
        return both[0]
    for name, other in (both, both[::-1]):
        if all(row[name] for _, row in lines):
            if any(row[other] for _, row in lines):
                table.notices.append(f"Both months and study_date are there: {name} is used.")
            return name
    wrong += [
        f"line {line}: it has no {both[0]}, and other rows no {both[1]}: say the time in one column for all rows"
        for line, row in lines
        if not row[both[0]]
    ]
    return both[0]


def _row(line: int, row: Mapping[str, str], time: str, *, decimal_comma: bool) -> _Row:
    for name in ("patient_id", "lesion", time):
        if not row[name]:
            raise ValueError(f"{name} is empty")
    when = _day(row[time]) if time == "study_date" else _number(row[time], "months", decimal_comma)
    size = LesionSize(
        row["lesion"],
        _diameter(row["diameter_mm"], decimal_comma),
        _is_node(row.get("node", "")),
        row.get("organ", "").lower(),
    )
    return _Row(line, row["patient_id"], when, size)


def _number(text: str, name: str, decimal_comma: bool) -> float:
    plain = text.replace(",", ".") if decimal_comma and re.fullmatch(r"[+-]?\d*,\d+", text) else text
    # Python reads 1_000 and the digits of every script as numbers; a table of measurements means something else by them.
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", plain, re.ASCII):
        raise ValueError(f"{name} “{text[:40]}” is not a number")
    number = float(plain)
    if not math.isfinite(number):
        raise ValueError(f"{name} “{text[:40]}” is not a number")
    return number


def _diameter(text: str, decimal_comma: bool) -> float | None:
    said = " ".join(text.lower().split())
    if said in _UNMEASURED:
        return None
    if said in _TOO_SMALL:
        return TOO_SMALL_MM
    number = _number(text, "diameter_mm", decimal_comma)
    if number < 0:
        raise ValueError(f"diameter_mm {text} is below 0")
    if number > LARGEST_MM:
        raise ValueError(f"diameter_mm {text} is more than {LARGEST_MM:.0f} mm: is it in mm?")
    return number + 0.0


def _is_node(text: str) -> bool:
    said = text.lower()
    if said in _TRUE:
        return True
    if said in _FALSE:
        return False
    raise ValueError(f"node “{text[:40]}” is neither 1 nor 0")


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise ValueError(f"study_date “{text[:40]}” is not a date such as 2025-03-14")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"study_date “{text}” is no day of the calendar") from error


def _contradictions(rows: Sequence[_Row]) -> list[str]:
    """Say which rows name a lesion twice at one time, or say of a lesion what another row denies."""
    wrong = []
    seen: dict[tuple[str, float | date, str], int] = {}
    kind: dict[tuple[str, str], _Row] = {}
    for row in rows:
        key = row.patient, row.when, row.size.lesion
        if key in seen:
            wrong.append(f"line {row.line}: the same lesion at the same time as in line {seen[key]}")
        seen.setdefault(key, row.line)
        first = kind.setdefault((row.patient, row.size.lesion), row)
        if row.size.node != first.size.node:
            wrong.append(f"line {row.line}: another node than in line {first.line} for the same lesion")
        if row.size.organ and first.size.organ and row.size.organ != first.size.organ:
            wrong.append(f"line {row.line}: another organ than in line {first.line} for the same lesion")
    return wrong


def _has_many(visits: Sequence[MeasuredVisit]) -> bool:
    """Say whether a visit has more lesions of a kind than are followed in one organ."""
    return any(
        sum(one.node is node for one in visit.lesions) > TARGETS_AN_ORGAN
        for visit in visits
        for node in (True, False)
    )


def _line_of(sentence: str) -> int:
    found = re.match(r"line (\d+)", sentence)
    return int(found[1]) if found else 0


def _visits(rows: Sequence[_Row]) -> list[MeasuredVisit]:
    by_time: dict[float | date, list[LesionSize]] = {}
    for row in rows:
        by_time.setdefault(row.when, []).append(row.size)
    times = sorted(by_time)  # all of them days, or none
    first = times[0]
    visits = []
    for when in times:
        lesions = tuple(by_time[when])
        if isinstance(when, date) and isinstance(first, date):
            visits.append(MeasuredVisit(round((when - first).days / DAYS_PER_MONTH, 2), when, lesions))
        elif not isinstance(when, date):
            visits.append(MeasuredVisit(when, None, lesions))
    return visits
