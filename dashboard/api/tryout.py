"""The page on which somebody who is signed in tries the API: all calls with their shapes, sent with a token that lasts an hour.

The page is our own: nothing of it comes from elsewhere. Its token is made on a click, shown nowhere, kept nowhere but in the open
page, and no other site can have it made: the request must come from our own pages and say so in a header.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from core.people import Access, Person, Scope, own_tokens
from dashboard.house import here
from dashboard.web.problems import Problem, answer

__all__ = ["ROUTES"]

LASTS = timedelta(hours=1)
LABEL = "trying the API"
_FOLDER = Path(__file__).parent / "page"
_SAYS_SO = "x-longview-try"


def _person(request: Request) -> Person:
    access: Access | None = getattr(request.state, "access", None)
    return access.person if access else request.state.person


async def page(request: Request) -> Response:
    """Serve the page."""
    _person(request)
    return HTMLResponse((_FOLDER / "try.html").read_text("utf-8"), headers={"Cache-Control": "no-store"})


async def script(_request: Request) -> Response:
    """Serve the page's script."""
    return FileResponse(_FOLDER / "try.js", media_type="text/javascript")


async def token(request: Request) -> Response:
    """Make the page's token; the one that it had before is ended."""
    if (
        request.headers.get(_SAYS_SO) != "1"
        or request.headers.get("sec-fetch-site", "same-origin") != "same-origin"
    ):
        return answer(Problem(403, "not_from_the_page", "Make this token on the page."), request.scope)
    made = await to_thread.run_sync(_make, _person(request))
    return JSONResponse(
        {"token": made.token, "until": made.entry.expires_at.isoformat()},
        headers={"Cache-Control": "no-store"},
    )


def _make(person: Person) -> own_tokens.NewOwnToken:
    for before in own_tokens.own_tokens_of(here(), person):
        if before.label == LABEL and before.is_valid():
            own_tokens.end_own_token(here(), before.token_id, by=person)
    return own_tokens.make_own_token(
        here(), person.username, list(Scope), label=LABEL, lasts=LASTS, by=person
    )


ROUTES = [
    Route("/api/v1/docs", page, methods=["GET"]),
    Route("/api/v1/docs/try.js", script, methods=["GET"]),
    Route("/api/v1/docs/token", token, methods=["POST"]),
]
