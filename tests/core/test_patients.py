"""A woman's record, and what people write into it."""

from datetime import date

import pytest
from sqlalchemy import select

from core import patients
from core.access import AccessDenied, Person, Role, create_user
from core.installation import Installation
from db.tables import Alert, AuditEntry, EventKind, Image, Score, Study
from tests import factories
from tests.factories import FOUR_VIEWS, VisitPlan

COURSE = [
    VisitPlan(date(2018, 5, 2), 0.012),
    VisitPlan(date(2020, 5, 20), 0.018, views=FOUR_VIEWS[:3]),
    VisitPlan(date(2025, 6, 1), 0.034, alerts=[("risk_high", "5-year risk 3.4 % is above 3.0 %")]),
]


@pytest.fixture
def reader(here: Installation) -> Person:
    return create_user(here, "ada", "a long password", Role.ONCOLOGIST, display_name="Dr Ada")


@pytest.fixture
def staff(here: Installation) -> Person:
    return create_user(here, "sam", "a long password", Role.STAFF)


def record(here: Installation, mrn: str = "1") -> patients.PatientRecord:
    found = patients.record_of(here, mrn)
    assert found is not None
    return found


def test_a_record_tells_visits_in_order_with_what_was_missing(here: Installation) -> None:
    factories.woman(here, "1", list(reversed(COURSE)))
    found = record(here)
    assert [visit.on.year for visit in found.visits] == [2018, 2020, 2025]
    assert [visit.missing_views for visit in found.visits] == [(), ("L MLO",), ()]


def test_change_and_slope_are_of_five_year_risk(here: Installation) -> None:
    factories.woman(here, "1", COURSE)
    found = record(here)
    assert found.change_since_prior == pytest.approx(0.016)
    assert found.slope is not None
    assert found.slope.per_year == pytest.approx(0.0032, abs=2e-4)


def test_scores_by_different_weights_are_not_compared(here: Installation) -> None:
    factories.woman(here, "1", COURSE)
    with here.database.write() as session:
        session.scalars(select(Score).order_by(Score.id.desc()).limit(1)).one().weights_sha256 = "0" * 64
    assert record(here).change_since_prior is None


def test_the_newest_score_of_the_model_that_speaks_counts(here: Installation) -> None:
    factories.woman(here, "1", COURSE[:1])
    with here.database.write() as session:
        study = session.scalars(select(Study)).one()
        newer = factories.score_row(study, VisitPlan(study.study_date, 0.5), [], [])
        other = factories.score_row(study, VisitPlan(study.study_date, 0.9), [], [])
        other.model = "another"
        session.add(newer)
        session.flush()
        session.add(other)
    score = record(here).visits[0].score
    assert score is not None
    assert score.risk_5y.value == 0.5


def test_mirrored_pictures_are_marked_to_be_turned(here: Installation) -> None:
    factories.woman(here, "1", COURSE[:1], mirrored=True)
    assert all(image.flipped for image in record(here).visits[0].images)


def test_a_lost_thumbnail_costs_nobody_the_record(here: Installation) -> None:
    factories.woman(here, "1", COURSE[:1])
    with here.database.read() as session:
        for key in session.scalars(select(Image.thumbnail_sha256)):
            here.images.path(key).unlink(missing_ok=True)
    assert [image.chest_wall for image in record(here).visits[0].images] == [None] * 4


def test_an_assessment_is_kept_with_its_edition_and_the_one_before_in_the_trail(
    here: Installation, reader: Person
) -> None:
    factories.woman(here, "1", COURSE[:1])
    uid = record(here).visits[0].study_uid
    patients.record_assessment(here, reader, uid, bi_rads="3", density="C", note=" short-term follow-up ")
    patients.record_assessment(here, reader, uid, bi_rads="4A", density="C")
    visit = record(here).visits[0]
    assert (visit.bi_rads, visit.density, visit.assessment_note, visit.assessed_by) == (
        "4A",
        "C",
        None,
        "Dr Ada",
    )
    with here.database.read() as session:
        trail = session.scalars(select(AuditEntry).where(AuditEntry.action == "assessment_recorded")).all()
    assert trail[-1].detail["before"] == {"bi_rads": "3", "density": "C", "note": "short-term follow-up"}


@pytest.mark.parametrize(("bi_rads", "density"), [("7", "A"), ("", None), ("2", "E")])
def test_categories_that_do_not_exist_are_refused(
    here: Installation, reader: Person, bi_rads: str, density: str | None
) -> None:
    factories.woman(here, "1", COURSE[:1])
    with pytest.raises(ValueError):
        patients.record_assessment(here, reader, "2.25.1.1", bi_rads=bi_rads, density=density)


def test_only_those_who_assess_write_assessments_and_acknowledge(here: Installation, staff: Person) -> None:
    factories.woman(here, "1", COURSE)
    with pytest.raises(AccessDenied):
        patients.record_assessment(here, staff, "2.25.1.1", bi_rads="1", density=None)
    with pytest.raises(AccessDenied):
        patients.acknowledge(here, staff, record(here).alerts[0].alert_id)
    assert len(record(here).open_alerts) == 1


def test_the_first_acknowledgement_stays(here: Installation, reader: Person) -> None:
    factories.woman(here, "1", COURSE)
    alert_id = record(here).alerts[0].alert_id
    patients.acknowledge(here, reader, alert_id)
    with here.database.read() as session:
        first = session.get_one(Alert, alert_id).acknowledged_at
    patients.acknowledge(here, create_user(here, "eve", "a long password", Role.ONCOLOGIST), alert_id)
    entry = record(here).alerts[0]
    assert (entry.acknowledged_at, entry.acknowledged_by) == (first, "Dr Ada")


def test_events_with_impossible_dates_are_refused(here: Installation, staff: Person) -> None:
    factories.woman(here, "1", [], birth_date=date(1968, 3, 2))
    day = date(2020, 1, 1)
    with pytest.raises(ValueError, match="ends before it begins"):
        patients.add_event(here, staff, "1", kind=EventKind.THERAPY, on=day, end=date(2019, 1, 1))
    with pytest.raises(ValueError, match="before her birth"):
        patients.add_event(here, staff, "1", kind=EventKind.NOTE, on=date(1950, 1, 1))
    patients.add_event(here, staff, "1", kind=EventKind.SURGERY, on=day, laterality="L", detail="lumpectomy")
    assert [(e.kind, e.laterality, e.detail) for e in record(here).events] == [("surgery", "L", "lumpectomy")]


def test_search_finds_the_exact_mrn_first_and_takes_wildcards_literally(here: Installation) -> None:
    for mrn, name in (("117", "Eleven"), ("17", "Seventeen"), ("x%y", "Odd")):
        factories.woman(here, mrn, [], name=name)
    assert [found.mrn for found in patients.find(here, "17")] == ["17", "117"]
    assert [found.mrn for found in patients.find(here, "%")] == ["x%y"]
    assert [found.mrn for found in patients.find(here, "eleV")] == ["117"]
    assert patients.find(here, "  ") == []
