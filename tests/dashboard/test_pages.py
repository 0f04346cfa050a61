"""Each page, run without a browser, for somebody in a role."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from streamlit.testing.v1 import AppTest

from core.installation import Installation
from core.people import accounts, audit, sign_ins
from core.people.accounts import Role
from core.records import cards, key_of
from core.records.assessments import record_assessment
from core.records.patient_record import Visit
from core.records.record import record_of
from dashboard import components, look
from dashboard.components import WorklistOrder
from db.tables import (
    Alert,
    AuditEntry,
    Event,
    EventKind,
    ImportBatch,
    ImportItem,
    Outcome,
    Patient,
    Score,
    Study,
    StudyStatus,
    utc_now,
)
from models.store import registry
from tests import factories
from tests.core.records.test_cards import CARD
from tests.factories import VisitPlan

OpenPage = Callable[..., AppTest]

COURSE = [
    VisitPlan(date(2018, 5, 2), 0.012),
    VisitPlan(date(2020, 5, 20), 0.018, views=factories.FOUR_VIEWS[:3]),
    VisitPlan(
        date(2025, 6, 1),
        0.034,
        malignancy_left=0.31,
        alerts=[("risk_high", "5-year risk 3.4 % is above 3.0 %")],
    ),
]
NAUGHTY = [
    "![x](http://elsewhere.example/leak.png)",
    "<script>alert(1)</script>",
    "[click](http://elsewhere.example)",
    ":material/delete: :red[x] $x^2$ `y` **z**",
    "'; DROP TABLE patient; --",
    "=cmd|'/c calc'!A1",
    "‮right to left‬ 田中さん 👩🏽",
    "a" * 250,
    "\t\n",
]


def words(app: AppTest) -> str:
    return " ".join(html.proto.body for html in app.get("html"))


def given(app: AppTest, component: str) -> Any:
    """Return what a page hands to one of its own components."""
    protos = [found.proto for found in app.get("bidi_component")]
    return json.loads(next(p.json for p in protos if p.component_name == f"longview_{component}"))


def no_error(app: AppTest) -> bool:
    return not app.exception


def test_the_worklist_says_what_to_do_while_it_is_empty(here: Installation, pages: OpenPage) -> None:
    app = pages(Role.ONCOLOGIST, "worklist")
    assert no_error(app)
    assert "No patients yet" in words(app)


def test_the_worklist_counts_its_groups_and_narrows(here: Installation, pages: OpenPage) -> None:
    factories.cohort(here, 8)
    app = pages(Role.ONCOLOGIST, "worklist")
    assert no_error(app)
    assert "8 of 8 patients" in words(app)
    app.text_input(key="q").set_value("Sim-0003").run()
    assert "1 of 8 patients" in words(app)
    app.text_input(key="q").set_value("nobody at all").run()
    assert "Nobody matches" in words(app)
    assert no_error(app)


def test_a_column_orders_all_women_and_not_only_those_who_are_shown(
    here: Installation, pages: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 104):
        factories.woman(here, f"{number:03d}", [VisitPlan(date(2026, 9, 1), number / 1000, views=())])
    factories.woman(here, "unscored", [])
    shown: list[list[str]] = []
    asked: list[WorklistOrder] = []

    def table(rows, *, focus, order, on_open, on_order, says) -> None:
        shown.append([row["mrn"] for row in rows])
        if asked:
            on_order(asked.pop())

    monkeypatch.setattr(components, "worklist_table", table)
    app = pages(Role.ONCOLOGIST, "worklist")
    assert (shown[-1][0], len(shown[-1])) == ("103", 100)
    asked.append(("risk", False))
    app.run().run()
    assert no_error(app)
    assert shown[-1] == [f"{number:03d}" for number in range(1, 101)]
    assert app.query_params["order"] == "risk-up"
    next(button for button in app.button if button.label == "Show 4 more").click().run()
    assert shown[-1][-2:] == ["103", "unscored"]
    asked.append(("", True))
    app.run().run()
    assert shown[-1][0] == "103"
    assert "order" not in app.query_params


def test_an_order_in_the_address_is_taken_and_one_that_is_none_is_not(
    here: Installation, pages: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        factories.woman(here, str(number), [VisitPlan(date(2026, 9, 1), 0.01 * (number + 1), views=())])
    shown: list[list[str]] = []

    def table(rows, **more) -> None:
        shown.append([row["mrn"] for row in rows])

    monkeypatch.setattr(components, "worklist_table", table)
    pages(Role.ONCOLOGIST, "worklist", order="patient-up")
    assert shown[-1] == ["0", "1", "2"]
    assert no_error(pages(Role.ONCOLOGIST, "worklist", order="' OR 1=1"))
    assert shown[-1] == ["2", "1", "0"]


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


HIS = {"right": "3", "left": "3", "density": "C", "note": "his", "reason": "second look"}


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


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    assert no_error(app)
    return app


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


def test_a_shared_address_shows_the_same_group_filters_and_what_cannot_be_is_passed_over(
    here: Installation, pages: OpenPage
) -> None:
    factories.cohort(here, 8)
    app = pages(
        Role.ONCOLOGIST, "worklist", show="changed and unexplained", age="40-90", row=key_of(here, "00001")
    )
    assert no_error(app)
    assert given(app, "worklist")["focus"] == "00001"
    assert {button.label for button in app.button} >= {"Age 40–90", "Clear all"}
    assert [row["alerts"] != [] for row in given(app, "worklist")["rows"]] == [True, True]
    next(button for button in app.button if button.label == "Clear all").click().run()
    assert "age" not in app.query_params
    app = pages(
        Role.ONCOLOGIST, "worklist", show="<script>", age="9-" + "9" * 5000, density="Z", rows="9" * 5000
    )
    assert no_error(app)
    assert "8 of 8 patients" in words(app)


def test_a_threshold_is_told_for_the_ages_that_it_holds_for(here: Installation, pages: OpenPage) -> None:
    for mrn, born in (("young", date(1970, 5, 1)), ("old", date(1946, 5, 1))):
        factories.woman(here, mrn, [VisitPlan(date(2024, 6, 1), 0.02)], birth_date=born)
    rows = {row["mrn"]: row for row in given(pages(Role.ONCOLOGIST, "worklist"), "worklist")["rows"]}
    assert rows["young"]["band"] is not None
    assert rows["old"]["band"] is None, "she was 78"
    until = rows["old"]["threshold"]["until"]
    assert until == "2021-05-01", "the day on which she is 75"


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


@pytest.mark.parametrize("page", ["cohort", "models"])
def test_the_analysts_pages_open_empty_and_full(here: Installation, pages: OpenPage, page: str) -> None:
    assert no_error(pages(Role.ANALYST, page))
    factories.cohort(here, 8)
    assert no_error(pages(Role.ANALYST, page))


def test_admin_shows_that_the_worker_is_not_running_and_what_to_do(
    here: Installation, pages: OpenPage
) -> None:
    app = pages(Role.ADMIN, "admin")
    assert no_error(app)
    assert "python -m core worker" in words(app)


def test_an_admin_changes_role_and_password_of_an_account_at_once(
    here: Installation, pages: OpenPage
) -> None:
    accounts.create_user(here, "bo", "the old password", Role.STAFF)
    app = pages(Role.ADMIN, "admin")
    app.session_state["part"] = "People"
    app.run()
    app.selectbox(key="account_to_change").set_value("bo").run()
    next(box for box in app.selectbox if str(box.key).startswith("role_of_")).set_value(Role.ANALYST)
    next(box for box in app.text_input if str(box.key).startswith("password_of_")).set_value("a new password")
    next(button for button in app.button if button.label == "Save").click().run()
    assert no_error(app)
    assert sign_ins.sign_in(here, "bo", "a new password").person.role is Role.ANALYST


def open_account(pages: OpenPage, username: str) -> AppTest:
    app = pages(Role.ADMIN, "admin")
    app.session_state["part"] = "People"
    app.run()
    return app.selectbox(key="account_to_change").set_value(username).run()


def test_a_password_is_set_once_and_not_again_with_the_next_change(
    here: Installation, pages: OpenPage
) -> None:
    accounts.create_user(here, "bo", "the old password", Role.STAFF)
    app = open_account(pages, "bo")
    next(box for box in app.text_input if box.label == "New password").set_value("a new password")
    press(app, "Save")
    assert next(box for box in app.text_input if box.label == "New password").value == ""
    token = sign_ins.sign_in(here, "bo", "a new password").token
    next(box for box in app.selectbox if str(box.key).startswith("role_of_")).set_value(Role.ANALYST)
    press(app, "Save")
    assert sign_ins.who(here, token) is None, "another role ends what is open"
    assert sign_ins.sign_in(here, "bo", "a new password").person.role is Role.ANALYST
    assert [entry.action for entry in audit.latest(here)].count("password_set") == 1


def test_saving_an_account_takes_back_no_role_that_another_admin_gave(
    here: Installation, pages: OpenPage
) -> None:
    accounts.create_user(here, "bo", "the old password", Role.STAFF)
    app = open_account(pages, "bo")
    accounts.change_account(here, "bo", role=Role.ONCOLOGIST)
    next(box for box in app.text_input if box.label == "New password").set_value("a new password")
    press(app, "Save")
    assert sign_ins.sign_in(here, "bo", "a new password").person.role is Role.ONCOLOGIST
    role = next(box for box in app.selectbox if str(box.key).startswith("role_of_"))
    assert role.value == Role.ONCOLOGIST
    role.set_value(Role.ANALYST)
    accounts.change_account(here, "bo", role=Role.ADMIN)
    press(app, "Save")
    assert "Another admin changed this role to admin" in app.warning[0].value
    assert sign_ins.sign_in(here, "bo", "a new password").person.role is Role.ADMIN
    press(app, "Save")
    assert sign_ins.sign_in(here, "bo", "a new password").person.role is Role.ANALYST


def test_what_was_put_in_for_a_new_person_stays_until_she_is_added(
    here: Installation, pages: OpenPage
) -> None:
    app = pages(Role.ADMIN, "admin")
    app.session_state["part"] = "People"
    app.run()
    name = next(box for box in app.text_input if box.label == "User name")
    name.set_value("bo")
    next(box for box in app.text_input if box.label.startswith("First password")).set_value("short")
    press(app, "Add person")
    assert "too short" in app.warning[0].value
    assert next(box for box in app.text_input if box.label == "User name").value == "bo"
    next(box for box in app.text_input if box.label.startswith("First password")).set_value("long enough now")
    press(app, "Add person")
    assert next(box for box in app.text_input if box.label == "User name").value == ""
    assert sign_ins.sign_in(here, "bo", "long enough now").person.role is Role.ONCOLOGIST


def test_lists_of_problems_say_how_many_there_are_and_when_each_came(
    here: Installation, pages: OpenPage
) -> None:
    factories.woman(here, "1", [VisitPlan(date(2025, 1, 1), status=StudyStatus.REFUSED)])
    with here.database.write() as session:
        batch = ImportBatch(source="cli")
        batch.items = [
            ImportItem(path=f"{number}.dcm", outcome=Outcome.QUARANTINED, reason="truncated")
            for number in range(201)
        ]
        session.add(batch)
    text = words(pages(Role.ADMIN, "admin"))
    assert "Files in quarantine<small>201</small>" in text
    assert "Studies that were not scored<small>1</small>" in text
    assert "<th>refused</th>" in text


def test_the_admin_is_told_what_is_put_off_and_why(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "1", [VisitPlan(date(2025, 1, 1), status=StudyStatus.PENDING)])
    assert "Put off since" not in words(pages(Role.ADMIN, "admin"))
    with here.database.write() as session:
        study = session.scalars(select(Study)).one()
        study.put_off_since, study.put_off_because = utc_now(), "The image store is away."
    text = words(pages(Role.ADMIN, "admin"))
    assert ", 1 study: The image store is away." in text
    assert "Put off since" in text


def test_refused_studies_are_tried_again_from_the_admin_page_and_from_the_patients(
    here: Installation, pages: OpenPage
) -> None:
    for mrn in ("1", "2", "3"):
        factories.woman(here, mrn, [VisitPlan(date(2025, 1, 1), status=StudyStatus.REFUSED)])

    def left() -> int:
        with here.database.read() as session:
            refused = select(func.count()).where(Study.status == StudyStatus.REFUSED)
            return int(session.scalar(refused) or 0)

    app = pages(Role.STAFF, "patient", mrn="2")
    press(app, "Try to score it again")
    assert no_error(app)
    assert left() == 2
    assert "waits to be scored" in words(app)
    assert not any(button.label.startswith("Try to score") for button in app.button)
    app = pages(Role.ADMIN, "admin")
    press(app, "Try to score all 2 again")
    assert no_error(app)
    assert left() == 0
    with here.database.read() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "scoring_retried")).all()
    assert [entry.detail for entry in entries] == [{"studies": 1}, {"studies": 2}]
    assert all(entry.user_id for entry in entries)


@pytest.mark.parametrize(
    ("role", "page"),
    [
        (Role.ANALYST, "worklist"),
        (Role.ANALYST, "patient"),
        (Role.STAFF, "cohort"),
        (Role.ONCOLOGIST, "admin"),
    ],
)
def test_a_page_of_another_role_says_so_and_shows_nothing(
    here: Installation, pages: OpenPage, role: Role, page: str
) -> None:
    factories.woman(here, "00017", COURSE, name="Sim-0017")
    app = pages(role, page, mrn="00017")
    assert no_error(app)
    assert [info.value for info in app.info] == ["Your role does not include this page. Ask your admin."]
    assert "Sim-0017" not in words(app)


@pytest.mark.parametrize("name", NAUGHTY)
def test_naughty_names_break_no_page_and_stay_text(here: Installation, pages: OpenPage, name: str) -> None:
    factories.woman(here, name.strip()[:64] or "blank", COURSE, name=name)
    with here.database.read() as session:
        mrn = session.scalars(select(Patient.mrn)).one()
    for page, query in (("worklist", {}), ("patient", {"mrn": mrn}), ("add_study", {})):
        app = pages(Role.ONCOLOGIST, page, **query)
        assert no_error(app)
        for html in app.get("html"):
            assert "<script>alert" not in html.proto.body
        assert "![x](" not in " ".join(markdown.value for markdown in app.markdown)


def test_the_big_list_of_naughty_strings_breaks_no_page(
    here: Installation, pages: OpenPage, shared_data: Path
) -> None:
    strings = json.loads((shared_data / "text" / "blns.json").read_text(encoding="utf-8"))
    with here.database.write() as session:
        for number, text in enumerate(strings):
            session.add(Patient(mrn=f"n{number}", name=text[:256].replace("\x00", ""), simulated=False))
    app = pages(Role.ONCOLOGIST, "worklist")
    assert no_error(app)
    assert f"{len(strings)} of {len(strings)} patients" in words(app)
    for text in strings[::20]:
        app.text_input(key="q").set_value(text[:100].replace("\x00", "")).run()
        assert no_error(app)


def test_the_card_of_the_model_that_spoke_is_on_its_pages(
    here: Installation, pages: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    cards.forget()
    (tmp_path / "longitudinal-sim").mkdir()
    (tmp_path / "longitudinal-sim" / registry.CARD).write_text(json.dumps(CARD))
    factories.woman(here, "00017", COURSE)
    patient = words(pages(Role.ONCOLOGIST, "patient", mrn="00017"))
    assert "learned from simulated women" in patient
    assert "Real film looks different." in patient
    shown = words(pages(Role.ANALYST, "models"))
    for expected in ("speaks", "learned from simulated women", "auc 5y value", "0.810", "ab" * 32):
        assert expected in shown
    cards.forget()


def test_a_models_figures_say_what_they_are_of_and_whether_the_history_adds_anything(
    here: Installation, pages: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = {
        "women": 400,
        "risk": {"1": {"n": 368, "events": 34, "auc": 0.67, "auc_ci": [0.55, 0.77], "o_e": 0.7}},
        "controls": {"last": {"1": {"gain": -0.03, "gain_ci": [-0.09, 0.03]}}},
        "density": {"accuracy": 0.77, "kappa": None},
    }
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    cards.forget()
    (tmp_path / "longitudinal-sim").mkdir()
    (tmp_path / "longitudinal-sim" / registry.CARD).write_text(json.dumps({**CARD, "metrics": measured}))
    app = pages(Role.ANALYST, "models")
    assert no_error(app)
    shown = words(app)
    for expected in (
        "on 400 simulated women",
        "within 1 year",
        "34 of 368",
        "(0.55 to 0.77)",
        "0.70",
        f"{look.percent(0.77)}, κ –",
    ):
        assert expected in shown, expected
    assert "−0.030<br>(−0.090 to +0.030)" in shown
    cards.forget()


def test_the_figures_of_a_model_of_single_images_are_told_by_class_and_pair(
    here: Installation, pages: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = {
        "measured_on": "out of fold, 5 folds by woman",
        "n": 537,
        "accuracy": 0.83,
        "by_class": {
            "malignant": {
                "n": 145,
                "auc": 0.94,
                "auc_ci": [0.91, 0.96],
                "sensitivity_at_90_specificity": 0.82,
            }
        },
        "pairs": {"benign – malignant": {"auc": 0.93, "accuracy": 0.89, "accuracy_ci": [0.86, 0.92]}},
    }
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    cards.forget()
    (tmp_path / "tumour-us").mkdir()
    card = {**CARD, "name": "tumour-us", "metrics": measured}
    (tmp_path / "tumour-us" / registry.CARD).write_text(json.dumps(card))
    app = pages(Role.ANALYST, "models")
    assert no_error(app)
    shown = words(app)
    for expected in (
        "537 images",
        "<b>0.94</b> (0.91 to 0.96)",
        look.percent(0.82),
        f"{look.percent(0.89)} ({look.percent(0.86)} to {look.percent(0.92)})",
        f'all classes</td><td class="n"></td><td class="n">{look.percent(0.83)}',
        "Out of fold, 5 folds by woman",
    ):
        assert expected in shown, expected
    cards.forget()
