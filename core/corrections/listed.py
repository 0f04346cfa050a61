"""Corrections that were made of a woman, and her studies with their films, as the page and the command line list them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import aliased

from core.corrections.asked import Kind
from core.incoming import called, mrns_of
from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.rules import ViewName
from core.rules.vocabulary import OTHER_THAN_STANDARD
from db.sessions import WITH_PUT_AWAY
from db.tables import Correction, Image, Study, User

__all__ = [
    "Chosen",
    "Entry",
    "Film",
    "StudyWithFilms",
    "all_corrections",
    "correction_of",
    "corrections_chosen",
    "corrections_of",
    "studies_with_films",
]


@dataclass(frozen=True)
class Entry:
    """One correction: what, who, when, why; and who undid it, if anybody. `by` is "command line" where nobody signed in."""

    correction_id: int
    kind: Kind
    mrn: str
    other_mrn: str | None
    says: str
    reason: str
    by: str
    at: datetime
    undone_by: str | None
    undone_at: datetime | None
    undo_reason: str | None

    @property
    def is_undone(self) -> bool:
        """Say whether all is as it was before."""
        return self.undone_at is not None

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``correct list --json``."""
        return {
            "id": self.correction_id,
            "kind": self.kind.value,
            "patient": self.mrn,
            "other": self.other_mrn,
            "says": self.says,
            "reason": self.reason,
            "by": self.by,
            "at": self.at.isoformat(),
            "undone_by": self.undone_by,
            "undone_at": self.undone_at.isoformat() if self.undone_at else None,
            "undo_reason": self.undo_reason,
        }


@dataclass(frozen=True)
class Chosen:
    """Which corrections are meant: of a woman, of a kind, made on days (UTC, both included), undone or not; None: whichever."""

    mrn: str | None = None
    kind: Kind | None = None
    since: date | None = None
    until: date | None = None
    is_undone: bool | None = None


@dataclass(frozen=True)
class Film:
    """One film of a study; `set_aside_by` is the correction that set it aside. `file_date` is the day that its file says."""

    sop_uid: str
    view: ViewName
    kinds: frozenset[str]
    source_name: str
    file_date: date | None
    set_aside_by: int | None


@dataclass(frozen=True)
class StudyWithFilms:
    """A study with its films, those set aside too."""

    study_uid: str
    on: date
    assessed: bool
    films: tuple[Film, ...]

    @property
    def shown(self) -> tuple[Film, ...]:
        """Return the films that count."""
        return tuple(film for film in self.films if film.set_aside_by is None)


COMMAND_LINE = "command line"


@needs(Permission.SEE_PATIENTS)
def corrections_of(here: Installation, mrn: str) -> list[Entry]:
    """Return what was corrected of a woman, newest first; of one who was merged with others theirs too."""
    return _entries(here, _of(here, mrn))


@needs(Permission.SEE_PATIENTS)
def correction_of(here: Installation, correction_id: int) -> Entry | None:
    """Return one correction by its number; None if there is none."""
    return next(iter(_entries(here, Correction.id == correction_id)), None)


@needs(Permission.CORRECT)
def all_corrections(here: Installation, *, limit: int = 200) -> list[Entry]:
    """Return the newest corrections of all women first."""
    return _entries(here, None, limit)


@needs(Permission.CORRECT)
def corrections_chosen(here: Installation, which: Chosen, *, before: int | None, limit: int) -> list[Entry]:
    """Return corrections that are meant, newest first, those numbered below `before` where that is said."""
    wanted: list[ColumnElement[bool]] = []
    if before is not None:
        wanted.append(Correction.id < before)
    if which.mrn is not None:
        wanted.append(_of(here, which.mrn))
    if which.kind is not None:
        wanted.append(Correction.kind == which.kind.value)
    if which.since is not None:
        wanted.append(Correction.made_at >= datetime.combine(which.since, time(), UTC))
    if which.until is not None and which.until < date.max:
        wanted.append(Correction.made_at < datetime.combine(which.until + timedelta(days=1), time(), UTC))
    if which.is_undone is not None:
        undone = Correction.undone_at
        wanted.append(undone.is_not(None) if which.is_undone else undone.is_(None))
    return _entries(here, and_(*wanted) if wanted else None, limit)


def _of(here: Installation, mrn: str) -> ColumnElement[bool]:
    with here.database.read() as session:
        mrns = mrns_of(session, mrn)
    return or_(Correction.mrn.in_(mrns), Correction.other_mrn.in_(mrns))


def _entries(here: Installation, which: ColumnElement[bool] | None, limit: int | None = None) -> list[Entry]:
    undoer = aliased(User)
    query = (
        select(Correction, User.display_name, undoer.display_name)
        .outerjoin(User, User.id == Correction.made_by_id)
        .outerjoin(undoer, undoer.id == Correction.undone_by_id)
        .order_by(Correction.id.desc())
        .limit(limit)
    )
    with here.database.read() as session:
        return [
            Entry(
                correction_id=row.id,
                kind=Kind(row.kind),
                mrn=row.mrn,
                other_mrn=row.other_mrn,
                says=row.says,
                reason=row.reason,
                by=by or COMMAND_LINE,
                at=row.made_at,
                undone_by=(undone_by or COMMAND_LINE) if row.undone_at else None,
                undone_at=row.undone_at,
                undo_reason=row.undo_reason,
            )
            for row, by, undone_by in session.execute(query if which is None else query.where(which))
        ]


@needs(Permission.SEE_PATIENTS)
def studies_with_films(here: Installation, mrn: str) -> list[StudyWithFilms]:
    """Return a woman's studies, newest first, with their films; also a study of which every film is set aside."""
    with here.database.read() as session:
        woman = called(session, mrn)
        if woman is None:
            return []
        rows = session.execute(
            select(Study, Image)
            .join(Image, Image.study_id == Study.id)
            .where(Study.patient_id == woman.id)
            .order_by(Study.study_date.desc(), Study.id.desc(), Image.id),
            execution_options=WITH_PUT_AWAY,
        )
        found: dict[int, tuple[Study, list[Film]]] = {}
        for study, image in rows:
            found.setdefault(study.id, (study, []))[1].append(_film(image))
        return [
            StudyWithFilms(study.uid, study.study_date, study.bi_rads is not None, tuple(films))
            for study, films in found.values()
        ]


def day_of_file(file_says: Mapping[str, Any]) -> date | None:
    """Return the day that a file says itself, where that is not the day of its study; None else, or where it says none."""
    try:
        return date.fromisoformat(str(file_says.get("study_date")))
    except ValueError:
        return None


def _film(image: Image) -> Film:
    return Film(
        sop_uid=image.sop_uid,
        view=ViewName(image.laterality.value, image.view),
        kinds=frozenset(flag for flag in image.quality_flags if flag in OTHER_THAN_STANDARD),
        source_name=image.source_name,
        file_date=day_of_file(image.file_says),
        set_aside_by=image.put_away_by_id,
    )
