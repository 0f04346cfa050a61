"""Two cohorts side by side: the one that is defined on the left, and a saved one."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import streamlit as st

from core import cohorts
from core.cohorts import Selection, who
from core.cohorts.seeing.courses import Anchor
from core.cohorts.seeing.risks import When
from dashboard import look, session
from dashboard.cohort import see
from dashboard.cohort.asking import why_withheld
from dashboard.cohort.figure import About, figure, slot
from dashboard.cohort.who import JOINED
from dashboard.house import here


def show(selection: Selection) -> None:
    """Show what both are, then the same figures of each."""
    person = session.person()
    saved = [one for one in cohorts.cohorts_of(here(), person) if one.definition is not None]
    if not saved:
        look.show(
            '<div class="lv-empty"><b>Nothing to compare with yet</b>Define a cohort on the left and save it; then define '
            "another one, and choose the first here.</div>"
        )
        return
    chosen = st.selectbox(
        "Compare with", saved, index=None, format_func=lambda one: look.plain(one.label), placeholder="a saved cohort", key="beside",
    )  # fmt: skip
    if chosen is None or chosen.definition is None:
        return
    other = cohorts.select(selection.frame, chosen.definition)
    if why := why_withheld(person, other):
        look.show(f'<div class="lv-empty"><b>Nothing is shown of that one</b>{look.safe(why)}</div>')
        return
    _table(selection, other, chosen.name)
    names = {"left": "Defined on the left", "right": chosen.name}
    _row(selection, other, lambda _, place: look.heading(names[place]))
    _row(selection, other, lambda one, _: see.risk_figure(one, When.ENTRY))
    _row(
        selection,
        other,
        lambda one, _: see.course_figure(one, Anchor.ENTRY, same=False, single=None, narrow=True),
    )
    _row(selection, other, lambda one, _: see.slopes_figure(one))
    _row(selection, other, lambda one, _: see.density_part(one, narrow=True))


def _row(selection: Selection, other: Selection, show_one: Callable[[Selection, str], None]) -> None:
    """Show the same of both beside each other; `show_one` takes the cohort and the name of its place."""
    for column, one, place in zip(st.columns(2), (selection, other), ("left", "right"), strict=True):
        with column, slot(place):
            show_one(one, place)


def _table(selection: Selection, other: Selection, name: str) -> None:
    ours, theirs = who.described(selection), who.described(other)
    both = ours.join(
        theirs, on=["of", "band"], how="full", coalesce=True, suffix="_other", maintain_order="left_right"
    )
    order = {label: place for place, label in enumerate(dict.fromkeys([*ours["of"], *theirs["of"]]))}
    both = both.sort(pl.col("of").replace_strict(order, return_dtype=pl.Int64), maintain_order=True).rename(
        {
            "women": "women, left",
            "share": "share, left",
            "women_other": "women, right",
            "share_other": "share, right",
        }
    )
    figure(
        selection,
        "How do the two cohorts differ?",
        None,
        both,
        About(
            "Everything that women can be chosen by here, of both cohorts: on the left the one that is defined there, on the right "
            f"“{name}”.",
            f"One count a woman, at the visit that she enters with. {JOINED} Where neighbours are joined in one cohort and not in the "
            "other, each has a row of its own.",
            f"Right: {other.sentence}. Women may be in both.",
            "A difference is not tested, and women who are in both make the cohorts alike.",
        ),
        name="compared",
        counted=f"{selection.sentence}; beside {other.sentence}",
    )
