"""The cohort page as a whole: the definition on the left, its parts on the right, of which only the open one is drawn."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.util import find_spec

import streamlit as st

from core import cohorts
from core.cohorts import Frame, Population, Selection, disclosure
from core.people import Permission, Person
from core.records import cards
from dashboard import look, session
from dashboard.cohort import define, keep, source
from dashboard.cohort.asking import why_withheld
from dashboard.house import here

PARTS: Mapping[str, str] = {
    "Who": "who",
    "Screens": "screens",
    "See": "see",
    "Compare": "compare",
    "Judge": "judge",
    "Watch": "watch",
    "What if": "what_if",
    "Readers": "readers",
    "Take away": "take_away",
}
"""The parts by their names, each a module of this room with ``show(selection)``; imported when it is opened."""


def show_page() -> None:
    """Show the page to whoever may see groups of women."""
    person = session.require(Permission.SEE_COHORT)
    left, right = st.columns([1, 4], gap="large")
    with left:
        look.title("Cohort")
        frame = source.choose()
    if not len(frame.women):
        look.show(
            '<div class="lv-empty"><b>No women yet</b>Figures appear when studies are scored. Load simulated women '
            "from a terminal: <code>python -m seed_data demo</code></div>"
        )
        st.stop()
    with left:
        live = st.container()
        wrong = keep.open_link(person)
        unknown = define.unknown_in_address(frame)
        saved = st.container()
        definition, slots = define.ask(frame)
    selection = cohorts.select(frame, definition)
    define.show_counts(selection, slots)
    with live:
        marked = look.badge(True) if definition.kind is not Population.REAL else ""
        look.show(f'<p style="margin:0"><span class="lv-big">{_many(selection)}</span> women{marked}</p>')
    with saved:
        keep.offer(person, definition, frame)
    with right:
        if wrong:
            look.show(f'<p class="lv-note alert">{look.safe(wrong)}</p>')
        if unknown:
            look.show(
                '<p class="lv-note alert">The link that you opened asks for what is not known here, and was followed without '
                f"it: {look.safe('; '.join(unknown))}.</p>"
            )
        _show_parts(person, selection)


def parts_of(frame: Frame) -> Mapping[str, str]:
    """Return the parts that the page has of these women, by their names."""
    return {
        name: module
        for name, module in PARTS.items()
        if find_spec(f"dashboard.cohort.{module}") and (module != "screens" or source.is_table(frame))
    }


def _many(selection: Selection) -> str:
    few_women = selection.n < disclosure.smallest_group()
    return selection.counted if few_women or not selection.withheld else look.UNKNOWN


def _show_parts(person: Person, selection: Selection) -> None:
    withheld = why_withheld(person, selection)
    if withheld:
        look.show(
            f'<div class="lv-empty"><b>Nothing is shown of this group</b>{look.safe(withheld)} '
            "Widen the definition on the left, or choose other women.</div>"
        )
        st.stop()
    definition = selection.definition
    if definition.kind is Population.BOTH:
        look.show(
            '<p class="lv-note alert">Simulated and real women are counted together in these figures.</p>'
        )
    names = list(parts_of(selection.frame))
    for tab, name in zip(
        st.tabs(names, key="part", on_change="rerun", bind="query-params"), names, strict=True
    ):
        if tab.open:
            with tab:
                importlib.import_module(f"dashboard.cohort.{PARTS[name]}").show(selection)
    name = cards.speaking(here())
    look.footer(
        "Counts are rounded to five, and of fewer women than "
        f"{disclosure.smallest_group()} nothing is told. Visits of which no number may be told, those after a diagnosis, and "
        "those that are not read yet stand in no figure of risk. "
        + cards.footer(cards.card_of(here(), name), name)
    )
