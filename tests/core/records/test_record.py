"""A woman's record, and what people write into it."""

from datetime import date

import pytest
from sqlalchemy import select

from core.installation import Installation
from core.people import audit
from core.people.accounts import Role, create_user
from core.people.roles import AccessDenied, Person
from core.records import worklist
from core.records.acknowledged import AcknowledgedMeanwhile, acknowledge, take_back_acknowledgement
from core.records.assessments import AssessedMeanwhile, record_assessment
from core.records.events import EventResult, add_event, record_result, remove_event
from core.records.patient_record import PatientRecord
from core.records.record import record_of
from core.records.search import find, known
from core.rules import ViewName
from db.tables import Alert, AuditEntry, EventKind, Image, Score, Study, utc_now
from tests import engines, factories
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


def record(here: Installation, mrn: str = "1") -> PatientRecord:
    found = record_of(here, mrn)
    assert found is not None
    return found


def test_a_record_tells_visits_in_order_with_what_was_missing(here: Installation) -> None:
    factories.woman(here, "1", list(reversed(COURSE)))
    found = record(here)
    assert [visit.on.year for visit in found.visits] == [2018, 2020, 2025]
    assert [visit.missing_views for visit in found.visits] == [(), (ViewName("L", "MLO"),), ()]


def test_a_spot_image_neither_takes_a_views_place_nor_counts_as_it(here: Installation) -> None:
    factories.woman(here, "1", [VisitPlan(date(2025, 6, 1), views=(("R", "CC"), ("R", "MLO"), ("L", "MLO")))])
    uid = record(here).visits[0].study_uid
    spot = factories.another_image(here, uid, "L", "CC", ["spot_compression"])
    visit = record(here).visits[0]
    hung = visit.hung(ViewName("L", "CC"))
    assert visit.missing_views == (ViewName("L", "CC"),)
    assert hung is not None
    assert hung.sop_uid == spot, "where nothing else was taken, it hangs"
    factories.another_image(here, uid, "L", "CC", ["implant_displaced"])
    whole = factories.another_image(here, uid, "L", "CC")
    factories.another_image(here, uid, "L", "CC")
    visit = record(here).visits[0]
    hung = visit.hung(ViewName("L", "CC"))
    assert visit.missing_views == ()
    assert hung is not None
    assert hung.sop_uid == whole, "the first of the whole breast in the standard view"


def test_studies_of_one_day_are_one_visit(here: Installation) -> None:
    work_up = VisitPlan(date(2025, 1, 1), 0.051, views=(("L", "MLO"),))
    visits = [VisitPlan(date(2021, 1, 1), 0.004), VisitPlan(date(2023, 1, 1), 0.010)]
    factories.woman(here, "1", [*visits, VisitPlan(date(2025, 1, 1), 0.050), work_up])
    found = record(here)
    assert [visit.on.year for visit in found.visits] == [2021, 2023, 2025, 2025]
    assert [visit.on.year for visit in found.scored] == [2021, 2023, 2025]
    assert found.standing.prior is not None
    assert found.standing.prior.on == date(2023, 1, 1)
    assert found.standing.change_since_prior == pytest.approx(0.041)
    assert found.standing.slope is not None
    assert found.standing.slope.visits == 3
    assert found.visits[-1].missing_views == FOUR_VIEWS[:3]
    assert found.missing_views(found.visits[-1]) == (), "the study before it, of that day, has them"
    assert found.standing.reader_density is None
    with here.database.write() as session:
        session.get_one(Study, 3).reader_density = "D"
    assert record(here).standing.reader_density == "D", "whichever study of the day it was recorded in"


def test_change_and_slope_are_of_five_year_risk(here: Installation) -> None:
    factories.woman(here, "1", COURSE)
    found = record(here)
    assert found.standing.change_since_prior == pytest.approx(0.016)
    assert found.standing.slope is not None
    assert found.standing.slope.per_year == pytest.approx(0.0032, abs=2e-4)


@pytest.mark.parametrize(("what", "value"), [("weights_sha256", "0" * 64), ("calibration", "another")])
def test_scores_by_different_weights_or_calibrations_are_not_compared(
    here: Installation, what: str, value: str
) -> None:
    factories.woman(here, "1", COURSE)
    with here.database.write() as session:
        setattr(session.scalars(select(Score).order_by(Score.id.desc()).limit(1)).one(), what, value)
    found = record(here)
    assert (found.standing.change_since_prior, found.standing.slope) == (None, None)


def test_no_line_is_drawn_through_the_scores_of_two_models(here: Installation) -> None:
    factories.woman(here, "1", COURSE)
    with here.database.write() as session:
        session.scalars(select(Score).order_by(Score.id).limit(1)).one().weights_sha256 = "0" * 64
    found = record(here)
    assert found.standing.slope is None
    assert found.standing.change_since_prior == pytest.approx(0.016), "the last two were scored alike"


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
            engines.lose(here.images, key)
    assert [image.chest_wall for image in record(here).visits[0].images] == [None] * 4


def test_an_assessment_is_kept_with_its_edition_and_the_one_before_in_the_trail(
    here: Installation, reader: Person
) -> None:
    factories.woman(here, "1", COURSE[:1])
    uid = record(here).visits[0].study_uid
    record_assessment(here, reader, uid, right="3", left="3", density="C", note=" short-term follow-up ")
    first = record(here).visits[0].assessed_at
    record_assessment(
        here, reader, uid, right="4A", left="2", density="C", reason="second look", instead_of=first
    )
    visit = record(here).visits[0]
    assert (visit.bi_rads, visit.density, visit.assessment_note, visit.assessed_by) == (
        "4A",
        "C",
        None,
        "Dr Ada",
    )
    with here.database.read() as session:
        trail = session.scalars(select(AuditEntry).where(AuditEntry.action == "assessment_recorded")).all()
    before = trail[-1].detail["before"]
    assert (before["bi_rads"], before["density"], before["note"]) == ("3", "C", "short-term follow-up")


def test_an_assessment_that_another_reader_wrote_meanwhile_is_not_overwritten_unseen(
    here: Installation, reader: Person
) -> None:
    other = create_user(here, "bo", "a long password", Role.ONCOLOGIST, display_name="Dr Bo")
    factories.woman(here, "1", COURSE[:1])
    uid = record(here).visits[0].study_uid
    both = {"right": "3", "left": "3", "density": "B", "reason": "second look"}
    record_assessment(here, other, uid, right="2", left="2", density="B")
    begun = record(here).visits[0].assessed_at
    record_assessment(here, other, uid, **both, instead_of=begun)
    standing = record(here).visits[0].assessment
    for seen in (None, begun):
        with pytest.raises(AssessedMeanwhile, match="Dr Bo recorded BI-RADS 3, density B at 20") as refused:
            record_assessment(here, reader, uid, **both, note="mine", instead_of=seen)
        assert refused.value.stored == record(here).visits[0].assessment == standing
    record_assessment(here, reader, uid, **(both | {"left": "5"}), instead_of=standing.at)
    assert (record(here).visits[0].bi_rads, record(here).visits[0].assessed_by) == ("5", "Dr Ada")


def test_only_those_who_assess_write_assessments_and_acknowledge(here: Installation, staff: Person) -> None:
    factories.woman(here, "1", COURSE)
    with pytest.raises(AccessDenied):
        record_assessment(here, staff, "2.25.1.1", right="1", left="1", density="B")
    with pytest.raises(AccessDenied):
        acknowledge(here, staff, record(here).alerts[0].alert_id, "seen")
    with pytest.raises(AccessDenied):
        take_back_acknowledgement(here, staff, record(here).alerts[0].alert_id)
    assert len(record(here).open_alerts) == 1


def test_the_first_acknowledgement_stays_with_its_note(here: Installation, reader: Person) -> None:
    factories.woman(here, "1", COURSE)
    alert_id = record(here).alerts[0].alert_id
    with pytest.raises(ValueError, match="in a few words"):
        acknowledge(here, reader, alert_id, " \n")
    acknowledge(here, reader, alert_id, " Known fibroadenoma ")
    with here.database.read() as session:
        first = session.get_one(Alert, alert_id).acknowledged_at
    eve = create_user(here, "eve", "a long password", Role.ONCOLOGIST)
    acknowledge(here, eve, alert_id, "seen")
    entry = record(here).alerts[0]
    assert (entry.acknowledged_at, entry.acknowledged_by) == (first, "Dr Ada")
    assert entry.acknowledgement == "Known fibroadenoma"


def test_an_acknowledgement_is_taken_back_and_stays_in_the_trail(here: Installation, reader: Person) -> None:
    factories.woman(here, "1", COURSE)
    alert_id = record(here).alerts[0].alert_id
    take_back_acknowledgement(here, reader, alert_id)
    assert audit.latest(here, action="alert_opened_again") == [], "nobody had acknowledged it"
    acknowledge(here, reader, alert_id, "Known fibroadenoma")
    assert record(here).open_alerts == ()
    take_back_acknowledgement(here, reader, alert_id)
    (alert,) = record(here).open_alerts
    assert (alert.acknowledged_by, alert.acknowledgement) == (None, None)
    (entry,) = audit.latest(here, action="alert_opened_again")
    assert "Known fibroadenoma" in entry.detail
    with here.database.write() as session:
        session.get_one(Alert, alert_id).acknowledged_at = utc_now()
    take_back_acknowledgement(here, reader, alert_id)
    assert record(here).open_alerts == (), "one that a newer score closed stays closed"


def test_what_was_acknowledged_anew_is_not_taken_back_by_who_saw_it_before(
    here: Installation, reader: Person
) -> None:
    factories.woman(here, "1", COURSE)
    alert_id = record(here).alerts[0].alert_id
    acknowledge(here, reader, alert_id, "Known fibroadenoma")
    seen = record(here).alerts[0].acknowledged_at
    take_back_acknowledgement(here, reader, alert_id, seen=seen)
    acknowledge(here, reader, alert_id, "Biopsied")
    with pytest.raises(AcknowledgedMeanwhile):
        take_back_acknowledgement(here, reader, alert_id, seen=seen)
    assert record(here).alerts[0].acknowledgement == "Biopsied"
    assert take_back_acknowledgement(here, reader, alert_id, seen=record(here).alerts[0].acknowledged_at)


def test_a_biopsy_gets_its_result_and_nothing_else_has_one(here: Installation, staff: Person) -> None:
    factories.woman(here, "1", [])
    day = date(2020, 1, 1)
    with pytest.raises(ValueError, match="Only a biopsy has a result"):
        add_event(here, staff, "1", kind=EventKind.SURGERY, on=day, result=EventResult.BENIGN)
    surgery = add_event(here, staff, "1", kind=EventKind.SURGERY, on=day)
    with pytest.raises(ValueError, match="not here any more"):
        record_result(here, staff, surgery.event_id, EventResult.BENIGN)
    biopsy = add_event(here, staff, "1", kind=EventKind.BIOPSY, on=day)
    record_result(here, staff, biopsy.event_id, EventResult.INCONCLUSIVE)
    record_result(here, staff, biopsy.event_id, EventResult.BENIGN)
    assert {event.kind: event.result for event in record(here).events} == {
        "surgery": None,
        "biopsy": "benign",
    }
    last = audit.latest(here, action="biopsy_result_recorded")[0]
    assert "before inconclusive" in last.detail
    assert "result benign" in last.detail
    analyst = create_user(here, "ann", "a long password", Role.ANALYST)
    with pytest.raises(AccessDenied):
        record_result(here, analyst, biopsy.event_id, EventResult.BENIGN)


def test_events_with_impossible_dates_are_refused(here: Installation, staff: Person) -> None:
    factories.woman(here, "1", [], birth_date=date(1968, 3, 2))
    day = date(2020, 1, 1)
    with pytest.raises(ValueError, match="ends before it begins"):
        add_event(here, staff, "1", kind=EventKind.THERAPY, on=day, end=date(2019, 1, 1))
    with pytest.raises(ValueError, match="before her birth"):
        add_event(here, staff, "1", kind=EventKind.BIOPSY, on=date(1950, 1, 1))
    add_event(here, staff, "1", kind=EventKind.SURGERY, on=day, laterality="L", detail="lumpectomy")
    assert [(e.kind, e.laterality, e.detail) for e in record(here).events] == [("surgery", "L", "lumpectomy")]


def test_an_end_of_what_has_none_and_a_note_that_says_nothing_are_refused(
    here: Installation, staff: Person
) -> None:
    factories.woman(here, "1", [])
    day = date(2020, 1, 1)
    with pytest.raises(ValueError, match="Only a therapy has an end"):
        add_event(here, staff, "1", kind=EventKind.SURGERY, on=day, end=date(2020, 2, 1))
    with pytest.raises(ValueError, match="The note is empty"):
        add_event(here, staff, "1", kind=EventKind.NOTE, on=day, detail=" \n")
    assert record(here).events == ()


def test_an_event_taken_back_changes_nothing_any_more_and_leaves_its_trace(
    here: Installation, staff: Person
) -> None:
    factories.woman(here, "1", COURSE[:1])
    day = date(2020, 1, 1)
    wrong = add_event(here, staff, "1", kind=EventKind.DIAGNOSIS, on=day, laterality="L", detail="not hers")
    assert record(here).events == (wrong,)
    assert record(here).standing.diagnosed
    remove_event(here, staff, wrong.event_id)
    remove_event(here, staff, wrong.event_id)
    assert record(here).events == ()
    assert not record(here).standing.diagnosed
    with here.database.read() as session:
        trail = session.scalars(select(AuditEntry).where(AuditEntry.action.startswith("event_"))).all()
    assert [entry.action for entry in trail] == ["event_added", "event_removed"]
    assert trail[1].subject == "patient:1"
    said = {"kind": "diagnosis", "on": "2020-01-01", "laterality": "L", "detail": "not hers", "by": "sam"}
    assert said.items() <= trail[1].detail.items()


def test_only_those_who_record_events_take_one_back(here: Installation, staff: Person) -> None:
    factories.woman(here, "1", [])
    event = add_event(here, staff, "1", kind=EventKind.BIOPSY, on=date(2020, 1, 1))
    analyst = create_user(here, "ana", "a long password", Role.ANALYST)
    with pytest.raises(AccessDenied):
        remove_event(here, analyst, event.event_id)
    assert record(here).events == (event,)


def test_search_finds_the_exact_mrn_first_and_takes_wildcards_literally(here: Installation) -> None:
    for mrn, name in (("117", "Eleven"), ("17", "Seventeen"), ("x%y", "Odd")):
        factories.woman(here, mrn, [], name=name)
    assert [found.mrn for found in find(here, "17")] == ["17", "117"]
    assert [found.mrn for found in find(here, "%")] == ["x%y"]
    assert [found.mrn for found in find(here, "eleV")] == ["117"]
    assert find(here, "  ") == []


def test_search_knows_the_case_of_no_letter_and_finds_whom_the_worklist_finds(here: Installation) -> None:
    for mrn, name in (("1", "MÜLLER, Zoë"), ("2", "Łucja Żak"), ("3", "Ημέρα"), ("4", "Muller")):
        factories.woman(here, mrn, [VisitPlan(date(2025, 6, 1))], name=name)
    rows = worklist.rows(here, today=date(2026, 11, 21))
    for text, mrn in (("müller", "1"), ("ZOË", "1"), ("łucja ż", "2"), ("ΗΜΈΡΑ", "3"), ("muller", "4")):
        assert [found.mrn for found in find(here, text)] == [mrn]
        assert [row.mrn for row in worklist.choose(rows, worklist.Filter(text=text))] == [mrn]


def test_search_gives_as_many_as_asked_for_with_the_last_study_of_each(here: Installation) -> None:
    for number in range(12):
        factories.woman(here, f"{number:02d}", COURSE[: number % 3], name="Ana Ruiz")
    assert [found.mrn for found in find(here, "ruiz", limit=9)] == [f"{n:02d}" for n in range(9)]
    assert [found.last_study for found in find(here, "ruiz", limit=3)] == [
        None,
        date(2018, 5, 2),
        date(2020, 5, 20),
    ]


def test_a_patient_is_known_by_her_whole_mrn_alone(here: Installation) -> None:
    factories.woman(here, "117", [], name="17")
    assert known(here, "17") is None
    found = known(here, "117")
    assert found is not None
    assert found.name == "17"
