"""Uploads that go on where they stopped, over a cut connection and a killed server; and whose they are."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from core.bulk import Arrival, ArrivalRefused, Arrivals
from core.bulk import arrivals as arrivals_
from core.installation import Installation
from core.people import Person, Role, create_user, sign_ins
from core.settings import Settings
from dashboard.web.gate import COOKIE
from tests.dashboard.conftest import Served, serve

PASSWORD = "four films before noon"
Answered = tuple[int, dict[str, str]]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Installation, Person]]:
    """An installation of its own, with somebody who may add studies."""
    here = Installation.open(Settings(home=tmp_path / "var", _env_file=None))
    here.migrate()
    yield here, create_user(here, "sam", PASSWORD, Role.STAFF)
    here.close()


def ask(
    served: Served, token: str, method: str, path: str, data: bytes | None = None, **headers: str
) -> Answered:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        served.url + path,
        data=data,
        method=method,
        headers={"Cookie": f"{COOKIE}={token}", "Tus-Resumable": "1.0.0", "Origin": served.url, **said},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, {k.lower(): v for k, v in response.headers.items()}
    except urllib.error.HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}


def begin(served: Served, token: str, name: str, size: int) -> str:
    named = f"filename {base64.b64encode(name.encode()).decode()}"
    status, headers = ask(served, token, "POST", "/arrive", Upload_Length=str(size), Upload_Metadata=named)
    assert status == 201
    return headers["location"]


def how_far(served: Served, token: str, place: str) -> int:
    status, headers = ask(served, token, "HEAD", place)
    assert status == 200
    return int(headers["upload-offset"])


def more(served: Served, token: str, place: str, offset: int, data: bytes, **headers: str) -> Answered:
    kind = {"Content_Type": "application/offset+octet-stream", **headers}
    return ask(served, token, "PATCH", place, data, Upload_Offset=str(offset), **kind)


def cut_off(served: Served, token: str, place: str, data: bytes, after: int) -> socket.socket:
    """Send a part of a file, and say nothing more."""
    at = urlsplit(served.url)
    line = socket.create_connection((str(at.hostname), int(at.port or 0)))
    line.sendall(
        f"PATCH {place} HTTP/1.1\r\nHost: {at.netloc}\r\nOrigin: {served.url}\r\nCookie: {COOKIE}={token}\r\n"
        f"Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
        + data[:after]
    )
    return line


def until(what: object) -> None:
    deadline = time.monotonic() + 20
    assert callable(what)
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_file_is_whole_after_a_cut_connection_and_a_killed_server(
    own: tuple[Installation, Person],
) -> None:
    here, sam = own
    data = os.urandom(6_000_000)
    with serve(here) as served:
        token = sign_ins.sign_in(here, "sam", PASSWORD).token
        place = begin(served, token, "scan.zip", len(data))
        cut_off(served, token, place, data, 2_500_000).close()
        until(lambda: how_far(served, token, place) == 2_500_000)
        # The page is open in another browser now: it is told how far the same file has come.
        assert begin(served, token, "scan.zip", len(data)) == place
        half = how_far(served, token, place)
        status, headers = more(served, token, place, half, data[half:4_000_000])
        assert (status, headers["upload-offset"]) == (204, "4000000")
        assert more(served, token, place, 3, data[3:9])[0] == 409
        waiting = cut_off(served, token, begin(served, token, "other", 5_000_000), data, 3_000_000)
        os.kill(served.pid, signal.SIGKILL)
        waiting.close()
    here = Installation.open(here.settings)
    with serve(here) as served:
        assert how_far(served, token, place) == 4_000_000
        assert more(served, token, place, 4_000_000, data[4_000_000:])[0] == 204
        kept = Arrivals(here.home / "arrivals").of(sam.user_id)
        whole = next(one for one in kept if one.name == "scan.zip")
        assert whole.is_whole
        assert hashlib.sha256(whole.data.read_bytes()).digest() == hashlib.sha256(data).digest()
        # More than it has, somebody else's page, another site and a stranger bring nothing.
        assert more(served, token, place, len(data), b"more")[0] == 413
        assert more(served, token, place, len(data), b"", X_Longview_Person=str(sam.user_id + 1))[0] == 403
        assert more(served, token, place, len(data), b"", Origin="http://elsewhere.example")[0] == 403
        assert ask(served, "", "HEAD", place)[0] == 401
        create_user(here, "ann", PASSWORD, Role.ANALYST)
        analyst = sign_ins.sign_in(here, "ann", PASSWORD).token
        assert ask(served, analyst, "HEAD", place)[0] == 403
        create_user(here, "tom", PASSWORD, Role.STAFF)
        other = sign_ins.sign_in(here, "tom", PASSWORD).token
        assert ask(served, other, "HEAD", place)[0] in (400, 404)
        assert ask(served, token, "DELETE", place)[0] == 204
        assert ask(served, token, "HEAD", place)[0] in (400, 404)
        for wrong in ("/arrive/..%2f..%2flongview.db", "/arrive/" + "0" * 32, "/arrive/x"):
            assert ask(served, token, "HEAD", wrong)[0] in (400, 404)


def arrived(arrivals: Arrivals, name: str, data: bytes) -> Arrival:
    arrival = arrivals.begin(1, name, len(data))
    arrivals.append(arrival, 0, [data])
    return arrival


def test_what_may_wait_is_bounded_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrivals = Arrivals(tmp_path / "arrivals")
    monkeypatch.setattr(arrivals_, "MOST_FILES", 2)
    first = arrived(arrivals, "a", b"a")
    arrived(arrivals, "b", b"b")
    with pytest.raises(ArrivalRefused, match="wait at once"):
        arrivals.begin(1, "c", 1)
    with pytest.raises(ArrivalRefused, match="GB"):
        arrivals.begin(2, "d", arrivals_.LARGEST_BYTES + 1)
    arrivals.sweep()
    assert len(arrivals.of(1)) == 2
    arrivals.sweep(time.time() + arrivals_.KEPT_SECONDS + 60)
    assert not arrivals.of(1)
    assert not first.folder.exists()


@pytest.mark.parametrize("name", ["../../evil", "", "a" * 5000, "名前/乳房.dcm", "x\x00y\u202e.dcm"])
def test_no_name_of_a_file_is_a_place_on_the_disk(tmp_path: Path, name: str) -> None:
    arrivals = Arrivals(tmp_path / "arrivals")
    kept = arrived(arrivals, name, b"bytes")
    assert kept.folder.parent == tmp_path / "arrivals" / "1"
    assert [one.arrived for one in arrivals.of(1)] == [5]
    assert kept.name.isprintable()
