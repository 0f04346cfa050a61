"""What a person was shown is remembered wherever she asks next: after a restart, in another process, at the command line."""

import pytest
from sqlalchemy import func, select

from core.cohorts import Asked, Definition, Frame, Population, Selection, asked
from core.cohorts import select as select_women
from core.installation import Installation
from core.people import Role
from core.people.accounts import create_user
from db.tables import AskedCohort, User
from tests.cohort_frames import synthetic

SIMULATED = Definition(kind=Population.SIMULATED)
REFUSED = "differs by fewer than 5 women"


@pytest.fixture(scope="module")
def frame() -> Frame:
    return synthetic(400, 5)


@pytest.fixture
def ana(here: Installation) -> int:
    return create_user(here, "ana", "a long password", Role.ANALYST).user_id


def two_apart(frame: Frame, by: int) -> tuple[Selection, Selection]:
    """Return the whole cohort, and one of another definition that leaves a few women out."""
    everybody = select_women(frame, SIMULATED)
    chosen = everybody.chosen.copy()
    chosen[:by] = False
    return everybody, Selection(frame, SIMULATED.but(density=["A", "B"]), everybody.facts, chosen, "")


def test_after_a_restart_the_second_of_two_that_differ_by_a_few_is_still_refused(
    here: Installation, ana: int, frame: Frame
) -> None:
    everybody, but_three = two_apart(frame, 3)
    assert Asked(here.database).why_not(ana, everybody) == ""
    again = Asked(here.database)
    assert REFUSED in again.why_not(ana, but_three)
    assert again.why_not(ana, everybody) == "", "what was shown once may be shown again"
    assert again.why_not(None, but_three) == "", "another person has not seen it"
    assert Asked(here.database, "bcsc").why_not(ana, but_three) == "", "nor of other women"


def test_two_processes_know_of_each_other(here: Installation, ana: int, frame: Frame) -> None:
    everybody, but_three = two_apart(frame, 3)
    one, other = Asked(here.database), Asked(here.database)
    assert other.why_not(ana, select_women(frame, SIMULATED.but(density=["C"]))) == ""
    assert one.why_not(ana, everybody) == ""
    assert REFUSED in other.why_not(ana, but_three)


def test_women_who_came_since_and_women_who_are_gone_do_not_unsettle_what_was_seen(
    here: Installation, ana: int, frame: Frame
) -> None:
    seen = Asked(here.database)
    assert seen.why_not(ana, select_women(frame, SIMULATED)) == ""
    for others in (synthetic(470, 5), synthetic(333, 5)):
        everybody, but_three = two_apart(others, 3)
        assert seen.why_not(ana, everybody) == ""
        assert REFUSED in seen.why_not(ana, but_three)


def test_the_last_definitions_of_each_are_kept_once_and_go_with_the_account(
    here: Installation, ana: int, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "MOST", 2)
    seen = Asked(here.database)
    for density in (["A"], ["B"], ["B"], ["C"]):
        assert seen.why_not(ana, select_women(frame, SIMULATED.but(density=density))) == ""
    assert seen.why_not(None, select_women(frame, SIMULATED)) == ""
    with here.database.read() as session:
        kept = session.scalars(select(AskedCohort.definition).where(AskedCohort.user_id == ana))
        assert [Definition.from_json(one).density for one in kept] == [("B",), ("C",)]
    with here.database.write() as session:
        session.delete(session.get_one(User, ana))
    with here.database.read() as session:
        assert session.scalar(select(func.count()).select_from(AskedCohort)) == 1


def test_a_definition_of_another_release_is_passed_over(here: Installation, ana: int, frame: Frame) -> None:
    with here.database.write() as session:
        session.add(AskedCohort(user_id=ana, source="", definition='{"format": "longview-cohort/0"}'))
    assert Asked(here.database).why_not(ana, select_women(frame, SIMULATED)) == ""
