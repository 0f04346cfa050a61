"""An answer that nobody takes is given up; one that is taken slowly, or at once, arrives whole."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from dashboard.web import silence

SIZE = 16_000_000
PATCHED = ("connection_made", "data_received", "connection_lost", "resume_writing")


async def whole(_request: Request) -> Response:
    return Response(b"x" * SIZE)


async def streamed(_request: Request) -> Response:
    return StreamingResponse(b"x" * 1_000_000 for _ in range(SIZE // 1_000_000))


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    for name in PATCHED:  # put back at the end
        monkeypatch.setattr(H11Protocol, name, getattr(H11Protocol, name))
    monkeypatch.setattr(silence, "TAKEN_SECONDS", 0.4)
    silence.end_silent_connections()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()  # whoever asks before it serves waits
    app = Starlette(routes=[Route("/whole", whole), Route("/streamed", streamed)])
    server = uvicorn.Server(uvicorn.Config(app, http="h11", log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listening.close()


def asked(port: int, path: str, *, room: int | None = None) -> socket.socket:
    connection = socket.socket()
    if room is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", port))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return connection


def taken(connection: socket.socket, bytes_at_once: int, pause: float) -> int:
    """How many bytes come before the connection ends."""
    got = 0
    try:
        while data := connection.recv(bytes_at_once):
            got += len(data)
            time.sleep(pause)
    except ConnectionResetError:
        pass
    finally:
        connection.close()
    return got


@pytest.mark.parametrize("path", ["/whole", "/streamed"])
def test_who_reads_byte_by_byte_is_cut_off_and_who_reads_is_not(port: int, path: str) -> None:
    slow, until = asked(port, path, room=4_096), time.monotonic() + 20
    assert taken(asked(port, path), 1 << 20, 0) > SIZE
    # Slowly, and on and on: more than is asked for in each while.
    assert taken(asked(port, path), 1 << 20, 0.01) > SIZE
    while time.monotonic() < until and not is_over(slow):
        assert slow.recv(1)
        time.sleep(0.05)
    assert taken(slow, 1 << 20, 0) < 100_000, "what the system held for it is let go of as well"


def is_over(connection: socket.socket) -> bool:
    """Say whether the other side has given a connection up, whatever of it can be read still."""
    waiting = select.poll()
    waiting.register(connection, select.POLLERR | select.POLLHUP)
    return bool(waiting.poll(0))
