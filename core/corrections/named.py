"""Studies and films as people name them: by UID, or by whose, when and what they are (MRN/2021-06-01/R-CC)."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select

from core.corrections.acts import women_of
from core.corrections.asked import Ask, CorrectionRefused
from core.corrections.events import say_event
from core.corrections.listed import Film, StudyWithFilms, day_of_file, studies_with_films
from core.incoming import called
from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.rules import ViewName
from db.sessions import WITH_PUT_AWAY
from db.tables import Event, EventKind, Image, Study

__all__ = [
    "days_by_file",
    "event_named",
    "film_named",
    "is_film_name",
    "is_stored_film",
    "set_aside_named",
    "study_named",
    "whom",
]

LONGEST_NUMBER = 18


def is_film_name(name: str) -> bool:
    """Say whether a name has the shape of a film's: the last of its parts is a view."""
    return _view(name.rpartition("/")[2]) is not None


@needs(Permission.CORRECT)
def study_named(here: Installation, name: str) -> str:
    """Return the UID of a study that is named by it, or as MRN/DATE; raises `CorrectionRefused` where that is not one."""
    mrn, _, day = name.rpartition("/")
    if not mrn:
        return name
    return _study(here, mrn, day, name).study_uid


@needs(Permission.CORRECT)
def film_named(here: Installation, name: str) -> str:
    """Return the SOP UID of a film that counts, named by it or as MRN/DATE/VIEW; raises `CorrectionRefused` where it is not one."""
    return _film(here, name, set_aside=False).sop_uid if "/" in name else name


@needs(Permission.CORRECT)
def set_aside_named(here: Installation, name: str) -> int:
    """Return the correction that set a film aside, by SOP UID or MRN/DATE/VIEW; raises `CorrectionRefused` where none did."""
    sop_uid = _film(here, name, set_aside=True).sop_uid if "/" in name else name
    with here.database.read() as session:
        which = select(Image.put_away_by_id).where(Image.sop_uid == sop_uid)
        by = session.scalar(which, execution_options=WITH_PUT_AWAY)
    if by is None:
        raise CorrectionRefused(f"No film {name} is set aside.")
    return by


@needs(Permission.CORRECT)
def event_named(here: Installation, name: str) -> int:
    """Return the number of an event, named by it or as MRN/2021-07-01/biopsy; raises `CorrectionRefused` where it is not one."""
    if name.isascii() and name.isdecimal() and len(name) < LONGEST_NUMBER:
        return int(name)
    of, _, kind = name.rpartition("/")
    mrn, _, day = of.rpartition("/")
    if not mrn or kind not in {one.value for one in EventKind}:
        kinds = ", ".join(one.value for one in EventKind)
        raise CorrectionRefused(
            f"{name} names no event. Name it by its number, or as MRN/2021-07-01/KIND; kinds are {kinds}."
        )
    with here.database.read() as session:
        woman = called(session, mrn)
        found = session.scalars(
            select(Event).where(
                Event.patient_id == (woman.id if woman else None),
                Event.kind == EventKind(kind),
                Event.event_date == _day(day, name),
            )
        ).all()
    if len(found) != 1:
        known = ", ".join(f"{one.id} ({say_event(one)})" for one in found)
        raise CorrectionRefused(
            f"{name} names {len(found)} events. Name one by its number: {known}."
            if found
            else f"There is no event {name}."
        )
    return found[0].id


@needs(Permission.CORRECT)
def whom(here: Installation, ask: Ask) -> list[int]:
    """Return whom a correction would be about, by number; raises `CorrectionRefused` where that is nobody."""
    with here.database.read() as session:
        return [woman.id for woman in women_of(session, ask)]


@needs(Permission.CORRECT)
def is_stored_film(here: Installation, sop_uid: str) -> bool:
    """Say whether there is a film with this SOP UID."""
    with here.database.read() as session:
        return session.scalar(select(Image.id).where(Image.sop_uid == sop_uid)) is not None


@needs(Permission.CORRECT)
def days_by_file(here: Installation, study_uid: str) -> dict[str, date]:
    """Return by SOP UID of a study's films the days that their own files say, where that is not the study's.

    Raises `CorrectionRefused` where no file says another day: nothing tells then how to part the study.
    """
    with here.database.read() as session:
        rows = session.execute(
            select(Image.sop_uid, Image.file_says)
            .join(Study, Study.id == Image.study_id)
            .where(Study.uid == study_uid)
        )
        said = {sop_uid: day_of_file(file_says) for sop_uid, file_says in rows}
    days = {sop_uid: day for sop_uid, day in said.items() if day is not None}
    if not days:
        raise CorrectionRefused(
            "No file of this study says another day than the study's. Name films with their days: FILM=2021-06-01."
        )
    return days


def _film(here: Installation, name: str, *, set_aside: bool) -> Film:
    study_name, _, code = name.rpartition("/")
    mrn, _, day = study_name.rpartition("/")
    view = _view(code)
    if view is None or not mrn:
        raise CorrectionRefused(f"{name} names no film. Name it by its SOP UID, or as MRN/2021-06-01/R-CC.")
    studies = [study for study in studies_with_films(here, mrn) if study.on == _day(day, name)]
    films = [
        film
        for study in studies
        for film in study.films
        if film.view == view and (film.set_aside_by is not None) == set_aside
    ]
    if len(films) != 1:
        known = ", ".join(film.sop_uid for film in films)
        what = "set aside" if set_aside else "there"
        raise CorrectionRefused(
            f"{name} names {len(films)} films. Name one by its SOP UID: {known}."
            if films
            else f"No film {name} is {what}."
        )
    return films[0]


def _study(here: Installation, mrn: str, day: str, name: str) -> StudyWithFilms:
    studies = [one for one in studies_with_films(here, mrn) if one.shown and one.on == _day(day, name)]
    if len(studies) != 1:
        known = ", ".join(one.study_uid for one in studies)
        raise CorrectionRefused(
            f"{name} names {len(studies)} studies. Name one by its UID: {known}."
            if studies
            else f"There is no study {name}."
        )
    return studies[0]


def _view(code: str) -> ViewName | None:
    try:
        return ViewName.of_code(code)
    except ValueError:
        return None


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CorrectionRefused(f"{name}: {text} is no date. Write it as 2021-06-01.") from error
