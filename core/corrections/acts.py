"""Doing what is asked: one function a kind, each writing into the ledger and saying what it did, in sentences."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.corrections.asked import (
    Ask,
    CorrectionRefused,
    DateOf,
    DaysOf,
    FilmIs,
    FilmsAre,
    Merged,
    MovedTo,
    SetAside,
    WhoSheIs,
)
from core.corrections.ledger import Ledger
from core.incoming import called, names_agree
from core.rules import ViewName
from core.rules.vocabulary import OTHER_THAN_STANDARD, flag_words
from db.sessions import WITH_PUT_AWAY
from db.tables import Event, Image, Laterality, Lesion, Patient, RiskFactors, Sex, Study

__all__ = ["Work", "carry_out", "women_of"]

_FACT_WORDS = {"name": "name", "birth_date": "birth date", "sex": "sex"}


@dataclass
class Work:
    """A correction at work: where it writes, what it says it did, what follows besides, and what speaks against it."""

    session: Session
    ledger: Ledger
    done: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def women_of(session: Session, ask: Ask) -> list[Patient]:
    """Return the women whom a correction is about, the one whose page it is made on first; a new one is not there yet."""
    women: list[Patient] = []
    if isinstance(ask, Merged):
        women = [_woman(session, ask.kept), _woman(session, ask.gone)]
    elif isinstance(ask, WhoSheIs):
        women = [_woman(session, ask.mrn)]
    elif isinstance(ask, DateOf):
        women = [_hers(session, _study(session, ask.study_uid))]
    elif isinstance(ask, MovedTo):
        studies = [_study(session, uid) for uid in ask.studies]
        studies += [_study_of(session, _film(session, uid)) for uid in ask.films]
        women = [_hers(session, study) for study in studies]
        target = called(session, ask.mrn)
        women += [target] if target is not None else []
    else:
        women = [_hers(session, _study_of(session, _film(session, uid))) for uid in ask.films]
    if not women:
        raise CorrectionRefused("Say which studies or films are meant.")
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
    else:
        _merged(work, ask)
    work.session.flush()
    if not work.ledger.fields and not work.ledger.made:
        raise CorrectionRefused("It is so already: nothing would change.")


def _films_are(work: Work, ask: FilmsAre) -> None:
    for sop_uid, is_ in ask.films.items():
        film = _film(work.session, sop_uid)
        study = _study_of(work.session, film)
        was, was_kinds = _view(film), _kinds(film)
        work.ledger.set(
            film,
            laterality=Laterality(is_.laterality or film.laterality),
            view=is_.view or film.view,
            quality_flags=_flags(film, is_),
        )
        now, kinds = _view(film), _kinds(film)
        if now != was:
            work.done.append(f"{was.words} of {study.study_date} becomes {now.words}.")
        if kinds != was_kinds:
            words = _and(flag_words(kind) for kind in sorted(kinds)) or "a standard view"
            work.done.append(f"{now.words} of {study.study_date} becomes {words}.")
    work.session.flush()
    for sop_uid in ask.films:
        film = _film(work.session, sop_uid)
        others = [
            other
            for other in _study_of(work.session, film).images
            if other.sop_uid != sop_uid and _view(other) == _view(film)
        ]
        if others:
            work.notes.append(f"The study then holds {len(others) + 1} films of {_view(film).words}.")


def _flags(film: Image, is_: FilmIs) -> list[Any]:
    if is_.kinds is None or is_.kinds == _kinds(film):
        return film.quality_flags
    return [flag for flag in film.quality_flags if flag not in OTHER_THAN_STANDARD] + sorted(is_.kinds)


def _date_of(work: Work, ask: DateOf) -> None:
    study = _study(work.session, ask.study_uid)
    was = study.study_date
    _check_born(_hers(work.session, study), ask.on)
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
        film = _film(work.session, sop_uid)
        by_study.setdefault(film.study_id, {}).setdefault(on, []).append(film)
    for study_id, days in by_study.items():
        study = work.session.get_one(Study, study_id)
        _split_by_day(work, study, days)


def _split_by_day(work: Work, study: Study, days: Mapping[date, Sequence[Image]]) -> None:
    was = study.study_date
    woman = _hers(work.session, study)
    for on in days:
        _check_born(woman, on)
    moving = {on: films for on, films in days.items() if on != was}
    staying = len(study.images) - sum(map(len, moving.values()))
    if moving and not staying:
        # The row itself, and with it the assessment, goes to the first day that has no study yet.
        free = [on for on in sorted(moving) if _that_day(work.session, woman, on) is None]
        if free:
            work.ledger.set(study, study_date=free[0])
            del moving[free[0]]
            work.session.flush()
            work.done.append(f"The study of {was} becomes that of {free[0]}.")
    for on, films in sorted(moving.items()):
        target = _that_day(work.session, woman, on) or _new_study(work, woman, on, study)
        _hand_over(work, films, target)
        verb = "becomes" if len(films) == 1 else "become"
        work.done.append(f"{_and(_view(film).words for film in films)} of {was} {verb} the study of {on}.")


def _moved_to(work: Work, ask: MovedTo) -> None:
    session = work.session
    studies = [_study(session, uid) for uid in dict.fromkeys(ask.studies)]
    single: dict[int, list[Image]] = {}
    for film in (_film(session, uid) for uid in dict.fromkeys(ask.films)):
        if film.study_id not in {study.id for study in studies}:
            single.setdefault(film.study_id, []).append(film)
    for study_id, films in list(single.items()):
        study = session.get_one(Study, study_id)
        if len(films) == len(study.images):
            studies.append(study)
            del single[study_id]
    sources = [_hers(session, study) for study in studies]
    sources += [_hers(session, session.get_one(Study, study_id)) for study_id in single]
    target = _target(work, ask, sources)
    for study in studies:
        _check_born(target, study.study_date)
        if work.ledger.set(study, patient_id=target.id):
            work.done.append(f"The study of {study.study_date} goes to {_who(target)}.")
            session.flush()
            _say_same_day(work, study)
    for study_id, films in single.items():
        study = session.get_one(Study, study_id)
        if study.patient_id == target.id:
            continue
        _check_born(target, study.study_date)
        onto = _that_day(session, target, study.study_date) or _new_study(
            work, target, study.study_date, study
        )
        _hand_over(work, films, onto)
        verb = "goes" if len(films) == 1 else "go"
        work.done.append(
            f"{_and(_view(film).words for film in films)} of {study.study_date} {verb} to {_who(target)}."
        )
    for woman in {woman.id: woman for woman in sources}.values():
        if woman.id != target.id and (woman.events or woman.risk_factors):
            work.notes.append(f"Events and risk factors stay with {_who(woman)}.")


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
    work.done.append(f"{_who(target)} is new here.")
    return target


def _who_she_is(work: Work, ask: WhoSheIs) -> None:
    woman = _woman(work.session, ask.mrn)
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
        film = _film(work.session, sop_uid)
        work.ledger.put_away(film)
        study = _study_of(work.session, film)
        work.done.append(f"{_view(film).words} of {study.study_date} is set aside: kept, and shown nowhere.")


def _merged(work: Work, ask: Merged) -> None:
    kept, gone = _woman(work.session, ask.kept), _woman(work.session, ask.gone)
    if kept.id == gone.id:
        raise CorrectionRefused("Both MRNs lead to the same woman already.")
    if kept.simulated != gone.simulated:
        raise CorrectionRefused("Simulated and real women are never put together.")
    work.conflicts += _differences(kept, gone)
    hers = select(Study).where(Study.patient_id == gone.id)
    # Also those that were put away: undoing what emptied them leads to her.
    studies = work.session.scalars(hers, execution_options=WITH_PUT_AWAY).all()
    for study in studies:
        _check_born(kept, study.study_date)
    moved = {
        "study": _all_go(work, studies, kept),
        "event": _all_go(work, gone.events, kept),
        "lesion": _all_go(work, gone.lesions, kept),
        "entry of risk factors": _all_go(work, _free_of_clash(work, kept, gone), kept),
    }
    both = sorted({one.label for one in kept.lesions} & {one.label for one in gone.lesions})
    if both:
        work.notes.append(f"Both have a {_and(both)}: rename one on her page, or join the two.")
    said = _and(f"{n} {what if n == 1 else _plural(what)}" for what, n in moved.items() if n)
    _fill_in(work, kept, gone)
    work.ledger.put_away(gone)
    work.ledger.set(gone, merged_into_id=kept.id)
    work.done.append(f"{_who(gone)} is merged into {_who(kept)}: {said or 'nothing'} of hers go there.")
    work.notes.append(
        f"MRN {gone.mrn} leads to her from then on, in the search and for files that come with it."
    )


def _all_go(work: Work, rows: Iterable[Study | Event | Lesion | RiskFactors], to: Patient) -> int:
    return sum(work.ledger.set(row, patient_id=to.id) for row in list(rows))


def _free_of_clash(work: Work, kept: Patient, gone: Patient) -> list[RiskFactors]:
    taken = {one.recorded_on for one in kept.risk_factors}
    clashing = [one for one in gone.risk_factors if one.recorded_on in taken]
    if clashing:
        days = _and(str(one.recorded_on) for one in clashing)
        work.notes.append(f"Of the risk factors of {days} those of {_who(kept)} count.")
    return [one for one in gone.risk_factors if one not in clashing]


def _fill_in(work: Work, kept: Patient, gone: Patient) -> None:
    """Write into her record what only the other one knows, and the other name beside hers."""
    for fact in ("name", "birth_date", "sex", "mrn_issuer"):
        if getattr(kept, fact) is None:
            work.ledger.set(kept, **{fact: getattr(gone, fact)})
    others = [*(kept.other_names or "").splitlines(), gone.name, *(gone.other_names or "").splitlines()]
    new = list(dict.fromkeys(name for name in others if name and name != kept.name))
    work.ledger.set(kept, other_names="\n".join(new) or None)


def _differences(kept: Patient, gone: Patient) -> list[str]:
    found = []
    if kept.name and gone.name and not names_agree(kept.name, gone.name):
        found.append(f"{kept.mrn} is named {kept.name}, {gone.mrn} {gone.name}.")
    if kept.birth_date and gone.birth_date and kept.birth_date != gone.birth_date:
        found.append(f"{kept.mrn} is born {kept.birth_date}, {gone.mrn} {gone.birth_date}.")
    if kept.sex and gone.sex and kept.sex != gone.sex:
        found.append(f"The sex of {kept.mrn} is {kept.sex.value}, of {gone.mrn} {gone.sex.value}.")
    if kept.mrn_issuer and gone.mrn_issuer and kept.mrn_issuer != gone.mrn_issuer:
        found.append(f"{kept.mrn} was given by {kept.mrn_issuer}, {gone.mrn} by {gone.mrn_issuer}.")
    return found


def _hand_over(work: Work, films: Iterable[Image], study: Study) -> None:
    for film in films:
        work.ledger.set(film, study_id=study.id)
    work.session.flush()


def _that_day(session: Session, woman: Patient, on: date) -> Study | None:
    return session.scalar(
        select(Study)
        .where(Study.patient_id == woman.id, Study.study_date == on, Study.modality == "MG")
        .order_by(Study.id)
        .limit(1)
    )


def _new_study(work: Work, woman: Patient, on: date, like: Study) -> Study:
    # A UID of our own under the UUID root (PS3.5 B.2): no file knows this study.
    study = Study(
        uid=f"2.25.{uuid.uuid4().int}",
        patient_id=woman.id,
        study_date=on,
        modality=like.modality,
        description=like.description,
    )
    work.ledger.add(study)
    return study


def _woman(session: Session, mrn: str) -> Patient:
    woman = called(session, mrn)
    if woman is None:
        raise CorrectionRefused(f"There is no patient {mrn}.")
    return woman


def _study(session: Session, uid: str) -> Study:
    study = session.scalar(select(Study).where(Study.uid == uid))
    if study is None:
        raise CorrectionRefused(f"There is no study {uid}.")
    return study


def _film(session: Session, sop_uid: str) -> Image:
    film = session.scalar(select(Image).where(Image.sop_uid == sop_uid))
    if film is None:
        raise CorrectionRefused(f"There is no film {sop_uid}, or it is set aside.")
    return film


def _study_of(session: Session, film: Image) -> Study:
    return session.get_one(Study, film.study_id)


def _hers(session: Session, study: Study) -> Patient:
    return session.get_one(Patient, study.patient_id)


def _check_born(woman: Patient, on: date) -> None:
    if woman.birth_date is not None and woman.birth_date > on:
        raise CorrectionRefused(
            f"{_who(woman)} is born {woman.birth_date}: no study of hers is of {on}. Check both."
        )


def _typed_facts(facts: Mapping[str, str | date | None]) -> dict[str, Any]:
    typed: dict[str, Any] = dict(facts)
    if typed.get("sex") is not None:
        typed["sex"] = Sex(typed["sex"])
    if isinstance(typed.get("name"), str):
        typed["name"] = typed["name"].strip()
    return typed


def _kinds(film: Image) -> frozenset[str]:
    return frozenset(flag for flag in film.quality_flags if flag in OTHER_THAN_STANDARD)


def _view(film: Image) -> ViewName:
    return ViewName(Laterality(film.laterality).value, film.view)


def _who(woman: Patient) -> str:
    return f"{woman.name}, MRN {woman.mrn}" if woman.name else f"MRN {woman.mrn}"


def _known(value: Any) -> str:
    if value is None:
        return "unknown"
    return value.value if isinstance(value, Sex) else str(value)


def _plural(what: str) -> str:
    return {"study": "studies", "entry of risk factors": "entries of risk factors"}.get(what, f"{what}s")


def _and(words: Iterable[str]) -> str:
    *first, last = [*words] or [""]
    return f"{', '.join(first)} and {last}" if first else last
