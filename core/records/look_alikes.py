"""Patients who may be one woman with two numbers: proposed with what speaks for it, decided by a person.

Nothing here merges. Only women who share a birth date or a name are held against each other, so that the work grows with
their number and not with its square.
"""

from __future__ import annotations

import difflib
import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from core.installation import Installation
from core.people import Permission, Person, audit
from core.people.needing import needs
from db.tables import NotTheSame, Patient

__all__ = ["AlikePair", "AlikePatient", "alike_pairs", "say_not_the_same"]

ALIKE = 0.84
"""From which likeness (Ratcliff and Obershelp's, 0 to 1) two names may be one that was written twice: JANSON, JANSSON 0.92."""
MOST_OF_A_DAY = 200
"""Of more women with one birth date than this the date is taken for a placeholder, and says nothing."""


@dataclass(frozen=True)
class AlikePatient:
    """One of two patients who look alike."""

    mrn: str
    name: str | None
    birth_date: date | None
    sex: str | None


@dataclass(frozen=True)
class AlikePair:
    """Two patients who may be one woman; `reasons` say what they have in common, `against` what they have not."""

    one: AlikePatient
    other: AlikePatient
    reasons: tuple[str, ...]
    against: tuple[str, ...]


@dataclass(frozen=True)
class _Known:
    id: int
    patient: AlikePatient
    letters: str
    """The parts of her name without case and accents, in the order of the alphabet."""


@needs(Permission.ADD_STUDY)
def alike_pairs(here: Installation, *, limit: int = 100) -> list[AlikePair]:
    """Return pairs of real patients who may be one woman, the likeliest first, but those that a person said are two."""
    women = select(Patient.id, Patient.mrn, Patient.name, Patient.birth_date, Patient.sex).where(
        ~Patient.simulated
    )
    with here.database.read() as session:
        found = [
            _Known(row.id, AlikePatient(row.mrn, row.name, row.birth_date, row.sex), _letters(row.name))
            for row in session.execute(women)
        ]
        two = {
            (row.one_id, row.other_id)
            for row in session.execute(select(NotTheSame.one_id, NotTheSame.other_id))
        }
    pairs = [
        pair
        for key, (one, other) in _candidates(found).items()
        if key not in two and (pair := _pair(one, other)) is not None
    ]
    pairs.sort(key=lambda pair: (len(pair.against), -len(pair.reasons), pair.one.mrn, pair.other.mrn))
    return pairs[:limit]


@needs(Permission.ADD_STUDY)
def say_not_the_same(here: Installation, mrn: str, other_mrn: str, *, person: Person) -> None:
    """Remember that two patients are two women, so that they are not proposed again.

    Raises `AccessDenied` for who may not add studies, and `LookupError` where one of them is not known.
    """
    with here.database.write() as session:
        ids = [session.scalar(select(Patient.id).where(Patient.mrn == each)) for each in (mrn, other_mrn)]
        known = sorted(each for each in ids if each is not None)
        if len(known) < 2:
            raise LookupError("One of the two is no longer here. Read the list anew.")
        if session.get(NotTheSame, tuple(known)) is None:
            session.add(NotTheSame(one_id=known[0], other_id=known[1], by_id=person.user_id))
            audit.record(session, person, "said_not_the_same", f"patient:{mrn}", {"other": other_mrn})


def _candidates(women: Iterable[_Known]) -> dict[tuple[int, int], tuple[_Known, _Known]]:
    """Return the pairs who share a birth date or all of a name, by their ids."""
    by_birth: dict[date, list[_Known]] = defaultdict(list)
    by_name: dict[str, list[_Known]] = defaultdict(list)
    for woman in women:
        if woman.patient.birth_date is not None:
            by_birth[woman.patient.birth_date].append(woman)
        if " " in woman.letters:  # a first name alone is many women's
            by_name[woman.letters].append(woman)
    found = {}
    for group in itertools.chain(by_birth.values(), by_name.values()):
        if len(group) <= MOST_OF_A_DAY:
            for one, other in _pairs(group):
                found[one.id, other.id] = (one, other)
    return found


def _pairs(group: list[_Known]) -> Iterator[tuple[_Known, _Known]]:
    yield from itertools.combinations(sorted(group, key=lambda woman: woman.id), 2)


def _pair(one: _Known, other: _Known) -> AlikePair | None:
    born = one.patient.birth_date, other.patient.birth_date
    named = _names_alike(one.letters, other.letters)
    dated = _dates_alike(*born)
    if named is None or dated is None:
        return None
    reasons = [said for said in (named, dated) if said]
    if not reasons or (len(reasons) < 2 and None not in born):
        return None
    sexes = {one.patient.sex, other.patient.sex} - {None}
    against = ["different sex"] if len(sexes) == 2 else []
    if not dated:
        against.append("one birth date is not known")
    return AlikePair(one.patient, other.patient, tuple(reasons), tuple(against))


def _names_alike(one: str, other: str) -> str | None:
    """Say how two names are alike; nothing where one is not known; None where they are two names."""
    if not one or not other:
        return ""
    if one == other:
        return "same name"
    mine, others = set(one.split()), set(other.split())
    if len(mine & others) >= 2 or (len(mine & others) == 1 and min(len(mine), len(others)) == 1):
        return "one name within the other"
    digits = re.findall(r"\d", one) == re.findall(r"\d", other)
    if digits and difflib.SequenceMatcher(None, one, other).ratio() >= ALIKE:
        return "similar names"
    return None


def _dates_alike(one: date | None, other: date | None) -> str | None:
    """Say how two birth dates are alike; nothing where one is not known; None where they are two dates."""
    if one is None or other is None:
        return ""
    if one == other:
        return "same birth date"
    if (one.day, one.month, one.year) == (other.month, other.day, other.year):
        return "day and month of birth exchanged"
    differing = sum(a != b for a, b in zip(f"{one:%Y%m%d}", f"{other:%Y%m%d}", strict=True))
    return "birth dates differ in one digit" if differing == 1 else None


def _letters(name: str | None) -> str:
    plain = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFKD", (name or "").casefold()))
    return " ".join(sorted(re.findall(r"\w+", plain.replace("_", " "))))
