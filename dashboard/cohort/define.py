"""The left side of the cohort page: which women, said by fixed choices that the page's address keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.cohorts import (
    ENTRY_AGES,
    FILTERS,
    Definition,
    Domain,
    Enters,
    Filter,
    Frame,
    Population,
    Selection,
    band_words,
    disclosure,
)
from core.cohorts.bands import EVENTS, keys_of
from core.cohorts.happenings import EVENT_KINDS, FIRST_YEAR, LAST_YEAR, years_on_record
from dashboard import look

Slot = DeltaGenerator
"""A place on the page that is filled later."""

__all__ = ["Slot", "ask", "choose", "show_counts", "unknown_in_address", "unknown_of"]

FIRST_SHOWN = ("age", "density", "level", "outcome")
DOMAINS = {
    Domain.TRUSTED: "with a score",
    Domain.WITHHELD: "score withheld",
    Domain.ANY: "all",
}
ENTERS = {Enters.FIRST: "first visit", Enters.AGE: "from an age", Enters.YEAR: "from a year"}
KIND, DOMAIN, ENTER, AT_AGE, AT_YEAR, FROM_YEAR, TO_YEAR, MODEL, EVENT_KIND, EVENTS_FROM, EVENTS_TO = (
    "kind", "cohort_domain", "cohort_enters", "cohort_at_age", "cohort_at_year", "cohort_from", "cohort_to", "cohort_model",
    "cohort_event_kind", "cohort_events_from", "cohort_events_to",
)  # fmt: skip


def key_of(one: Filter) -> str:
    """Return under which key a filter's choice stands on the page and in its address."""
    return f"cohort_{one.key}"


def ask(frame: Frame) -> tuple[Definition, Mapping[str, Slot]]:
    """Ask which women belong; return the definition, and under each filter the place for its counts."""
    years = _years(frame)
    simulated = int(frame.women["simulated"].sum())
    kind = st.radio(
        "Women",
        list(Population),
        # Never both unasked: the page begins with the kind of which there are more.
        index=list(Population).index(
            Population.SIMULATED if 2 * simulated > len(frame.women) else Population.REAL
        ),
        format_func=lambda kind: Population(kind).value,
        key=KIND,
        bind="query-params",
    )
    asked = {one.key: _pills(one, frame) for one in FILTERS if one.key in FIRST_SHOWN}
    more = [one for one in FILTERS if one.key not in FIRST_SHOWN]
    number = sum(bool(st.session_state.get(key)) for key in (*map(key_of, more), EVENT_KIND))
    with st.expander(
        f"More filters ({number})" if number else "More filters", expanded=number > 0, key="cohort_more"
    ):
        asked |= {one.key: _pills(one, frame) for one in more}
        events, kinds_slot = _events(frame)
        first, last = st.columns(2)
        from_year = first.selectbox(
            "Visits from", [None, *years], format_func=_year, key=FROM_YEAR, bind="query-params"
        )
        to_year = last.selectbox("to", [None, *years], format_func=_year, key=TO_YEAR, bind="query-params")
        model = _model(frame)
    with st.expander("Entry", key="cohort_entry"):
        domain = st.radio(
            "Visits that count",
            list(DOMAINS),
            format_func=DOMAINS.__getitem__,
            key=DOMAIN,
            bind="query-params",
        )
        enters = st.radio(
            "A woman enters with her",
            list(ENTERS),
            format_func=ENTERS.__getitem__,
            key=ENTER,
            bind="query-params",
        )
        at_age = at_year = None
        if enters is Enters.AGE:
            at_age = st.selectbox("Age", ENTRY_AGES, index=2, key=AT_AGE, bind="query-params")
        elif enters is Enters.YEAR and years:
            at_year = st.selectbox("Year", years, key=AT_YEAR, bind="query-params")
    if enters is Enters.YEAR and at_year is None:
        enters = Enters.FIRST
    from_year, to_year = _in_turn(from_year, to_year)
    chosen: dict[str, Any] = {key: picked for key, (picked, _) in asked.items()}
    definition = Definition(
        kind=Population(kind or Population.REAL), domain=Domain(domain), enters=Enters(enters), at_age=at_age, at_year=at_year,
        from_year=from_year, to_year=to_year, model=model, **events, **chosen,
    )  # fmt: skip
    return definition, {key: slot for key, (_, slot) in asked.items()} | {EVENT_KIND: kinds_slot}


def _events(frame: Frame) -> tuple[dict[str, Any], Slot]:
    """Ask which events the filter by events means; return it as the definition says it, and the place for the counts."""
    kinds = st.pills(
        "Events of the kind",
        EVENT_KINDS,
        selection_mode="multi",
        wrap=True,
        key=EVENT_KIND,
        bind="query-params",
    )
    slot = st.empty()
    # The first and the last year hold what lies beyond them too: without a bound they belong.
    years = [year for year in years_on_record(frame.women) if FIRST_YEAR < year < LAST_YEAR]
    first, last = st.columns(2)
    begin = first.selectbox("Events from", [None, *years], format_func=_year, key=EVENTS_FROM, bind="query-params")  # fmt: skip
    end = last.selectbox("to", [None, *years], format_func=_year, key=EVENTS_TO, bind="query-params")
    begin, end = _in_turn(begin, end)
    return {
        "event_kinds": tuple(one for one in EVENT_KINDS if one in kinds),
        "events_from": begin,
        "events_to": end,
    }, slot


def _in_turn(begin: int | None, end: int | None) -> tuple[int | None, int | None]:
    """Return two years in their order, whichever was asked for first."""
    return (end, begin) if begin is not None and end is not None and begin > end else (begin, end)


def _pills(one: Filter, frame: Frame) -> tuple[tuple[str, ...], Slot]:
    options = keys_of(one, _found(one.key, frame) if not one.bands else ())
    picked = st.pills(
        one.label,
        options,
        selection_mode="multi",
        wrap=True,
        format_func=lambda key: band_words(one, key),
        key=key_of(one),
        bind="query-params",
    )
    return tuple(key for key in options if key in picked), st.empty()


def _found(column: str, frame: Frame) -> list[str]:
    """Return what the visits of all women hold, whoever is chosen: the choices do not change with them."""
    return sorted(value for value in frame.visits[column].unique().cast(str).to_list() if value)


def _years(frame: Frame) -> list[int]:
    days = frame.visits["on"].drop_nulls()
    if not len(days):
        return []
    return list(range(days.min().year, days.max().year + 1))  # type: ignore[union-attr]


def _year(year: int | None) -> str:
    return "any" if year is None else str(year)


def _model(frame: Frame) -> str:
    said = _found("said_by", frame)
    if len(said) < 2:
        return ""
    return st.selectbox(
        "Scored by", ["", *said], format_func=lambda one: one or "those most were scored by", key=MODEL, bind="query-params",
    ) or ""  # fmt: skip


def show_counts(selection: Selection, slots: Mapping[str, Slot]) -> None:
    """Say under each filter how many women each of its bands would have, the other choices as they are."""
    for one in FILTERS:
        counts = selection.counts(one)
        said = [
            f"{look.safe(band_words(one, key))} <b>{_short(women)}</b>"
            for key, women in counts.items()
            if women or key in one.bands
        ]
        with slots[one.key]:
            look.show(f'<p class="lv-counts">{_in_line(said)}</p>')
    said = [f"{kind} <b>{_short(women)}</b>" for kind, women in selection.by_kind_of_event.items() if women]
    with slots[EVENT_KIND]:
        look.show(f'<p class="lv-counts">{_in_line(said) or "no events on record"}</p>')


def _in_line(said: Sequence[str]) -> str:
    """Return counts beside each other; a line that is full ends with a dot and none begins with one."""
    return " ".join(
        f"<span>{one}{' ·' if place < len(said) else ''}</span>" for place, one in enumerate(said, 1)
    )


def _short(women: int) -> str:
    return look.safe(disclosure.count_said(women).replace("fewer than ", "<"))


def unknown_in_address(frame: Frame) -> list[str]:
    """Name what the page's address asks for that this release or these women do not have: Streamlit leaves it out silently."""
    unknown = []
    for one in FILTERS:
        words = [
            band_words(one, key) for key in keys_of(one, _found(one.key, frame) if not one.bands else ())
        ]
        asked = st.query_params.get_all(key_of(one))
        unknown += [f"{one.label}: {said[:40]}" for said in asked if said and said not in words]
    kinds = st.query_params.get_all(EVENT_KIND)
    unknown += [f"{EVENTS.label}: {said[:40]}" for said in kinds if said and said not in EVENT_KINDS]
    return unknown


def unknown_of(definition: Definition, frame: Frame) -> list[str]:
    """Name what a definition asks for that these women do not have, and that therefore cannot be chosen here."""
    unknown = [
        f"{one.label}: {band_words(one, key)[:40]}"
        for one in FILTERS
        for key in definition.chosen(one)
        if key not in keys_of(one, _found(one.key, frame) if not one.bands else ())
    ]
    years = _years(frame)
    asked = (definition.from_year, definition.to_year, definition.at_year)
    unknown += [f"year {year}" for year in asked if year is not None and year not in years]
    on_record = years_on_record(frame.women)
    of_events = (definition.events_from, definition.events_to)
    unknown += [f"events of {year}" for year in of_events if year is not None and year not in on_record]
    said = _found("said_by", frame)
    if definition.model and (len(said) < 2 or definition.model not in said):
        unknown.append(f"scored by {definition.model[:40]}")
    return unknown


def choose(definition: Definition) -> None:
    """Put a definition on the page, in the place of what is chosen there; to be called before the page is drawn."""
    values: dict[str, Any] = {
        KIND: definition.kind,
        DOMAIN: definition.domain,
        ENTER: definition.enters,
        AT_AGE: definition.at_age or ENTRY_AGES[2],
        FROM_YEAR: definition.from_year,
        TO_YEAR: definition.to_year,
        MODEL: definition.model,
        EVENT_KIND: list(definition.event_kinds),
        EVENTS_FROM: definition.events_from,
        EVENTS_TO: definition.events_to,
    }
    if definition.at_year is not None:
        values[AT_YEAR] = definition.at_year
    for key, value in values.items():
        st.session_state[key] = value
    for one in FILTERS:
        st.session_state[key_of(one)] = list(definition.chosen(one))
