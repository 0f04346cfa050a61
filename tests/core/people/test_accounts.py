"""Accounts, sign-ins, roles."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from core.installation import Installation
from core.people import accounts, attempts, audit, roles, sign_ins
from core.people.accounts import Role
from core.people.passwords import hasher
from core.people.roles import Permission
from core.people.sign_ins import SignInRefused
from db.tables import SignIn, User, utc_now

PASSWORD = "correct horse battery"


@pytest.fixture
def oncologist(here: Installation) -> roles.Person:
    return accounts.create_user(here, "Ada", PASSWORD, Role.ONCOLOGIST, display_name="Dr Ada")


def test_a_token_stands_for_the_person_who_signed_in(here: Installation, oncologist: roles.Person) -> None:
    entered = sign_ins.sign_in(here, "ada", PASSWORD)
    assert sign_ins.who(here, entered.token) == oncologist


def test_passwords_are_kept_as_slowly_as_argon2_would_have_it() -> None:
    assert hasher().hash(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")  # RFC 9106, 4


def test_neither_password_nor_token_is_stored(here: Installation, oncologist: roles.Person) -> None:
    token = sign_ins.sign_in(here, "ada", PASSWORD).token
    with here.database.read() as session:
        assert PASSWORD not in session.scalars(select(User.password_hash)).one()
        assert token not in session.scalars(select(SignIn.token_sha256)).one()


@pytest.mark.parametrize("username", ["ada", "nobody"])
def test_a_wrong_name_and_a_wrong_password_read_the_same(
    here: Installation, oncologist: roles.Person, username: str
) -> None:
    with pytest.raises(SignInRefused, match="User name or password is wrong"):
        sign_ins.sign_in(here, username, "not it at all")


def test_the_account_locks_after_five_wrong_passwords_and_opens_again_later(
    here: Installation, oncologist: roles.Person
) -> None:
    now = utc_now()
    for _ in range(attempts.FAILURES_BEFORE_LOCK):
        with pytest.raises(SignInRefused):
            sign_ins.sign_in(here, "ada", "wrong password", now=now)
    with pytest.raises(SignInRefused, match="locked"):
        sign_ins.sign_in(here, "ada", PASSWORD, now=now + timedelta(seconds=30))
    assert sign_ins.sign_in(here, "ada", PASSWORD, now=now + timedelta(seconds=61)).person == oncologist


def test_signing_out_ends_the_sign_in(here: Installation, oncologist: roles.Person) -> None:
    token = sign_ins.sign_in(here, "ada", PASSWORD).token
    sign_ins.sign_out(here, token)
    assert sign_ins.who(here, token) is None


def test_a_sign_in_ends_by_itself(here: Installation, oncologist: roles.Person) -> None:
    entered = sign_ins.sign_in(here, "ada", PASSWORD)
    assert sign_ins.who(here, entered.token, now=entered.expires_at) is None


@pytest.mark.parametrize("token", [None, "", "made up", "x" * 100_000])
def test_a_made_up_token_is_nobody(here: Installation, token: str | None) -> None:
    assert sign_ins.who(here, token) is None


def test_deactivating_ends_sign_ins_at_once(here: Installation, oncologist: roles.Person) -> None:
    token = sign_ins.sign_in(here, "ada", PASSWORD).token
    accounts.set_active(here, "ada", False)
    assert sign_ins.who(here, token) is None
    with pytest.raises(SignInRefused):
        sign_ins.sign_in(here, "ada", PASSWORD)


def test_a_new_password_ends_old_sign_ins_and_lifts_the_lock(
    here: Installation, oncologist: roles.Person
) -> None:
    token = sign_ins.sign_in(here, "ada", PASSWORD).token
    for _ in range(attempts.FAILURES_BEFORE_LOCK):
        with pytest.raises(SignInRefused):
            sign_ins.sign_in(here, "ada", "wrong password")
    accounts.set_password(here, "ada", "another horse battery")
    assert sign_ins.who(here, token) is None
    assert sign_ins.sign_in(here, "ada", "another horse battery").person == oncologist


def test_the_last_admin_cannot_be_closed_or_demoted(here: Installation) -> None:
    accounts.create_user(here, "root", PASSWORD, Role.ADMIN)
    with pytest.raises(ValueError, match="last admin"):
        accounts.set_active(here, "root", False)
    with pytest.raises(ValueError, match="last admin"):
        accounts.change_account(here, "root", role=Role.STAFF)


def test_only_an_admin_changes_accounts(here: Installation, oncologist: roles.Person) -> None:
    for change in (
        lambda: accounts.create_user(here, "eve", PASSWORD, Role.ADMIN, by=oncologist),
        lambda: accounts.change_account(here, "ada", role=Role.ADMIN, by=oncologist),
        lambda: accounts.set_password(here, "ada", PASSWORD, by=oncologist),
        lambda: accounts.set_active(here, "ada", False, by=oncologist),
    ):
        with pytest.raises(roles.AccessDenied, match="administer"):
            change()
    (account,) = accounts.list_accounts(here)
    assert (account.role, account.active) == (Role.ONCOLOGIST, True)


def test_role_and_password_are_changed_together_or_not_at_all(here: Installation) -> None:
    accounts.create_user(here, "root", PASSWORD, Role.ADMIN)
    token = sign_ins.sign_in(here, "root", PASSWORD).token
    with pytest.raises(ValueError, match="last admin"):
        accounts.change_account(here, "root", role=Role.STAFF, password="another horse battery")
    with pytest.raises(ValueError, match="too short"):
        accounts.change_account(here, "root", role=Role.ADMIN, password="short")
    assert sign_ins.who(here, token) is not None
    assert sign_ins.sign_in(here, "root", PASSWORD).person.role is Role.ADMIN


def test_a_role_that_another_admin_changed_meanwhile_is_not_overwritten_unseen(
    here: Installation, oncologist: roles.Person
) -> None:
    accounts.change_account(here, "ada", role=Role.ANALYST)
    with pytest.raises(accounts.RoleChangedMeanwhile, match="changed this role to analyst"):
        accounts.change_account(here, "ada", role=Role.STAFF, role_was=Role.ONCOLOGIST)
    accounts.change_account(here, "ada", role=Role.STAFF, role_was=Role.ANALYST)
    assert accounts.list_accounts(here)[0].role is Role.STAFF


@pytest.mark.parametrize(
    ("username", "password"), [("", PASSWORD), ("a b", PASSWORD), ("x" * 65, PASSWORD), ("eve", "short")]
)
def test_unusable_names_and_short_passwords_are_refused(
    here: Installation, username: str, password: str
) -> None:
    with pytest.raises(ValueError):
        accounts.create_user(here, username, password, Role.STAFF)


def test_analysts_see_no_patients_and_only_oncologists_assess() -> None:
    may = roles.PERMISSIONS
    assert Permission.SEE_PATIENTS not in may[Role.ANALYST]
    assert [role for role in Role if Permission.ASSESS in may[role]] == [Role.ONCOLOGIST]
    assert [role for role in Role if Permission.ADMINISTER in may[role]] == [Role.ADMIN]


def test_another_role_ends_what_is_open_in_the_old_one(here: Installation, oncologist: roles.Person) -> None:
    token = sign_ins.sign_in(here, "ada", PASSWORD).token
    accounts.change_account(here, "ada", role=Role.ONCOLOGIST)
    assert sign_ins.who(here, token) == oncologist
    assert [entry.action for entry in audit.latest(here)].count("role_set") == 0
    accounts.change_account(here, "ada", role=Role.ANALYST)
    assert sign_ins.who(here, token) is None
    assert sign_ins.sign_in(here, "ada", PASSWORD).person.role is Role.ANALYST


def test_what_is_done_to_accounts_is_in_the_audit_trail(here: Installation, oncologist: roles.Person) -> None:
    token = sign_ins.sign_in(here, "ada", PASSWORD).token
    sign_ins.sign_out(here, token)
    with pytest.raises(SignInRefused):
        sign_ins.sign_in(here, "ada", "wrong password")
    trail = audit.latest(here)
    assert [entry.action for entry in trail] == ["sign_in_failed", "signed_out", "signed_in", "user_added"]
    assert not any("wrong password" in entry.detail for entry in trail)


def test_a_new_sign_in_ends_the_one_that_the_browser_held_and_the_trail_says_so(
    here: Installation, oncologist: roles.Person
) -> None:
    accounts.create_user(here, "bo", PASSWORD, Role.STAFF)
    before, elsewhere = (sign_ins.sign_in(here, "ada", PASSWORD) for _ in range(2))
    with pytest.raises(SignInRefused):
        sign_ins.sign_in(here, "bo", "not it at all", instead_of=before.token)
    assert sign_ins.who(here, before.token) == oncologist
    after = sign_ins.sign_in(here, "bo", PASSWORD, instead_of=before.token)
    assert sign_ins.who(here, before.token) is None
    assert sign_ins.who(here, after.token) == after.person
    assert sign_ins.who(here, elsewhere.token) == oncologist
    entries = [(entry.person, entry.action, entry.detail) for entry in audit.latest(here, limit=2)]
    assert sorted(entries) == [("ada", "signed_out", "replaced by user:bo"), ("bo", "signed_in", "")]


@pytest.mark.parametrize("held", [None, "", "made up"])
def test_a_new_sign_in_ends_nothing_where_the_browser_held_none(
    here: Installation, oncologist: roles.Person, held: str | None
) -> None:
    elsewhere = sign_ins.sign_in(here, "ada", PASSWORD)
    assert sign_ins.sign_in(here, "ada", PASSWORD, instead_of=held).person == oncologist
    assert sign_ins.who(here, elsewhere.token) == oncologist
