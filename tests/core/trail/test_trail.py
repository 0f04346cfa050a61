"""The audit trail: every look is in it, what was changed in it is found and named, and it is read page by page."""

import ast
import csv as csv_module
import io
import json
import re
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from sqlalchemy import select, text
from typer.testing import CliRunner

from core.__main__ import app
from core.people import Person, Role, audit, create_user, sign_ins
from core.people.roles import AccessDenied
from core.trail import (
    WORDS,
    NoSuchWoman,
    Wanted,
    as_csv,
    as_messages,
    everything,
    find,
    head,
    looking,
)
from db import chain
from db.tables import Alert, Image, Study
from tests import factories
from tests.factories import VisitPlan

PASSWORD = "correct horse battery staple"
ACTION_STANDS_AT = {"record": 2, "note": 2, "note_look": 1}
"""Function that writes an entry -> which of its arguments is the action."""
VISITS = [VisitPlan(date(2024, 3, 1), 0.01)]


@pytest.fixture
def admin(here) -> Person:
    create_user(here, "eve", PASSWORD, Role.ADMIN, display_name="Eve Admin")
    return sign_ins.sign_in(here, "eve", PASSWORD, address="192.0.2.7").person


def written(here, *acts: str) -> None:
    for act in acts:
        audit.note(here, None, act, None, {"n": act})


def broken(here, kept: chain.Head | None = None) -> list[str]:
    with here.database.read() as session:
        return list(chain.broken(session, kept))


def alter(here, statement: str) -> None:
    with here.database.engine.begin() as connection:
        connection.execute(text(statement))


def test_a_trail_as_it_was_written_is_whole(here) -> None:
    assert broken(here) == []
    written(here, *"abc")
    assert broken(here) == []
    last = head(here)
    written(here, "d")
    assert broken(here, last) == [], "a head that was kept earlier is found on the way"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("UPDATE audit_entry SET action = 'x' WHERE id = 2", r"entry 2 \(x, .*does not say what was written"),
        ("UPDATE audit_entry SET detail = '{}' WHERE id = 2", "entry 2 .*does not say"),
        ("UPDATE audit_entry SET address = '1' WHERE id = 2", "entry 2 .*does not say"),
        ("DELETE FROM audit_entry WHERE id = 2", "before entry 3 .*entry 2 is gone"),
        ("DELETE FROM audit_entry WHERE id IN (2, 3)", "before entry 4 .*entries 2 to 3 are gone"),
        ("DELETE FROM audit_entry WHERE id = 4", "cut off: entry 4 is gone from its end"),
        ("INSERT INTO audited_patient VALUES (3, 77)", "entry 3 .*does not say"),
        ("UPDATE audit_entry SET id = 9 WHERE id = 4", "before entry 9 "),
    ],
)
def test_what_was_changed_taken_out_or_moved_is_found_and_named(here, what: str, said: str) -> None:
    written(here, *"abcd")
    alter(here, what)
    found = broken(here)
    assert re.search(said, found[0]), found
    assert len(found) <= 2, "those after it are not named for its sake"


def test_two_rows_that_changed_places_are_found(here) -> None:
    written(here, *"abcd")
    for old, new in ((2, 99), (3, 2), (99, 3)):
        alter(here, f"UPDATE audit_entry SET id = {new} WHERE id = {old}")
    found = " ".join(broken(here))
    assert "entry 2 (c" in found
    assert "entry 3 (b" in found


def test_a_trail_that_was_computed_anew_is_told_by_a_head_that_was_kept(here) -> None:
    written(here, *"abc")
    kept = head(here)
    for table in ("audit_entry", "audit_head"):
        alter(here, f"DELETE FROM {table}")
    written(here, *"abx")
    assert broken(here) == []
    assert "another one" in " ".join(broken(here, kept))
    for table in ("audit_entry", "audit_head"):
        alter(here, f"DELETE FROM {table}")
    written(here, "a")
    assert "does not hold entry 3" in " ".join(broken(here, kept))


@pytest.mark.parametrize("text", ["", "7", "x:" + "0" * 64, "7:" + "g" * 64, "7:abc", "-1:" + "0" * 64])
def test_what_is_no_head_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="no head of a trail"):
        chain.Head.read(text)


def test_what_she_looked_at_is_found_by_her_by_woman_and_by_time(here, admin) -> None:
    factories.woman(here, "A-1", VISITS)
    factories.woman(here, "B-2", VISITS)
    with audit.coming_from("192.0.2.9"):
        looking.opened(here, admin, "patient_opened", "patient:A-1")
    looking.women_listed(here, admin, ["A-1", "B-2"], "Doe")
    found = find(here, admin, Wanted(patient="B-2")).entries
    assert [(e.person, e.action, e.patients) for e in found] == [("eve", "women_listed", ("A-1", "B-2"))]
    assert found[0].said == "saw the worklist: 2 women; searched for “Doe”"
    found = find(here, admin, Wanted(patient="A-1", person="eve", action="patient_opened")).entries
    assert [e.address for e in found] == ["192.0.2.9"]
    assert find(here, admin, Wanted(until=date.today() - timedelta(days=3))).entries == []
    with pytest.raises(NoSuchWoman, match="No patient Z"):
        find(here, admin, Wanted(patient="Z"))


def test_images_of_one_look_are_one_entry_and_a_script_s_are_one_a_woman(here, admin) -> None:
    for mrn in ("A-1", "B-2"):
        factories.woman(here, mrn, VISITS)
    with here.database.read() as session:
        films = {
            mrn: session.scalars(
                text(
                    "SELECT sop_uid FROM image JOIN study ON study.id = study_id JOIN patient ON patient.id = patient_id "
                    f"WHERE mrn = '{mrn}'"
                )
            ).all()
            for mrn in ("A-1", "B-2")
        }
    looking.opened(here, admin, "patient_opened", "patient:A-1")
    for film in [*films["A-1"], *films["B-2"], *films["B-2"]]:
        looking.images_seen(here, admin, film)
    looking.images_seen(here, admin, "1.2.3")
    seen = [(e.action, e.patients) for e in find(here, admin, Wanted(person="eve"), noted=False).entries]
    assert seen[:2] == [("images_seen", ("B-2",)), ("patient_opened", ("A-1",))]


def test_what_is_about_an_image_a_study_or_an_alert_of_hers_is_filed_under_her(here) -> None:
    plan = VisitPlan(date(2024, 3, 1), 0.05, alerts=[("risk_high", "5-year risk 5 %")])
    factories.woman(here, "A-1", [plan])
    with here.database.read() as session:
        image = session.scalars(select(Image.sop_uid)).first()
        study, alert = session.scalars(select(Study.uid)).one(), session.scalars(select(Alert.id)).one()
    for subject in (f"image:{image}", f"study:{study}", f"alert:{alert}", "patient:A-1"):
        audit.note(here, None, "benchmark", subject)
        (last, *_) = find(here, None, Wanted(action="benchmark"), noted=False).entries
        assert last.patients == ("A-1",), subject


def test_changes_of_accounts_are_security_alerts_for_other_programs_and_reads_change_nothing(here) -> None:
    factories.woman(here, "A-1", VISITS)
    audit.note(here, None, "role_set", "user:eve", {"from": "staff", "to": "admin"})
    audit.note(here, None, "api_called", "patient:A-1", {"act": "get_course", "status": 200})
    audit.note(here, None, "event_added", "patient:A-1", {"kind": "note"})
    entries = find(here, None, Wanted(), noted=False).entries
    said = [ElementTree.fromstring(line).find("EventIdentification") for line in as_messages(entries)]
    assert [(one.find("EventID").get("csd-code"), one.get("EventActionCode")) for one in said] == [
        ("110110", "U"),
        ("110110", "R"),
        ("110113", "U"),
    ]
    assert said[2].find("EventTypeCode").get("csd-code") == "110136"


def test_pages_of_the_trail_hold_each_entry_once_and_reading_it_is_in_it(here, admin) -> None:
    written(here, *(f"act {n}" for n in range(25)))
    wanted, seen, older = Wanted(), [], None
    while True:
        found = find(here, admin, wanted, older_than=older, limit=10)
        seen += [entry.id for entry in found.entries]
        if (older := found.older_than) is None:
            break
    assert seen == list(range(seen[0], 0, -1))
    assert [e.action for e in find(here, None, Wanted(action="audit_read"), noted=False).entries] == [
        "audit_read"
    ]
    with pytest.raises(AccessDenied):
        find(here, Person(9, "ann", "Ann", Role.ONCOLOGIST), wanted)


def test_a_failed_sign_in_says_which_name_and_from_where(here, admin) -> None:
    for name in ("eve", "nobody here"):
        with pytest.raises(sign_ins.SignInRefused):
            sign_ins.sign_in(here, name, "wrong", address="203.0.113.4")
    found = find(here, admin, Wanted(action="sign_in_failed")).entries
    assert [(e.person, e.address, e.outcome) for e in found] == [
        ("nobody here", "203.0.113.4", "failed"),
        ("eve", "203.0.113.4", "failed"),
    ]
    assert [e.id for e in find(here, admin, Wanted(person="nobody here")).entries] == [found[0].id]


def test_it_is_handed_out_as_a_table_no_spreadsheet_runs_and_as_dicom_audit_messages(here, admin) -> None:
    factories.woman(here, "A-1", VISITS)
    looking.opened(here, admin, "patient_opened", "patient:A-1")
    audit.note(here, None, "exported", "=cmd|' /C calc'!A0", {"kind": "a\x00b <&> \x1b"}, name="=1+1")
    entries = list(everything(here, admin, Wanted()))
    rows = list(csv_module.DictReader(io.StringIO(b"".join(as_csv(entries)).decode())))
    assert len(rows) == len(entries)
    assert rows[0]["subject"].startswith("'=")
    assert rows[0]["person"] == "'=1+1"
    messages = [ElementTree.fromstring(line) for line in as_messages(entries)]
    opened = next(m for m in messages if m.find("EventIdentification/EventID").get("csd-code") == "110110")
    assert opened.find("ParticipantObjectIdentification").get("ParticipantObjectID") == "A-1"
    assert opened.find("EventIdentification").get("EventActionCode") == "R"
    assert opened.find("ActiveParticipant").get("UserID") == "eve"
    assert list(as_csv([])) == [b"id,at,person,address,action,outcome,subject,patients,said,detail,digest\n"]


def test_every_action_that_the_code_writes_has_words() -> None:
    root = Path(__file__).parents[3]
    written = {
        node.args[at].value
        for folder in ("core", "dashboard")
        for path in (root / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ACTION_STANDS_AT
        for at in [ACTION_STANDS_AT[node.func.attr]]
        if len(node.args) > at
        and isinstance(node.args[at], ast.Constant)
        and isinstance(node.args[at].value, str)
        and re.fullmatch(r"[a-z]+(_[a-z]+)*", node.args[at].value)
    }
    assert len(written) > 30
    assert written <= set(WORDS)


def test_the_command_line_tells_the_trail_and_holds_it_to_a_head_that_was_kept(here, monkeypatch) -> None:
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))
    factories.woman(here, "A-1", VISITS)
    audit.note(here, None, "exported", "patient:A-1")

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == code, result.output
        return result.stdout

    kept = run("audit", "head").strip()
    (entry,) = json.loads(run("audit", "--patient", "A-1", "--action", "exported", "--json"))
    assert (entry["patients"], entry["said"]) == (["A-1"], "exported")
    assert json.loads(CliRunner().invoke(app, ["verify", "--head", kept, "--json"]).stdout)["trail"] == []
    alter(here, "UPDATE audit_entry SET action = 'x' WHERE id = 1")
    assert "entry 1 (x" in json.loads(run("verify", "--head", kept, "--json", code=1))["trail"][0]
    run("verify", "--head", "nonsense", code=2)
    run("audit", "--patient", "nobody", code=2)
