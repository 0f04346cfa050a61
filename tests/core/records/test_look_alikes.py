"""Patients who may be one woman are proposed with their reasons; two different women are not."""

from datetime import date

import pytest

from core.people import Person, Role
from core.people.accounts import create_user
from core.people.roles import AccessDenied
from core.records import alike_pairs, say_not_the_same
from db.tables import Patient

BORN = date(1961, 4, 12)


def women(here, *rows: tuple[str, str | None, date | None]) -> None:
    with here.database.write() as session:
        session.add_all(Patient(mrn=mrn, name=name, birth_date=born) for mrn, name, born in rows)


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (("Doe, Jane", BORN), ("JANE DOE", BORN), "same name"),
        (("Müller, Änne", BORN), ("Muller Anne", BORN), "same name"),
        (("Doe, Jane", BORN), ("Doe-Smith, Jane", BORN), "one name within the other"),
        (("Janson, Eva", BORN), ("Jansson, Eva", BORN), "similar names"),
        (("Doe, Jane", BORN), ("Doe, Jane", date(1961, 12, 4)), "day and month of birth exchanged"),
        (("Doe, Jane", BORN), ("Doe, Jane", date(1961, 4, 13)), "birth dates differ in one digit"),
        (("Doe, Jane", BORN), ("Doe, Jane", None), "same name"),
    ],
)
def test_who_may_be_one_woman_is_proposed(here, one, other, reason):
    women(here, ("1", *one), ("2", *other), ("3", "Quite, Other", BORN))
    (pair,) = alike_pairs(here)
    assert {pair.one.mrn, pair.other.mrn} == {"1", "2"}
    assert reason in pair.reasons


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Doe, Jane", BORN), ("Doe, Jane", date(1975, 1, 30))),
        (("Doe, Jane", BORN), ("Smith, Mary", BORN)),
        (("Doe, Jane", BORN), ("Doe, Mary", BORN)),
        (("Sim-0001", BORN), ("Sim-0002", BORN)),
        ((None, BORN), (None, BORN)),
        (("Jane", None), ("Jane", None)),
    ],
)
def test_two_women_are_not(here, one, other):
    women(here, ("1", *one), ("2", *other))
    assert alike_pairs(here) == []


def test_two_who_are_said_to_be_two_are_not_proposed_again(here):
    women(here, ("1", "Doe, Jane", BORN), ("2", "Doe, Jane", BORN))
    staff = create_user(here, "s", "a long pass phrase", Role.STAFF)
    with pytest.raises(AccessDenied):
        say_not_the_same(here, "1", "2", person=Person(0, "a", "A", Role.ANALYST))
    say_not_the_same(here, "2", "1", person=staff)
    say_not_the_same(here, "1", "2", person=staff)
    assert alike_pairs(here) == []
    with pytest.raises(LookupError):
        say_not_the_same(here, "1", "3", person=staff)
