"""What is learned of a woman or a study asks for the scores whose input it changes, and for no others."""

from datetime import date

import pytest
from sqlalchemy import select

from core.incoming import rescoring
from db.tables import Patient, Study, StudyStatus, utc_now
from tests import factories
from tests.factories import VisitPlan

DAYS = (date(2020, 1, 1), date(2022, 1, 1), date(2024, 1, 1))


@pytest.fixture
def session(here):
    for mrn in ("1", "2"):
        factories.woman(here, mrn, [VisitPlan(day, views=()) for day in DAYS], birth_date=None)
    with here.database.write() as session:
        yield session


def waiting(session) -> list[tuple[str, int]]:
    session.expire_all()
    rows = session.scalars(select(Study).where(Study.status == StudyStatus.PENDING).order_by(Study.id))
    return [(study.patient.mrn, study.study_date.year) for study in rows]


def test_a_birth_date_asks_for_all_her_scores_and_for_no_other_womans(session):
    before = utc_now()
    patient = session.scalars(select(Patient).where(Patient.mrn == "1")).one()
    assert rescoring.set_birth_date(session, patient, date(1970, 1, 1)) == 3
    assert patient.birth_date == date(1970, 1, 1)
    assert waiting(session) == [("1", 2020), ("1", 2022), ("1", 2024)]
    assert all(study.inputs_changed_at >= before for study in patient.studies)


def test_a_birth_date_that_is_corrected_or_taken_back_asks_again_and_the_same_one_does_not(session):
    patient = session.scalars(select(Patient).where(Patient.mrn == "1")).one()
    born = [date(1970, 1, 1), date(1970, 1, 1), date(1971, 1, 1), None]
    assert [rescoring.set_birth_date(session, patient, day) for day in born] == [3, 0, 3, 3]


def test_an_image_asks_for_the_scores_of_its_study_and_of_later_ones(session):
    study = session.scalars(select(Study).where(Study.study_date == DAYS[1])).first()
    assert rescoring.image_added(session, study) == 2
    assert waiting(session) == [("1", 2022), ("1", 2024)]


def test_what_a_worker_has_in_work_is_taken_from_it(session):
    study = session.scalars(select(Study)).first()
    study.status, study.claimed_by, study.claimed_until = StudyStatus.PENDING, "elsewhere:1", utc_now()
    study.attempts, study.put_off_because, study.put_off_since = 3, "away", utc_now()
    session.flush()
    rescoring.queue_again(session, Study.id == study.id)
    session.expire_all()
    assert (study.claimed_by, study.attempts, study.put_off_because, study.put_off_since) == (
        None, 0, None, None,
    )  # fmt: skip
