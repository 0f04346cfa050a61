"""A figure of the cohort page as it is taken away, with the words without which it would say less, or too much."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

__all__ = ["STATEMENT", "Told", "document_of", "sha256_of"]

STATEMENT = "Research software, not for diagnosis."


@dataclass(frozen=True)
class Told:
    """One figure: its question, who is counted (with n and definition), and what explains it, each part under its heading.

    `figure` is Plotly's JSON (`data`, `layout`), None where only the table tells; `table` the numbers behind it.
    """

    name: str
    question: str
    counted: str
    explained: Sequence[tuple[str, str]]
    table: pl.DataFrame
    figure: Mapping[str, Any] | None = None

    @property
    def caption(self) -> str:
        """Return the line that goes with a picture of it."""
        return f"{self.question} {self.counted}. {STATEMENT}"


def document_of(figure: Mapping[str, Any]) -> str:
    """Return a figure as JSON that can stand inside HTML; keys in the order of the figure, what is not finite as null."""
    # Plotly's own encoder knows numpy, dates and what is missing. Imported here: it takes a second.
    from plotly.utils import PlotlyJSONEncoder

    plain = json.loads(json.dumps(figure, cls=PlotlyJSONEncoder))
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def sha256_of(document: Any) -> str:
    """Return the hash of a document as JSON with its keys in order: the same query has the same hash."""
    import hashlib

    return hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
