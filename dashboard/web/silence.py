"""Connections that send nothing, or do not take what they asked for, are ended: each holds a place and memory that others need.

uvicorn ends a connection that is idle between two requests, and waits for ever for a request that has begun and for an
answer that is read byte by byte.
"""

from __future__ import annotations

import socket
import struct
from functools import wraps
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 20.0
"""How long a request line and its headers may take from the first byte on, and the first byte from the connection on."""
BODY_SECONDS = 60.0
"""How long a body may pause that is being waited for."""

TAKEN_SECONDS, LEAST_TAKEN = 60.0, 60_000
"""An answer of which so many bytes are not taken in that time, or all that is left of it, is given up."""

_TIMER, _TAKEN, _RESUMED = "longview_silence", "longview_taken", "longview_resumed"


def end_silent_connections() -> None:
    """Let every connection that is made from now on end when it is silent for too long."""
    made, received, lost = H11Protocol.connection_made, H11Protocol.data_received, H11Protocol.connection_lost
    resumed = H11Protocol.resume_writing
    if hasattr(made, "__wrapped__"):
        return

    @wraps(made)
    def connection_made(self: H11Protocol, transport: Any) -> None:
        made(self, transport)
        _watch(self, REQUEST_SECONDS)
        _watch_taken(self, 0)

    @wraps(resumed)
    def resume_writing(self: H11Protocol) -> None:
        setattr(self, _RESUMED, True)
        resumed(self)

    @wraps(received)
    def data_received(self: H11Protocol, data: bytes) -> None:
        before = self.conn.their_state
        received(self, data)
        now = self.conn.their_state
        if now is h11.IDLE and before is h11.IDLE:
            # Still in the headers, however often a byte comes: the time runs on from the first.
            if getattr(self, _TIMER, None) is None:
                _watch(self, REQUEST_SECONDS)
        else:
            _forget(self)
            if now is h11.SEND_BODY:
                _watch(self, BODY_SECONDS)

    @wraps(lost)
    def connection_lost(self: H11Protocol, exc: Exception | None) -> None:
        _forget(self)
        getattr(self, _TAKEN).cancel()
        lost(self, exc)

    H11Protocol.connection_made = connection_made  # type: ignore[method-assign]
    H11Protocol.data_received = data_received  # type: ignore[method-assign]
    H11Protocol.connection_lost = connection_lost  # type: ignore[method-assign]
    H11Protocol.resume_writing = resume_writing  # type: ignore[method-assign]


def _watch(protocol: H11Protocol, seconds: float) -> None:
    setattr(protocol, _TIMER, protocol.loop.call_later(seconds, _end, protocol, seconds))


def _forget(protocol: H11Protocol) -> None:
    timer = getattr(protocol, _TIMER, None)
    if timer is not None:
        timer.cancel()
        setattr(protocol, _TIMER, None)


def _end(protocol: H11Protocol, seconds: float) -> None:
    setattr(protocol, _TIMER, None)
    if protocol.transport.is_closing():
        return
    reading = protocol.conn.their_state is h11.SEND_BODY
    if reading and not protocol.flow.read_paused:
        protocol.transport.abort()
    elif reading:
        # It is we who have not taken what came: it is not silent.
        _watch(protocol, seconds)
    elif protocol.conn.their_state is h11.IDLE:
        protocol.transport.close()


def _watch_taken(protocol: H11Protocol, before: int) -> None:
    """Look again in a while how much of what was sent is taken; `before` bytes waited to be."""
    setattr(protocol, _RESUMED, False)
    setattr(protocol, _TAKEN, protocol.loop.call_later(TAKEN_SECONDS, _look_what_is_taken, protocol, before))


def _look_what_is_taken(protocol: H11Protocol, before: int) -> None:
    transport = protocol.transport
    if transport.get_protocol() is not protocol:
        return  # it is a WebSocket now, which asks by itself whether the other side is there
    waiting = transport.get_write_buffer_size()
    # What was waiting has gone out where more was let in, and where less is left.
    taken = getattr(protocol, _RESUMED) or before - waiting >= LEAST_TAKEN
    if before and waiting and not taken:
        # With what the system holds of it: or that would be offered for as long as the other side is there.
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        return
    _watch_taken(protocol, waiting)
