"""Pages of long lists: a cursor says where the next one begins, and belongs to the query that it came from."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query, Request

from dashboard.web.problems import Problem

__all__ = ["Paged", "Paging", "read_cursor", "write_cursor"]

MOST, USUAL = 200, 50
_NOT_OF_THE_QUERY = ("cursor", "limit")


def write_cursor(query: str, after: int) -> str:
    """Return the cursor of the page of a query that begins after a row."""
    return base64.urlsafe_b64encode(f"{_bound(query)}.{after}".encode()).decode().rstrip("=")


def read_cursor(query: str, cursor: str) -> int:
    """Return after which row a page begins; raises `Problem` for a cursor that is none, or of another query."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        of, _, after = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").partition(".")
        if not (after.isdecimal() and len(after) < 18):
            raise ValueError(cursor)
    except (binascii.Error, ValueError):
        raise Problem(
            400, "bad_cursor", "This cursor is none: send that of the page before as it is."
        ) from None
    if of != _bound(query):
        raise Problem(
            400,
            "cursor_of_another_query",
            "This cursor is of another query: begin this one without a cursor.",
        )
    return int(after)


def _bound(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()[:16]


class Paging:
    """Which page of a list a call asks for; raises `Problem` for a cursor that is none, or of another query."""

    def __init__(
        self,
        request: Request,
        limit: Annotated[int, Query(ge=1, le=MOST, description="Rows on a page.")] = USUAL,
        cursor: Annotated[
            str | None,
            Query(
                max_length=200,
                pattern="^[A-Za-z0-9_-]+$",
                description="`next` of the page before; of the same query.",
            ),
        ] = None,
    ) -> None:
        asked = sorted(
            (name, value)
            for name, value in request.query_params.multi_items()
            if name not in _NOT_OF_THE_QUERY
        )
        self._query = f"{request.url.path}?{urlencode(asked)}"
        self.limit = limit
        self.after = 0 if cursor is None else read_cursor(self._query, cursor)

    def next(self, after: int | None) -> str | None:
        """Return the cursor of the page after a row; None where there is none."""
        return None if after is None else write_cursor(self._query, after)


Paged = Annotated[Paging, Depends()]
