"""A patient's page, run without a browser: what it tells, and what is recorded there."""

from datetime import date

import pytest
from sqlalchemy import func, select
from streamlit.testing.v1 import AppTest

from core.installation import Installation
from core.people import accounts
from core.people.accounts import Role
from core.records.assessments import record_assessment
from core.records.patient_record import Visit
from core.records.record import record_of
from db.tables import (
    Alert,
    AuditEntry,
    Event,
    EventKind,
    Score,
    Study,
    StudyStatus,
)
from tests import factories
from tests.dashboard.page_runs import COURSE, OpenPage, given, no_error, press, words
from tests.factories import VisitPlan

HIS = {"right": "3", "left": "3", "density": "C", "note": "his", "reason": "second look"}


def test_the_patient_page_tells_who_she_is_and_how_her_risk_runs(here: Installation, pages: OpenPage) -> None:
    factories.woman(
        here, "00017", COURSE, name="Sim-0017", events=[(EventKind.BIOPSY, date(2019, 1, 1), None, "left")]
    )
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    assert no_error(app)
    text = words(app)
    for expected in ("Sim-0017", "simulated", "3.4", "▲ +1.6", "malignancy L", "Not for diagnosis", "biopsy"):
        assert expected in text
    assert len(app.get("plotly_chart")) == 4


def test_the_visit_in_the_address_is_hung_with_the_one_before_it_or_the_one_asked_for(
    here: Installation, pages: OpenPage
) -> None:
    patient_id = factories.woman(here, "00017", COURSE)
    first, second, third = (f"2.25.{patient_id}.{number}" for number in (1, 2, 3))
    for query, hung in (
        ({}, (third, second)),
        ({"visit": second}, (second, first)),
        ({"visit": first}, (first, None)),
        ({"visit": second, "prior": third}, (second, third)),
        ({"visit": second, "prior": second}, (second, first)),
        ({"visit": "no such", "prior": "nor such"}, (third, second)),
    ):
        for page in ("patient", "compare"):
            shown = given(pages(Role.ONCOLOGIST, page, mrn="00017", **query), "viewer")
            assert (shown["current"], shown["prior"]) == hung, (page, query)


def test_opening_a_patient_is_in_the_audit_trail_once(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "00017", COURSE)
    pages(Role.ONCOLOGIST, "patient", mrn="00017").run()
    with here.database.read() as session:
        opened = select(func.count()).where(AuditEntry.action == "patient_opened")
        assert session.scalar(opened) == 1


@pytest.mark.parametrize("mrn", ["", "no such", "' OR 1=1 --"])
def test_an_unknown_patient_is_said_so(here: Installation, pages: OpenPage, mrn: str) -> None:
    app = pages(Role.ONCOLOGIST, "patient", mrn=mrn)
    assert no_error(app)
    assert "from the worklist" in words(app)


def test_an_oncologist_records_an_assessment(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "00017", COURSE)
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    put_in_assessment(app, "4A", "")
    next(box for box in app.selectbox if box.label == "Density").set_value("C")
    press(app, "Sign")
    with here.database.read() as session:
        study = session.scalars(select(Study).order_by(Study.study_date.desc()).limit(1)).one()
        assert (study.bi_rads, study.bi_rads_edition, study.reader_density) == ("4A", "v2025", "C")
        assert study.assessed_at is not None


def put_in_assessment(app: AppTest, bi_rads: str, note: str) -> None:
    for box in app.selectbox:
        if box.label.startswith("BI-RADS"):
            box.set_value(bi_rads)
    next(area for area in app.text_area if area.label == "Note" and "assessment" in str(area.key)).set_value(
        note
    )


def assessment_put_in(app: AppTest) -> tuple[object, object]:
    box = next(box for box in app.selectbox if box.label.startswith("BI-RADS"))
    area = next(area for area in app.text_area if area.label == "Note" and "assessment" in str(area.key))
    return box.value, area.value


def last_visit(here: Installation) -> Visit:
    record = record_of(here, "00017")
    assert record is not None
    return record.visits[-1]


@pytest.mark.parametrize("before", [None, "2"])
def test_another_readers_assessment_is_shown_before_it_is_replaced_and_the_draft_stays(
    here: Installation, pages: OpenPage, before: str | None
) -> None:
    factories.woman(here, "00017", COURSE)
    other = accounts.create_user(here, "bo", "a long password", Role.ONCOLOGIST, display_name="Dr Bo")
    uid = last_visit(here).study_uid
    if before:
        record_assessment(here, other, uid, right=before, left=before, density="B")
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    standing = last_visit(here).assessed_at
    record_assessment(here, other, uid, **HIS, instead_of=standing)
    put_in_assessment(app, "5", "a long note of mine")
    next(box for box in app.selectbox if box.label == "Density").set_value("C")
    press(app, "Sign a new version" if before else "Sign")
    standing = last_visit(here)
    assert (standing.bi_rads, standing.assessment_note, standing.assessed_by) == ("3", "his", "Dr Bo")
    assert "Dr Bo recorded BI-RADS 3, density C at 20" in words(app)
    assert assessment_put_in(app) == ("5", "a long note of mine")
    next(box for box in app.selectbox if box.label.startswith("Reason")).set_value("Mistake in the record")
    press(app, "Replace assessment")
    now = last_visit(here)
    assert (now.bi_rads, now.assessment_note) == ("5", "a long note of mine")
    assert now.assessed_by != "Dr Bo"
    assert "Sign a new version" in [button.label for button in app.button]


def test_an_assessment_that_nobody_touched_follows_another_readers(
    here: Installation, pages: OpenPage
) -> None:
    factories.woman(here, "00017", COURSE)
    other = accounts.create_user(here, "bo", "a long password", Role.ONCOLOGIST)
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    record_assessment(here, other, last_visit(here).study_uid, **HIS)
    assert assessment_put_in(app.run()) == ("3", "his")
    assert "Drop my draft" not in [button.label for button in app.button]


def test_a_press_writes_nothing_over_an_assessment_that_came_after_the_form_was_drawn(
    here: Installation, pages: OpenPage
) -> None:
    factories.woman(here, "00017", COURSE)
    other = accounts.create_user(here, "bo", "a long password", Role.ONCOLOGIST)
    uid = last_visit(here).study_uid
    record_assessment(here, other, uid, right="2", left="2", density="B")
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    first = last_visit(here).assessed_at
    record_assessment(here, other, uid, **HIS, instead_of=first)
    press(app, "Sign a new version")
    assert (last_visit(here).bi_rads, last_visit(here).assessed_by) == ("3", "bo")
    assert assessment_put_in(app)[0] == "2"


def test_a_draft_survives_another_visit_and_can_be_dropped(here: Installation, pages: OpenPage) -> None:
    patient_id = factories.woman(here, "00017", COURSE)
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    put_in_assessment(app, "4B", "half a thought")
    app.run()
    app.query_params["visit"] = f"2.25.{patient_id}.1"
    assert assessment_put_in(app.run()) == (None, "")
    app.query_params["visit"] = f"2.25.{patient_id}.3"
    assert assessment_put_in(app.run()) == ("4B", "half a thought")
    press(app, "Drop my draft")
    assert assessment_put_in(app) == (None, "")
    assert last_visit(here).bi_rads is None


def test_staff_can_neither_assess_nor_acknowledge(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "00017", COURSE)
    app = pages(Role.STAFF, "patient", mrn="00017")
    labels = [button.label for button in app.button]
    assert no_error(app)
    assert not {"Sign", "Acknowledge"} & set(labels)


def test_an_acknowledged_alert_leaves_the_list_and_stays_recorded(
    here: Installation, pages: OpenPage
) -> None:
    factories.woman(here, "00017", COURSE)
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    next(button for button in app.button if button.label == "Acknowledge").click().run()
    assert "in a few words" in app.warning[0].value
    next(field for field in app.text_input if field.label.startswith("What explains it")).set_value("Known")
    next(button for button in app.button if button.label == "Acknowledge").click().run()
    assert no_error(app)
    assert "Acknowledge" not in [button.label for button in app.button]
    with here.database.read() as session:
        alert = session.scalars(select(Alert)).one()
        assert (alert.acknowledged_at is not None, alert.acknowledgement) == (True, "Known")


def test_the_result_of_a_biopsy_is_asked_for_until_it_is_recorded(
    here: Installation, pages: OpenPage
) -> None:
    factories.woman(here, "00017", COURSE, events=[(EventKind.BIOPSY, date(2025, 6, 9), None, "core")])
    app = pages(Role.STAFF, "patient", mrn="00017")
    assert "no result yet" in words(app)
    label = "Result of the biopsy of 2025-06-09"
    next(box for box in app.selectbox if box.label == label).set_value("benign")
    next(button for button in app.button if button.label == "Record").click().run()
    assert no_error(app)
    assert "<b>benign</b>, core" in words(app)
    assert label not in [box.label for box in app.selectbox]


def test_an_event_is_added(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "00017", COURSE)
    app = pages(Role.STAFF, "patient", mrn="00017")
    next(box for box in app.selectbox if box.label == "What").set_value("surgery")
    next(button for button in app.button if button.label == "Add").click().run()
    assert no_error(app)
    with here.database.read() as session:
        assert session.scalars(select(Event)).one().kind is EventKind.SURGERY


def test_what_was_put_into_an_event_stays_until_it_is_recorded(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "00017", COURSE)
    app = pages(Role.STAFF, "patient", mrn="00017")
    next(box for box in app.selectbox if box.label == "What").set_value("surgery")
    next(day for day in app.date_input if day.label.startswith("End")).set_value(date.today())
    next(area for area in app.text_area if area.label == "Note").set_value("a long note")
    press(app, "Add")
    assert [warning.value for warning in app.warning] == [
        "Only a therapy has an end. Clear the end, or choose therapy."
    ]
    assert next(area for area in app.text_area if area.label == "Note").value == "a long note"
    next(day for day in app.date_input if day.label.startswith("End")).set_value(None)
    press(app, "Add")
    assert next(area for area in app.text_area if area.label == "Note").value == ""
    with here.database.read() as session:
        event = session.scalars(select(Event)).one()
    assert (event.kind, event.detail, event.end_date) == (EventKind.SURGERY, "a long note", None)


def test_a_wrong_event_is_undone_at_once_or_taken_back_later(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "00017", COURSE, events=[(EventKind.DIAGNOSIS, date(2019, 1, 1), None, "wrong")])
    app = pages(Role.STAFF, "patient", mrn="00017")
    assert "as the clinic plans" in words(app)
    press(app, "Take back")
    assert [warning.value for warning in app.warning] == ["Choose what to take back."]
    box = next(box for box in app.selectbox if box.label == "Recorded by mistake")
    box.select_index(0)
    press(app, "Take back")
    assert "Taken back: 2019-01-01 diagnosis wrong" in words(app)
    assert "as the clinic plans" not in words(app)
    next(box for box in app.selectbox if box.label == "What").set_value("biopsy")
    press(app, "Add")
    press(app, "Undo")
    with here.database.read() as session:
        assert session.scalars(select(Event)).all() == []
        removed = select(func.count()).where(AuditEntry.action == "event_removed")
        assert session.scalar(removed) == 2


def test_pending_and_refused_visits_are_shown_as_such(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "1", [VisitPlan(date(2025, 1, 1), status=StudyStatus.PENDING)])
    factories.woman(here, "2", [VisitPlan(date(2025, 1, 1), status=StudyStatus.REFUSED)])
    assert "waits to be scored" in words(pages(Role.ONCOLOGIST, "patient", mrn="1"))
    refused = words(pages(Role.ONCOLOGIST, "patient", mrn="2"))
    assert "was not scored" in refused
    assert "Add a CC or MLO view" in refused


@pytest.mark.parametrize(
    ("status", "said"),
    [(StudyStatus.PENDING, "is being scored again"), (StudyStatus.REFUSED, "could not be scored again")],
)
def test_a_score_of_before_is_said_to_be_one(
    here: Installation, pages: OpenPage, status: StudyStatus, said: str
) -> None:
    factories.woman(here, "1", [VisitPlan(date(2025, 1, 1), 0.02)])
    assert "What follows is the score of" not in words(pages(Role.ONCOLOGIST, "patient", mrn="1"))
    with here.database.write() as session:
        session.scalars(select(Study)).one().status = status
    text = words(pages(Role.ONCOLOGIST, "patient", mrn="1"))
    assert said in text
    assert "What follows is the score of" in text


def test_every_image_of_a_study_is_shown_and_the_whole_breast_hangs(
    here: Installation, pages: OpenPage
) -> None:
    patient_id = factories.woman(here, "1", [VisitPlan(date(2025, 1, 1), views=(("R", "CC"), ("R", "MLO")))])
    uid = f"2.25.{patient_id}.1"
    spot = factories.another_image(here, uid, "L", "CC", ["spot_compression", "magnification"])
    (visit,) = given(pages(Role.ONCOLOGIST, "patient", mrn="1"), "viewer")["visits"]
    missing = [pane["missing"] for pane in visit["panes"]]
    assert missing == ["", "", "", "L MLO was not taken at this visit."]
    assert "2 views missing" in visit["note"]
    whole = factories.another_image(here, uid, "L", "CC", ["low_contrast"])
    again = factories.another_image(here, uid, "L", "CC")
    panes = given(pages(Role.ONCOLOGIST, "patient", mrn="1"), "viewer")["visits"][0]["panes"]
    by_uid = {pane["sop_uid"]: pane for pane in panes}
    assert [pane["sop_uid"] for pane in panes].index(whole) == 1, "it hangs in the place of the left CC"
    assert (by_uid[whole]["label"], by_uid[whole]["note"]) == ("L CC", "low contrast")
    assert by_uid[spot]["label"] == "L CC · spot compression · magnification"
    assert by_uid[again]["label"] == "L CC · another image"
    assert [by_uid[uid]["measured"] for uid in (whole, spot)] == [True, False], "a magnified mm is none"


def test_a_view_taken_in_another_study_of_the_day_is_not_said_to_be_missing(
    here: Installation, pages: OpenPage
) -> None:
    work_up = VisitPlan(date(2025, 1, 1), 0.051, views=(("L", "CC"),))
    factories.woman(here, "1", [VisitPlan(date(2025, 1, 1), 0.05), work_up])
    visits = given(pages(Role.ONCOLOGIST, "patient", mrn="1"), "viewer")["visits"]
    said = {pane["missing"] for pane in visits[-1]["panes"] if not pane["sop_uid"]}
    assert said == {f"{view} is in another study of this day." for view in ("R CC", "R MLO", "L MLO")}
    assert [visit["warns"] for visit in visits] == [False, False]
    assert [visit["prior"] for visit in visits] == [None, None], "what is of the same day is no prior"


def test_figures_that_other_weights_scored_are_said_to_be_so(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "1", COURSE)
    assert "scored by other weights" not in words(pages(Role.ONCOLOGIST, "patient", mrn="1"))
    with here.database.write() as session:
        session.scalars(select(Score).order_by(Score.id.desc()).limit(1)).one().calibration = "another"
    text = words(pages(Role.ONCOLOGIST, "patient", mrn="1"))
    assert "since 2020-05" in text
    assert text.count("<small>scored by other weights</small>") == 2, "the change and the slope"
    assert "no prior" not in text
    (row,) = given(pages(Role.ONCOLOGIST, "worklist"), "worklist")["rows"]
    assert (row["change_text"], row["change_hint"]) == ("–", "since 2020-05-20: scored by other weights")


def test_outside_the_screening_ages_no_next_study_is_due_and_the_pages_say_so(
    here: Installation, pages: OpenPage
) -> None:
    factories.woman(here, "1", [VisitPlan(date(2020, 1, 1))], birth_date=date(1935, 1, 1))
    text = words(pages(Role.ONCOLOGIST, "patient", mrn="1"))
    assert "outside the screening ages, 40 to 74" in text
    assert "overdue" not in text
    (row,) = given(pages(Role.ONCOLOGIST, "worklist"), "worklist")["rows"]
    assert (row["next_due"], row["overdue"]) == (None, False)
    assert row["due_hint"] == "Outside the screening ages, 40 to 74"


def test_a_woman_without_studies_has_a_page(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "1", [], birth_date=None)
    app = pages(Role.ONCOLOGIST, "patient", mrn="1")
    assert no_error(app)
    assert "No studies yet" in words(app)
