"""What a stranger gets (nothing), and what each role gets."""

import asyncio
import http.client
import json
import re
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from http.cookies import SimpleCookie

import pytest
import websockets
from sqlalchemy import select
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets import Subprotocol

from core.installation import Installation
from core.people import accounts, demo_accounts, sign_ins
from core.people.accounts import Role
from core.people.demo_accounts import DEMO_ACCOUNTS
from core.settings import Settings
from dashboard.web.gate import COOKIE, is_from_this_machine
from db.tables import Image
from tests.dashboard.conftest import Served, serve

ROLES_THAT_SEE_PATIENTS = [Role.ONCOLOGIST, Role.STAFF, Role.ADMIN]


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def cookie(self, name: str) -> str:
        jar: SimpleCookie = SimpleCookie()
        for line in self.headers.get_all("set-cookie") or []:
            jar.load(line)
        return jar[name].value if name in jar else ""


def ask(
    served: Served,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    address = urllib.parse.urlsplit(served.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def as_role(served: Served, role: Role) -> dict[str, str]:
    return {"cookie": f"{COOKIE}={served.token(role)}"}


def some_sop_uid(served: Served) -> str:
    with served.here.database.read() as session:
        return session.scalars(select(Image.sop_uid).limit(1)).one()


async def websocket_opens(served: Served, headers: dict[str, str], *, path: str = "/_stcore/stream") -> bool:
    try:
        async with websockets.connect(
            served.url.replace("http", "ws") + path, additional_headers=headers, proxy=None
        ):
            return True
    except websockets.InvalidStatus:
        return False


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/worklist",
        "/patient?patient=hers",
        "/_stcore/health",
        "/_stcore/host-config",
        "/_stcore/metrics",
        "/_stcore/agent/openapi.json",
        "/_stcore/upload_file/x/y",
        "/media/0.png",
        "/static/js/index.js",
        "/signed-in",
        "/sign-in/../worklist",
        "//worklist",
        "/SIGN-IN",
        "/no-such-path",
    ],
)
def test_a_stranger_gets_nothing(served: Served, path: str) -> None:
    answer = ask(served, path)
    assert answer.status == 401
    assert answer.body == b"Sign in first."


def test_a_stranger_gets_no_image(served: Served) -> None:
    uid = some_sop_uid(served)
    assert ask(served, f"/img/{uid}").status == 401
    assert ask(served, f"/thumb/{uid}").status == 401


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "OPTIONS"])
def test_a_stranger_cannot_upload(served: Served, method: str) -> None:
    answer = ask(served, "/_stcore/upload_file/a/b", method=method, body=b"x" * 100_000)
    assert answer.status == 401


def test_a_made_up_cookie_is_a_stranger(served: Served) -> None:
    assert ask(served, "/worklist", headers={"cookie": f"{COOKIE}=made-up"}).status == 401
    assert not asyncio.run(websocket_opens(served, {"cookie": f"{COOKIE}=made-up"}))


def test_a_stranger_opens_no_websocket(served: Served) -> None:
    assert not asyncio.run(websocket_opens(served, {}))


def test_a_websocket_from_another_site_stays_closed_even_when_signed_in(served: Served) -> None:
    signed_in = as_role(served, Role.ONCOLOGIST)
    assert asyncio.run(websocket_opens(served, {**signed_in, "Origin": served.url}))
    assert not asyncio.run(websocket_opens(served, {**signed_in, "Origin": "http://elsewhere.example"}))


def test_an_open_websocket_ends_with_the_sign_in(served: Served) -> None:
    async def talk() -> int | None:
        token = served.token(Role.ONCOLOGIST)
        async with websockets.connect(
            served.url.replace("http", "ws") + "/_stcore/stream",
            additional_headers={"cookie": f"{COOKIE}={token}"},
            proxy=None,
        ) as connection:
            sign_ins.sign_out(served.here, token)
            await connection.send(b"\x5a\x00")
            try:
                while True:
                    await asyncio.wait_for(connection.recv(), 10)
            except websockets.ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else None

    assert asyncio.run(talk()) == 1008


def test_a_browser_of_a_stranger_is_sent_to_the_sign_in_page_and_back(served: Served) -> None:
    answer = ask(served, "/patient?patient=hers", headers={"accept": "text/html"})
    assert answer.status == 303
    assert answer.headers["location"] == "/sign-in?next=/patient%3Fpatient%3Dhers"
    assert b'value="/patient?patient=hers"' in ask(served, answer.headers["location"]).body


def test_anybody_may_ask_whether_the_process_lives(served: Served) -> None:
    answer = ask(served, "/health", headers={"host": "a-probe.internal"})
    assert (answer.status, answer.body) == (200, b"ok")


def test_another_host_name_is_not_served(served: Served) -> None:
    """DNS rebinding: a foreign page that resolves to this machine gets nothing, not even the sign-in page."""
    assert ask(served, "/sign-in", headers={"host": "elsewhere.example"}).status == 421


def sign_in(
    served: Served,
    username: str,
    password: str,
    *,
    next_: str = "/",
    holding: str = "",
    headers: dict[str, str] | None = None,
    **changed: str,
) -> Answer:
    """Sign in as a browser does that holds a sign-in token already, or none."""
    form = ask(served, "/sign-in", headers=headers)
    token = re.search(rb'name="form_token" value="([^"]+)"', form.body)
    assert token
    fields = {
        "username": username,
        "password": password,
        "next": next_,
        "form_token": token[1].decode(),
        **changed,
    }
    return ask(
        served,
        "/sign-in",
        method="POST",
        body=urllib.parse.urlencode(fields).encode(),
        headers={
            "cookie": f"longview_form={form.cookie('longview_form')}; {COOKIE}={holding}",
            "content-type": "application/x-www-form-urlencoded",
            **(headers or {}),
        },
    )


def test_the_right_password_opens_a_sign_in_kept_from_scripts(served: Served) -> None:
    answer = sign_in(served, "oncologist", DEMO_ACCOUNTS["oncologist"][2], next_="/patient?patient=hers")
    assert (answer.status, answer.headers["location"]) == (303, "/patient?patient=hers")
    line = next(line for line in answer.headers.get_all("set-cookie") or [] if line.startswith(COOKIE))
    assert "HttpOnly" in line
    assert "SameSite=lax" in line
    assert ask(served, "/", headers={"cookie": f"{COOKIE}={answer.cookie(COOKIE)}"}).status == 200


def test_a_wrong_password_gets_a_sentence_and_no_cookie(served: Served) -> None:
    answer = sign_in(served, "nobody", "<b>wrong</b>")
    assert answer.status == 401
    assert b"User name or password is wrong" in answer.body
    assert not answer.cookie(COOKIE)


def test_what_was_typed_does_not_become_markup(served: Served) -> None:
    assert b"<script>alert" not in sign_in(served, '"><script>alert(1)</script>', "x").body


def test_a_form_that_is_not_ours_signs_nobody_in(served: Served) -> None:
    password = DEMO_ACCOUNTS["oncologist"][2]
    assert sign_in(served, "oncologist", password, form_token="forged").status == 403
    body = urllib.parse.urlencode({"username": "oncologist", "password": password}).encode()
    foreign = {"origin": "http://elsewhere.example", "content-type": "application/x-www-form-urlencoded"}
    assert ask(served, "/sign-in", method="POST", body=body, headers=foreign).status == 403


@pytest.mark.parametrize(
    "target", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "/a\r\nb"]
)
def test_signing_in_never_leads_to_another_site(served: Served, target: str) -> None:
    answer = sign_in(served, "oncologist", DEMO_ACCOUNTS["oncologist"][2], next_=target)
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_signing_in_over_another_sign_in_ends_that_one(served: Served) -> None:
    hers = served.token(Role.ONCOLOGIST)
    answer = sign_in(served, "staff", DEMO_ACCOUNTS["staff"][2], holding=hers)
    assert answer.status == 303
    assert ask(served, "/signed-in", headers={"cookie": f"{COOKIE}={hers}"}).status == 401
    assert ask(served, "/signed-in", headers={"cookie": f"{COOKIE}={answer.cookie(COOKIE)}"}).status == 204


def test_a_page_that_asks_hears_whether_its_own_person_is_signed_in(served: Served) -> None:
    cookie = as_role(served, Role.STAFF)
    person = sign_ins.who(served.here, cookie["cookie"].split("=", 1)[1])
    assert person is not None
    assert ask(served, f"/signed-in?as={person.user_id}", headers=cookie).status == 204
    answer = ask(served, f"/signed-in?as={person.user_id + 1}", headers=cookie)
    assert (answer.status, json.loads(answer.body)) == (409, {"name": "Demo clinical staff"})


def test_a_page_of_another_person_is_held_and_let_go_when_its_own_is_back(served: Served) -> None:
    """A browser comes back to its page with another's cookie: nothing of the page runs, until that sign-in ends."""

    async def come_back() -> tuple[list[str], int | None, list[str]]:
        hers, others = served.token(Role.ONCOLOGIST), served.token(Role.STAFF)
        async with page_socket(served, hers) as first:
            session, _ = await run_page(first)
        said: list[str] = []
        async with page_socket(served, others, session) as second:
            await second.send(rerun())
            try:
                while True:
                    message = await asyncio.wait_for(second.recv(), 1)
                    said.append(str(ForwardMsg.FromString(message).WhichOneof("type")))
            except TimeoutError:
                pass
            sign_ins.sign_out(served.here, others)
            try:
                await asyncio.wait_for(second.recv(), 10)
            except websockets.ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else None
        async with page_socket(served, hers, session) as third:
            # A page that is gone back to may find the end of a run of before first: it is asked until it is drawn.
            for _ in range(5):
                again, types = await run_page(third)
                assert again == session
                if "delta" in types:
                    break
        return said, code, types

    said, code, types = asyncio.run(come_back())
    assert said == []
    assert code == 1008
    assert "delta" in types


def rerun() -> bytes:
    message = BackMsg()
    message.rerun_script.SetInParent()
    return message.SerializeToString()


def page_socket(served: Served, token: str, session: str = "") -> websockets.connect:
    return websockets.connect(
        served.url.replace("http", "ws") + "/_stcore/stream",
        additional_headers={"cookie": f"{COOKIE}={token}"},
        # As Streamlit's own page asks: subprotocol, token against forgery, the session that it comes back to.
        subprotocols=[Subprotocol(part) for part in ("streamlit", "-", session) if part],
        proxy=None,
        max_size=None,
    )


async def run_page(connection: websockets.ClientConnection) -> tuple[str, list[str]]:
    """Run a page once; its session's id and the kinds of messages that came."""
    await connection.send(rerun())
    session, types = "", []
    while not session or types[-1] != "script_finished":
        message = ForwardMsg.FromString(await asyncio.wait_for(connection.recv(), 20))  # type: ignore[arg-type]
        types.append(str(message.WhichOneof("type")))
        if types[-1] == "new_session":
            session = message.new_session.initialize.session_id
    return session, types


def test_demo_passwords_open_nothing_through_a_proxy(served: Served) -> None:
    form = ask(served, "/sign-in", headers={"x-forwarded-for": "203.0.113.9"})
    assert b"longview-demo" not in form.body
    token = re.search(rb'name="form_token" value="([^"]+)"', form.body)
    assert token
    fields = {"username": "admin", "password": DEMO_ACCOUNTS["admin"][2], "form_token": token[1].decode()}
    answer = ask(
        served,
        "/sign-in",
        method="POST",
        body=urllib.parse.urlencode(fields).encode(),
        headers={
            "cookie": f"longview_form={form.cookie('longview_form')}",
            "x-forwarded-for": "203.0.113.9",
        },
    )
    assert answer.status == 401
    assert not answer.cookie(COOKIE)


def scope_of(peer: str | None, host: str | None, **headers: str) -> dict:
    named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {
        "type": "http",
        "client": None if peer is None else (peer, 50000),
        "headers": [(n.encode(), v.encode()) for n, v in named.items() if v is not None],
    }


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "127.8.9.10", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501", "LOCALHOST"])
def test_a_browser_at_this_machine_is_known(peer: str, host: str) -> None:
    assert is_from_this_machine(scope_of(peer, host, accept="text/html", cookie="a=b"))


@pytest.mark.parametrize(
    "scope",
    [
        scope_of("127.0.0.1", "longview.clinic.example"),
        scope_of("127.0.0.1", "localhost.clinic.example"),
        scope_of("127.0.0.1", None),
        scope_of("127.0.0.1", "[half"),
        scope_of("192.0.2.7", "localhost:8501"),
        scope_of(None, "localhost:8501"),
        scope_of("localhost.example", "localhost:8501"),
        {**scope_of("127.0.0.1", "localhost"), "headers": [(b"host", b"localhost"), (b"host", b"a.example")]},
    ],
)
def test_another_peer_or_another_host_is_not_this_machine(scope: dict) -> None:
    assert not is_from_this_machine(scope)


@pytest.mark.parametrize(
    "header",
    [
        *(
            "x_forwarded_for",
            "x_forwarded_host",
            "x_forwarded_proto",
            "x_forwarded_server",
            "x_forwarded_port",
        ),
        *(
            "forwarded",
            "via",
            "x_real_ip",
            "x_client_ip",
            "true_client_ip",
            "cf_connecting_ip",
            "x_original_host",
        ),
    ],
)
def test_what_was_forwarded_is_not_from_this_machine(header: str) -> None:
    assert not is_from_this_machine(scope_of("127.0.0.1", "localhost:8501", **{header: ""}))


def test_a_proxy_that_hands_on_only_the_host_gets_no_demo_passwords(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nginx on the same machine with `proxy_set_header Host $host` and nothing else."""
    monkeypatch.setenv("STREAMLIT_SERVER_ALLOWED_HOSTS", "localhost 127.0.0.1 longview.clinic.example")
    home = tmp_path_factory.mktemp("proxied") / "var"
    here = Installation.open(Settings(home=home, demo=True, _env_file=None))
    here.migrate()
    demo_accounts.ensure_demo_accounts(here)
    proxied = {"host": "longview.clinic.example"}
    with serve(here) as running:
        assert b"longview-demo" in ask(running, "/sign-in").body
        form = ask(running, "/sign-in", headers=proxied)
        assert form.status == 200
        assert b"longview-demo" not in form.body
        answer = sign_in(running, "admin", DEMO_ACCOUNTS["admin"][2], headers=proxied)
        assert answer.status == 401
        assert b"this machine only" in answer.body
        assert not answer.cookie(COOKIE)


def test_who_guesses_is_told_to_wait_and_a_name_that_does_not_exist_is_told_the_same(served: Served) -> None:
    answers = []
    for name in ("locked-out", "nobody-at-all"):
        if name == "locked-out":
            accounts.create_user(served.here, name, "seven quiet rivers", Role.STAFF)
        told = [sign_in(served, name, f"wrong guess {number}") for number in range(6)]
        answers.append([(one.status, re.findall(rb'role="alert">([^<]+)<', one.body)) for one in told])
    assert answers[0] == answers[1]
    assert [status for status, _ in answers[0]] == [401] * 5 + [429]
    assert b"Too many wrong passwords for this name" in answers[0][5][1][0]


def test_guesses_in_parallel_hold_nobody_up(served: Served) -> None:
    """More at once than are looked at: each is answered, soon, and pages and other sign-ins go on."""

    def one(number: int) -> int:
        return sign_in(served, "hammered", f"wrong guess {number}").status

    with ThreadPoolExecutor(24) as pool:
        guesses = [pool.submit(one, number) for number in range(72)]
        assert ask(served, "/health").status == 200
        statuses = [guess.result() for guess in guesses]
    assert set(statuses) <= {401, 429, 503}
    assert statuses.count(401) <= 5
    entered = sign_in(served, "oncologist", DEMO_ACCOUNTS["oncologist"][2])
    assert entered.status == 303


def test_signing_out_ends_the_sign_in(served: Served) -> None:
    cookie = as_role(served, Role.ONCOLOGIST)
    assert ask(served, "/signed-in", headers=cookie).status == 204
    asked = ask(served, "/sign-out", headers={**cookie, "sec-fetch-site": "cross-site"})
    assert b"Sign out</button>" in asked.body
    assert ask(served, "/signed-in", headers=cookie).status == 204
    assert ask(served, "/sign-out", headers={**cookie, "sec-fetch-site": "same-origin"}).status == 303
    assert ask(served, "/signed-in", headers=cookie).status == 401


@pytest.mark.parametrize("role", list(Role))
def test_images_are_for_those_who_see_patients(served: Served, role: Role) -> None:
    uid = some_sop_uid(served)
    expected = 200 if role in ROLES_THAT_SEE_PATIENTS else 403
    image = ask(served, f"/img/{uid}", headers=as_role(served, role))
    thumbnail = ask(served, f"/thumb/{uid}", headers=as_role(served, role))
    crop = ask(served, f"/crop/{uid}?box=10,20,110,120", headers=as_role(served, role))
    assert (image.status, thumbnail.status, crop.status) == (expected, expected, expected)
    # Some of the made-up images have no file to decode: who may not see them is not told which.
    full = ask(served, f"/tile/{uid}/0/0/0", headers=as_role(served, role))
    assert full.status in ({200, 422} if expected == 200 else {403})
    if expected == 200:
        assert image.body[:4] == b"LVR1"
        assert thumbnail.body[:4] == crop.body[:4] == b"\x89PNG"
        for answer in (image, thumbnail, crop):
            assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "box", ["", "1,2,3", "a,b,c,d", "5,5,5,9", "9,9,5,5", "-9,-9,-1,-1", "1e9,0,2,2", "1,2,3,4,5"]
)
def test_a_part_that_is_none_is_refused_in_words(served: Served, box: str) -> None:
    answer = ask(served, f"/crop/{some_sop_uid(served)}?box={box}", headers=as_role(served, Role.ONCOLOGIST))
    assert answer.status == 422
    assert b"box" in answer.body


def test_a_tile_that_an_image_has_not_is_not_found(served: Served) -> None:
    cookie = as_role(served, Role.ONCOLOGIST)
    uid = some_sop_uid(served)
    for place in ("0/999/0", "0/0/999", "9/0/0", "99999999999/0/0"):
        assert ask(served, f"/tile/{uid}/{place}", headers=cookie).status == 404, place
    assert ask(served, "/tile/1.2.3/0/0/0", headers=cookie).status == 404


def test_an_image_that_is_not_here_is_not_found(served: Served) -> None:
    for uid in ("1.2.3", "..%2f..%2fetc%2fpasswd", "%00"):
        assert ask(served, f"/img/{uid}", headers=as_role(served, Role.ONCOLOGIST)).status in {400, 404}


@pytest.mark.parametrize("role", list(Role))
def test_only_admins_read_metrics_and_analysts_upload_nothing(served: Served, role: Role) -> None:
    cookie = as_role(served, role)
    assert (ask(served, "/_stcore/metrics", headers=cookie).status == 200) is (role is Role.ADMIN)
    upload = ask(served, "/_stcore/upload_file/a/b", method="PUT", body=b"x", headers=cookie)
    assert (b"Your role" in upload.body) is (role is Role.ANALYST)


def test_every_answer_carries_the_security_headers(served: Served) -> None:
    for path, headers in (("/sign-in", {}), ("/", as_role(served, Role.STAFF)), ("/worklist", {})):
        answer = ask(served, path, headers=headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
