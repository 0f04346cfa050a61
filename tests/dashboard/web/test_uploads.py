"""Uploaded files lie on disk, not in the memory of the web process, and no longer than they are needed."""

import asyncio
import os
import re
import threading
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from core.people import Person, Role
from dashboard.web import uploads
from dashboard.web.gate import COOKIE
from dashboard.web.uploads import Spool, UploadsToDisk
from tests.dashboard.conftest import Served
from tests.dashboard.web.test_gate import ask

SESSION = "63e72fbc-c599-4f74-94f0-408e0e9bf224"
HER = Person(7, "bo", "Bo", Role.STAFF)
SOMEBODY_ELSE = Person(8, "eve", "Eve", Role.STAFF)
XSRF = generate_xsrf_token_string()


def body_of(data: bytes, name: str = "one.dcm", boundary: str = "b0undary") -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\nContent-Type: image/x\r\n\r\n'
    return head.encode() + data + f"\r\n--{boundary}--\r\n".encode()


@dataclass
class Desk:
    """The middleware before a stand-in for Streamlit that keeps what it is handed."""

    spool: Spool
    handed: list[bytes] = field(default_factory=list)
    received: int = 0

    async def _streamlit(self, scope, receive, send) -> None:
        if scope["method"] == "PUT":
            self.handed.append((await receive())["body"])
            assert dict(scope["headers"])[b"content-length"] == str(len(self.handed[-1])).encode()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def ask(
        self,
        file: str,
        body: bytes = b"",
        *,
        method: str = "PUT",
        session: str = SESSION,
        breaks_off: bool = False,
        chunk: int = 7_000,
        person: Person = HER,
        token: str = XSRF,
    ) -> tuple[int, bytes]:
        chunks = [body[i : i + chunk] for i in range(0, len(body), chunk)] or [b""]
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in chunks]
        messages[-1]["more_body"] = breaks_off
        messages.append({"type": "http.disconnect"})
        said: list[dict] = []

        async def receive() -> dict:
            self.received += 1
            return messages.pop(0)

        async def send(message: dict) -> None:
            said.append(message)

        headers = [
            (b"content-type", b"multipart/form-data; boundary=b0undary"),
            (b"transfer-encoding", b"chunked"),
            (b"cookie", f"_streamlit_xsrf={XSRF}".encode()),
            (b"x-xsrftoken", token.encode()),
        ]
        scope = {
            "type": "http",
            "method": method,
            "path": f"/_stcore/upload_file/{session}/{file}",
            "headers": headers,
            "state": {"person": person},
        }
        asyncio.run(UploadsToDisk(self._streamlit, lambda: self.spool)(scope, receive, send))
        return said[0]["status"], said[1]["body"]

    def on_disk(self) -> list[bytes]:
        return [path.read_bytes() for path in self.spool.root.glob("*/*/*")]

    def upload(self, number: int = -1) -> UploadedFile:
        """What Streamlit gives the page for a body that it was handed."""
        match = re.search(
            rb'filename="(.*)"\r\n.*\r\n\r\n(.*)\r\n--b0undary--\r\n$', self.handed[number], re.DOTALL
        )
        assert match
        return UploadedFile(UploadedFileRec("x", match[1].decode(), "", match[2]), FileURLs())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    owner = {SESSION: HER.user_id}
    made = Desk(Spool(tmp_path / "uploads", lambda session: session == SESSION, owner.get))
    monkeypatch.setattr(uploads, "spool", lambda: made.spool)
    return made


def test_the_bytes_go_to_disk_and_a_note_goes_on_under_the_files_name(desk: Desk) -> None:
    data = os.urandom(300_000)
    status, _ = desk.ask("f", body_of(data, "L CC ü.dcm"))
    assert status == 204
    assert desk.on_disk() == [data]
    assert len(desk.handed[0]) < 500
    file = uploads.opened(desk.upload())
    assert (file.name, file.data, file.refusal) == ("L CC ü.dcm", data, None)


@pytest.mark.parametrize("data", [b"", b"\r\n--b0undar", b"--b0undary", b"\r\n\r\n"])
def test_any_bytes_come_back_as_they_went_in(desk: Desk, data: bytes) -> None:
    desk.ask("f", body_of(data), chunk=1)
    assert uploads.opened(desk.upload()).data == data


def test_a_file_that_is_taken_away_leaves_the_disk(desk: Desk) -> None:
    desk.ask("f", body_of(b"one"))
    assert desk.ask("f", method="DELETE")[0] == 204
    assert desk.on_disk() == []
    refusal = uploads.opened(desk.upload()).refusal
    assert refusal is not None
    assert refusal.reason == "upload_gone"


def test_files_that_were_added_leave_the_disk(desk: Desk) -> None:
    desk.ask("f", body_of(b"one"))
    desk.ask("g", body_of(b"two"))
    uploads.drop([desk.upload(0)])
    assert desk.on_disk() == [b"two"]


def test_an_upload_that_breaks_off_leaves_nothing(desk: Desk) -> None:
    assert desk.ask("f", body_of(b"x" * 20_000)[:15_000], breaks_off=True)[0] == 400
    assert desk.ask("f", body_of(b"x" * 20_000)[:15_000])[0] == 400
    assert desk.ask("f", b"no multipart body at all")[0] == 400
    assert desk.on_disk() == []
    assert desk.handed == []


@pytest.mark.parametrize(
    "session", ["e7733e9d-c133-451d-9be8-0159b6374d89", "..", "", "%2e%2e", SESSION.upper()]
)
def test_an_upload_without_an_open_page_is_refused(desk: Desk, session: str) -> None:
    status, said = desk.ask("f", body_of(b"one"), session=session)
    assert (status, said) == (400, b"This upload belongs to no open page of yours. Reload the page.")
    assert desk.on_disk() == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"token": ""}, 403),
        ({"token": "made up"}, 403),
        ({"person": SOMEBODY_ELSE}, 400),
        ({"person": SOMEBODY_ELSE, "session": "e7733e9d-c133-451d-9be8-0159b6374d89"}, 400),
    ],
)
def test_without_her_token_or_as_somebody_else_nothing_is_read_replaced_or_taken_away(
    desk: Desk, method: str, asked: dict, status: int
) -> None:
    desk.ask("f", body_of(b"hers"))
    before, handed = desk.received, len(desk.handed)
    assert desk.ask("f", body_of(b"not hers"), method=method, **asked)[0] == status
    assert (desk.received, len(desk.handed)) == (before, handed)
    assert desk.on_disk() == [b"hers"]
    assert uploads.opened(desk.upload()).data == b"hers"


def test_what_a_person_may_bring_is_counted_over_all_her_pages(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "e7733e9d-c133-451d-9be8-0159b6374d89"
    desk.spool.is_open = lambda _session: True
    desk.spool.owner_of = {SESSION: 7, other: 7, other[::-1]: 8}.get
    monkeypatch.setattr(uploads, "MOST_PERSON_FILES", 2)
    desk.ask("f", body_of(b"one"))
    desk.ask("f", body_of(b"two"), session=other)
    desk.ask("g", body_of(b"three"), session=other)
    refusal = uploads.opened(desk.upload()).refusal
    assert refusal is not None
    assert refusal.reason == "upload_full"
    assert sorted(desk.on_disk()) == [b"one", b"two"]


def test_a_disk_that_takes_nothing_is_told_on_the_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(_user_id: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.spool, "room", no_room)
    assert desk.ask("f", body_of(b"one"))[0] == 204
    assert desk.on_disk() == []
    refusal = uploads.opened(desk.upload()).refusal
    assert refusal is not None
    assert refusal.reason == "upload_not_kept"


def test_what_an_earlier_process_left_behind_is_dropped_at_the_first_sweep(desk: Desk) -> None:
    for left in (
        desk.spool.root / "7" / SESSION.replace("6", "0"),
        desk.spool.root / SESSION.replace("6", "0"),
    ):
        left.mkdir(parents=True)
        (left / "f").write_bytes(b"left")
        os.utime(left, (0, 0))

    async def start() -> None:
        await asyncio.wait_for(desk.spool.sweep_forever(), timeout=0.5)

    with pytest.raises(TimeoutError):
        asyncio.run(start())
    assert not list(desk.spool.root.rglob("f"))


def test_no_name_of_a_file_leads_out_of_its_folder(desk: Desk) -> None:
    desk.ask("../../../elsewhere", body_of(b"one"))
    assert [path.parent.name for path in desk.spool.root.parent.rglob("*") if path.is_file()] == [SESSION]


def test_a_file_too_large_is_told_so_and_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LARGEST_FILE_BYTES", 1 << 20)
    assert desk.ask("f", body_of(bytes((1 << 20) + 1)))[0] == 204
    assert desk.on_disk() == []
    refusal = uploads.opened(desk.upload()).refusal
    assert refusal is not None
    assert refusal.reason == "too_large"
    assert "more than 1 MB" in refusal.text


def test_a_page_that_brings_too_much_keeps_what_came_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_PERSON_BYTES", 50_000)
    for number in range(3):
        desk.ask(str(number), body_of(bytes(20_000)))
    assert [uploads.opened(desk.upload(n)).refusal is None for n in range(3)] == [True, True, False]
    refusal = uploads.opened(desk.upload(2)).refusal
    assert refusal is not None
    assert refusal.reason == "upload_full"
    desk.ask("0", method="DELETE")
    desk.ask("3", body_of(bytes(20_000)))
    assert uploads.opened(desk.upload(3)).refusal is None


def test_files_of_a_page_that_was_closed_are_dropped_after_the_time_to_come_back(desk: Desk) -> None:
    desk.ask("f", body_of(b"one"))
    desk.spool.sweep(time.time() + 60)
    desk.spool.is_open = lambda _session: False
    desk.spool.sweep(time.time() + 60 + uploads.SESSION_GRACE_SECONDS / 2)
    assert desk.on_disk() == [b"one"]
    desk.spool.sweep(time.time() + 61 + uploads.SESSION_GRACE_SECONDS)
    assert desk.on_disk() == []


def test_files_of_an_open_page_are_dropped_when_nobody_used_them_for_long(desk: Desk) -> None:
    desk.ask("f", body_of(b"one"))
    desk.spool.sweep(time.time() + uploads.IDLE_SECONDS - 60)
    assert desk.on_disk() == [b"one"]
    desk.spool.sweep(time.time() + uploads.IDLE_SECONDS + 60)
    assert desk.on_disk() == []


def test_sweeping_goes_on_after_a_folder_could_not_be_touched(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[float] = []

    def sweep(now: float) -> None:
        swept.append(now)
        raise PermissionError(13, "Permission denied")

    async def sweep_for_a_moment() -> None:
        await asyncio.wait_for(desk.spool.sweep_forever(), timeout=1)

    monkeypatch.setattr(desk.spool, "sweep", sweep)
    monkeypatch.setattr(uploads, "SWEEP_SECONDS", 0.01)
    with pytest.raises(TimeoutError):
        asyncio.run(sweep_for_a_moment())
    assert len(swept) > 1


def test_files_are_read_one_at_a_time_in_the_whole_process(desk: Desk) -> None:
    desk.ask("f", body_of(b"one"))
    named = [("one", desk.upload())]
    first = uploads.opened_in_turn(named)
    next(first)
    second: list[bytes] = []
    other = threading.Thread(
        target=lambda: second.extend(file.data for file in uploads.opened_in_turn(named))
    )
    other.start()
    other.join(0.2)
    assert second == []
    first.close()
    other.join(10)
    assert second == [b"one"]


@asynccontextmanager
async def open_page(served: Served, token: str) -> AsyncIterator[str]:
    """Open a page as a browser does and give its session's id."""
    async with websockets.connect(
        served.url.replace("http", "ws") + "/_stcore/stream",
        additional_headers={"cookie": f"{COOKIE}={token}"},
        proxy=None,
        max_size=None,
    ) as connection:
        message = BackMsg()
        message.rerun_script.SetInParent()
        await connection.send(message.SerializeToString())
        session = ""
        while True:
            answer = ForwardMsg.FromString(await asyncio.wait_for(connection.recv(), 20))  # type: ignore[arg-type]
            if answer.WhichOneof("type") == "new_session":
                session = answer.new_session.initialize.session_id
            if answer.WhichOneof("type") == "script_finished":
                break
        yield session


def test_uploads_that_are_left_lying_do_not_fill_the_memory_of_the_web_process(
    served: Served,
) -> None:
    web_process = psutil.Process(served.pid)
    token = served.token(Role.STAFF)
    host = ask(served, "/_stcore/health", headers={"cookie": f"{COOKIE}={token}"})
    xsrf = host.cookie("_streamlit_xsrf")
    headers = {
        "cookie": f"{COOKIE}={token}; _streamlit_xsrf={xsrf}",
        "X-Xsrftoken": xsrf,
        "content-type": "multipart/form-data; boundary=b0undary",
    }
    data = os.urandom(25_000_000)

    async def leave_some_lying() -> None:
        async with open_page(served, token) as session:
            for _ in range(4):
                path = f"/_stcore/upload_file/{session}/{uuid.uuid4()}"
                answer = await asyncio.to_thread(
                    ask, served, path, method="PUT", body=body_of(data), headers=headers
                )
                assert answer.status == 204, answer.body
            assert len(list((served.here.home / "uploads").glob(f"*/{session}/*"))) == 4

    before = web_process.memory_info().rss
    asyncio.run(leave_some_lying())
    assert (web_process.memory_info().rss - before) / 1e6 < 40
