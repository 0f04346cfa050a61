"""Tables as CSV that no spreadsheet runs."""

from __future__ import annotations

import pandas as pd

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet runs a cell that begins like this (OWASP, CSV injection)."""


def csv_of(table: pd.DataFrame, *, note: str = "") -> bytes:
    """Return a table as CSV that no spreadsheet runs: risky cells get an apostrophe, numbers stay numbers."""
    safe = table.copy()
    for column in safe.columns:
        if safe[column].dtype.kind not in "biufM":
            safe[column] = safe[column].map(_harmless)
    safe.columns = [_harmless(column) for column in safe.columns]
    head = f"{_harmless('# ' + note)}\n" if note else ""
    return (head + safe.to_csv(index=False, lineterminator="\n")).encode()


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
