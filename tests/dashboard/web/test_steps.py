"""What is asked between password and first page, over the real gate: nothing opens before it is answered."""

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from sqlalchemy import update
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from core.installation import Installation
from core.people import accounts, sign_ins
from core.people.accounts import Role
from dashboard import house
from dashboard.web import signing_in
from dashboard.web.gate import COOKIE, Gate
from db.tables import SignIn, utc_now

FIRST, OWN = "correct horse battery", "seven quiet rivers"


@pytest.fixture
def home(here: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.setenv("LONGVIEW_HOME", str(here.home))
    monkeypatch.setenv("LONGVIEW_SECOND_FACTOR", "admin")
    house.here.cache_clear()
    yield house.here()
    house.here().close()
    house.here.cache_clear()


@pytest.fixture
def browser(home: Installation) -> Iterator[TestClient]:
    async def page(request: Request) -> Response:
        return PlainTextResponse(request.state.person.username)

    app = Starlette(
        routes=[*signing_in.ROUTES, Route("/worklist", page), Route("/", page)],
        middleware=[Middleware(Gate, here=house.here)],
    )
    with TestClient(app, base_url="http://127.0.0.1:8501", follow_redirects=False) as client:
        client.headers["accept"] = "text/html"
        yield client


def send(browser: TestClient, path: str, **fields: str) -> Any:
    """Fill in the form that a page shows, and send it where it goes."""
    page = browser.get(path)
    assert page.status_code == 200, page.text
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    target = re.search(r'name="next" value="([^"]+)"', page.text)
    assert token is not None
    assert target is not None
    hidden = {"form_token": token[1], "next": html.unescape(target[1])}
    return browser.post(path.split("?")[0], data={**hidden, **fields})


def test_a_new_admin_chooses_a_password_sets_up_her_phone_and_gets_where_she_was_going(
    browser: TestClient, home: Installation
) -> None:
    accounts.create_user(home, "boss", FIRST, Role.ADMIN, first_password=True)
    answer = send(browser, "/sign-in?next=/worklist", username="boss", password=FIRST)
    assert answer.headers["location"] == "/sign-in/step?next=/worklist"
    assert browser.get("/worklist").status_code == 303, "a password alone opens nothing"
    assert browser.get("/signed-in", headers={"accept": "*/*"}).status_code == 401

    step = answer.headers["location"]
    for chosen, again, said in ((OWN, "another one", "not the same twice"), ("short", "short", "too short")):
        refused = send(browser, step, password=chosen, again=again)
        assert refused.status_code == 422
        assert said in refused.text
    answer = send(browser, step, password=OWN, again=OWN)
    assert answer.headers["location"] == step

    page = browser.get(step).text
    assert "data:image/svg+xml" in page
    secret = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
    assert secret is not None
    assert send(browser, step, code="000000").status_code == 401
    codes = send(browser, step, code=pyotp.TOTP(secret[1].replace(" ", "")).now())
    assert codes.headers["cache-control"] == "no-store"
    assert len(re.findall(r"<li><code>[a-z2-7-]{19}</code></li>", codes.text)) == 10
    assert 'href="/worklist"' in codes.text
    assert browser.get("/worklist").text == "boss"

    browser.get("/sign-out", headers={"sec-fetch-site": "same-origin"})
    recovery = re.findall(r"<li><code>([^<]+)<", codes.text)[0]
    answer = send(browser, "/sign-in?next=/worklist", username="boss", password=OWN)
    assert "authenticator app" in browser.get(answer.headers["location"]).text
    assert send(browser, answer.headers["location"], code=recovery).headers["location"] == "/worklist"
    assert browser.get("/worklist").text == "boss"


def test_a_step_of_nobody_leads_to_the_sign_in_page(browser: TestClient, home: Installation) -> None:
    assert browser.get("/sign-in/step?next=/worklist").headers["location"] == "/sign-in?next=/worklist"
    accounts.create_user(home, "bo", FIRST, Role.STAFF)
    assert send(browser, "/sign-in", username="bo", password=FIRST).headers["location"] == "/"
    assert browser.get("/sign-in/step").headers["location"] == "/sign-in", (
        "who lacks nothing is asked nothing"
    )
    assert browser.post("/sign-in/step", data={"code": "1"}).status_code in {303, 403}
    assert browser.get("/worklist").text == "bo"


def test_a_step_that_is_not_ours_or_too_large_is_refused(browser: TestClient, home: Installation) -> None:
    accounts.create_user(home, "bo", FIRST, Role.STAFF, first_password=True)
    send(browser, "/sign-in", username="bo", password=FIRST)
    answer = browser.post("/sign-in/step", data={"form_token": "made-up", "password": OWN, "again": OWN})
    assert answer.status_code == 403
    assert browser.post("/sign-in/step", content=b"x" * 100_000).status_code == 413
    elsewhere = {"origin": "http://elsewhere.example"}
    assert browser.post("/sign-in/step", data={"password": OWN}, headers=elsewhere).status_code == 403
    with pytest.raises(sign_ins.SignInRefused):
        sign_ins.sign_in(home, "bo", OWN)


def test_a_sign_in_in_which_nothing_is_done_ends_and_a_page_is_told_when(
    browser: TestClient, home: Installation
) -> None:
    accounts.create_user(home, "bo", FIRST, Role.STAFF)
    send(browser, "/sign-in", username="bo", password=FIRST)

    def left() -> float:
        answer = browser.get("/signed-in")
        assert answer.status_code == 204
        assert float(answer.headers["x-longview-ends-in"]) > 40_000
        assert answer.headers["x-longview-idle-after"] == "1800.0"
        return float(answer.headers["x-longview-idle-in"])

    assert 1790 < left() <= 1800
    seen(home, timedelta(minutes=20))
    assert 590 < left() <= 600, "asking alone keeps nobody signed in"
    browser.get("/worklist")
    assert left() <= 600
    browser.get("/signed-in?done=1")
    assert left() > 1790
    seen(home, timedelta(minutes=31))
    assert browser.get("/signed-in?done=1", headers={"accept": "*/*"}).status_code == 401
    assert browser.get("/worklist").headers["location"] == "/sign-in?next=/worklist"


def seen(home: Installation, ago: timedelta) -> None:
    with home.database.write() as session:
        session.execute(update(SignIn).values(seen_at=utc_now() - ago))


def test_a_browser_keeps_what_proves_that_she_signed_in_in_it(
    browser: TestClient, home: Installation
) -> None:
    accounts.create_user(home, "bo", FIRST, Role.STAFF)
    answer = send(browser, "/sign-in", username="bo", password=FIRST)
    lines = answer.headers.get_list("set-cookie")
    (line,) = [one for one in lines if one.startswith(signing_in.BROWSER_COOKIE)]
    assert "HttpOnly" in line
    assert "SameSite=strict" in line
    assert "Path=/sign-in" in line
    # Behind one shared address somebody guesses at her name; she signs in all the same.
    known = browser.cookies[signing_in.BROWSER_COOKIE]
    browser.cookies.clear()
    said = [
        send(browser, "/sign-in", username="bo", password=f"wrong {number}").status_code
        for number in range(7)
    ]
    assert said == [401] * 5 + [429] * 2
    assert send(browser, "/sign-in", username="bo", password=FIRST).status_code == 429
    browser.cookies.set(signing_in.BROWSER_COOKIE, known, domain="127.0.0.1", path="/sign-in")
    assert send(browser, "/sign-in", username="bo", password=FIRST).status_code == 303
    assert browser.cookies[COOKIE]
