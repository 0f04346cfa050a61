"""Pages of long lists: a cursor says where the next one begins, and belongs to the query that it came from."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query, Request

from dashboard.web.problems import Problem

__all__ = ["Paged", "Paging"]

MOST, USUAL = 200, 50
_NOT_OF_THE_QUERY = ("cursor", "limit")


class Paging:
    """Which page of a list a call asks for; raises `Problem` for a cursor that is none, or of another query."""

    def __init__(
        self,
        request: Request,
        limit: Annotated[int, Query(ge=1, le=MOST, description="Rows on a page.")] = USUAL,
        cursor: Annotated[
            str | None, Query(max_length=200, description="`next` of the page before; of the same query.")
        ] = None,
    ) -> None:
        asked = sorted(
            (name, value)
            for name, value in request.query_params.multi_items()
            if name not in _NOT_OF_THE_QUERY
        )
        self._of = hashlib.sha256(f"{request.url.path}?{urlencode(asked)}".encode()).hexdigest()[:16]
        self.limit = limit
        self.after = 0 if cursor is None else self._read(cursor)

    def next(self, after: int | None) -> str | None:
        """Return the cursor of the page after a row; None where there is none."""
        if after is None:
            return None
        return base64.urlsafe_b64encode(f"{self._of}.{after}".encode()).decode().rstrip("=")

    def _read(self, cursor: str) -> int:
        try:
            said = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode(
                "ascii"
            )
            of, _, after = said.partition(".")
            if not (after.isdecimal() and len(after) < 18):
                raise ValueError(cursor)
        except (binascii.Error, ValueError):
            raise Problem(
                400, "bad_cursor", "This cursor is none: send `next` of the page before as it is."
            ) from None
        if of != self._of:
            raise Problem(
                400,
                "cursor_of_another_query",
                "This cursor is of another query: begin this one without a cursor.",
            )
        return int(after)


Paged = Annotated[Paging, Depends()]
