"""The verb user: works on an installation that nothing has touched yet, with the exit codes of all verbs."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.installation import Installation
from core.people import Role, Step, sign_ins
from db.tables import User
from tests.pictures import breast, dicom

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def user(tmp_path, monkeypatch, quickly_migrated):
    monkeypatch.setenv("LONGVIEW_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*words, code=0, said=None):
        done = CliRunner().invoke(app, ["user", *words], input=said)
        assert done.exit_code == code, done.output + repr(done.exception)
        return done

    return run


def test_the_first_account_can_be_made_before_anything_else(user):
    user("add", "anna", "--role", "admin", "--password-stdin", said="a long password\n")
    (account,) = json.loads(user("list", "--json").stdout)
    assert (account["username"], account["role"], account["active"]) == ("anna", "admin", True)


def test_no_accounts_are_an_empty_list(user):
    assert json.loads(user("list", "--json").stdout) == []


def test_a_short_password_an_unknown_name_and_the_last_admin_are_wrong_use(user):
    assert (
        "too short" in user("add", "bo", "--role", "staff", "--password-stdin", said="short\n", code=2).stderr
    )
    assert "no account" in user("deactivate", "nobody", code=2).stderr
    user("add", "anna", "--role", "admin", "--password-stdin", said="a long password\n")
    assert "last admin" in user("deactivate", "anna", code=2).stderr


def test_brackets_in_names_are_shown_as_they_are(user):
    made = user(
        *("add", "[/anna]", "--role", "admin", "--name", "Anna [/b]", "--password-stdin"),
        said="a long password\n",
    )
    assert "[/anna] can sign in as admin." in made.stdout
    assert "[/anna]" in user("list").stdout


@pytest.fixture
def core(user, tmp_path):
    """Any verb, on the same installation, without a terminal."""

    def run(*words, code=0):
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == code, done.output + repr(done.exception)
        return done

    return run


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.dcm"
    path.write_bytes(dicom(breast("L", rows=200, columns=150)))
    return path


HERS = ("--patient", "REAL-1", "--study-date", "2024-05-01")


def test_the_first_real_patient_beside_demo_accounts_asks_for_an_admin_and_takes_nothing_in_without(
    user, core, film
):
    user("demo")
    refused = core("import", film, *HERS, code=2)
    assert "--admin NAME" in refused.stderr
    assert "Nothing is taken in." in refused.stderr
    assert "taken" in core("import", film, *HERS, "--admin", "staff", code=2).stderr
    assert core("import", film, *HERS, "--simulated", "--json").exit_code == 0
    assert len(json.loads(user("list", "--json").stdout)) == 4


def test_the_admin_who_comes_with_her_gets_a_first_password_that_is_shown_once(user, core, film):
    user("demo")
    done = core("import", film, *HERS, "--admin", "anna", "--json")
    report = json.loads(done.stdout)
    assert (report["accepted"], report["admin"]) == (1, "anna")
    password = re.search(r"first password: (\S+)", done.stderr)[1]
    assert password not in done.stdout
    here = Installation.open()
    assert sign_ins.sign_in(here, "anna", password).person.role is Role.ADMIN
    here.close()
    active = {a["username"]: a["active"] for a in json.loads(user("list", "--json").stdout)}
    assert [name for name, open_ in active.items() if open_] == ["anna"]
    again = core("import", film, *HERS, "--admin", "bo")
    assert "password" not in again.stderr
    assert "--admin bo made no account" in again.stderr
    assert "no demo accounts here" in user("demo", code=2).stderr
    assert "closed for good" in user("activate", "admin", code=2).stderr


def test_in_a_terminal_the_admin_is_asked_for_until_name_and_password_will_do(user, core, film):
    user("demo")
    terminal, ours = pty.openpty()
    asked = subprocess.Popen(
        [sys.executable, "-m", "core", "import", film, *HERS],
        cwd=PROJECT,
        stdin=ours,
        stdout=subprocess.PIPE,
        stderr=ours,
        start_new_session=True,
        env={**os.environ, "TERM": "dumb"},
    )
    os.close(ours)
    said = b""

    def until(words: bytes) -> None:
        nonlocal said
        while words not in said:
            assert select.select([terminal], [], [], 60)[0], said
            said += os.read(terminal, 1000)
        said = said.split(words, 1)[1]

    for password in (b"password1234", b"seven quiet rivers"):
        until(b"User name of your admin:")
        os.write(terminal, b"anna\n")
        until(b"Password: ")
        os.write(terminal, password + b"\n")
        until(b"Repeat for confirmation: ")
        os.write(terminal, password + b"\n")
    until(b"Admin: anna")
    assert asked.wait(60) == 0
    os.close(terminal)
    here = Installation.open()
    assert sign_ins.sign_in(here, "anna", "seven quiet rivers").person.role is Role.ADMIN
    here.close()


def test_without_demo_accounts_the_first_real_patient_asks_nothing(core, film):
    done = core("import", film, *HERS)
    assert "admin" not in done.stderr.lower()


def test_a_second_factor_is_told_of_and_reset(user, tmp_path):
    user("add", "anna", "--role", "admin", "--password-stdin", said="a long password\n")
    assert "no second factor" in user("second-factor", "anna").stdout
    here = Installation.open()
    with here.database.write() as session:
        session.query(User).one().totp_secret = "sealed"
    here.close()
    assert "signs in with a second factor" in user("second-factor", "anna").stdout
    assert json.loads(user("list", "--json").stdout)[0]["second_factor"] is True
    assert "signed out everywhere" in user("second-factor", "anna", "--reset").stdout
    assert "has no second factor" in user("second-factor", "anna", "--reset").stdout
    assert "no account" in user("second-factor", "nobody", code=2).stderr


def test_who_was_given_a_password_chooses_another_and_who_chose_it_does_not(user):
    for name, *kept in (("anna",), ("bo", "--keep-password")):
        user("add", name, "--role", "staff", "--password-stdin", *kept, said="a long password\n")
    here = Installation.open()
    lacks = [sign_ins.sign_in(here, name, "a long password").lacks for name in ("anna", "bo")]
    here.close()
    assert lacks == [Step.PASSWORD, None]
