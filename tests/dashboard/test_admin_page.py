"""The admin's page, run without a browser: people, health, what is tried again."""

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select
from streamlit.testing.v1 import AppTest

from core.care import write_backup
from core.installation import Installation
from core.people import accounts, audit, sign_ins
from core.people.accounts import Role
from db.tables import (
    AuditEntry,
    ImportBatch,
    ImportItem,
    Outcome,
    Study,
    StudyStatus,
    utc_now,
)
from tests import factories
from tests.dashboard.page_runs import OpenPage, no_error, press, words
from tests.factories import VisitPlan


def test_admin_shows_that_the_worker_is_not_running_and_what_to_do(
    here: Installation, pages: OpenPage
) -> None:
    app = pages(Role.ADMIN, "admin")
    assert no_error(app)
    assert "python -m core worker" in words(app)


@pytest.mark.embedded("rows and images of another database and store are copied by their own tools")
def test_admin_shows_when_the_last_backup_was_finished(
    here: Installation, pages: OpenPage, tmp_path: Path
) -> None:
    assert "No backup is known" in words(pages(Role.ADMIN, "admin"))
    write_backup(here, tmp_path / "copy.tar")
    text = words(pages(Role.ADMIN, "admin"))
    assert "The last backup was finished on " in text
    assert ", today." in text
    assert "GB of the disk are free" in text


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
