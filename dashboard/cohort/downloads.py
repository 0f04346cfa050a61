"""What can be taken away of a figure: its numbers, and its picture with what it is of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl
import streamlit as st

from core.cohorts import Definition
from core.cohorts.away import made, page, tables
from core.cohorts.away.told import STATEMENT, Told
from dashboard import components, handing
from dashboard.charts.template import Figure
from dashboard.house import here

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
    def told(self) -> Told:
        """Return it as files have it."""
        return Told(self.name, self.question, self.counted, self.about, self.table, self.drawn)


def offer(taken: Taken) -> None:
    """Show the button under which the files are; each is made when it is asked for."""
    told = taken.told
    with st.popover("Take away", icon=":material/download:", help="Take away", width="content"):
        for label, kind, suffix, make in (
            ("Numbers as CSV", "text/csv", "csv", lambda: tables.csv_of(told.table, note=told.caption)),
            (
                "Numbers as Parquet", "application/vnd.apache.parquet", "parquet",
                lambda: tables.parquet_of(told.table, note=told.caption),
            ),
            ("Page with the figure (HTML)", "text/html", "html", lambda: _page(taken)),
        ):  # fmt: skip
            handing.download_button(
                label,
                make,
                file_name=f"{taken.stem}.{suffix}",
                mime=kind,
                key=f"download_{taken.name}" if suffix == "csv" else f"download_{suffix}_{taken.name}",
                on_click="ignore",
                width="stretch",
            )
        if taken.drawn is not None:
            components.take_picture(
                figure=f"figure_{taken.name}",
                file=taken.stem,
                question=taken.question,
                counted=taken.counted,
                beneath=f"{_what(told)} {STATEMENT} Longview {made.release()}, {date.today().isoformat()}.",
                key=f"picture_{taken.name}",
            )


def _what(told: Told) -> str:
    return told.explained[0][1] if told.explained else ""


def _page(taken: Taken) -> bytes:
    """Return the figure as a page of its own."""
    told = taken.told
    about = made.made_of(here(), taken.definition, told.counted, date.today())
    return page.render(told.question, about, [page.Section("", [told])])
