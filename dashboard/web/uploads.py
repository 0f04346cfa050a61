"""Uploaded files: written to disk as they arrive, so that the web process never holds what nobody asked for.

Streamlit keeps every uploaded file in memory until its session has ended and another one begins. So an ASGI
middleware takes the bytes out of the request on their way in, writes them under ``<home>/uploads`` and hands
Streamlit a short note in their place; a page that gets the note reads the file from disk when its turn comes.
An upload belongs to the person whose page it was chosen on: from anybody else, and from a request that another site
may have made, nothing is written, replaced or taken away. Files are dropped when the person removes them, when the
study was added, when their session has ended, and when nobody read them for two hours.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO

import anyio
from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime import Runtime
from streamlit.runtime.uploaded_file_manager import UploadedFile
from streamlit.web.server.server_util import is_xsrf_enabled
from streamlit.web.server.starlette.starlette_app_utils import validate_xsrf_token
from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

from core.files import private_file, private_folder
from core.incoming import IncomingFile, printable_name
from core.logs import log_of
from core.people import Person
from core.refusals import Refusal
from dashboard import owners
from dashboard.house import here

log = log_of(__name__)

LARGEST_FILE_BYTES = 100 << 20
"""Largest file that a page takes, as `maxUploadSize` in config.toml says it too. A view of the largest detectors
has 56 MB uncompressed (4728 × 5928 pixels of 16 bits); the command line takes larger files."""
MOST_PERSON_BYTES = 1 << 30
"""Most that one person may have on disk, on all her pages: more than ten uncompressed views of the largest kind."""
MOST_PERSON_FILES = 256
"""Most files that one person may have on disk, on all her pages."""
FREE_BYTES = 1 << 30
"""What uploads leave free on the disk, for the studies that are being added."""
IDLE_SECONDS = 2 * 3600.0
SESSION_GRACE_SECONDS = 600.0
"""As long as Streamlit keeps a page that lost its connection (`disconnectedSessionTTL` in config.toml)."""
SWEEP_SECONDS = 30.0

_PATH = re.compile(r"/_stcore/upload_file/(?P<session>[^/]*)/(?P<file>.*)", re.DOTALL)
_SESSION = re.compile(r"[0-9a-f-]{36}")
_NOTE = re.compile(
    rb"longview-upload:(?P<user>\d+)/(?P<session>[0-9a-f-]{36})/(?P<key>[0-9a-f]{64}) (?P<state>\w+)"
)
# Room for the headers and boundaries around a file in a multipart body.
_FRAME_BYTES = 65_536
_LONGEST_NOTE = 256

_FULL = "full"
_TOO_LARGE = "too_large"
_NOT_KEPT = "not_kept"
_KEPT = "kept"

# One file's bytes at a time, whoever sent it: what a page holds does not grow with the number of people.
_turn = threading.Lock()


@dataclass
class _Part:
    """The one file of a multipart body on its way to disk."""

    boundary: bytes
    target: IO[bytes]
    room: Callable[[], int]
    state: str = _KEPT
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    parts: int = 0
    size: int = 0
    complete: bool = False
    _name: bytes = b""
    _value: bytes = b""

    def parser(self) -> MultipartParser:
        """Return a parser that writes what it finds here."""
        return MultipartParser(
            self.boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def _begin(self) -> None:
        self.parts += 1

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self.parts == 1:
            self.headers.append((self._name, self._value))
        self._name = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.state != _KEPT:
            return
        self.size += end - start
        if self.size > LARGEST_FILE_BYTES:
            self.state = _TOO_LARGE
        else:
            try:
                if self.room() >= end - start:
                    self.target.write(data[start:end])
                    return
                self.state = _FULL
            except OSError:
                log.exception("an upload could not be written")
                self.state = _NOT_KEPT
        # What is refused gives its room back to the files that arrive beside it.
        self.target.truncate(0)

    def _end(self) -> None:
        self.complete = True

    def with_note(self, note: bytes) -> bytes:
        """Return the body anew, with a note in the place of the file's bytes."""
        lines = [b"--" + self.boundary, *(name + b": " + value for name, value in self.headers), b"", note]
        return b"\r\n".join([*lines, b"--" + self.boundary + b"--", b""])


class Spool:
    """The folder of uploaded files: one folder a person, in it one a session.

    ``is_open`` says whether a session has an open page; what belongs to none is dropped. ``owner_of`` says whose the
    page of a session is, by user id.
    """

    def __init__(
        self,
        root: Path,
        is_open: Callable[[str], bool],
        owner_of: Callable[[str], int | None] = owners.owner_of,
    ) -> None:
        self.root = root
        self.is_open = is_open
        self.owner_of = owner_of

    def belongs(self, session: str, user_id: int) -> bool:
        """Return whether a session has an open page and it is this person's."""
        return self.is_open(session) and self.owner_of(session) == user_id

    def path(self, user_id: int, session: str, key: str) -> Path:
        """Return where a file lies; the names are made of hex digits and dashes alone."""
        return self.root / str(user_id) / session / key

    def room(self, user_id: int) -> int:
        """Return how many bytes more a person may bring; raises `OSError` where nothing can be written."""
        private_folder(self.root)
        sizes = [_size(path) for path in (self.root / str(user_id)).glob("*/*")]
        if len(sizes) > MOST_PERSON_FILES:
            return 0
        return max(0, min(MOST_PERSON_BYTES - sum(sizes), shutil.disk_usage(self.root).free - FREE_BYTES))

    def sweep(self, now: float) -> None:
        """Drop the files of sessions that ended, and those that nobody read for long; `now` is Unix time.

        A session that another web process serves is kept fresh by that process.
        """
        for folder in [*self.root.glob("*/*/"), *self.root.glob("*/")]:
            if folder.parent == self.root and folder.name.isdecimal():
                continue  # a person's; any other here is a session's, of a release that knew no persons
            if self.is_open(folder.name):
                os.utime(folder, (now, now))
                for path in folder.glob("*"):
                    if now - _touched(path) > IDLE_SECONDS:
                        path.unlink(missing_ok=True)
            elif now - _touched(folder) > SESSION_GRACE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

    async def sweep_forever(self) -> None:
        """Sweep now and every half minute."""
        while True:
            try:
                await to_thread.run_sync(self.sweep, time.time())
            except OSError:
                # One file that cannot be touched must not keep all others from ever being dropped.
                log.exception("uploads could not be swept; it is tried again")
            await anyio.sleep(SWEEP_SECONDS)


class UploadsToDisk:
    """ASGI middleware that writes uploads to disk and passes a note on to Streamlit."""

    def __init__(self, app: ASGIApp, spool: Callable[[], Spool]) -> None:
        self.app = app
        self.spool = spool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        match = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if not match or scope["method"] not in {"PUT", "DELETE"}:
            await self.app(scope, receive, send)
            return
        # All that can refuse an upload comes before its first byte is read.
        refused = self._refusal(scope, match["session"])
        if refused is not None:
            await refused(scope, receive, send)
            return
        user_id = _person_of(scope).user_id
        if scope["method"] == "PUT":
            await self._put(scope, receive, send, user_id, match["session"], _key(match["file"]))
            return
        path = self.spool().path(user_id, match["session"], _key(match["file"]))
        await to_thread.run_sync(lambda: path.unlink(missing_ok=True))
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope, session: str) -> PlainTextResponse | None:
        request = Request(scope)
        if is_xsrf_enabled() and not validate_xsrf_token(
            request.headers.get("X-Xsrftoken"), request.cookies.get(XSRF_COOKIE_NAME)
        ):
            return PlainTextResponse("This request does not come from an open page. Reload the page.", 403)
        if not _SESSION.fullmatch(session) or not self.spool().belongs(session, _person_of(scope).user_id):
            return PlainTextResponse("This upload belongs to no open page of yours. Reload the page.", 400)
        if scope["method"] == "PUT":
            if _boundary(request.headers) is None:
                return PlainTextResponse("This is no upload. Choose the file again.", 400)
            if _length(request.headers) > LARGEST_FILE_BYTES + _FRAME_BYTES:
                return PlainTextResponse(too_large(), 413)
        return None

    async def _put(
        self, scope: Scope, receive: Receive, send: Send, user_id: int, session: str, key: str
    ) -> None:
        boundary, spool = _boundary(Headers(scope=scope)), self.spool()
        assert boundary is not None
        path = spool.path(user_id, session, key)
        arriving = path.with_suffix(".arriving")
        try:
            await to_thread.run_sync(private_folder, path.parent)
            with private_file(arriving, buffering=0) as target:
                part = _Part(boundary, target, lambda: spool.room(user_id))
                arrived = await _arrives(part, receive)
            if not arrived or part.parts != 1 or not part.complete:
                await PlainTextResponse("The upload is not whole. Choose the file again.", 400)(
                    scope, receive, send
                )
                return
            if part.state == _KEPT:
                arriving.replace(path)
            note = f"longview-upload:{user_id}/{session}/{key} {part.state}".encode()
            await self._pass_on(scope, part.with_note(note), send)
        finally:
            arriving.unlink(missing_ok=True)

    async def _pass_on(self, scope: Scope, body: bytes, send: Send) -> None:
        kept = [(n, v) for n, v in scope["headers"] if n not in (b"content-length", b"transfer-encoding")]
        answered = False

        async def receive_note() -> Message:
            nonlocal answered
            if answered:
                return {"type": "http.disconnect"}
            answered = True
            return {"type": "http.request", "body": body, "more_body": False}

        headers = [*kept, (b"content-length", str(len(body)).encode())]
        await self.app({**scope, "headers": headers}, receive_note, send)


async def _arrives(part: _Part, receive: Receive) -> bool:
    """Take in a body as it arrives; False where it breaks off or is no multipart body."""
    parser = part.parser()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        more = message.get("more_body", False)
        try:
            await to_thread.run_sync(parser.write, message.get("body", b""))
        except FormParserError:
            return False
    return True


def _boundary(headers: Headers) -> bytes | None:
    kind, options = parse_options_header(headers.get("content-type"))
    return options.get(b"boundary") if kind == b"multipart/form-data" else None


def _person_of(scope: Scope) -> Person:
    """Return whom the gate let in; nothing comes here without having passed it."""
    person: Person = scope["state"]["person"]
    return person


def _length(headers: Headers) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


def _key(file_id: str) -> str:
    return hashlib.sha256(file_id.encode()).hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def has_open_page(session: str) -> bool:
    """Return whether a session of Streamlit's has an open page in this process."""
    return Runtime.exists() and Runtime.instance().is_active_session(session)


@cache
def spool() -> Spool:
    """Return the folder of uploads of this process's installation."""
    return Spool(here().home / "uploads", has_open_page)


def too_large() -> str:
    """Say that one file is too large for a page."""
    return (
        f"It has more than {LARGEST_FILE_BYTES >> 20} MB, the most that a page takes; "
        "python -m core import takes larger files."
    )


def _noted(upload: UploadedFile) -> re.Match[bytes] | None:
    return _NOTE.fullmatch(upload.getvalue()) if upload.size < _LONGEST_NOTE else None


def _noted_path(note: re.Match[bytes]) -> Path:
    return spool().path(int(note["user"]), note["session"].decode(), note["key"].decode())


def opened(upload: UploadedFile, name: str | None = None) -> IncomingFile:
    """Return an uploaded file with its bytes, read from disk now; one that is not there any more says why.

    `name` is what the file is called from here on, if not by its own name; either way as it can be shown.
    """
    name = printable_name(name or upload.name)
    note = _noted(upload)
    if note is None:  # a page that is tested without a server runs without the middleware
        return IncomingFile(name, upload.getvalue())
    state = note["state"].decode()
    if state == _TOO_LARGE:
        return IncomingFile(name, b"", Refusal("too_large", too_large()))
    if state == _FULL:
        return IncomingFile(name, b"", Refusal("upload_full"))
    if state == _NOT_KEPT:
        return IncomingFile(name, b"", Refusal("upload_not_kept"))
    path = _noted_path(note)
    try:
        os.utime(path)
        return IncomingFile(name, path.read_bytes())
    except FileNotFoundError:
        return IncomingFile(name, b"", Refusal("upload_gone"))


def opened_in_turn(uploads: Iterable[tuple[str, UploadedFile]]) -> Generator[IncomingFile, None, None]:
    """Yield named files with their bytes, one at a time in the whole process; close the iterator when done."""
    for name, upload in uploads:
        with _turn:
            yield opened(upload, name)


def drop(uploads: Iterable[UploadedFile]) -> None:
    """Drop files from disk that are not needed any more."""
    for upload in uploads:
        note = _noted(upload)
        if note is not None:
            _noted_path(note).unlink(missing_ok=True)
