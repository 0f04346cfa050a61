"""What a cell says, by the type of its field; a cell that cannot be meant raises `ValueError` with a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from core.images import shown_name
from core.rules import managements
from core.rules.vocabulary import BI_RADS, DENSITIES
from core.sheets.columns import DateOrder
from core.sheets.fields import FieldType
from db.tables import EventKind, EventResult

LONGEST = {FieldType.MRN: 64, FieldType.NAME: 256, FieldType.TEXT: 10_000}
EMPTY = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "–", "unknown", "?", "#n/a"})
_YES = frozenset({"1", "y", "yes", "true", "ja", "oui", "si", "sí"})
_NO = frozenset({"0", "n", "no", "false", "nein", "non"})
_SIDES = {"l": "L", "left": "L", "links": "L", "r": "R", "right": "R", "rechts": "R", "both": "B", "b": "B"}
_SEXES = {"f": "F", "female": "F", "w": "F", "m": "M", "male": "M", "o": "O", "other": "O"}
_RESULTS = {"high risk": "high-risk", "b2": "benign", "b3": "high-risk", "b5": "malignant"}
_EARLIEST = date(1900, 1, 1)
_SLASHED = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})(?:[ T].*)?")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})(?:[ T].*)?")
_NAMED = ("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y")


def said(cell: str, type: FieldType, dates: DateOrder | None) -> Any:
    """Return what a cell says: text, date, number, truth or code; None where it says nothing.

    Raises
    ------
    ValueError
        If it cannot be meant.
    """
    if cell.casefold() in EMPTY and type is not FieldType.TEXT:
        return None
    if not cell:
        return None
    if type is FieldType.DATE:
        return date_said(cell, dates)
    return _READ[type](cell)


def date_said(cell: str, dates: DateOrder | None) -> date:
    """Return a date; of 03/04/2020 only with the order said. Years have four digits."""
    try:
        found = _date(cell, dates)
    except ValueError as error:
        raise ValueError(f"“{_short(cell)}” is no date. Write 2024-03-15.") from error
    if not _EARLIEST <= found <= date.today() + timedelta(days=1):
        raise ValueError(f"{found} lies before 1900 or has not come yet.")
    return found


def _date(cell: str, dates: DateOrder | None) -> date:
    if match := _YEAR_FIRST.fullmatch(cell):
        return date(int(match[1]), int(match[2]), int(match[3]))
    if match := _SLASHED.fullmatch(cell):
        first, second, year = (int(part) for part in match.groups()[:3])
        if first == second:
            return date(year, first, second)
        if dates is None:
            raise ValueError("day or month first?")
        return date(year, second, first) if dates is DateOrder.DAY_FIRST else date(year, first, second)
    for form in _NAMED:
        try:
            return datetime.strptime(cell, form).date()
        except ValueError:
            continue
    raise ValueError(cell)


def _text(most: int) -> Callable[[str], str]:
    def read(cell: str) -> str:
        if len(cell) > most:
            raise ValueError(f"It has {len(cell)} characters; at most {most} are kept.")
        return cell

    return read


def _identifier(cell: str) -> str:
    text = _text(LONGEST[FieldType.MRN])(cell)
    if not text.isprintable():
        raise ValueError("It holds characters that nobody sees.")
    if re.fullmatch(r"\d(\.\d+)?[eE]\+\d+", text):
        raise ValueError(f"“{text}” is a number that a spreadsheet shortened. Export the column as text.")
    return text


def _name(cell: str) -> str | None:
    text = _text(LONGEST[FieldType.NAME])(cell)
    if not text.isprintable():
        raise ValueError("It holds characters that nobody sees.")
    return (shown_name(text) or None) if "^" in text else text


def _one_of(words: dict[str, Any], what: str) -> Callable[[str], Any]:
    def read(cell: str) -> Any:
        key = cell.strip().casefold()
        if key not in words:
            shown = "; ".join(dict.fromkeys(str(word) for word in words if len(str(word)) > 1))
            raise ValueError(f"“{_short(cell)}” is no {what}. Write one of: {shown}.")
        return words[key]

    return read


def _bmi(cell: str) -> float:
    try:
        value = float(cell.replace(",", "."))
    except ValueError as error:
        raise ValueError(f"“{_short(cell)}” is no number.") from error
    if not 10 <= value <= 100:
        raise ValueError(f"A BMI of {cell} cannot be: it is 10 to 100 kg/m².")
    return value


def _count(cell: str) -> int:
    number = cell.removesuffix(".0")
    if not (number.isascii() and number.isdecimal() and int(number) <= 30):
        raise ValueError(f"“{_short(cell)}” is no number of relatives.")
    return int(number)


def _yes_no(cell: str) -> bool:
    key = cell.casefold().removesuffix(".0")
    if key in _YES:
        return True
    if key in _NO:
        return False
    raise ValueError(f"“{_short(cell)}” is neither yes nor no.")


def _bi_rads(cell: str) -> str:
    key = re.sub(r"^\s*bi-?rads\s*", "", cell, flags=re.IGNORECASE).strip().upper().removesuffix(".0")
    if key not in BI_RADS and key != "4":
        raise ValueError(f"“{_short(cell)}” is no BI-RADS category. Categories are {', '.join(BI_RADS)}.")
    return key


def _density(cell: str) -> str:
    key = re.sub(r"^\s*(acr|density)\s*", "", cell, flags=re.IGNORECASE).strip().upper().removesuffix(".0")
    key = {"1": "A", "2": "B", "3": "C", "4": "D"}.get(key, key)
    if key not in DENSITIES:
        raise ValueError(f"“{_short(cell)}” is no density. Densities are A to D, or 1 to 4.")
    return key


def _management(cell: str) -> str:
    words = managements()
    return str(
        _one_of(
            {**{key: key for key in words}, **{said.casefold(): key for key, said in words.items()}},
            "management",
        )(cell)
    )


def _offered(words: dict[str, Any]) -> str:
    """Return each meaning once, by the first word of more than one letter that means it."""
    first: dict[Any, str] = {}
    for word, meaning in words.items():
        if len(word) > 1:
            first.setdefault(meaning, word)
    return "; ".join(first.values())


def what_may_be_said(type: FieldType) -> str:
    """Return in words what a cell of a type may say: for whoever fills in a table."""
    return _OFFERED[type]


def _short(cell: str) -> str:
    shown = cell if len(cell) <= 40 else f"{cell[:40]}…"
    return "".join(one if one.isprintable() else "\ufffd" for one in shown)


_EVENTS = {one.value: one for one in EventKind}
_RESULTS_SAID = {one.value: one for one in EventResult} | {k: EventResult(v) for k, v in _RESULTS.items()}
_READ: dict[FieldType, Callable[[str], Any]] = {
    FieldType.MRN: _identifier,
    FieldType.NAME: _name,
    FieldType.TEXT: _text(LONGEST[FieldType.TEXT]),
    FieldType.SEX: _one_of(_SEXES, "sex"),
    FieldType.SIDE: _one_of(_SIDES, "side"),
    FieldType.BMI: _bmi,
    FieldType.COUNT: _count,
    FieldType.YES_NO: _yes_no,
    FieldType.EVENT: _one_of(_EVENTS, "event"),
    FieldType.RESULT: _one_of(_RESULTS_SAID, "result"),
    FieldType.BI_RADS: _bi_rads,
    FieldType.DENSITY: _density,
    FieldType.MANAGEMENT: _management,
}
_OFFERED: dict[FieldType, str] = {
    FieldType.MRN: f"up to {LONGEST[FieldType.MRN]} characters, kept as they are written",
    FieldType.NAME: f"up to {LONGEST[FieldType.NAME]} characters",
    FieldType.TEXT: f"up to {LONGEST[FieldType.TEXT]:,} characters",
    FieldType.DATE: "2024-03-15, 15 Mar 2024 or 15/03/2024; years have four digits",
    FieldType.SEX: _offered(_SEXES),
    FieldType.SIDE: _offered(_SIDES),
    FieldType.BMI: "10 to 100",
    FieldType.COUNT: "0 to 30",
    FieldType.YES_NO: "yes or no, 1 or 0",
    FieldType.EVENT: _offered(_EVENTS),
    FieldType.RESULT: _offered(_RESULTS_SAID),
    FieldType.BI_RADS: "; ".join(BI_RADS),
    FieldType.DENSITY: "A to D, or 1 to 4",
    FieldType.MANAGEMENT: "; ".join(words for words in managements().values() if words not in EMPTY),
}
