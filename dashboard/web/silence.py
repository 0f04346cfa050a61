"""Connections that send nothing are ended: each holds a place and memory that others wait for.

uvicorn ends a connection that is idle between two requests, and waits for ever for a request that has begun.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 20.0
"""How long a request line and its headers may take from the first byte on, and the first byte from the connection on."""
BODY_SECONDS = 60.0
"""How long a body may pause that is being waited for."""

_TIMER = "longview_silence"


def end_silent_connections() -> None:
    """Let every connection that is made from now on end when it is silent for too long."""
    made, received, lost = H11Protocol.connection_made, H11Protocol.data_received, H11Protocol.connection_lost
    if hasattr(made, "__wrapped__"):
        return

    @wraps(made)
    def connection_made(self: H11Protocol, transport: Any) -> None:
        made(self, transport)
        _watch(self, REQUEST_SECONDS)

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
        lost(self, exc)

    H11Protocol.connection_made = connection_made  # type: ignore[method-assign]
    H11Protocol.data_received = data_received  # type: ignore[method-assign]
    H11Protocol.connection_lost = connection_lost  # type: ignore[method-assign]


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
