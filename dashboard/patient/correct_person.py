"""Correcting whose a record is in a dialog: studies of another woman, who she is, two records of one woman."""

from datetime import date

import streamlit as st

from core.corrections import Ask, Merged, MovedTo, WhoSheIs, studies_with_films
from core.people import Permission
from core.records import Found, PatientRecord, Visit, known
from core.rules.vocabulary import SEX_WORDS
from dashboard import look, session
from dashboard.house import here
from dashboard.patient import correct_films
from dashboard.patient.correct_confirm import ask_and_confirm, form_key

WHOLE, SINGLE = "Whole studies", "Single films"
UNKNOWN = "unknown"


def move(record: PatientRecord, visit: Visit | None) -> None:
    """Ask which studies or films are another woman's, and whose."""
    session.require(Permission.CORRECT)
    key = form_key("move", record.mrn)
    what = st.segmented_control(
        "What", [WHOLE, SINGLE], default=WHOLE, required=True, key=f"{key}_what", label_visibility="collapsed"
    )
    studies: tuple[str, ...] = ()
    films: tuple[str, ...] = ()
    if what == SINGLE:
        films = _choose_films(record, visit, key)
    else:
        studies = _choose_studies(record, visit, key)
    mrn = st.text_input("MRN of the woman whose they are", max_chars=64, key=f"{key}_mrn", width=320).strip()
    facts: dict[str, str | date | None] = {}
    if mrn:
        other = known(here(), mrn)
        say_who(other, mrn)
        facts = {} if other is not None else _who_is_new(key)
    ask: Ask | None = None
    if mrn and (studies or films):
        ask = MovedTo(mrn, studies, films, facts)
    ask_and_confirm(
        record.mrn,
        ask,
        key,
        nothing="Choose what is another woman's, and say her MRN; what follows is told here.",
    )


def who_she_is(record: PatientRecord, _visit: Visit | None) -> None:
    """Ask for her name, birth date and sex as they are right."""
    session.require(Permission.CORRECT)
    key = form_key("who", record.mrn)
    name_column, born_column, sex_column = st.columns([2, 1, 1])
    name = name_column.text_input("Name", record.name or "", max_chars=256, key=f"{key}_name").strip() or None
    born = born_column.date_input(
        "Birth date",
        record.birth_date,
        min_value=date(1900, 1, 1),
        max_value=date.today(),
        format="YYYY-MM-DD",
        key=f"{key}_born",
    )
    sexes = [UNKNOWN, *SEX_WORDS]
    sex = sex_column.selectbox(
        "Sex",
        sexes,
        index=sexes.index(record.sex or UNKNOWN),
        format_func=lambda one: SEX_WORDS.get(one, one),
        key=f"{key}_sex",
    )
    said = {"name": name, "birth_date": born, "sex": None if sex == UNKNOWN else sex}
    stands = {"name": record.name, "birth_date": record.birth_date, "sex": record.sex}
    facts = {fact: value for fact, value in said.items() if value != stands[fact]}
    ask_and_confirm(
        record.mrn,
        WhoSheIs(record.mrn, facts) if facts else None,
        key,
        nothing="Write what is right; an empty field is “not known”. What follows is told here.",
    )


def merge(record: PatientRecord, _visit: Visit | None) -> None:
    """Ask which other record is hers, and which of the two MRNs stays."""
    session.require(Permission.CORRECT)
    key = form_key("merge", record.mrn)
    mrn = st.text_input(
        "MRN of the other record that is hers", max_chars=64, key=f"{key}_mrn", width=320
    ).strip()
    other = known(here(), mrn) if mrn else None
    ask = None
    if mrn:
        say_who(other, mrn, new=False)
    if other is not None:
        stays = st.radio("The MRN that stays", [record.mrn, other.mrn], horizontal=True, key=f"{key}_stays")
        gone = other.mrn if stays == record.mrn else record.mrn
        ask = Merged(stays, gone)
    ask_and_confirm(
        record.mrn, ask, key, nothing="Say the MRN of the other record; what follows is told here."
    )


def _choose_studies(record: PatientRecord, visit: Visit | None, key: str) -> tuple[str, ...]:
    studies = {one.study_uid: one for one in studies_with_films(here(), record.mrn) if one.shown}
    at = [visit.study_uid] if visit is not None and visit.study_uid in studies else []
    chosen = st.multiselect(
        "Studies",
        list(studies),
        default=at,
        format_func=lambda uid: correct_films.say_study(studies[uid]),
        key=f"{key}_studies",
        placeholder="Choose",
    )
    if len(chosen) == 1:
        correct_films.strip(studies[chosen[0]])
    return tuple(chosen)


def _choose_films(record: PatientRecord, visit: Visit | None, key: str) -> tuple[str, ...]:
    study = correct_films.choose_study(record, visit, key)
    chosen = []
    for film, place in correct_films.in_a_grid(study.shown):
        with place:
            correct_films.picture(film)
            if st.checkbox(f"{film.view.words} is another woman's", key=f"{key}_film_{film.sop_uid}"):
                chosen.append(film.sop_uid)
    return tuple(chosen)


def say_who(found: Found | None, mrn: str, *, new: bool = True) -> None:
    """Say large who has an MRN, so that nobody is taken for another."""
    if found is None:
        text = "Nobody has this MRN: a new record is made." if new else "Nobody has this MRN."
        look.show(f'<p class="lv-muted">{text}</p>')
        return
    born = f"born {look.iso(found.birth_date)}" if found.birth_date else "birth date unknown"
    last = f"last study {look.iso(found.last_study)}" if found.last_study else "no study"
    merged = f" (MRN {look.safe(mrn)} was merged into it)" if found.mrn != mrn else ""
    look.show(
        f'<div class="lv-who"><span class="lv-big">{look.safe(found.name or "No name")}{look.badge(found.simulated)}</span>'
        f"<span>MRN <b>{look.safe(found.mrn)}</b>{merged}</span><span>{born}</span><span>{last}</span></div>"
    )


def _who_is_new(key: str) -> dict[str, str | date | None]:
    name_column, born_column, sex_column = st.columns([2, 1, 1])
    name = name_column.text_input("Her name", max_chars=256, key=f"{key}_new_name").strip()
    born = born_column.date_input(
        "Her birth date",
        None,
        min_value=date(1900, 1, 1),
        max_value=date.today(),
        format="YYYY-MM-DD",
        key=f"{key}_new_born",
    )
    sex = sex_column.selectbox(
        "Her sex",
        list(SEX_WORDS),
        index=None,
        format_func=SEX_WORDS.__getitem__,
        placeholder="unknown",
        key=f"{key}_new_sex",
    )
    said = {"name": name, "birth_date": born, "sex": sex}
    return {fact: value for fact, value in said.items() if value}
