"""Tokens of programs: shown once, kept as a hash, for what they were made for, until they end."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from core.__main__ import app
from core.people import Permission, accounts, audit, tokens
from core.people.accounts import Role
from core.people.roles import AccessDenied
from db.tables import ServiceToken, utc_now


def test_a_token_stands_for_its_program_and_is_kept_as_a_hash(here):
    made = tokens.make_token(here, "archive", [Permission.ADD_STUDY])
    service = tokens.service_of(here, made.token)
    assert service.name == "archive"
    assert service.may(Permission.ADD_STUDY)
    assert not service.may(Permission.SEE_PATIENTS)
    with here.database.read() as session:
        (row,) = session.scalars(select(ServiceToken)).all()
    assert made.token not in {str(value) for value in vars(row).values()}
    assert row.last_used_at is not None
    assert all(made.token not in entry.detail for entry in audit.latest(here))


def test_what_has_ended_was_revoked_or_is_none_opens_nothing(here):
    now = utc_now()
    short = tokens.make_token(here, "short", [Permission.ADD_STUDY], expires_at=now + timedelta(hours=1))
    assert tokens.service_of(here, short.token, now=now + timedelta(hours=2)) is None
    ended = tokens.make_token(here, "ended", [Permission.ADD_STUDY])
    tokens.revoke_token(here, "ended")
    assert tokens.service_of(here, ended.token) is None
    for nonsense in ("", "lvt_", ended.token[:-1], ended.token + "x", "lvt_" + "x" * 5000, "Ω"):
        assert tokens.service_of(here, nonsense) is None
    again = tokens.make_token(here, "ended", [Permission.ADD_STUDY])
    assert tokens.service_of(here, again.token).name == "ended"
    assert [entry.action for entry in audit.latest(here)][:3] == ["token_made", "token_revoked", "token_made"]


def test_what_will_not_do_is_refused_in_a_sentence(here):
    tokens.make_token(here, "archive", [Permission.ADD_STUDY])
    for name, may in (
        ("archive", [Permission.ADD_STUDY]),
        ("", [Permission.ADD_STUDY]),
        ("a\nb", [Permission.ADD_STUDY]),
        ("x" * 65, [Permission.ADD_STUDY]),
        ("other", []),
        ("other", [Permission.ADMINISTER]),
    ):
        with pytest.raises(ValueError):
            tokens.make_token(here, name, may)
    with pytest.raises(ValueError, match="ended already"):
        tokens.make_token(here, "other", [Permission.ADD_STUDY], expires_at=utc_now())
    with pytest.raises(ValueError, match="no token"):
        tokens.revoke_token(here, "nobody")


def test_only_an_admin_makes_tokens(here):
    staff = accounts.create_user(here, "staff", "a long password 2", Role.STAFF)
    with pytest.raises(AccessDenied):
        tokens.make_token(here, "archive", [Permission.ADD_STUDY], by=staff)
    with pytest.raises(AccessDenied):
        tokens.revoke_token(here, "archive", by=staff)


def test_the_command_makes_lists_and_ends_them(here, monkeypatch):
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))

    def ran(*arguments: str):
        return CliRunner().invoke(app, ["user", *arguments])

    made = ran("token", "archive", "--days", "30")
    assert made.exit_code == 0
    token = made.stdout.strip()
    assert tokens.service_of(here, token).permissions == {Permission.ADD_STUDY}
    (listed,) = json.loads(ran("tokens", "--json").stdout)
    assert (listed["name"], listed["may"], listed["valid"]) == ("archive", ["add_study"], True)
    assert token not in ran("tokens").stdout
    assert ran("token", "archive").exit_code == 2
    assert ran("token", "archive", "--revoke").exit_code == 0
    assert tokens.service_of(here, token) is None
    assert ran("token", "archive", "--revoke").exit_code == 2
    assert ran("token", "x", "--days", "3", "--expires", "2099-01-01").exit_code == 2
