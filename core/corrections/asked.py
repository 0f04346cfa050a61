"""What can be asked to be put right: one class a kind. An ask names rows as people and files do, by MRN and UID."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from core.incoming import LONGEST_MRN
from core.rules.vocabulary import OTHER_THAN_STANDARD, SIDES, VIEWS
from db.tables import Sex

__all__ = [
    "Ask",
    "ChangedSince",
    "CorrectionRefused",
    "DateOf",
    "DaysOf",
    "EventIs",
    "EventsAre",
    "FilmIs",
    "FilmsAre",
    "Kind",
    "Merged",
    "MovedTo",
    "NotConfirmed",
    "SeenOtherwise",
    "SetAside",
    "WhoSheIs",
]

LONGEST_NAME = 256
EARLIEST = date(1900, 1, 1)


class Kind(enum.StrEnum):
    """What was put right."""

    FILM = "film"
    DATE = "date"
    DAYS = "days"
    PATIENT = "patient"
    PERSON = "person"
    SET_ASIDE = "set_aside"
    MERGE = "merge"
    EVENT = "event"

    @property
    def words(self) -> str:
        """Return what people call it."""
        return _WORDS[self]


_WORDS = {
    Kind.FILM: "side, view or kind of a film",
    Kind.DATE: "date of a study",
    Kind.DAYS: "one study that was several",
    Kind.PATIENT: "whose study it is",
    Kind.PERSON: "who she is",
    Kind.SET_ASIDE: "film set aside",
    Kind.MERGE: "two records of one woman",
    Kind.EVENT: "whose or of when an event is",
}


class CorrectionRefused(ValueError):
    """Nothing was changed; the message says why and what to do."""


class ChangedSince(CorrectionRefused):
    """What a preview was made of is not what is stored any more, or something was done since that stands in the way."""


class SeenOtherwise(ChangedSince):
    """What a preview was made of is not what is stored any more: look again."""


class NotConfirmed(CorrectionRefused):
    """Something speaks against it, and nobody has confirmed that it is right all the same; `conflicts` are sentences."""

    def __init__(self, conflicts: tuple[str, ...]) -> None:
        self.conflicts = conflicts
        super().__init__(" ".join(conflicts))


@dataclass(frozen=True)
class FilmIs:
    """What a film truly is; None leaves as it is. `kinds` are codes of `QualityFlag`; none of them: a standard view."""

    laterality: str | None = None
    view: str | None = None
    kinds: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.laterality not in (None, *SIDES):
            raise CorrectionRefused(f"{self.laterality} is no side. Sides are {' and '.join(SIDES)}.")
        if self.view not in (None, *VIEWS):
            raise CorrectionRefused(f"{self.view} is no view. Views are {', '.join(VIEWS)}.")
        unknown = sorted((self.kinds or frozenset()) - {flag.value for flag in OTHER_THAN_STANDARD})
        if unknown:
            known = ", ".join(sorted(flag.value for flag in OTHER_THAN_STANDARD))
            raise CorrectionRefused(f"{', '.join(unknown)} is no kind of film. Kinds are standard, {known}.")


@dataclass(frozen=True)
class FilmsAre:
    """Side, view and kind of films, by SOP UID."""

    films: Mapping[str, FilmIs]
    kind = Kind.FILM


@dataclass(frozen=True)
class DateOf:
    """The day of a study."""

    study_uid: str
    on: date
    kind = Kind.DATE

    def __post_init__(self) -> None:
        check_day(self.on)


@dataclass(frozen=True)
class DaysOf:
    """The days of single films, by SOP UID: what came as one study was several."""

    films: Mapping[str, date]
    kind = Kind.DAYS

    def __post_init__(self) -> None:
        for day in self.films.values():
            check_day(day)


@dataclass(frozen=True)
class MovedTo:
    """Studies (by UID) and single films (by SOP UID) that are another woman's; one who is not known yet is made.

    `facts` say who a new one is (`name`, `birth_date`, `sex`); of a known one they are not looked at.
    """

    mrn: str
    studies: tuple[str, ...] = ()
    films: tuple[str, ...] = ()
    facts: Mapping[str, str | date | None] = field(default_factory=dict)
    kind = Kind.PATIENT

    def __post_init__(self) -> None:
        check_mrn(self.mrn)
        check_facts(self.facts)


@dataclass(frozen=True)
class WhoSheIs:
    """Name, birth date and sex of a woman (`name`, `birth_date`, `sex`); None is "not known", what is not named stays."""

    mrn: str
    facts: Mapping[str, str | date | None]
    kind = Kind.PERSON

    def __post_init__(self) -> None:
        check_facts(self.facts)


@dataclass(frozen=True)
class SetAside:
    """Films that are not wanted: kept, shown nowhere, read by no model."""

    films: tuple[str, ...]
    kind = Kind.SET_ASIDE


@dataclass(frozen=True)
class Merged:
    """Two records that are one woman: `kept` stays, all of `gone` goes to it, and its MRN leads there from then on."""

    kept: str
    gone: str
    kind = Kind.MERGE


@dataclass(frozen=True)
class EventIs:
    """Whose an event truly is, of which day, and when a therapy ended; None leaves as it is."""

    mrn: str | None = None
    on: date | None = None
    end: date | None = None

    def __post_init__(self) -> None:
        if self.mrn is not None:
            check_mrn(self.mrn)
        if self.on is not None and not EARLIEST <= self.on <= date.today():
            raise CorrectionRefused(f"The date {self.on} lies in the future or before 1900.")


@dataclass(frozen=True)
class EventsAre:
    """Whose events are and of when, by the number of each."""

    events: Mapping[int, EventIs]
    kind = Kind.EVENT


Ask = FilmsAre | DateOf | DaysOf | MovedTo | WhoSheIs | SetAside | Merged | EventsAre


def check_day(day: date) -> None:
    """Raise `CorrectionRefused` for a day on which no study can have been made."""
    if not EARLIEST <= day <= date.today():
        raise CorrectionRefused(f"The date {day} lies in the future or before 1900.")


def check_mrn(mrn: str) -> None:
    """Raise `CorrectionRefused` for what cannot be an MRN."""
    if not mrn.strip() or mrn != mrn.strip() or len(mrn) > LONGEST_MRN or not mrn.isprintable():
        raise CorrectionRefused(f"The patient's MRN must have 1 to {LONGEST_MRN} printable characters.")


def check_facts(facts: Mapping[str, str | date | None]) -> None:
    """Raise `CorrectionRefused` for a name, birth date or sex that cannot be meant."""
    name, born, sex = (facts.get(fact) for fact in ("name", "birth_date", "sex"))
    if name is not None and not (0 < len(str(name).strip()) <= LONGEST_NAME and str(name).isprintable()):
        raise CorrectionRefused(f"The patient's name must have 1 to {LONGEST_NAME} printable characters.")
    if isinstance(born, date) and not EARLIEST <= born <= date.today():
        raise CorrectionRefused(f"The birth date {born} lies in the future or before 1900.")
    if sex is not None and sex not in {one.value for one in Sex}:
        raise CorrectionRefused(f"{sex} is no sex as DICOM codes it: {', '.join(one.value for one in Sex)}.")
