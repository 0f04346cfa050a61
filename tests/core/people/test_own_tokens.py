"""Personal tokens: shown once, kept as a hash, narrowed by scopes, made by their person only, ended with her account."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from core.__main__ import app
from core.people import Role, Scope, TokenRefused, accounts, audit, own_tokens
from core.people.roles import AccessDenied
from db.tables import PersonalToken, utc_now


@pytest.fixture
def staff(here):
    return accounts.create_user(here, "staff", "a long password 2", Role.STAFF)


def test_a_token_acts_for_its_person_and_is_kept_as_a_hash(here, staff):
    made = own_tokens.make_own_token(here, "staff", [Scope.READ, Scope.FHIR], label="nightly export")
    access = own_tokens.access_of(here, made.token)
    assert (access.person, access.label, access.scopes) == (
        staff,
        "nightly export",
        {Scope.READ, Scope.FHIR},
    )
    with here.database.read() as session:
        (row,) = session.scalars(select(PersonalToken)).all()
    assert made.token not in {str(value) for value in vars(row).values()}
    assert row.last_used_at is not None
    assert all(made.token not in entry.detail for entry in audit.latest(here))


def test_when_it_was_last_used_is_not_written_at_every_call(here, staff):
    token = own_tokens.make_own_token(here, "staff").token
    now = utc_now()
    own_tokens.access_of(here, token, now=now)
    own_tokens.access_of(here, token, now=now + timedelta(minutes=1))
    assert own_tokens.own_tokens_of(here, staff)[0].last_used_at == now
    own_tokens.access_of(here, token, now=now + timedelta(minutes=6))
    assert own_tokens.own_tokens_of(here, staff)[0].last_used_at == now + timedelta(minutes=6)


def test_its_rights_are_those_that_its_person_has_now(here, staff):
    accounts.create_user(here, "boss", "a long password 3", Role.ADMIN)
    token = own_tokens.make_own_token(here, "staff", list(Scope)).token
    accounts.change_account(here, "staff", role=Role.ANALYST)
    assert own_tokens.access_of(here, token).person.role is Role.ANALYST


@pytest.mark.parametrize("how", ["closed", "new password"])
def test_it_ends_with_the_account(here, staff, how):
    token = own_tokens.make_own_token(here, "staff").token
    if how == "closed":
        accounts.set_active(here, "staff", False)
        accounts.set_active(here, "staff", True)
    else:
        accounts.set_password(here, "staff", "another long password")
    with pytest.raises(TokenRefused) as refused:
        own_tokens.access_of(here, token)
    assert refused.value.reason == "token_ended"


def test_nobody_makes_ends_or_lists_anothers(here, staff):
    other = accounts.create_user(here, "other", "a long password 4", Role.ONCOLOGIST)
    admin = accounts.create_user(here, "boss", "a long password 5", Role.ADMIN)
    made = own_tokens.make_own_token(here, "staff", by=staff)
    for person in (other, admin):
        with pytest.raises(AccessDenied):
            own_tokens.make_own_token(here, "staff", by=person)
    with pytest.raises(AccessDenied):
        own_tokens.all_own_tokens(here, by=other)
    with pytest.raises(ValueError, match="not here"):
        own_tokens.end_own_token(here, made.entry.token_id, by=other)
    assert own_tokens.own_tokens_of(here, other) == []
    assert [one.username for one in own_tokens.all_own_tokens(here, by=admin)] == ["staff"]
    own_tokens.end_own_token(here, made.entry.token_id, by=admin)
    own_tokens.end_own_token(here, made.entry.token_id, by=staff)
    assert not own_tokens.own_tokens_of(here, staff)[0].is_valid()
    assert [entry.action for entry in audit.latest(here)].count("token_revoked") == 1


def test_what_will_not_do_is_refused_in_a_sentence(here, staff):
    for more in (
        {"scopes": []},
        {"lasts": timedelta(days=400)},
        {"lasts": timedelta(0)},
        {"label": "x" * 65},
        {"label": "a\x07b"},
    ):
        with pytest.raises(ValueError):
            own_tokens.make_own_token(here, "staff", **{"scopes": [Scope.READ], **more})
    with pytest.raises(ValueError, match="nobody"):
        own_tokens.make_own_token(here, "nobody")
    for _ in range(own_tokens.MOST_TOKENS):
        own_tokens.make_own_token(here, "staff")
    with pytest.raises(ValueError, match="End one first"):
        own_tokens.make_own_token(here, "staff")


def test_the_command_makes_lists_and_ends_them(here, staff, monkeypatch):
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))

    def ran(*arguments):
        return CliRunner().invoke(app, ["user", *arguments])

    made = ran("token", "staff", "--days", "7", "--scope", "read", "--scope", "images")
    assert made.exit_code == 0
    token = made.stdout.strip()
    assert own_tokens.access_of(here, token).scopes == {Scope.READ, Scope.IMAGES}
    (listed,) = json.loads(ran("tokens", "--json").stdout)
    assert (listed["person"], listed["scopes"], listed["valid"]) == ("staff", ["read", "images"], True)
    assert token not in ran("tokens").stdout
    assert ran("token", "staff", "--scope", "read", "--may", "add_study").exit_code == 2
    assert ran("token", "nobody", "--scope", "read").exit_code == 2
    assert ran("token", "staff", "--days", "1000").exit_code == 2
    assert ran("token", "staff", "--revoke").exit_code == 0
    with pytest.raises(TokenRefused):
        own_tokens.access_of(here, token)
