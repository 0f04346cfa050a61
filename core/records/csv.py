"""Tables as CSV that no spreadsheet runs, by whatever separator it is opened and however a sign is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import pandas as pd


def csv_of(table: pd.DataFrame, *, note: str = "") -> bytes:
    """Return a table as CSV that no spreadsheet runs: risky cells get an apostrophe, numbers stay numbers."""
    safe = table.copy()
    for column in safe.columns:
        if safe[column].dtype.kind not in "biufM":
            safe[column] = safe[column].map(_harmless)
    safe.columns = [_harmless(column) for column in safe.columns]
    head = f"{harmless('# ' + ' '.join(note.split()))}\n" if note else ""
    return (head + safe.to_csv(index=False, lineterminator="\n")).encode()


def harmless(text: str) -> str:
    """Return a text with an apostrophe wherever a spreadsheet would begin a formula.

    That is at its start, and behind each character by which a file may be split into cells: comma, semicolon, bar,
    colon, tab, blank, the end of a line. Signs count as a reader sees them: full width, small, raised, and behind what
    is not seen.
    """
    if text.isascii() and text.isalnum():  # as most cells are
        return text
    found = _patterns()
    text = found.start.sub("'", text, count=1)
    return found.after_blank.sub("'", found.after_separator.sub(r"\1'\2", text))


def _harmless(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    # A writer does not quote a lone carriage return, and a spreadsheet ends the line there.
    return harmless(cell).replace("\r\n", "\n").replace("\r", " ")


class _Patterns(NamedTuple):
    """Where a cell begins a formula."""

    start: re.Pattern[str]
    after_separator: re.Pattern[str]
    after_blank: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    plane = [chr(code) for code in range(0x10000)]
    # By compatibility, and what is read as such a sign all the same: minus, hyphens, heavy plus and minus.
    signs = {one for one in plane if unicodedata.normalize("NFKC", one).lstrip()[:1] in tuple("=+-−@")}
    sign = f"[{_escaped(signs | set('−‐‑﹘➕➖'))}]"
    unseen = (
        _escaped(one for one in plane if unicodedata.category(one) in _UNSEEN_KINDS or one in _UNSEEN)
        + "\U000e0000-\U000e0fff"
    )
    # Quotes are taken off a cell before it is read.
    quotes = '"“”„'
    number = r"[-−]\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?(?![^\s,;|)\]}])"
    return _Patterns(
        start=re.compile(f"^(?=[{unseen}{quotes}]*{sign}|[\t\r\n])"),
        after_separator=re.compile(
            f"([,;|:\t\r\n\v\f\x85\u2028\u2029][{unseen}{quotes}]*)(?!{number})({sign})"
        ),
        after_blank=re.compile(f"(?<=[{unseen}])(?!{number})(?=[{quotes}]*{sign}\\S)"),
    )


_UNSEEN_KINDS = ("Cc", "Cf", "Zs", "Zl", "Zp")
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u3164\uffa0") | {
    chr(code) for code in range(0xFE00, 0xFE10)
}
"""What has no width though its category does not say so: fillers, variation selectors."""


def _escaped(characters: Iterable[str]) -> str:
    return "".join(re.escape(one) for one in sorted(characters))
