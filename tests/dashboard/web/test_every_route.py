"""Every route that the dashboard serves, ours and Streamlit's, asked by those who may not and in ways that are odd."""

import asyncio
import http.client
import json
import re
import socket
import subprocess
import sys
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.people import Person, Role, sign_ins
from core.people.needing import PUBLIC, is_met
from dashboard import pages
from dashboard.web.declared import NEEDED, declared
from dashboard.web.gate import COOKIE
from tests.dashboard.conftest import PROJECT, Served
from tests.dashboard.web.test_gate import Answer, as_role, ask, some_sop_uid, websocket_opens

# Asked of the application as it is put together, so that a route that comes with the next release is asked too.
LISTING = """
import json
from dashboard.app import app
routes = app._build_starlette_app().routes
print(json.dumps([[type(r).__name__, r.path, sorted(getattr(r, "methods", None) or [])] for r in routes]))
"""
NOT_SERVED = {"/auth/login", "/auth/logout", "/oauth2callback"}
"""Streamlit's own sign-in, which stands closed: there is one way in."""
OPEN_TO_ALL = {path for path, need in NEEDED.items() if need is PUBLIC}


@pytest.fixture(scope="module")
def routes() -> list[tuple[str, str, list[str]]]:
    listed = subprocess.run(
        [sys.executable, "-c", LISTING], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=120
    )
    found = [(kind, path, methods) for kind, path, methods in json.loads(listed.stdout.splitlines()[-1])]
    assert len(found) > 20
    return found


@pytest.fixture(scope="module")
def addresses(served: Served, routes: list[tuple[str, str, list[str]]]) -> list[tuple[str, str]]:
    """Every HTTP route by every method that there is: (method, address)."""
    asked = []
    for kind, path, _ in routes:
        if kind == "WebSocketRoute":
            continue
        address = re.sub(r"\{[^}]*\}", lambda match: filled(served, match[0]), path) or "/"
        asked += [(method, address) for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "BREW")]
    return asked


def filled(served: Served, parameter: str) -> str:
    return some_sop_uid(served) if "sop_uid" in parameter else "x"


@pytest.fixture(scope="module")
def cookies(served: Served) -> dict[Role, str]:
    return {role: as_role(served, role)["cookie"] for role in Role}


def stored_from_this_machine(method: str, path: str, signed_out: bool) -> bool:
    """A program on this machine may send studies without a token; a browser whose sign-in has ended may not."""
    return method == "POST" and path.startswith("/dicom-web/studies") and not signed_out


def asked_of_each(
    served: Served, requests: list[tuple[str, str]], headers: dict[str, str]
) -> list[tuple[str, str, Answer]]:
    """Ask each in one of a few connections, which stand beside each other because each answer waits a little."""
    address = urllib.parse.urlsplit(served.url)

    def ask_some(some: list[tuple[str, str]]) -> list[tuple[str, str, Answer]]:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        answers = []
        for method, path in some:
            connection.request(method, path, headers=headers)
            answers.append((method, path, Answer(connection.getresponse())))
        connection.close()
        return answers

    with ThreadPoolExecutor(8) as pool:
        return [one for part in pool.map(ask_some, [requests[n::8] for n in range(8)]) for one in part]


@pytest.mark.parametrize("ended", [False, True])
def test_no_route_answers_without_a_sign_in(
    served: Served, addresses: list[tuple[str, str]], ended: bool
) -> None:
    headers = {}
    if ended:
        token = served.token(Role.ADMIN)
        sign_ins.sign_out(served.here, token)
        headers = {"cookie": f"{COOKIE}={token}"}
    wrong = [
        (method, path, answer.status)
        for method, path, answer in asked_of_each(served, addresses, headers)
        if path not in OPEN_TO_ALL
        and answer.status != 401
        and not stored_from_this_machine(method, path, ended)
    ]
    assert wrong == []


def test_every_route_says_what_it_needs(addresses: list[tuple[str, str]]) -> None:
    assert {path for _, path in addresses if declared(path) is None} == NOT_SERVED


def test_every_page_says_what_it_needs() -> None:
    files = {file.stem for file in (PROJECT / "dashboard" / "screens").glob("*.py")}
    assert {screen.name for screen in pages.PAGES} == files


def test_what_declares_nothing_is_closed_to_everybody(served: Served, cookies: dict[Role, str]) -> None:
    for path in (*NOT_SERVED, "/no-such-path", "/imgs", "/img", "/healthy", "/worklist/deeper", "//img/x"):
        assert declared(path) is None, path
        assert ask(served, path, headers={"cookie": cookies[Role.ADMIN]}).status == 404, path


@pytest.mark.parametrize("role", list(Role))
def test_no_route_fails_whoever_asks_by_whatever_method(
    served: Served, addresses: list[tuple[str, str]], cookies: dict[Role, str], role: Role
) -> None:
    headers = {"cookie": cookies[role]}
    # Signing out ends what the others are asked with.
    kept = [(method, path) for method, path in addresses if path != "/sign-out"]
    failed = [
        (method, path, answer.status)
        for method, path, answer in asked_of_each(served, kept, headers)
        if answer.status >= 500
    ]
    assert failed == []


def test_a_role_gets_no_route_that_it_does_not_include(
    served: Served, addresses: list[tuple[str, str]], cookies: dict[Role, str]
) -> None:
    for role in Role:
        person = Person(0, "", "", role)
        closed = [
            (method, path)
            for method, path in addresses
            if (found := declared(path)) is not None and not is_met(found[1], person)
        ]
        for method, path, answer in asked_of_each(served, closed, {"cookie": cookies[role]}):
            assert answer.status == 403, (role, method, path)


def test_no_route_that_changes_anything_answers_another_site(
    served: Served, addresses: list[tuple[str, str]], cookies: dict[Role, str]
) -> None:
    changing = [(method, path) for method, path in addresses if method not in {"GET", "HEAD"}]
    for foreign in (
        {"origin": "http://elsewhere.example"},
        {"sec-fetch-site": "cross-site"},
        {"origin": "null"},
    ):
        headers = {"cookie": cookies[Role.ADMIN], **foreign}
        for method, path, answer in asked_of_each(served, changing, headers):
            if path != "/health":
                assert answer.status == 403, (method, path, foreign)
    assert ask(served, "/signed-in", headers={"cookie": cookies[Role.ADMIN]}).status == 204


ODD = [
    "//img/{uid}",
    "/%69mg/{uid}",
    "/img//{uid}",
    "/./img/{uid}",
    "/x/../img/{uid}",
    "/%2e%2e/img/{uid}",
    "/img/%2e%2e/{uid}",
    "/img/..%2f..%2fetc%2fpasswd",
    "/img/%00",
    "/img/%ff%fe",
    "/img/" + "9" * 8000,
    "/img/{uid}?" + "x=" * 8000,
    "/%00",
    "/%ed%a0%80",
    "/sign-in/%2e%2e/worklist",
    "/sign-in%2f",
    "/sign-in/",
    "/health/",
    "//health",
    "/health%2f..%2fimg",
    "/_stcore/%2e%2e/img/{uid}",
    "/_stcore//upload_file/a/b",
    "/%5fstcore/metrics",
    "/media/%2e%2e%2f%2e%2e%2fetc/passwd",
    "/reading/x/region?box=nan,inf,-inf,1e999",
    "/reading/x/region?box=,,,",
    "/patient?patient=%00&visit=%ff",
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_address_opens_nothing_to_a_stranger_and_fails_for_nobody(
    served: Served, cookies: dict[Role, str], odd: str
) -> None:
    path = odd.format(uid=some_sop_uid(served))
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        stranger = ask(served, path, method=method)
        assert stranger.status in {400, 401, 404, 414}, (method, path)
        for role in (Role.ANALYST, Role.ADMIN):
            answer = ask(served, path, method=method, headers={"cookie": cookies[role]})
            assert answer.status < 500, (method, path, role)
            assert answer.body[:4] != b"LVR1" or role is Role.ADMIN


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://["},
        {"origin": "\x7f"},
        {"cookie": f"{COOKIE}=" + "x" * 5000},
        {"cookie": f"{COOKIE}"},
        {"cookie": '=;;"\\'},
        {"host": "["},
        {"host": "127.0.0.1:notaport"},
        {"accept": "text/html", "x-forwarded-proto": "\x80"},
        {"content-type": "multipart/form-data"},
        {"content-length": "0", "content-type": "multipart/form-data; boundary="},
    ],
)
def test_odd_headers_fail_nothing(served: Served, cookies: dict[Role, str], headers: dict[str, str]) -> None:
    for extra in ({}, {"cookie": cookies[Role.STAFF]}):
        for method, path in (("GET", "/worklist"), ("POST", "/sign-in"), ("PUT", "/_stcore/upload_file/a/b")):
            assert ask(served, path, method=method, headers={**extra, **headers}).status < 500


def test_bytes_that_are_no_request_fail_nothing(served: Served) -> None:
    address = urllib.parse.urlsplit(served.url)
    for raw in (
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
        b"GET " + b"/x" * 60_000,
    ):
        with socket.create_connection((address.hostname, address.port), 10) as connection:
            connection.sendall(raw + b"\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            said = connection.recv(4096)
        assert not said.startswith(b"HTTP/1.1 5"), raw[:20]
    assert ask(served, "/health").status == 200


@pytest.mark.parametrize("path", ["/_stcore/stream", "//_stcore/stream", "/img/x", "/no-such-path"])
def test_no_websocket_opens_to_strangers_or_to_another_site(
    served: Served, cookies: dict[Role, str], path: str
) -> None:
    for headers in (
        {},
        {"cookie": f"{COOKIE}=made-up"},
        {"cookie": cookies[Role.ADMIN], "Origin": "http://elsewhere.example"},
        {"cookie": cookies[Role.ADMIN], "Origin": "null"},
        {"cookie": cookies[Role.ADMIN], "Origin": "http://["},
    ):
        assert not asyncio.run(websocket_opens(served, headers, path=path))
