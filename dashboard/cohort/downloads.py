"""What can be taken away of a figure: its numbers, and its picture with what it is of."""

from __future__ import annotations

import io
from dataclasses import dataclass

import polars as pl
import streamlit as st

from core.cohorts import Definition
from core.records import csv
from dashboard.charts.template import Figure

__all__ = ["Taken", "offer"]


@dataclass(frozen=True)
class Taken:
    """A figure as it is handed out: all in it may be told."""

    definition: Definition
    question: str
    counted: str
    drawn: Figure | None
    table: pl.DataFrame
    about: list[tuple[str, str]]
    name: str

    @property
    def stem(self) -> str:
        """Return the name of its files, without what says their kind."""
        return f"longview-{self.name}-{self.definition.kind.name.lower()}"

    @property
    def caption(self) -> str:
        """Say what it is of, in one line."""
        return f"{self.question} {self.counted}. Research software, not for diagnosis."


def offer(taken: Taken) -> None:
    """Show the button under which the files are; each is made when it is asked for."""
    with st.popover("", icon=":material/download:", help="Take away", width="content"):
        st.download_button(
            "Numbers as CSV",
            lambda: csv.csv_of(taken.table.to_pandas(), note=taken.caption),
            file_name=f"{taken.stem}.csv",
            mime="text/csv",
            key=f"download_{taken.name}",
            on_click="ignore",
        )
        st.download_button(
            "Numbers as Parquet",
            lambda: _parquet(taken.table),
            file_name=f"{taken.stem}.parquet",
            mime="application/vnd.apache.parquet",
            key=f"download_parquet_{taken.name}",
            on_click="ignore",
        )


def _parquet(table: pl.DataFrame) -> bytes:
    into = io.BytesIO()
    table.write_parquet(into)
    return into.getvalue()
