"""How much a program may send and how often it may call."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.house import here
from dashboard.web.problems import Problem, answer

__all__ = ["BoundedBodies", "Rates", "is_too_large"]

MOST_FORM_BYTES = 1_000_000
FILES = ("/api/v1/imports", "/api/v1/classify")
"""Addresses that take files."""
_AROUND_FILES = 64_000
_MOST_REMEMBERED = 10_000
_TOO_LARGE = "body_too_large"


def _most_bytes(path: str) -> int:
    if path.startswith(FILES):
        return here().settings.max_file_mb * 1_000_000 + _AROUND_FILES
    return MOST_FORM_BYTES


def too_large(scope: Scope) -> Problem:
    """Say how much may be sent."""
    most = _most_bytes(scope["path"])
    return Problem(413, "too_large", f"A request here has at most {most:,} bytes. Send less at once.")


def is_too_large(scope: Scope) -> bool:
    """Say whether more came than may."""
    return bool(scope.get("state", {}).get(_TOO_LARGE))


class BoundedBodies:
    """ASGI: refuse a body that says that it is too large before a byte of it is read, and end one that becomes so."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        said = Headers(scope=scope).get("content-length", "0")
        most = _most_bytes(scope["path"])
        if not (said.isascii() and said.isdecimal()) or len(said) > 18 or int(said) > most:
            await answer(too_large(scope), scope)(scope, receive, send)
            return
        arrived = 0
        state = scope.setdefault("state", {})

        async def bounded() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > most:
                state[_TOO_LARGE] = True
                raise too_large(scope)
            return message

        await self.app(scope, bounded, send)


class Rates:
    """Calls by token in this process: a bucket that fills again with time. With several processes each counts for itself."""

    def __init__(self) -> None:
        self._left: OrderedDict[int, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, token_id: int, a_minute: int, *, now: float | None = None) -> int | None:
        """Count a call; return None, or after how many seconds it may be repeated."""
        now = time.monotonic() if now is None else now
        with self._lock:
            left, at = self._left.pop(token_id, (float(a_minute), now))
            left = min(float(a_minute), left + (now - at) * a_minute / 60)
            allowed = left >= 1
            self._left[token_id] = (left - 1 if allowed else left, now)
            while len(self._left) > _MOST_REMEMBERED:
                self._left.popitem(last=False)
        return None if allowed else max(1, math.ceil((1 - left) * 60 / a_minute))
