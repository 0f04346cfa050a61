"""A PACS's DICOMweb, made up: answers in pages of its own size, over HTTP or HTTPS, to who has the right words or to all."""

from __future__ import annotations

import io
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pydicom

KEYS = {"studies": "StudyInstanceUID", "series": "SeriesInstanceUID", "instances": "SOPInstanceUID"}


@dataclass
class MadeUpWeb:
    """`at_once` answers come in one page; without `pages` it takes no heed of where one is to begin."""

    files: list[bytes]
    at_once: int = 1000
    pages: bool = True
    authorization: str | None = None
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, query: dict[str, list[str]]) -> list[Any] | bytes:
        """Return what stands at a path: a page of answers, or an object."""
        parts = path.removeprefix("/dicom-web/").split("/")
        sets = [pydicom.dcmread(io.BytesIO(file)) for file in self.files]
        for level, uid in zip(parts[::2], parts[1::2], strict=False):
            sets = [one for one in sets if one[KEYS[level]].value == uid]
        if len(parts) == 6:
            return next(file for file in self.files if pydicom.dcmread(io.BytesIO(file)) == sets[0])
        key = KEYS[parts[-1]]
        found = list({one[key].value: one for one in sets}.values())
        begin = int(query.get("offset", ["0"])[0]) if self.pages else 0
        some = found[begin : begin + min(self.at_once, int(query.get("limit", ["1000"])[0]))]
        for one in some:
            del one.PixelData
        return [one.to_json_dict() for one in some]


@contextmanager
def made_up_web(pacs: MadeUpWeb, context: ssl.SSLContext | None = None) -> Iterator[MadeUpWeb]:
    """Serve it on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pacs.asked.append(self.path)
            if pacs.authorization not in (None, self.headers["Authorization"]):
                self.send_error(401)
                return
            at = urlsplit(self.path)
            found = pacs.answer(at.path, parse_qs(at.query))
            if isinstance(found, bytes):
                kind = 'multipart/related; type="application/dicom"; boundary=part'
                body = b"--part\r\nContent-Type: application/dicom\r\n\r\n" + found + b"\r\n--part--\r\n"
            else:
                kind, body = "application/dicom+json", json.dumps(found).encode()
            self.send_response(200 if found else 204)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) if found else 0))
            self.end_headers()
            self.wfile.write(body if found else b"")

        def log_message(self, *_about: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    pacs.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}/dicom-web"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield pacs
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
