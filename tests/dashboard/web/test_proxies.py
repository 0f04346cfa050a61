"""Behind a proxy: what is believed of whom, and the example files with the programs that they are for."""

from __future__ import annotations

import asyncio
import base64
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
import websockets
from sqlalchemy import select
from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.http.h11_impl import H11Protocol
from websockets import Subprotocol

from core.installation import Installation
from core.people import Role, create_user
from core.settings import Settings
from dashboard.web import silence
from dashboard.web.gate import COOKIE, is_from_this_machine, is_https
from dashboard.web.proxies import as_the_browser_asked
from db.tables import AuditEntry
from tests.dashboard.conftest import PROJECT, Served, serve
from tests.grown.servers import ends_with_us, free_port, wait_until_it_answers

EXAMPLES = PROJECT / "dashboard" / "web" / "examples"
NAME = "longview.clinic.example"
BROWSER = "127.0.0.9"
"""The address that requests of these tests come from: no proxy's."""
PASSWORD = "seven quiet rivers"

TRUSTED = Settings(trusted_proxies="127.0.0.1, 10.0.4.0/24, fd00::/8", _env_file=None).proxies


def asked(peer: str | None, *forwarded: str, proto: str | None = None, kind: str = "http") -> dict:
    headers = [(b"host", b"localhost"), *((b"x-forwarded-for", one.encode("latin-1")) for one in forwarded)]
    if proto is not None:
        headers.append((b"x-forwarded-proto", proto.encode("latin-1")))
    scheme = "ws" if kind == "websocket" else "http"
    return {"type": kind, "scheme": scheme, "client": peer and (peer, 50000), "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        # No proxy is named there: whatever it says, it is itself.
        ("203.0.113.9", (), "203.0.113.9"),
        ("203.0.113.9", ("198.51.100.1",), "203.0.113.9"),
        ("127.0.0.2", ("198.51.100.1",), "127.0.0.2"),
        # A trusted proxy that says nothing, or nonsense.
        ("127.0.0.1", (), "127.0.0.1"),
        ("127.0.0.1", ("",), "127.0.0.1"),
        ("127.0.0.1", ("unknown",), "127.0.0.1"),
        ("127.0.0.1", ("\x80, ::::",), "127.0.0.1"),
        # One hop: what the browser wrote itself stands to the left of what the proxy has seen.
        ("127.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("127.0.0.1", ("198.51.100.1, 203.0.113.9",), "203.0.113.9"),
        ("127.0.0.1", ("127.0.0.1, 203.0.113.9",), "203.0.113.9"),
        ("127.0.0.1", ("198.51.100.1", "203.0.113.9"), "203.0.113.9"),
        ("::ffff:127.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("fd00::7", ("[2001:db8::9]:4711",), "2001:db8::9"),
        ("127.0.0.1", ("203.0.113.9:4711",), "203.0.113.9"),
        # Two hops, both named; and the outer one not named: it is who asks.
        ("127.0.0.1", ("203.0.113.9, 10.0.4.17",), "203.0.113.9"),
        ("127.0.0.1", ("198.51.100.1, 203.0.113.9, 10.0.4.17",), "203.0.113.9"),
        ("127.0.0.1", ("203.0.113.9, 192.0.2.17",), "192.0.2.17"),
        # What cannot be read ends the way back at the last that could.
        ("127.0.0.1", ("203.0.113.9, nonsense, 10.0.4.17",), "10.0.4.17"),
    ],
)
def test_the_address_is_the_last_one_that_no_trusted_proxy_has(peer, forwarded, seen):
    assert as_the_browser_asked(asked(peer, *forwarded), TRUSTED)["client"][0] == seen


@pytest.mark.parametrize(
    ("peer", "proto", "https"),
    [
        ("127.0.0.1", "https", True),
        ("127.0.0.1", "HTTPS", True),
        ("127.0.0.1", "http, https", True),
        ("127.0.0.1", "https, http", False),
        ("127.0.0.1", "http", False),
        ("127.0.0.1", "\x80", False),
        ("127.0.0.1", None, False),
        ("203.0.113.9", "https", False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_https_is_believed_of_a_trusted_proxy_alone(peer, proto, https, kind):
    seen = as_the_browser_asked(asked(peer, proto=proto, kind=kind), TRUSTED)
    assert is_https(seen) == https
    assert seen["scheme"] in ({"ws", "wss"} if kind == "websocket" else {"http", "https"})


def test_without_the_setting_nobody_is_believed_and_through_a_proxy_nothing_is_from_this_machine():
    nobody = Settings(_env_file=None).proxies
    scope = asked("127.0.0.1", "203.0.113.9", proto="https")
    assert as_the_browser_asked(scope, nobody) == scope
    for named in (nobody, TRUSTED):
        assert not is_from_this_machine(as_the_browser_asked(asked("127.0.0.1", "127.0.0.1"), named))


@pytest.mark.parametrize("named", ["proxy.clinic.example", "10.0.4.7/24", "127.0.0.1;10.0.0.1"])
def test_a_setting_that_names_no_network_is_refused_with_an_example(named):
    with pytest.raises(ValueError, match=r"LONGVIEW_TRUSTED_PROXIES names the proxies like 127\.0\.0\.1"):
        Settings(trusted_proxies=named, _env_file=None)


def test_a_forwarded_header_of_a_program_on_this_machine_is_not_believed_unasked(served: Served):
    """uvicorn would believe it."""
    told = http.client.HTTPConnection(urllib.parse.urlsplit(served.url).netloc, timeout=20)
    with closing(told):
        told.request(
            "GET", "/sign-in", headers={"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
        )
        answer = told.getresponse()
        assert answer.status == 200
        assert "secure" not in (answer.headers["set-cookie"] or "").lower()
        assert answer.headers["strict-transport-security"] is None


@dataclass(frozen=True)
class Proxied:
    """A dashboard and what is needed to ask for it from outside."""

    served: Served
    certificate: Path
    key: Path
    silent: socket.socket
    silent_since: float


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """A dashboard that trusts the proxy of this machine, and a certificate for its name."""
    folder = tmp_path_factory.mktemp("proxied")
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    subprocess.run(
        [*made, "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", folder / "key", "-out", folder / "pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    here = Installation.open(Settings(home=folder / "var", _env_file=None))
    here.migrate()
    create_user(here, "bo", PASSWORD, Role.STAFF)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LONGVIEW_TRUSTED_PROXIES", "127.0.0.1")
        patch.setenv("STREAMLIT_SERVER_ALLOWED_HOSTS", f"localhost 127.0.0.1 {NAME}")
        with serve(here) as running:
            silent = socket.create_connection(("127.0.0.1", urllib.parse.urlsplit(running.url).port or 0))
            with silent:
                yield Proxied(running, folder / "pem", folder / "key", silent, time.monotonic())


@contextmanager
def several_nginx(proxied: Proxied, folder: Path) -> Iterator[tuple[int, int, int]]:
    """Run nginx with the example file: the ports of one hop, of two, and of one that another proxy may stand before."""
    tls, plain, inner, port = free_port(), free_port(), free_port(), free_port()
    text = (EXAMPLES / "nginx.conf").read_text()
    for old, new in (
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{tls} ssl;"),
        ("127.0.0.1:8501", urllib.parse.urlsplit(proxied.served.url).netloc),
        ("/etc/ssl/longview.pem", str(proxied.certificate)),
        ("/etc/ssl/longview.key", str(proxied.key)),
    ):
        assert old in text
        text = text.replace(old, new)
    second = text[text.rindex("server {") :].replace(f"{tls}", f"{port}")
    second = second.replace("http://longview;", f"http://127.0.0.1:{inner};")
    first = text[text.rindex("server {") :].replace(f"{tls} ssl", f"{inner}")
    first = first.replace("X-Forwarded-Proto $scheme", "X-Forwarded-Proto $http_x_forwarded_proto")
    own = "".join(
        f"{part}_temp_path {folder}/{part};" for part in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    account = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{account} daemon off; pid {folder}/pid; error_log {folder}/log; worker_processes 1; events {{}} "
        f"http {{ access_log off; {own}\n{text}\n{first}\n{second} }}"
    )
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")]
    with started(command, folder, tls):
        yield tls, port, inner


@contextmanager
def nginx(proxied: Proxied, folder: Path) -> Iterator[tuple[int, int]]:
    """Run nginx with the example file: the port of one hop, and that of two."""
    with several_nginx(proxied, folder) as (one, two, _inner):
        yield one, two


@contextmanager
def started(command: list[str], folder: Path, port: int) -> Iterator[None]:
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            command,
            stdout=said,
            stderr=said,
            env={**os.environ, "HOME": str(folder)},
            preexec_fn=ends_with_us,
        )
    try:
        wait_until_it_answers(port, process, folder / "said")
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def caddy(proxied: Proxied, folder: Path, to: str = "") -> Iterator[int]:
    """Run Caddy with the example file before the dashboard, or before what listens at `to`.

    It is given the certificate, and asks nobody for another.
    """
    port = free_port()
    text = (EXAMPLES / "Caddyfile").read_text()
    for old, new in (
        (
            f"\n{NAME} {{",
            f"\nhttps://{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {proxied.certificate} {proxied.key}",
        ),
        (
            "reverse_proxy 127.0.0.1:8501",
            f"reverse_proxy {to or urllib.parse.urlsplit(proxied.served.url).netloc}",
        ),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
    with started(
        ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")], folder, port
    ):
        yield port


@contextmanager
def caddy_before_nginx(proxied: Proxied, folder: Path) -> Iterator[int]:
    """Run Caddy, which ends TLS, and behind it nginx, which hands on what Caddy has seen."""
    (folder / "caddy").mkdir()
    with (
        several_nginx(proxied, folder) as (_one, _two, inner),
        caddy(proxied, folder / "caddy", f"127.0.0.1:{inner}") as port,
    ):
        yield port


class Browser:
    """What a browser does through a proxy, from an address that is no proxy's."""

    def __init__(self, port: int, certificate: Path) -> None:
        self.port, self.cookies = port, {}
        self.tls = ssl.create_default_context(cafile=str(certificate))

    def connected(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(BROWSER, 0))
        return self.tls.wrap_socket(plain, server_hostname=NAME)

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(f"{NAME}:{self.port}", timeout=20)
        connection.sock = self.connected()
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(
            method, path, body, {"Cookie": cookie, "Origin": f"https://{NAME}:{self.port}", **said}
        )
        answer = connection.getresponse()
        answer.body = answer.read()  # type: ignore[attr-defined]
        for line in answer.headers.get_all("set-cookie") or []:
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        connection.close()
        return answer

    def sign_in(self, **headers: str) -> http.client.HTTPResponse:
        form = self.ask("GET", "/sign-in").body  # type: ignore[attr-defined]
        token = re.search(rb'name="form_token" value="([^"]+)"', form)
        assert token
        fields = {"username": "bo", "password": PASSWORD, "form_token": token[1].decode()}
        body = urllib.parse.urlencode(fields).encode()
        return self.ask("POST", "/sign-in", body, Content_Type="application/x-www-form-urlencoded", **headers)

    def upload(self, data: bytes) -> list[int]:
        tus = {"Tus_Resumable": "1.0.0"}
        named = f"filename {base64.b64encode(data[:9].hex().encode()).decode()}"
        begun = self.ask("POST", "/arrive", b"", Upload_Length=str(len(data)), Upload_Metadata=named, **tus)
        kind = {"Content_Type": "application/offset+octet-stream", "Upload_Offset": "0"}
        return [begun.status, self.ask("PATCH", begun.headers["location"], data, **kind, **tus).status]

    async def opens_a_page(self) -> bool:
        cookie = f"{COOKIE}={self.cookies[COOKIE]}"
        async with websockets.connect(
            f"wss://{NAME}:{self.port}/_stcore/stream",
            sock=self.plain(),
            ssl=self.tls,
            origin=websockets.Origin(f"https://{NAME}:{self.port}"),
            additional_headers={"cookie": cookie},
            subprotocols=[Subprotocol("streamlit")],
            proxy=None,
        ) as page:
            return page.subprotocol == "streamlit"

    def plain(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), source_address=(BROWSER, 0))


PROXIES: dict[str, Callable] = {"nginx": nginx, "caddy": caddy, "caddy nginx": caddy_before_nginx}


@pytest.mark.parametrize("programs", PROXIES)
def test_the_example_files_serve_pages_uploads_and_secure_sign_ins(
    proxied: Proxied, tmp_path: Path, programs: str
):
    if missing := [program for program in programs.split() if shutil.which(program) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    with ExitStack() as stack:
        ports = stack.enter_context(PROXIES[programs](proxied, tmp_path))
        for port in ports if isinstance(ports, tuple) else (ports,):
            browser = Browser(port, proxied.certificate)
            # What the browser itself says of where it comes from counts for nothing.
            entered = browser.sign_in(X_Forwarded_For="198.51.100.1", X_Forwarded_Proto="http")
            assert entered.status == 303
            signed = next(
                one for one in entered.headers.get_all("set-cookie") if one.startswith(f"{COOKIE}=")
            )
            assert "Secure" in signed
            assert entered.headers["strict-transport-security"]
            assert address_of_the_last_sign_in(proxied) == BROWSER
            assert asyncio.run(browser.opens_a_page())
            assert browser.upload(os.urandom(3_000_000)) == [201, 204]
            assert browser.ask("GET", "/worklist", Origin="https://elsewhere.example").status == 200
            assert browser.ask("POST", "/sign-out", b"", Origin="https://elsewhere.example").status == 403


def address_of_the_last_sign_in(proxied: Proxied) -> str | None:
    with proxied.served.here.database.read() as session:
        entries = (
            select(AuditEntry.address).where(AuditEntry.action == "signed_in").order_by(AuditEntry.id.desc())
        )
        return session.scalars(entries).first()


def test_a_connection_that_sends_nothing_is_ended_by_the_dashboard(proxied: Proxied):
    """It was made before the tests above, which took some of its time."""
    proxied.silent.settimeout(silence.REQUEST_SECONDS + 20)
    assert proxied.silent.recv(1) == b""
    assert time.monotonic() - proxied.silent_since > silence.REQUEST_SECONDS - 1


@pytest.fixture
def small_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """uvicorn as the dashboard has it, with little patience, and an app that reads what it is sent."""
    assert AutoHTTPProtocol is H11Protocol
    for name in ("connection_made", "data_received", "connection_lost"):
        monkeypatch.setattr(H11Protocol, name, getattr(H11Protocol, name))  # put back after the test
    monkeypatch.setattr(silence, "REQUEST_SECONDS", 0.6)
    monkeypatch.setattr(silence, "BODY_SECONDS", 0.6)
    silence.end_silent_connections()

    async def app(scope, receive, send) -> None:
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(1.0)  # an answer may take its time
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_level="critical"))
    running = threading.Thread(target=server.run, daemon=True)
    running.start()
    while not server.started:
        time.sleep(0.01)
    yield port
    server.should_exit = True
    running.join(10)


HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"


@pytest.mark.parametrize(
    ("sent", "drips"),
    [
        (b"", b""),
        (b"POST / HT", b""),
        # A byte now and then does not make a request that comes.
        (HEAD, b"X-a: b\r\n"),
        (HEAD + b"\r\n123", b""),
    ],
    ids=["nothing", "half a line", "dripping headers", "half a body"],
)
def test_who_does_not_get_on_with_a_request_is_cut_off(small_server: int, sent: bytes, drips: bytes):
    with socket.create_connection(("127.0.0.1", small_server), timeout=10) as connection:
        connection.sendall(sent)
        begun, ended = time.monotonic(), False
        while not ended and time.monotonic() - begun < 10:
            connection.settimeout(0.1)
            try:
                if drips:
                    connection.sendall(drips)
                ended = connection.recv(1000) == b""
            except TimeoutError:
                pass
            except ConnectionError:
                ended = True
        assert ended
        assert time.monotonic() - begun > 0.4


def test_a_slow_body_and_a_slow_answer_are_waited_for_and_the_connection_serves_again(small_server: int):
    with socket.create_connection(("127.0.0.1", small_server), timeout=10) as connection:
        for _ in range(2):
            connection.sendall(HEAD + b"\r\n")
            for _ in range(3):
                time.sleep(0.3)
                connection.sendall(b"123")
            assert connection.recv(1000).startswith(b"HTTP/1.1 204")
