"""Correcting studies and films in a dialog: side, view and kind, date, days, films that are not wanted."""

from collections.abc import Callable
from datetime import date
from urllib.parse import quote

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.corrections import (
    DateOf,
    DaysOf,
    Film,
    FilmIs,
    FilmsAre,
    SetAside,
    StudyWithFilms,
    studies_with_films,
)
from core.people import Permission
from core.records import PatientRecord, Visit
from core.rules.vocabulary import IMAGE_SIDE_WORDS, OTHER_THAN_STANDARD, SIDES, VIEWS, flag_words
from dashboard import look, session
from dashboard.house import here
from dashboard.patient.correct_confirm import ask_and_confirm, form_key

STANDARD = "standard"
KINDS = (STANDARD, *sorted(flag.value for flag in OTHER_THAN_STANDARD))
ACROSS = 4


def what_films_are(record: PatientRecord, visit: Visit | None) -> None:
    """Ask which side, view and kind each film of a study truly is."""
    session.require(Permission.CORRECT)
    key = form_key("films", record.mrn)
    which, swap = st.columns([3, 2], vertical_alignment="bottom")
    with which:
        study = choose_study(record, visit, key)
    swapped = [f"{key}_side_{film.sop_uid}" for film in study.shown]
    swap.button(
        "The other side, for all of them",
        icon=":material/swap_horiz:",
        key=f"{key}_swap",
        on_click=_swap,
        args=(swapped, [film.view.laterality for film in study.shown]),
    )
    films: dict[str, FilmIs] = {}
    for film, place in in_a_grid(study.shown):
        with place:
            picture(film)
            is_ = _truly(film, key)
        if is_ is not None:
            films[film.sop_uid] = is_
    ask_and_confirm(
        record.mrn,
        FilmsAre(films) if films else None,
        key,
        nothing="Say beneath each film what it truly is; what follows is told here.",
    )


def set_aside(record: PatientRecord, visit: Visit | None) -> None:
    """Ask which films are not wanted."""
    session.require(Permission.CORRECT)
    key = form_key("aside", record.mrn)
    study = choose_study(record, visit, key)
    unwanted = []
    for film, place in in_a_grid(study.shown):
        with place:
            picture(film)
            if st.checkbox(f"Set {film.view.words} aside", key=f"{key}_aside_{film.sop_uid}"):
                unwanted.append(film.sop_uid)
    if len(study.shown) < len(study.films):
        look.show(
            f'<p class="lv-muted lv-footer">{len(study.films) - len(study.shown)} of this study is set aside already. '
            "Correct › What was corrected brings it back.</p>"
        )
    ask_and_confirm(
        record.mrn,
        SetAside(tuple(unwanted)) if unwanted else None,
        key,
        nothing="Choose the films that are not wanted: they are kept, shown nowhere and read by no model.",
    )


def date_of_study(record: PatientRecord, visit: Visit | None) -> None:
    """Ask for the day of a study."""
    session.require(Permission.CORRECT)
    key = form_key("date", record.mrn)
    study = choose_study(record, visit, key)
    strip(study)
    on = ask_day("The day that is right", study.on, record, f"{key}_on_{study.study_uid}", width=200)
    ask_and_confirm(
        record.mrn,
        DateOf(study.study_uid, on) if on is not None and on != study.on else None,
        key,
        nothing="Choose another day; what follows is told here.",
    )


def days_of_films(record: PatientRecord, visit: Visit | None) -> None:
    """Ask for the day of each film of a study."""
    session.require(Permission.CORRECT)
    key = form_key("days", record.mrn)
    study = choose_study(record, visit, key)
    known = {film.sop_uid: film.file_date for film in study.shown if film.file_date is not None}
    if known:
        st.button(
            "As the files say", key=f"{key}_files", on_click=_take_over,
            args=({f"{key}_on_{sop_uid}": day for sop_uid, day in known.items()},),
        )  # fmt: skip
    days: dict[str, date] = {}
    for film, place in in_a_grid(study.shown):
        with place:
            picture(film)
            on = ask_day(f"Day of {film.view.words}", study.on, record, f"{key}_on_{film.sop_uid}")
        if on is not None and on != study.on:
            days[film.sop_uid] = on
    ask_and_confirm(
        record.mrn,
        DaysOf(days) if days else None,
        key,
        nothing="Say beneath each film of which day it is: films of one day become one study.",
    )


def choose_study(record: PatientRecord, visit: Visit | None, key: str) -> StudyWithFilms:
    """Ask which study is meant; at first the one that the page shows."""
    studies = {one.study_uid: one for one in studies_with_films(here(), record.mrn) if one.shown}
    uids = list(studies)
    at = uids.index(visit.study_uid) if visit is not None and visit.study_uid in studies else 0
    chosen = st.selectbox(
        "Study",
        uids,
        index=at,
        format_func=lambda uid: say_study(studies[uid]),
        key=f"{key}_study",
        width=320,
    )
    return studies[chosen]


def say_study(study: StudyWithFilms) -> str:
    """Name a study by its day and its films."""
    number = len(study.shown)
    assessed = " · assessed" if study.assessed else ""
    return f"{look.iso(study.on)} · {number} film{'' if number == 1 else 's'}{assessed}"


def picture(film: Film) -> None:
    """Show a film small, with what it is kept as."""
    kinds = f" · {', '.join(flag_words(kind) for kind in sorted(film.kinds))}" if film.kinds else ""
    look.show(
        f'<div class="lv-film"><img src="/thumb/{quote(film.sop_uid)}" alt="{look.safe(film.view.words)}">'
        f"<p><b>{look.safe(film.view.words)}</b>{look.safe(kinds)}</p></div>"
    )


def strip(study: StudyWithFilms) -> None:
    """Show the films of a study side by side."""
    for film, place in in_a_grid(study.shown):
        with place:
            picture(film)


def in_a_grid(films: tuple[Film, ...]) -> list[tuple[Film, DeltaGenerator]]:
    """Return each film with the place where it goes, four a row, right breast first as films are hung."""
    hung = sorted(films, key=lambda film: (film.view.view, film.view.laterality != "R"))
    placed: list[tuple[Film, DeltaGenerator]] = []
    for begin in range(0, len(hung), ACROSS):
        placed += zip(hung[begin : begin + ACROSS], st.columns(ACROSS, gap="small"), strict=False)
    return placed


def ask_day(
    label: str, stands: date, record: PatientRecord, key: str, *, width: int | str = "stretch"
) -> date | None:
    """Ask for a day; at first the one that stands."""
    earliest = record.birth_date or date(1900, 1, 1)
    if key not in st.session_state:
        st.session_state[key] = stands
    day = st.date_input(
        label,
        min_value=min(earliest, stands),
        max_value=date.today(),
        key=key,
        format="YYYY-MM-DD",
        width=width,  # type: ignore[arg-type]
    )
    return day if isinstance(day, date) else None


def _truly(film: Film, key: str) -> FilmIs | None:
    """Ask what one film truly is; None where that is what it is kept as."""
    left, right = st.columns(2, gap="xsmall")
    with left:
        sides = SIDES if film.view.laterality in SIDES else (*SIDES, film.view.laterality)
        words = IMAGE_SIDE_WORDS.__getitem__
        side = _ask("Side", sides, film.view.laterality, f"{key}_side_{film.sop_uid}", words)
    with right:
        views = VIEWS if film.view.view in VIEWS else (film.view.view,)
        view = _ask("View", views, film.view.view, f"{key}_view_{film.sop_uid}", str)
    stands = ",".join(sorted(film.kinds)) or STANDARD
    kinds = KINDS if stands in KINDS else (stands, *KINDS)
    kind = _ask("Kind", kinds, stands, f"{key}_kind_{film.sop_uid}", _kind_words)
    if (side, view, kind) == (film.view.laterality, film.view.view, stands):
        return None
    truly = film.kinds if kind == stands else frozenset({kind} - {STANDARD})
    return FilmIs(side, view, truly)


def _ask(label: str, options: tuple[str, ...], stands: str, key: str, words: Callable[[str], str]) -> str:
    if key not in st.session_state:
        st.session_state[key] = stands
    return str(st.selectbox(label, options, format_func=words, key=key))


def _kind_words(kind: str) -> str:
    return "standard view" if kind == STANDARD else ", ".join(flag_words(one) for one in kind.split(","))


def _swap(widgets: list[str], sides: list[str]) -> None:
    for widget, side in zip(widgets, sides, strict=True):
        st.session_state[widget] = "L" if side == "R" else "R"


def _take_over(values: dict[str, date]) -> None:
    st.session_state.update(values)
