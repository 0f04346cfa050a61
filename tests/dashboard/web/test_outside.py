"""The hospital's own sign-in, from a provider that the test runs, through the real gate."""

import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from core.installation import Installation
from core.people import (
    AccessDenied,
    Permission,
    Person,
    accounts,
    audit,
    linking,
    oidc,
    open_sign_ins,
    own_tokens,
    sign_ins,
)
from core.people.accounts import Role
from core.settings import Settings
from dashboard import house
from dashboard.web import outside_routes, signing_in
from dashboard.web.gate import COOKIE, Gate
from tests.dashboard.web import provider as providers
from tests.dashboard.web.provider import Provider

PASSWORD = "correct horse battery"
ADA = {"sub": "17", "preferred_username": "Ada", "name": "Dr Ada Lovelace", "roles": ["staff", "radiology"]}


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with providers.running() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.claims, running.userinfo, running.signed_with, running.away = dict(ADA), {}, "RS256", False
    running.asked.clear()
    oidc._providers.clear()
    return running


@pytest.fixture
def home(here: Installation, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Installation:
    settings = {
        "HOME": str(here.home),
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": providers.CLIENT_ID,
        "OIDC_CLIENT_SECRET": providers.CLIENT_SECRET,
        "OIDC_ROLES": "lv-admins=admin,radiology=oncologist,research=analyst",
        "OIDC_NAME": "St Mary's",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"LONGVIEW_{name}", value)
    house.here.cache_clear()
    return house.here()


@pytest.fixture
def browser(home: Installation) -> Iterator[TestClient]:
    async def page(request: Request) -> Response:
        return PlainTextResponse(request.state.person.username)

    app = Starlette(
        routes=[*signing_in.ROUTES, *outside_routes.ROUTES, Route("/worklist", page), Route("/", page)],
        middleware=[Middleware(Gate, here=house.here)],
    )
    with TestClient(app, base_url="http://127.0.0.1:8501", follow_redirects=False) as client:
        client.headers["accept"] = "text/html"
        yield client
    house.here.cache_clear()
    home.close()


def go(browser: TestClient, target: str = "/worklist", **changed: str) -> Any:
    """Press the button, be signed in there at once, and come back."""
    going = browser.get("/sign-in/oidc", params={"next": target})
    assert going.status_code == 303, going.text
    there = httpx.get(going.headers["location"])
    back = urllib.parse.urlsplit(there.headers["location"])
    query = {**dict(urllib.parse.parse_qsl(back.query)), **changed}
    return browser.get(back.path, params=query)


def said(answer: Any) -> str:
    return answer.text.split('role="alert">')[1].split("<")[0]


def test_who_comes_first_gets_an_account_in_the_role_that_is_said(
    browser: TestClient, home: Installation, provider: Provider
) -> None:
    assert "Sign in with St Mary&#x27;s" in browser.get("/sign-in").text
    answer = go(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/worklist")
    assert browser.get("/worklist").text == "ada"
    (account,) = accounts.list_accounts(home)
    assert (account.username, account.display_name, account.role) == (
        "ada",
        "Dr Ada Lovelace",
        Role.ONCOLOGIST,
    )
    assert account.outside
    (asked,) = provider.asked
    assert asked["code_challenge_method"] == "S256"
    assert asked["response_type"] == "code"
    assert len(asked["state"]) > 30
    assert asked["redirect_uri"] == "http://127.0.0.1:8501/sign-in/oidc/back"
    go(browser)
    assert len(accounts.list_accounts(home)) == 1
    assert [entry.action for entry in audit.latest(home)].count("signed_in") == 2


def test_another_role_there_is_another_role_here(
    browser: TestClient, home: Installation, provider: Provider
) -> None:
    go(browser)
    held = browser.cookies[COOKIE]
    provider.claims["roles"] = ["lv-admins", "radiology"]
    browser.cookies.clear()
    go(browser)
    assert accounts.list_accounts(home)[0].role is Role.ADMIN
    browser.cookies.set(COOKIE, held, domain="127.0.0.1")
    assert browser.get("/worklist").status_code == 303, "what was opened in another role has ended"
    assert audit.latest(home, action="role_set")


def test_who_has_no_role_here_is_told_so_and_gets_nothing(
    browser: TestClient, home: Installation, provider: Provider
) -> None:
    provider.claims["roles"] = ["cooks"]
    answer = go(browser)
    assert answer.status_code == 403
    assert "none of your roles there is one of Longview" in said(answer)
    assert accounts.list_accounts(home) == []
    assert audit.latest(home, action="sign_in_failed")[0].detail.startswith("by St Mary")


def test_an_account_that_is_closed_here_stays_closed(browser: TestClient, home: Installation) -> None:
    go(browser)
    accounts.set_active(home, "ada", False)
    assert "Your account here is closed" in said(go(browser))
    assert browser.get("/worklist").status_code == 303


def test_a_name_that_is_anothers_here_is_not_handed_over(
    browser: TestClient, home: Installation, provider: Provider
) -> None:
    accounts.create_user(home, "ada", PASSWORD, Role.ADMIN)
    assert "“ada” is taken" in said(go(browser))
    provider.claims |= {"preferred_username": "\u0430da"}
    assert "mixes letters" in said(go(browser))
    assert len(accounts.list_accounts(home)) == 1


LIES: dict[str, dict[str, Any]] = {
    "for another program": {"aud": "another"},
    "for several, and not to us": {"aud": ["longview", "another"], "azp": "another"},
    "for several, and to nobody": {"aud": ["longview", "another"]},
    "from another issuer": {"iss": "https://elsewhere.example"},
    "expired": {"exp": int(time.time()) - 3600},
    "without an end": {"exp": None},
    "in answer to another sign-in": {"nonce": "another"},
    "in answer to none": {"nonce": None},
    "of nobody": {"sub": None},
    "of tomorrow": {"iat": int(time.time()) + 86_400},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_is_not_for_us_now_and_in_answer_is_not_believed(
    browser: TestClient, home: Installation, provider: Provider, lie: str
) -> None:
    provider.claims |= LIES[lie]
    answer = go(browser)
    assert answer.status_code == 403
    assert "cannot be believed" in said(answer)
    assert COOKIE not in browser.cookies
    assert accounts.list_accounts(home) == []


@pytest.mark.parametrize("signed_with", ["none", "HS256", "another"])
def test_a_token_that_the_provider_did_not_sign_is_not_believed(
    browser: TestClient, home: Installation, provider: Provider, signed_with: str
) -> None:
    provider.signed_with = signed_with
    assert "cannot be believed" in said(go(browser))
    assert accounts.list_accounts(home) == []


def test_a_way_back_that_was_not_begun_here_leads_nowhere(browser: TestClient, home: Installation) -> None:
    assert "begun in another browser" in said(go(browser, state="another"))
    assert "begun in another browser" in said(browser.get("/sign-in/oidc/back?code=x&state=y"))
    browser.cookies.set("longview_oidc", "nonsense", domain="127.0.0.1")
    assert "begun in another browser" in said(browser.get("/sign-in/oidc/back?code=x&state="))
    browser.cookies.clear()
    assert "not as it should" in said(go(browser, code="made-up"))
    assert "did not sign you in" in said(go(browser, error="access_denied"))
    assert COOKIE not in browser.cookies


def test_a_code_is_taken_once(browser: TestClient) -> None:
    going = browser.get("/sign-in/oidc")
    there = urllib.parse.urlsplit(httpx.get(going.headers["location"]).headers["location"])
    again = f"{there.path}?{there.query}"
    assert browser.get(again).status_code == 303
    assert "begun in another browser" in said(browser.get(again))


def test_new_keys_of_the_provider_are_asked_for(
    browser: TestClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(browser)
    monkeypatch.setattr(oidc, "_ASKED_ANEW_AFTER", 0.0)
    monkeypatch.setattr(provider, "key", providers.RSAKey.generate_key(2048, {"kid": "two"}))
    browser.cookies.clear()
    assert go(browser).status_code == 303


def test_roles_may_stand_within_another_claim_or_be_said_elsewhere(
    browser: TestClient, home: Installation, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGVIEW_OIDC_ROLE_CLAIM", "realm_access.roles")
    house.here.cache_clear()
    provider.claims |= {"roles": None, "realm_access": {"roles": ["research"]}}
    assert go(browser).status_code == 303
    assert accounts.list_accounts(home)[0].role is Role.ANALYST
    monkeypatch.setenv("LONGVIEW_OIDC_ROLE_CLAIM", "groups")
    house.here.cache_clear()
    provider.userinfo = {"sub": "17", "groups": ["radiology"]}
    assert go(browser).status_code == 303
    assert accounts.list_accounts(home)[0].role is Role.ONCOLOGIST
    provider.userinfo = {"sub": "another", "groups": ["lv-admins"]}
    assert "none of your roles" in said(go(browser))


def test_while_the_provider_is_away_an_admin_signs_in_with_a_password(
    browser: TestClient, home: Installation, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGVIEW_OIDC_ONLY", "1")
    house.here.cache_clear()
    for name, role in (("boss", Role.ADMIN), ("sam", Role.STAFF)):
        accounts.create_user(home, name, PASSWORD, role)
    provider.away = True
    answer = browser.get("/sign-in/oidc")
    assert answer.status_code == 503
    assert "does not answer" in said(answer)
    for name, status in (("sam", 401), ("boss", 303)):
        form = browser.get("/sign-in").text.split('name="form_token" value="')[1].split('"')[0]
        fields = {"username": name, "password": PASSWORD, "form_token": form}
        assert browser.post("/sign-in", data=fields).status_code == status
    with pytest.raises(ValueError, match="last admin"):
        accounts.set_active(home, "boss", False)


def test_an_admin_from_there_is_no_way_back(
    browser: TestClient, home: Installation, provider: Provider
) -> None:
    accounts.create_user(home, "boss", PASSWORD, Role.ADMIN)
    provider.claims["roles"] = "lv-admins"
    go(browser)
    with pytest.raises(ValueError, match="last admin"):
        accounts.set_active(home, "boss", False)
    with pytest.raises(ValueError, match="has no password here"):
        accounts.set_password(home, "ada", PASSWORD)


def test_signing_out_here_signs_out_there(browser: TestClient, provider: Provider) -> None:
    go(browser)
    answer = browser.get("/sign-out", headers={"sec-fetch-site": "same-origin"})
    assert answer.headers["location"].startswith(
        f"{provider.issuer}/out?client_id=longview&post_logout_redirect_uri="
    )
    assert browser.get("/worklist").status_code == 303
    assert (
        browser.get("/sign-out", headers={"sec-fetch-site": "same-origin"}).headers["location"] == "/sign-in"
    )


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"oidc_issuer": "http://hospital.example"}, "begins with https"),
        ({"oidc_issuer": "https://hospital.example"}, "needs LONGVIEW_OIDC_CLIENT_ID"),
        (
            {"oidc_issuer": "https://hospital.example", "oidc_client_id": "x"},
            "which role there is which here",
        ),
        (
            {"oidc_issuer": "https://h.example", "oidc_client_id": "x", "oidc_roles": "a=boss"},
            "which role there",
        ),
        ({"second_factor": "admin,boss"}, "LONGVIEW_SECOND_FACTOR"),
    ],
)
def test_settings_that_cannot_be_met_are_said(settings: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Settings(_env_file=None, **settings)


EVENT = "http://schemas.openid.net/event/backchannel-logout"


def logout_token(provider: Provider, **changed: Any) -> str:
    said = {
        "iss": provider.issuer,
        "aud": providers.CLIENT_ID,
        "iat": int(time.time()),
        "exp": int(time.time()) + 120,
        "jti": str(time.monotonic_ns()),
        "sub": "17",
        "events": {EVENT: {}},
    }
    return provider.signed({**said, **changed})


def word(browser: TestClient, token: str) -> Any:
    """The provider's own word, from where no browser is."""
    return httpx_post(browser, {"logout_token": token})


def httpx_post(browser: TestClient, fields: dict[str, str]) -> Any:
    kept = dict(browser.cookies)
    browser.cookies.clear()
    answer = browser.post("/sign-in/oidc/logout", data=fields)
    for name, value in kept.items():
        browser.cookies.set(name, value, domain="127.0.0.1")
    return answer


def test_who_is_signed_out_there_is_signed_out_here_at_once(
    browser: TestClient, home: Installation, provider: Provider
) -> None:
    provider.claims["sid"] = "one"
    go(browser)
    assert browser.get("/worklist").text == "ada"
    other = word(browser, logout_token(provider, sid="another"))
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-store")
    assert browser.get("/worklist").text == "ada", "another session of hers has ended, not this one"
    assert word(browser, logout_token(provider, sub="18")).status_code == 200
    assert browser.get("/worklist").text == "ada", "another person was signed out"
    assert word(browser, logout_token(provider, sid="one", sub=None)).status_code == 200
    assert browser.get("/worklist").status_code == 303
    go(browser)
    assert word(browser, logout_token(provider)).status_code == 200
    assert browser.get("/worklist").status_code == 303
    (entry, _) = audit.latest(home, action="signed_out_outside")
    assert (entry.subject, entry.detail) == ("user:ada", "by St Mary's, sign_ins_ended 1")


NO_WORDS: dict[str, dict[str, Any]] = {
    "an ID token": {"events": None, "nonce": "x"},
    "with a nonce": {"nonce": "x"},
    "of nothing": {"events": {}},
    "whose event is a text": {"events": {EVENT: "yes"}},
    "for another program": {"aud": "another"},
    "from another issuer": {"iss": "https://elsewhere.example"},
    "of nobody": {"sub": None},
    "without a name of its own": {"jti": None},
    "of long ago": {"iat": int(time.time()) - 3600},
    "of tomorrow": {"iat": int(time.time()) + 86_400},
    "that has ended": {"exp": int(time.time()) - 3600},
}


@pytest.mark.parametrize("lie", NO_WORDS)
def test_a_word_that_nobody_was_signed_out_by_is_not_believed(
    browser: TestClient, home: Installation, provider: Provider, lie: str
) -> None:
    go(browser)
    answer = word(browser, logout_token(provider, **NO_WORDS[lie]))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert browser.get("/worklist").text == "ada"


def test_a_word_is_heard_once_and_only_if_the_provider_signed_it(
    browser: TestClient, home: Installation, provider: Provider
) -> None:
    token = logout_token(provider)
    assert word(browser, token).status_code == 200
    go(browser)
    again = word(browser, token)
    assert (again.status_code, "heard before" in again.text) == (400, True)
    for signed_with in ("none", "HS256", "another"):
        provider.signed_with = signed_with
        assert word(browser, logout_token(provider)).status_code == 400
    provider.signed_with = "RS256"
    assert word(browser, "nonsense").status_code == 400
    assert httpx_post(browser, {}).status_code == 400
    assert httpx_post(browser, {"logout_token": "x" * 20_000}).status_code == 413
    assert browser.get("/worklist").text == "ada"
    oidc._providers.clear()
    provider.away = True
    assert word(browser, logout_token(provider)).status_code == 503


def test_an_account_is_linked_by_both_sign_ins_in_one_browser(
    browser: TestClient, home: Installation, provider: Provider
) -> None:
    accounts.create_user(home, "boss", PASSWORD, Role.ADMIN)
    her = accounts.create_user(home, "lovelace", PASSWORD, Role.STAFF)
    token = sign_ins.sign_in(home, "lovelace", PASSWORD).token
    browser.cookies.set(COOKIE, token, domain="127.0.0.1")
    with pytest.raises(ValueError, match="not your password"):
        linking.begin_link(home, her, "another password", token=token)
    assert go(browser).status_code == 303
    assert {one.username for one in accounts.list_accounts(home)} == {"ada", "boss", "lovelace"}
    assert browser.get("/worklist").text == "ada", "without her password a sign-in there is one, and no link"

    linking.unlink(home, "ada", "yet another phrase 9")  # that account was a mistake
    accounts.set_active(home, "ada", False)
    token = sign_ins.sign_in(home, "lovelace", PASSWORD).token
    browser.cookies.set(COOKIE, token, domain="127.0.0.1")
    linking.begin_link(home, her, PASSWORD, token=token)
    going = browser.get("/sign-in/oidc", params={"next": "/account", "link": "1"})
    assert "prompt=login" in going.headers["location"], "whoever was signed in there before is asked again"
    back = urllib.parse.urlsplit(httpx.get(going.headers["location"]).headers["location"])
    assert browser.get(f"{back.path}?{back.query}").status_code == 303
    assert browser.get("/worklist").text == "lovelace"
    account = next(one for one in accounts.list_accounts(home) if one.username == "lovelace")
    assert (account.outside, account.role) == (True, Role.ONCOLOGIST), "her role is what is said there"
    with pytest.raises(sign_ins.SignInRefused):
        sign_ins.sign_in(home, "lovelace", PASSWORD)
    accounts.create_user(home, "another", PASSWORD, Role.STAFF)
    with pytest.raises(ValueError, match="for “lovelace” by this subject"):
        linking.link(home, "another", "17")
    linking.unlink(home, "lovelace", "another long password 5")
    assert browser.get("/worklist").status_code == 303
    assert sign_ins.sign_in(home, "lovelace", "another long password 5").lacks is not None


def test_the_last_admin_with_a_password_is_not_linked(home: Installation) -> None:
    boss = accounts.create_user(home, "boss", PASSWORD, Role.ADMIN)
    with pytest.raises(ValueError, match="way back"):
        linking.link(home, "boss", "17")
    with pytest.raises(ValueError, match="way back"):
        linking.begin_link(home, boss, PASSWORD, token="x")
    accounts.create_user(home, "sam", PASSWORD, Role.STAFF)
    with pytest.raises(AccessDenied):
        linking.link(home, "sam", "17", by=Person(7, "sam", "Sam", Role.STAFF))
    linking.link(home, "sam", "17")
    assert [one.outside for one in accounts.list_accounts(home)] == [False, True]


def test_a_token_does_no_more_than_the_role_that_is_said_last(
    browser: TestClient, home: Installation, provider: Provider
) -> None:
    go(browser)
    token = own_tokens.make_own_token(home, "ada", list(own_tokens.Scope)).token
    assert own_tokens.access_of(home, token).person.may(Permission.ASSESS)
    provider.claims["roles"] = ["research"]
    go(browser)
    person = own_tokens.access_of(home, token).person
    assert person.role is Role.ANALYST
    assert not person.may(Permission.SEE_PATIENTS)


def test_an_admin_ends_somebodys_sign_ins_and_tokens(browser: TestClient, home: Installation) -> None:
    go(browser)
    token = own_tokens.make_own_token(home, "ada").token
    boss = accounts.create_user(home, "boss", PASSWORD, Role.ADMIN)
    assert len(open_sign_ins.list_of(home, "ada", by=boss)) == 1
    with pytest.raises(AccessDenied):
        open_sign_ins.end_all_for(home, "ada", by=Person(9, "sam", "Sam", Role.STAFF))
    assert open_sign_ins.end_all_for(home, "ada", by=boss, tokens=False) == (1, 0)
    assert browser.get("/worklist").status_code == 303
    own_tokens.access_of(home, token)
    go(browser)
    assert open_sign_ins.end_all_for(home, "ADA", by=boss) == (1, 1)
    with pytest.raises(own_tokens.TokenRefused):
        own_tokens.access_of(home, token)
    assert open_sign_ins.list_of(home, "ada") == []
    assert audit.latest(home)[0].action == "signed_out_by_admin"
    with pytest.raises(ValueError, match="no account"):
        open_sign_ins.end_all_for(home, "nobody")
