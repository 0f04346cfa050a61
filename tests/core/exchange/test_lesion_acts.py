"""What a program does with a lesion and what takes it back are there together, wherever either was cut off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from sqlalchemy import select

from core.exchange import KeptAct, NotHere, TakenBackBefore, take_lesion_act_back
from core.installation import Installation
from core.people import Person, Role, create_user
from core.records import findings, lesions_of_patient, record_of, rename_lesion
from db.tables import ApiJob, AuditEntry
from tests import factories
from tests.killed import run_killed, steps_of


@pytest.fixture
def oncologist(here: Installation) -> Person:
    """A reader who has kept one finding."""
    person = create_user(here, "onco", "a long password", Role.ONCOLOGIST)
    factories.woman(here, "00017", [factories.VisitPlan(date(2024, 5, 1))])
    image = record_of(here, "00017").visits[0].images[0]
    findings.keep(here, person, image.sop_uid, (100, 200, 150, 220))
    return person


def name_of(here: Installation) -> str:
    (lesion,) = lesions_of_patient(here, "00017")
    return lesion.label


def rename(here: Installation, person: Person, label: str) -> str:
    """Give the lesion a name, and return the key of what takes that back."""
    (lesion,) = lesions_of_patient(here, "00017")
    kept = KeptAct(person)
    rename_lesion(here, person, lesion.lesion_id, label, version=lesion.version, keep=kept)
    return kept.key


def entries(here: Installation, action: str) -> int:
    with here.database.read() as session:
        return len(session.scalars(select(AuditEntry).where(AuditEntry.action == action)).all())


def killed(here: Installation, work: Callable[[], object], at: int | None = None) -> int:
    here.database.engine.dispose()  # a child has connections of its own
    return run_killed(work, steps_of(here.database), at)


def test_an_act_that_is_killed_anywhere_is_there_with_what_takes_it_back_or_not_at_all(
    here: Installation, oncologist: Person
) -> None:
    def jobs() -> int:
        with here.database.read() as session:
            return len(session.scalars(select(ApiJob)).all())

    total = killed(here, lambda: rename(here, oncologist, "Mass 0"))
    assert (name_of(here), jobs(), total > 5) == ("Mass 0", 1, True)
    for at in range(1, total + 2):
        before, kept, told = name_of(here), jobs(), entries(here, "lesion_renamed")
        killed(here, lambda at=at: rename(here, oncologist, f"Mass {at}"), at)
        came = name_of(here) != before
        assert (jobs() - kept, entries(here, "lesion_renamed") - told) == (came, came), at
    assert came, "the last one was not killed"


def test_an_act_whose_taking_back_is_killed_anywhere_is_taken_back_once(
    here: Installation, oncologist: Person
) -> None:
    first = rename(here, oncologist, "Mass")
    total = killed(here, lambda: take_lesion_act_back(here, oncologist, first))
    assert (name_of(here), total > 5) == ("Finding 1", True)
    for at in range(1, total + 2):
        key = rename(here, oncologist, "Mass")
        told = entries(here, "lesion_undone")
        killed(here, lambda key=key: take_lesion_act_back(here, oncologist, key), at)
        if name_of(here) == "Mass":
            take_lesion_act_back(here, oncologist, key)
        with pytest.raises(TakenBackBefore):
            take_lesion_act_back(here, oncologist, key)
        assert (name_of(here), entries(here, "lesion_undone") - told) == ("Finding 1", 1), at


def test_nobody_else_takes_it_back(here: Installation, oncologist: Person) -> None:
    key = rename(here, oncologist, "Mass")
    other = create_user(here, "onco2", "a long password", Role.ONCOLOGIST)
    with pytest.raises(NotHere):
        take_lesion_act_back(here, other, key)
    assert name_of(here) == "Mass"
