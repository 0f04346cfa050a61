"""The verb user: works on an installation that nothing has touched yet, with the exit codes of all verbs."""

import json

import pytest
from typer.testing import CliRunner

from core.__main__ import app


@pytest.fixture
def user(tmp_path, monkeypatch):
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
