"""Tables as files: CSV that no spreadsheet runs, and Parquet that says what it is."""

from __future__ import annotations

import io
from pathlib import PurePath

import polars as pl

from core.records import csv

__all__ = ["csv_of", "file_name", "parquet_of"]

NOTE = "longview"
"""The key under which a Parquet file says what its table is."""


def csv_of(table: pl.DataFrame, *, note: str = "") -> bytes:
    """Return a table as CSV, UTF-8: words in quotes and harmless in every spreadsheet, numbers as numbers, missing empty.

    `note` stands as a first line that begins with ``#``.
    """
    safe = table.with_columns(pl.selectors.float().fill_nan(None)).with_columns(
        pl.Series(name, [None if cell is None else _plain(cell) for cell in table[name]], dtype=pl.String)
        for name, kind in table.schema.items()
        if not (kind.is_numeric() or kind.is_temporal() or kind == pl.Boolean)
    )
    safe = safe.rename({name: csv.harmless(name) for name in safe.columns})
    text = safe.write_csv(quote_style="non_numeric", line_terminator="\n", null_value="")
    head = f"{csv.harmless('# ' + ' '.join(note.split()))}\n" if note else ""
    return (head + text).encode()


def parquet_of(table: pl.DataFrame, *, note: str = "") -> bytes:
    """Return a table as Parquet; `note` stands in its metadata under ``longview``. The same table gives the same bytes."""
    file = io.BytesIO()
    table.write_parquet(file, compression="zstd", metadata={NOTE: note})
    return file.getvalue()


def file_name(*parts: str, suffix: str) -> str:
    """Return a name for a download that every file system takes: letters, digits and hyphens."""
    words = "-".join("".join(c if c.isalnum() and c.isascii() else " " for c in part) for part in parts)
    return str(PurePath("-".join(words.replace("-", " ").split()).lower() or "table").with_suffix(suffix))


def _plain(cell: object) -> str:
    if isinstance(cell, pl.Series | list | tuple):
        return "; ".join(csv.harmless(str(one)) for one in cell)
    return csv.harmless(str(cell)).replace("\r\n", "\n").replace("\r", " ")
