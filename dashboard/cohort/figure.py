"""A figure of the cohort page: its question, who is counted, what it is and is not, its numbers to take away."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import polars as pl
import streamlit as st

from core.cohorts import Selection
from dashboard import look
from dashboard.charts.template import Figure
from dashboard.cohort import downloads, recorded
from dashboard.drawing import draw

__all__ = ["About", "abreast", "empty", "figure", "note", "slot"]

_slot: ContextVar[str] = ContextVar("slot", default="")


@contextmanager
def slot(name: str) -> Iterator[None]:
    """Let figures of the same name stand on the page more than once: those within go by this place's name too."""
    before = _slot.set(f"-{name}")
    try:
        yield
    finally:
        _slot.reset(before)


@dataclass(frozen=True)
class About:
    """What a figure explains of itself, a sentence or two each.

    `what` is shown, `how` it was made (method and its source), `whom` it is of beside the definition, and what it does
    `not_mean`.
    """

    what: str
    how: str
    whom: str
    not_mean: str

    def rows(self, counted: str) -> list[tuple[str, str]]:
        """Return its parts in order, each with its name; `counted` says who is counted."""
        return [
            ("What", self.what),
            ("How", self.how),
            ("On whom", f"{counted}. {self.whom}".strip()),
            ("What it does not mean", self.not_mean),
        ]


def figure(
    selection: Selection,
    question: str,
    drawn: Figure | None,
    table: pl.DataFrame,
    about: About,
    *,
    name: str,
    counted: str = "",
    below: str = "",
) -> None:
    """Show a figure that stands alone.

    Parameters
    ----------
    question
        What it answers, as its title.
    drawn
        The figure; None shows the table itself.
    table
        Its numbers as they may be told (`core.cohorts.disclosure`): what is handed out.
    name
        Of its files and its place on the page; unlike that of any other figure.
    counted
        Who is counted, where that is not the whole selection.
    below
        What stands under it, as HTML of our own.
    """
    counted = counted or selection.sentence
    name += _slot.get()
    taken = downloads.Taken(selection.definition, question, counted, drawn, table, about.rows(counted), name)
    if recorded.take(taken):
        return
    with st.container(border=True, key=f"cohort_figure_{name}", height="stretch"):
        words, buttons = st.columns([5, 2], vertical_alignment="top", gap=None)
        with words:
            look.show(
                f'<p class="lv-question">{look.safe(question)}</p>'
                f'<p class="lv-subtitle">{look.safe(counted)}</p>'
            )
        with (
            buttons,
            st.container(
                horizontal=True, horizontal_alignment="right", gap="small", key=f"cohort_take_{name}"
            ),
        ):
            explain(about, counted)
            downloads.offer(taken)
        if drawn is None:
            _table(table)
        else:
            draw(drawn, key=f"figure_{name}", alt=f"{question} {counted}")
        if below:
            look.show(below)


def abreast(*draws: Callable[[], None]) -> None:
    """Draw figures two a row, each as high as the one beside it; a last one without a neighbour is as wide as both."""
    for pair in (draws[at : at + 2] for at in range(0, len(draws), 2)):
        for column, draw_one in zip(st.columns(len(pair)), pair, strict=True):
            with column:
                draw_one()


def explain(about: About, counted: str) -> None:
    """Show the button that says what a figure is and is not."""
    with st.popover(
        "About this figure",
        icon=":material/info:",
        help="What this is, and what it does not mean",
        width="content",
    ):
        look.show(
            "".join(
                f'<p class="lv-about"><b>{title}</b><br>{look.safe(said)}</p>'
                for title, said in about.rows(counted)
            )
        )


def empty(question: str, why: str) -> None:
    """Show, in the place of a figure, why there is none."""
    if recorded.note(f"{question} {why}"):
        return
    with st.container(border=True, height="stretch"):
        look.show(f'<p class="lv-question">{look.safe(question)}</p>')
        look.show(f'<div class="lv-empty">{look.safe(why)}</div>')


def note(sentence: str) -> None:
    """Say what is to be known of the figures that follow."""
    if recorded.note(sentence):
        return
    look.show(f'<p class="lv-note">{look.safe(sentence)}</p>')


def _table(table: pl.DataFrame) -> None:
    """Show a table; what a first column says again is left empty."""
    classes = [" class=n" if kind.is_numeric() else "" for kind in table.schema.values()]
    head = "".join(
        f"<th{kind}>{look.safe(column.replace('_', ' '))}</th>"
        for column, kind in zip(table.columns, classes, strict=True)
    )
    body, above = "", None
    for row in table.iter_rows():
        said = [_said(column, value) for column, value in zip(table.columns, row, strict=True)]
        shown = ["" if said[0] == above and not classes[0] else said[0], *said[1:]]
        above = said[0]
        cells = "".join(
            f"<td{kind}>{look.safe(cell)}</td>" for cell, kind in zip(shown, classes, strict=True)
        )
        body += f"<tr>{cells}</tr>"
    look.show(f'<table class="lv-table"><tr>{head}</tr>{body}</table>')


SMALLEST_SAID = 0.0001
ROUNDING = 1e-9
"""What is smaller is what computing leaves of nothing, such as the lower end of an interval of none."""


def _figures(value: float) -> str:
    """Say a number with three figures, those that are 0 too: 0.490 beside 0.518."""
    if not math.isfinite(value):
        return look.UNKNOWN
    if abs(value) < ROUNDING:
        value = 0.0
    if 0 < abs(value) < SMALLEST_SAID:
        return f"< {SMALLEST_SAID:g}" if value > 0 else f"−{SMALLEST_SAID:g} to 0"
    said = f"{value:,.0f}" if abs(value) >= 99.95 or not value else f"{value:#.3g}"
    return said.replace("-", "−")


def _said(column: str, value: object) -> str:
    if value is None:
        return look.UNKNOWN
    if isinstance(value, float):
        return look.percent(value) if column.startswith("share") else _figures(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
