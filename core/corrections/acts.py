"""Doing what is asked: one function a kind, each writing into the ledger and saying what it did, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.corrections.asked import (
    Ask,
    CorrectionRefused,
    DateOf,
    DaysOf,
    EventsAre,
    FilmIs,
    FilmsAre,
    Merged,
    MovedTo,
    SetAside,
    WhoSheIs,
)
from core.corrections.events import events_are, women_of_events
from core.corrections.merging import merge
from core.corrections.work import (
    Work,
    and_,
    check_born,
    film_by_uid,
    new_study,
    owner_of,
    study_by_uid,
    study_of,
    study_of_day,
    view_of,
    who,
    woman_called,
)
from core.incoming import called, flags_today
from core.rules.vocabulary import BOTH_BREASTS, OTHER_THAN_STANDARD, SHOW_BOTH, QualityFlag, flag_words
from db.tables import Image, ImageSide, Patient, Sex, Study

__all__ = ["carry_out", "women_of"]

_FACT_WORDS = {"name": "name", "birth_date": "birth date", "sex": "sex"}


def women_of(session: Session, ask: Ask) -> list[Patient]:
    """Return the women whom a correction is about, the one whose page it is made on first; a new one is not there yet."""
    women: list[Patient] = []
    if isinstance(ask, Merged):
        women = [woman_called(session, ask.kept), woman_called(session, ask.gone)]
    elif isinstance(ask, EventsAre):
        women = women_of_events(session, ask)
    elif isinstance(ask, WhoSheIs):
        women = [woman_called(session, ask.mrn)]
    elif isinstance(ask, DateOf):
        women = [owner_of(session, study_by_uid(session, ask.study_uid))]
    elif isinstance(ask, MovedTo):
        studies = [study_by_uid(session, uid) for uid in ask.studies]
        studies += [study_of(session, film_by_uid(session, uid)) for uid in ask.films]
        women = [owner_of(session, study) for study in studies]
        target = called(session, ask.mrn)
        women += [target] if target is not None else []
    else:
        women = [owner_of(session, study_of(session, film_by_uid(session, uid))) for uid in ask.films]
    if not women:
        raise CorrectionRefused("Say which studies, films or events are meant.")
    return list({woman.id: woman for woman in women}.values())


def carry_out(work: Work, ask: Ask) -> None:
    """Do what is asked; raises `CorrectionRefused` for what cannot be meant, and where it is so already."""
    if isinstance(ask, FilmsAre):
        _films_are(work, ask)
    elif isinstance(ask, DateOf):
        _date_of(work, ask)
    elif isinstance(ask, DaysOf):
        _days_of(work, ask)
    elif isinstance(ask, MovedTo):
        _moved_to(work, ask)
    elif isinstance(ask, WhoSheIs):
        _who_she_is(work, ask)
    elif isinstance(ask, SetAside):
        _set_aside(work, ask)
    elif isinstance(ask, EventsAre):
        events_are(work, ask)
    else:
        merge(work, ask)
    work.session.flush()
    if not work.ledger.fields and not work.ledger.made:
        raise CorrectionRefused("It is so already: nothing would change.")


def _with_side(flags: list[str], side: str) -> list[str]:
    """Return a film's flags without the one that its side is not said, where it is by now."""
    return [flag for flag in flags if flag != QualityFlag.SIDE_NOT_SAID or side == BOTH_BREASTS]


def _films_are(work: Work, ask: FilmsAre) -> None:
    for sop_uid, is_ in ask.films.items():
        film = film_by_uid(work.session, sop_uid)
        study = study_of(work.session, film)
        was, was_kinds = view_of(film), _kinds(film)
        work.ledger.set(
            film,
            laterality=ImageSide(is_.laterality or film.laterality),
            view=is_.view or film.view,
            quality_flags=_with_side(_flags(film, is_), is_.laterality or film.laterality),
        )
        now, kinds = view_of(film), _kinds(film)
        if now.laterality == BOTH_BREASTS and now.view not in SHOW_BOTH:
            raise CorrectionRefused(f"{now.view} is a view of one breast. Say which.")
        if now != was:
            work.done.append(f"{was.words} of {study.study_date} becomes {now.words}.")
        if kinds != was_kinds:
            words = and_(flag_words(kind) for kind in sorted(kinds)) or "a standard view"
            work.done.append(f"{now.words} of {study.study_date} becomes {words}.")
    work.session.flush()
    for study in {study_of(work.session, film_by_uid(work.session, uid)) for uid in ask.films}:
        for film, flags in flags_today(work.session, study):
            work.ledger.set(film, quality_flags=flags)
    for sop_uid in ask.films:
        film = film_by_uid(work.session, sop_uid)
        others = [
            other
            for other in study_of(work.session, film).images
            if other.sop_uid != sop_uid and view_of(other) == view_of(film)
        ]
        if others:
            work.notes.append(f"The study then holds {len(others) + 1} films of {view_of(film).words}.")


def _flags(film: Image, is_: FilmIs) -> list[Any]:
    if is_.kinds is None or is_.kinds == _kinds(film):
        return film.quality_flags
    return [flag for flag in film.quality_flags if flag not in OTHER_THAN_STANDARD] + sorted(is_.kinds)


def _date_of(work: Work, ask: DateOf) -> None:
    study = study_by_uid(work.session, ask.study_uid)
    was = study.study_date
    check_born(owner_of(work.session, study), ask.on)
    if work.ledger.set(study, study_date=ask.on):
        work.done.append(f"The study of {was} becomes that of {ask.on}.")
        _say_same_day(work, study)


def _say_same_day(work: Work, study: Study) -> None:
    same = select(Study.id).where(
        Study.patient_id == study.patient_id, Study.study_date == study.study_date, Study.id != study.id
    )
    if work.session.scalar(same.limit(1)) is not None:
        work.notes.append(f"She has another study of {study.study_date}: the two count as one visit.")


def _days_of(work: Work, ask: DaysOf) -> None:
    by_study: dict[int, dict[date, list[Image]]] = {}
    for sop_uid, on in ask.films.items():
        film = film_by_uid(work.session, sop_uid)
        by_study.setdefault(film.study_id, {}).setdefault(on, []).append(film)
    for study_id, days in by_study.items():
        study = work.session.get_one(Study, study_id)
        _split_by_day(work, study, days)


def _split_by_day(work: Work, study: Study, days: Mapping[date, Sequence[Image]]) -> None:
    was = study.study_date
    woman = owner_of(work.session, study)
    for on in days:
        check_born(woman, on)
    moving = {on: films for on, films in days.items() if on != was}
    staying = len(study.images) - sum(map(len, moving.values()))
    if moving and not staying:
        # The row itself, and with it the assessment, goes to the first day that has no study yet.
        free = [on for on in sorted(moving) if study_of_day(work.session, woman, on) is None]
        if free:
            work.ledger.set(study, study_date=free[0])
            del moving[free[0]]
            work.session.flush()
            work.done.append(f"The study of {was} becomes that of {free[0]}.")
    for on, films in sorted(moving.items()):
        target = study_of_day(work.session, woman, on) or new_study(work, woman, on, study)
        _hand_over(work, films, target)
        verb = "becomes" if len(films) == 1 else "become"
        work.done.append(f"{and_(view_of(film).words for film in films)} of {was} {verb} the study of {on}.")


def _moved_to(work: Work, ask: MovedTo) -> None:
    session = work.session
    studies = [study_by_uid(session, uid) for uid in dict.fromkeys(ask.studies)]
    single: dict[int, list[Image]] = {}
    for film in (film_by_uid(session, uid) for uid in dict.fromkeys(ask.films)):
        if film.study_id not in {study.id for study in studies}:
            single.setdefault(film.study_id, []).append(film)
    for study_id, films in list(single.items()):
        study = session.get_one(Study, study_id)
        if len(films) == len(study.images):
            studies.append(study)
            del single[study_id]
    sources = [owner_of(session, study) for study in studies]
    sources += [owner_of(session, session.get_one(Study, study_id)) for study_id in single]
    target = _target(work, ask, sources)
    for study in studies:
        check_born(target, study.study_date)
        if work.ledger.set(study, patient_id=target.id):
            work.done.append(f"The study of {study.study_date} goes to {who(target)}.")
            session.flush()
            _say_same_day(work, study)
    for study_id, films in single.items():
        study = session.get_one(Study, study_id)
        if study.patient_id == target.id:
            continue
        check_born(target, study.study_date)
        onto = study_of_day(session, target, study.study_date) or new_study(
            work, target, study.study_date, study
        )
        _hand_over(work, films, onto)
        verb = "goes" if len(films) == 1 else "go"
        work.done.append(
            f"{and_(view_of(film).words for film in films)} of {study.study_date} {verb} to {who(target)}."
        )
    for woman in {woman.id: woman for woman in sources}.values():
        if woman.id != target.id and (woman.events or woman.risk_factors):
            work.notes.append(f"Events and risk factors stay with {who(woman)}.")


def _target(work: Work, ask: MovedTo, sources: Sequence[Patient]) -> Patient:
    target = called(work.session, ask.mrn)
    simulated = {woman.simulated for woman in sources}
    if len(simulated) > 1 or (target is not None and {target.simulated} != simulated):
        raise CorrectionRefused("Simulated and real women are never put together.")
    if target is not None:
        if ask.mrn != target.mrn:
            work.notes.append(f"MRN {ask.mrn} was merged into {target.mrn}.")
        return target
    target = Patient(mrn=ask.mrn, simulated=simulated.pop(), **_typed_facts(ask.facts))
    work.ledger.add(target)
    work.done.append(f"{who(target)} is new here.")
    return target


def _who_she_is(work: Work, ask: WhoSheIs) -> None:
    woman = woman_called(work.session, ask.mrn)
    facts = _typed_facts(ask.facts)
    born = facts.get("birth_date")
    first = min((study.study_date for study in woman.studies), default=None)
    if isinstance(born, date) and first is not None and born > first:
        raise CorrectionRefused(f"The birth date {born} lies after her study of {first}. Check both.")
    for fact, value in facts.items():
        was = getattr(woman, fact)
        if work.ledger.set(woman, **{fact: value}):
            words = _FACT_WORDS[fact]
            work.done.append(f"Her {words} becomes {_known(value)}, and was {_known(was)}.")


def _set_aside(work: Work, ask: SetAside) -> None:
    for sop_uid in ask.films:
        film = film_by_uid(work.session, sop_uid)
        work.ledger.put_away(film)
        study = study_of(work.session, film)
        work.done.append(
            f"{view_of(film).words} of {study.study_date} is set aside: kept, and shown nowhere."
        )


def _hand_over(work: Work, films: Iterable[Image], study: Study) -> None:
    for film in films:
        work.ledger.set(film, study_id=study.id)
    work.session.flush()


def _typed_facts(facts: Mapping[str, str | date | None]) -> dict[str, Any]:
    typed: dict[str, Any] = dict(facts)
    if typed.get("sex") is not None:
        typed["sex"] = Sex(typed["sex"])
    if isinstance(typed.get("name"), str):
        typed["name"] = typed["name"].strip()
    return typed


def _kinds(film: Image) -> frozenset[str]:
    return frozenset(flag for flag in film.quality_flags if flag in OTHER_THAN_STANDARD)


def _known(value: Any) -> str:
    if value is None:
        return "unknown"
    return value.value if isinstance(value, Sex) else str(value)
