"""Accounts that the hospital's own sign-in answers for, on both databases: made once, linked to one, ended at a word.

What is believed of a provider is tried against one in `tests/dashboard/web/test_outside.py`.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.installation import Installation
from core.people import accounts, audit, back_channel, linking, sign_ins
from core.people.oidc import OutsideRefused
from core.people.outside import sign_in_outside
from core.people.roles import Role
from core.people.sign_ins import Sat, SignInRefused
from core.settings import Settings

PASSWORD = "correct horse battery"
ADA = {
    "sub": "17",
    "preferred_username": "Ada",
    "name": "Dr Ada Lovelace",
    "roles": ["radiology"],
    "sid": "one",
}
SAT = Sat(address="192.0.2.10")


@pytest.fixture
def clinic(here: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation beside a hospital's own sign-in."""
    said: dict[str, Any] = {
        "oidc_issuer": "https://hospital.example",
        "oidc_client_id": "longview",
        "oidc_roles": "radiology=oncologist,research=analyst",
        "oidc_name": "St Mary's",
    }
    checked = Settings(_env_file=None, **said)
    for name in said:
        monkeypatch.setattr(here.settings, name, getattr(checked, name))
    return here


def at_once(do: Callable[[], object], times: int = 4) -> list[object]:
    """Do something in several threads, and return what came of each: a value or what was raised."""

    def one(_: int) -> object:
        try:
            return do()
        except Exception as error:  # noqa: BLE001 - the tests look at what it is
            return error

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def test_who_comes_first_in_several_tabs_at_once_gets_one_account(clinic: Installation) -> None:
    came = at_once(lambda: sign_in_outside(clinic, ADA, SAT))
    assert [one for one in came if not isinstance(one, sign_ins.NewSignIn)] == []
    (account,) = accounts.list_accounts(clinic)
    assert (account.username, account.role, account.outside) == ("ada", Role.ONCOLOGIST, True)
    assert {sign_ins.who(clinic, one.token).username for one in came} == {"ada"}


def test_another_role_there_ends_what_was_open_in_the_one_before(clinic: Installation) -> None:
    before = sign_in_outside(clinic, ADA, SAT).token
    after = sign_in_outside(clinic, {**ADA, "roles": ["research"]}, SAT).token
    assert sign_ins.who(clinic, before) is None
    assert sign_ins.who(clinic, after).role is Role.ANALYST
    with pytest.raises(OutsideRefused, match="none of your roles"):
        sign_in_outside(clinic, {**ADA, "roles": []}, SAT)


def test_an_account_is_linked_once_and_to_one_person(clinic: Installation) -> None:
    her = accounts.create_user(clinic, "lovelace", PASSWORD, Role.STAFF)
    accounts.create_user(clinic, "another", PASSWORD, Role.STAFF)
    token = sign_ins.sign_in(clinic, "lovelace", PASSWORD).token
    with pytest.raises(OutsideRefused, match="too long"):
        linking.link_own(clinic, token, ADA)
    linking.begin_link(clinic, her, PASSWORD, token=token)
    assert linking.is_linking(clinic, token)
    linked = at_once(lambda: linking.link_own(clinic, token, ADA))
    assert [one.username for one in linked if not isinstance(one, Exception)] == ["lovelace"]
    assert {type(one) for one in linked if isinstance(one, Exception)} == {OutsideRefused}
    assert len(audit.latest(clinic, action="account_linked")) == 1
    with pytest.raises(SignInRefused):
        sign_ins.sign_in(clinic, "lovelace", PASSWORD)
    assert sign_ins.who(clinic, sign_in_outside(clinic, ADA, SAT).token).username == "lovelace"
    with pytest.raises(ValueError, match="that is one person"):
        linking.link(clinic, "another", "17")
    linking.unlink(clinic, "lovelace", "another long password 5")
    linking.link(clinic, "another", "17")
    assert sign_ins.who(clinic, sign_in_outside(clinic, ADA, SAT).token).username == "another"


def test_a_word_that_somebody_was_signed_out_is_heard_once_however_often_it_comes(
    clinic: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = (sign_in_outside(clinic, {**ADA, "sid": sid}, SAT).token for sid in ("one", "two"))
    monkeypatch.setattr(back_channel, "_believed", lambda *_given: {"sub": "17", "sid": "one", "jti": "w1"})
    heard = at_once(lambda: back_channel.sign_out_from_outside(clinic, "a word"))
    assert [one for one in heard if not isinstance(one, Exception)] == [1]
    assert {type(one) for one in heard if isinstance(one, Exception)} == {OutsideRefused}
    assert sign_ins.who(clinic, here) is None
    assert sign_ins.who(clinic, elsewhere).username == "ada"
    monkeypatch.setattr(back_channel, "_believed", lambda *_given: {"sub": "17", "jti": "w2"})
    assert back_channel.sign_out_from_outside(clinic, "another word") == 1
    assert sign_ins.who(clinic, elsewhere) is None
