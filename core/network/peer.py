"""The sockets that senders connect to: what they may send at once, and how slowly.

pynetdicom reads a PDU until it is whole, however long that takes and however much it is. Here a socket gives up where the
sender is silent, dawdles or sends more than one object may have: the association ends, and nothing of that object is kept.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from typing import Any, TypeVar

from pynetdicom.transport import ThreadedAssociationServer

from core.logs import log_of

__all__ = ["LIMITS", "Limits", "Peer", "PeerServer", "PeerSocket", "SecurePeerSocket"]

log = log_of(__name__)

SLOWEST_BYTES_PER_SECOND = 20_000
"""An object that comes more slowly than this on the whole is cut off: a network of 1 Mbit/s is six times as fast."""
_WAITING_CONNECTIONS = 16
_AT_A_TIME = 262_144


class Limits:
    """What one sender may: seconds of silence, and bytes of one object."""

    def __init__(self, silent_seconds: float, most_bytes: int) -> None:
        self.silent_seconds, self.most_bytes = silent_seconds, most_bytes


LIMITS = Limits(60.0, 200_000_000)


class Peer(socket.socket):
    """A sender's connection that ends itself where the sender goes beyond its `limits`.

    `begin` is called when an association is there, `whole` when a message has arrived whole, `done` when it was answered.
    """

    limits: Limits = LIMITS
    # Not made in `__init__`: an encrypted socket is made by its context, and never goes through it.
    _began: float | None = None
    _bytes = 0
    _waiting = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive as every socket does; raises `OSError` where the sender goes beyond the limits."""
        now = time.monotonic()
        if self._began is None:
            self._began, self._bytes = now, 0
        self._check(now)
        data = super().recv(size, flags)
        self._acknowledge()
        self._bytes += len(data)
        return data

    def receive(self, nr_bytes: int) -> bytearray:
        """Receive so many bytes, fewer where the sender has gone, as much at a time as is there.

        The library asks for 4 kB at a time: four thousand times for a mammogram, which takes longer than to copy it.
        """
        received = bytearray()
        while len(received) < nr_bytes:
            part = self.recv(min(_AT_A_TIME, nr_bytes - len(received)))
            if not part:
                break
            received += part
        return received

    def begin(self) -> None:
        """Note that what comes next is a message of its own, with its own time and size."""
        self._began = None

    def whole(self) -> None:
        """Note that a message has arrived whole."""
        self.begin()
        self._waiting += 1
        if self._waiting > 2:
            log.warning("a sender does not wait for its answers")
            with contextlib.suppress(OSError):
                self.shutdown(socket.SHUT_RDWR)

    def done(self) -> None:
        """Note that a message was answered."""
        self._waiting -= 1

    @property
    def is_busy(self) -> bool:
        """Whether a message has arrived that is not answered yet."""
        return self._waiting > 0

    def _check(self, now: float) -> None:
        assert self._began is not None
        if self._bytes > self.limits.most_bytes:
            raise OSError("The object is larger than this installation reads.")
        if now - self._began > self.limits.silent_seconds + self._bytes / SLOWEST_BYTES_PER_SECOND:
            raise TimeoutError("The sender is too slow.")

    def _acknowledge(self) -> None:
        # Senders that write a PDU in two parts wait for the first one's acknowledgement, which Linux puts off for 40 ms;
        # the option holds until the next one and is set anew.
        if hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class PeerSocket(Peer):
    """A connection as it is."""

    @classmethod
    def of(cls, accepted: socket.socket, limits: Limits) -> PeerSocket:
        """Take over an accepted connection."""
        family, kind, protocol = accepted.family, accepted.type, accepted.proto
        own = cls(family, kind, protocol, fileno=accepted.detach())
        return _set_up(own, limits)


class SecurePeerSocket(Peer, ssl.SSLSocket):  # type: ignore[misc]  # its `recv` says `buflen` where a socket's says `size`
    """A connection under TLS."""

    @classmethod
    def over(cls, accepted: socket.socket, limits: Limits, context: ssl.SSLContext) -> SecurePeerSocket:
        """Take over an accepted connection; hands are shaken when the first bytes are read, in the sender's own thread."""
        accepted.settimeout(limits.silent_seconds)
        context.sslsocket_class = cls
        own = context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        assert isinstance(own, cls)
        return _set_up(own, limits)


_Made = TypeVar("_Made", bound=Peer)


def _set_up(own: _Made, limits: Limits) -> _Made:
    own.limits = limits
    own.settimeout(limits.silent_seconds)
    # Answered at once: Nagle's algorithm waits 40 ms for nothing.
    own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return own


class PeerServer(ThreadedAssociationServer):
    """A server whose connections are limited in number, size and time."""

    limits = LIMITS

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection."""
        assert self.socket is not None
        # Not as the library does it: it would shake hands here, and one sender that dawdles would keep out all others.
        client, address = self.socket.accept()
        if self.ssl_context is not None:
            return SecurePeerSocket.over(client, self.limits, self.ssl_context), address
        return PeerSocket.of(client, self.limits), address

    def service_actions(self) -> None:
        """Let the library collect what is left of ended associations, every few seconds, but not while somebody sends: it takes a tenth of one."""
        done, each = self._gc
        if done < each or not self.active_associations:
            super().service_actions()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Refuse a connection where too many wait already, before it costs a thread."""
        if len(self.active_associations) >= self.ae.maximum_associations + _WAITING_CONNECTIONS:
            log.warning("too many connections", address=client_address[0])
            return False
        return True
