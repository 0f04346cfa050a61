"""Uploaded files: written to disk as they arrive, so that the web process never holds what nobody asked for.

Streamlit keeps every uploaded file in memory until its session has ended and another one begins. So an ASGI
middleware takes the bytes out of the request on their way in, writes them under ``<home>/uploads`` and hands
Streamlit a short note in their place; a page that gets the note reads the file from disk when its turn comes.
Files are dropped when the person removes them, when the study was added, when their session has ended, and when
nobody read them for two hours.
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
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime import Runtime
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.files import private_file, private_folder
from core.incoming import IncomingFile, printable_name
from core.logs import log_of
from core.refusals import Refusal
from dashboard.house import here

log = log_of(__name__)

LARGEST_FILE_BYTES = 100 << 20
"""Largest file that a page takes, as `maxUploadSize` in config.toml says it too. A view of the largest detectors
has 56 MB uncompressed (4728 × 5928 pixels of 16 bits); the command line takes larger files."""
MOST_SESSION_BYTES = 1 << 30
"""Most that one open page may have on disk: more than thirty uncompressed views."""
FREE_BYTES = 1 << 30
"""What uploads leave free on the disk, for the studies that are being added."""
IDLE_SECONDS = 2 * 3600.0
SESSION_GRACE_SECONDS = 120.0
SWEEP_SECONDS = 30.0

_PATH = re.compile(r"/_stcore/upload_file/(?P<session>[^/]*)/(?P<file>.*)", re.DOTALL)
_SESSION = re.compile(r"[0-9a-f-]{36}")
_NOTE = re.compile(rb"longview-upload:(?P<session>[0-9a-f-]{36})/(?P<key>[0-9a-f]{64}) (?P<state>\w+)")
# Room for the headers and boundaries around a file in a multipart body.
_FRAME_BYTES = 65_536
_LONGEST_NOTE = 256

_FULL = "full"
_TOO_LARGE = "too_large"
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
        elif self.room() < end - start:
            self.state = _FULL
        else:
            self.target.write(data[start:end])
            return
        # What is refused gives its room back to the files that arrive beside it.
        self.target.truncate(0)

    def _end(self) -> None:
        self.complete = True

    def with_note(self, note: bytes) -> bytes:
        """Return the body anew, with a note in the place of the file's bytes."""
        lines = [b"--" + self.boundary, *(name + b": " + value for name, value in self.headers), b"", note]
        return b"\r\n".join([*lines, b"--" + self.boundary + b"--", b""])


class Spool:
    """The folder of uploaded files, one folder a session.

    ``is_open`` says whether a session has an open page; what belongs to none is dropped.
    """

    def __init__(self, root: Path, is_open: Callable[[str], bool]) -> None:
        self.root = root
        self.is_open = is_open

    def path(self, session: str, key: str) -> Path:
        """Return where a file lies; both names are made of hex digits and dashes alone."""
        return self.root / session / key

    def room(self, session: str) -> int:
        """Return how many bytes more a session may bring."""
        private_folder(self.root)
        held = sum(_size(path) for path in (self.root / session).glob("*"))
        return max(0, min(MOST_SESSION_BYTES - held, shutil.disk_usage(self.root).free - FREE_BYTES))

    def sweep(self, now: float) -> None:
        """Drop the files of sessions that ended, and those that nobody read for long; `now` is Unix time.

        A session that another web process serves is kept fresh by that process.
        """
        for folder in self.root.glob("*"):
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
        if match and scope["method"] == "PUT":
            await self._put(scope, receive, send, match["session"], _key(match["file"]))
            return
        if match and scope["method"] == "DELETE" and _SESSION.fullmatch(match["session"]):
            path = self.spool().path(match["session"], _key(match["file"]))
            await to_thread.run_sync(lambda: path.unlink(missing_ok=True))
        await self.app(scope, receive, send)

    async def _put(self, scope: Scope, receive: Receive, send: Send, session: str, key: str) -> None:
        headers = Headers(scope=scope)
        boundary = _boundary(headers)
        spool = self.spool()
        if boundary is None or not _SESSION.fullmatch(session) or not spool.is_open(session):
            await PlainTextResponse("This upload belongs to no open page. Reload the page.", 400)(
                scope, receive, send
            )
            return
        if _length(headers) > LARGEST_FILE_BYTES + _FRAME_BYTES:
            await PlainTextResponse(too_large(), 413)(scope, receive, send)
            return
        path = spool.path(session, key)
        arriving = path.with_suffix(".arriving")
        try:
            await to_thread.run_sync(private_folder, path.parent)
            with private_file(arriving, buffering=0) as target:
                part = _Part(boundary, target, lambda: spool.room(session))
                arrived = await _arrives(part, receive)
            if not arrived or part.parts != 1 or not part.complete:
                await PlainTextResponse("The upload is not whole. Choose the file again.", 400)(
                    scope, receive, send
                )
                return
            if part.state == _KEPT:
                arriving.replace(path)
            note = f"longview-upload:{session}/{key} {part.state}".encode()
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
    path = spool().path(note["session"].decode(), note["key"].decode())
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
            spool().path(note["session"].decode(), note["key"].decode()).unlink(missing_ok=True)
