"""Which scores are covered until the study is read, for everybody and everywhere."""

from datetime import date

import pytest
from sqlalchemy import select

from core.cohorts import Definition, Population, frame_of
from core.cohorts import select as select_women
from core.installation import Installation
from core.people import Permission, Person, Role, audit
from core.people.accounts import create_user
from core.people.roles import AccessDenied
from core.records import (
    Group,
    changed_alerts,
    findings,
    is_image_covered,
    record_assessment,
    record_of,
    reveal_unread,
    worklist,
)
from core.records.covered import StudyRead, is_covered
from core.records.export import export
from db.tables import EventKind, Image, Measurement, Study, UnreadReveal
from tests import factories
from tests.factories import VisitPlan

ODD = 0.0737
FIRST, PRIOR, LAST = date(2020, 3, 1), date(2023, 3, 1), date(2026, 3, 1)
TODAY = date(2026, 11, 21)


def study(on: date, *, by_model: bool = True, by_reader: bool = False) -> StudyRead:
    return StudyRead(0, on, by_model, by_reader)


@pytest.mark.parametrize(
    ("hers", "covered"),
    [
        ([study(LAST)], [True]),
        ([study(PRIOR), study(LAST)], [False, True]),
        ([study(PRIOR), study(LAST, by_reader=True)], [False, False]),
        ([study(PRIOR, by_reader=True), study(LAST, by_model=False)], [False, True]),
        ([study(PRIOR), study(LAST, by_model=False)], [True, True]),
        ([study(LAST), study(LAST, by_model=False, by_reader=True)], [False, False]),
        ([study(FIRST, by_model=False), study(PRIOR), study(LAST)], [False, False, True]),
    ],
    ids=["one", "history stays", "read", "waits to be scored", "both new", "one visit", "never scored"],
)
def test_what_is_covered_is_her_newest_day_until_somebody_has_read_it(hers, covered) -> None:
    assert [is_covered(one, hers) for one in hers] == covered


@pytest.fixture
def here(here: Installation) -> Installation:
    here.settings.read_first = True
    return here


@pytest.fixture
def reader(here: Installation) -> Person:
    return create_user(here, "ada", "a long password", Role.ONCOLOGIST, display_name="Dr Ada")


@pytest.fixture
def woman(here: Installation) -> str:
    alert = ("risk_high", "5-year risk above 3.0 %: 7.4 %")
    last = VisitPlan(LAST, ODD, malignancy_left=0.31, density="D", alerts=[alert], views=(("L", "CC"),))
    factories.woman(here, "1", [VisitPlan(PRIOR, 0.012, views=()), last])
    return "2.25.1.2"


def row(here: Installation) -> worklist.Row:
    return next(row for row in worklist.rows(here, today=TODAY) if row.mrn == "1")


def test_nothing_of_a_covered_score_is_in_her_record(here: Installation, woman: str) -> None:
    record = record_of(here, "1")
    assert record is not None
    prior, last = record.visits
    assert (last.covered, last.score, last.progression, last.model_density, last.rank, last.untrusted, last.doubt) == (
        True, None, None, None, None, None, None,
    )  # fmt: skip
    assert (prior.covered, prior.score is not None) == (False, True)
    assert (record.alerts, record.open_alerts) == ((), ())
    stands = record.standing
    assert (stands.covered, stands.change_since_prior, stands.density) == (True, None, None)
    assert stands.newest is prior


def test_nothing_of_it_is_in_her_row_of_the_worklist(here: Installation, woman: str) -> None:
    factories.woman(here, "2", [VisitPlan(LAST, 0.001, views=())])
    found = row(here)
    assert found.covered
    assert (found.risk_5y, found.risk_5y_low, found.change_since_prior, found.density, found.band) == (
        None,
    ) * 5
    assert [point.risk_5y for point in found.course] == [0.012]
    assert (found.alerts, found.changed, found.unread) == ((), False, True)
    assert [one.mrn for one in worklist.rows(here, today=TODAY)] == ["1", "2"], "by MRN: no order by risk"
    assert worklist.counts(worklist.rows(here, today=TODAY))[Group.CHANGED] == 0


def test_it_stands_everywhere_once_it_is_read(here: Installation, woman: str, reader: Person) -> None:
    record_assessment(here, reader, woman, right="1", left="4A", density="C")
    record = record_of(here, "1")
    assert record is not None
    assert record.visits[1].score is not None
    assert len(record.open_alerts) == 1
    assert (row(here).covered, row(here).risk_5y, len(row(here).alerts)) == (False, ODD, 1)
    assert ODD in told_risks(here)


def told_risks(here: Installation) -> set[float]:
    return {round(risk, 4) for risk in frame_of(here).visits["risk_5"].drop_nulls()}


def test_cohorts_leave_it_out_and_machines_do_not(here: Installation, woman: str, tmp_path) -> None:
    assert told_risks(here) == {0.012}, "she counts with her prior"
    assert select_women(frame_of(here), Definition(kind=Population.SIMULATED)).n == 1
    export(here, tmp_path / "out")
    assert str(ODD) in (tmp_path / "out" / "scores.csv").read_text()


def test_growth_after_a_diagnosis_is_covered_too(here: Installation, reader: Person) -> None:
    diagnosis = [(EventKind.DIAGNOSIS, PRIOR, None, "invasive cancer")]
    factories.woman(
        here,
        "1",
        [VisitPlan(FIRST, 0.01, views=()), VisitPlan(LAST, 0.2, progression=0.62, views=())],
        events=diagnosis,
    )
    covered = record_of(here, "1")
    assert covered is not None
    assert (covered.visits[1].covered, covered.visits[1].progression, covered.visits[1].doubt) == (
        True,
        None,
        None,
    )
    record_assessment(here, reader, "2.25.1.2", right="6", left="2", density="B")
    read = record_of(here, "1")
    assert read is not None
    assert (read.visits[1].progression, read.visits[1].score) == (0.62, None)


def test_where_nothing_may_be_told_nothing_is_covered(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(LAST, ODD, trust=("withheld", "unlike_pictures"), views=())])
    record = record_of(here, "1")
    assert record is not None
    assert (record.visits[0].covered, record.visits[0].doubt is not None) == (False, True)
    assert row(here).withheld


def test_a_finding_on_an_unread_study_is_kept_without_its_reading(
    here: Installation, woman: str, reader: Person
) -> None:
    with here.database.read() as session:
        sop_uid = session.scalars(select(Image.sop_uid).join(Study).where(Study.uid == woman)).first()
    said = {"tumour": {"benign": 0.2, "malignant": 0.8}, "model": "m"}
    kept = findings.keep(here, reader, sop_uid, (10.0, 10.0, 20.0, 20.0), reading=said)
    assert (kept.reading, kept.reading_by) == ({}, "")
    assert is_image_covered(here, sop_uid=sop_uid)
    record_assessment(here, reader, woman, right="1", left="4A", density="C")
    (kept,) = findings.of_patient(here, "1")
    assert (kept.reading, kept.reading_by) == (said["tumour"], "m")
    assert not is_image_covered(here, sop_uid=sop_uid)
    assert not is_image_covered(here, sha256="no such image")
    with here.database.read() as session:
        assert session.scalars(select(Measurement.reading)).one() == said


def test_what_newer_weights_changed_is_not_told_of_it(here: Installation, woman: str, reader: Person) -> None:
    factories.another_score(here, woman, weights_sha256="0" * 64, risk_5y=0.001, malignancy_left=0.001)
    assert changed_alerts(here) == []
    record_assessment(here, reader, woman, right="1", left="4A", density="C")
    assert changed_alerts(here)


def test_it_can_be_shown_unread_with_a_reason_which_the_assessment_then_says(
    here: Installation, woman: str, reader: Person
) -> None:
    with pytest.raises(ValueError, match="Say why"):
        reveal_unread(here, reader, woman, "  ")
    staff = create_user(here, "sam", "a long password", Role.STAFF)
    with pytest.raises(AccessDenied):
        reveal_unread(here, staff, woman, "curious")
    assert not staff.may(Permission.ASSESS)
    assert row(here).covered
    reveal_unread(here, reader, woman, "she bleeds")
    reveal_unread(here, reader, woman, "once more: nothing is covered any more")
    assert (row(here).covered, row(here).risk_5y) == (False, ODD)
    (entry,) = audit.latest(here, action="score_revealed_unread")
    assert (entry.person, entry.subject, entry.detail) == ("ada", f"study:{woman}", "reason she bleeds")
    said = record_assessment(here, reader, woman, right="1", left="4A", density="C")
    assert said.covered is False
    assert said.revealed_at is not None
    assert said.at is not None
    assert said.revealed_at < said.at


def test_the_studies_of_a_day_are_covered_shown_and_read_as_one(
    here: Installation, woman: str, reader: Person
) -> None:
    with here.database.write() as session:
        session.add(Study(uid="2.25.9", patient_id=1, study_date=LAST))
    reveal_unread(here, reader, "2.25.9", "she bleeds")
    assert not row(here).covered
    said = record_assessment(here, reader, woman, right="1", left="4A", density="C")
    assert said.covered is False
    assert said.revealed_at is not None
    assert said.at is not None
    with here.database.read() as session:
        shown = session.scalars(select(UnreadReveal.revealed_at)).one()
    assert said.revealed_at == shown < said.at


def test_a_later_study_uncovers_what_nobody_read(here: Installation, woman: str) -> None:
    with here.database.write() as session:
        newer = Study(uid="2.25.9", patient_id=1, study_date=TODAY)
        session.add(newer)
        session.flush()
        assert row(here).covered, "while the newer one waits to be scored, hers is the last"
        session.add(factories.score_row(newer, VisitPlan(TODAY, 0.02), [], []))
    record = record_of(here, "1")
    assert record is not None
    assert [visit.covered for visit in record.visits] == [False, False, True]


def test_where_reading_first_is_off_everything_is_shown(
    here: Installation, woman: str, reader: Person
) -> None:
    here.settings.read_first = False
    assert (row(here).covered, row(here).risk_5y) == (False, ODD)
    assert record_assessment(here, reader, woman, right="1", left="1", density="A").covered is False
