"""The plain page of our own look, outside Streamlit: signing in and out, and what is said where the machine fails."""

from __future__ import annotations

import html
from datetime import datetime
from functools import cache
from pathlib import Path
from string import Template

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope

from core.logs import log_of
from core.outages import outage

log = log_of(__name__)

RETRY_SECONDS = 5
"""When to ask again where the machine failed, as the answer's Retry-After says it."""

STILL = {
    "/sign-out": "You are still signed in.",
    "/sign-in": "You are not signed in yet.",
}


@cache
def _template() -> Template:
    return Template((Path(__file__).parent / "sign_in.html").read_text(encoding="utf-8"))


def plain_page(title: str, *, message: str = "", form: str = "", beside: str = "") -> str:
    """Return the page as HTML; `title` and `message` are text, `form` and what stands `beside` it are HTML already."""
    note = f'<p class="message" role="alert">{html.escape(message)}</p>' if message else ""
    # The sign-in page is known by what it asks for; every other one says what it is.
    heading = "" if title == "Sign in" else f"<h2>{html.escape(title)}</h2>"
    return _template().substitute(
        title=html.escape(title), heading=heading, message=note, form=form, demo=beside
    )


def failed(error: Exception, scope: Scope) -> Response:
    """Answer a request that failed: 503 where the machine did, 500 where we did; in words either way.

    A browser that asks for a page gets one with a way to try again; everything else ``{"error": sentence}``.
    """
    said = outage(error)
    if said is None:
        at = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
        log.exception("a request failed", at=at, kind=type(error).__name__)
        status, title = 500, "Something failed"
        sentence = (
            f"This could not be answered. Try again; if it fails again, tell your admin the time: {at}."
        )
    else:
        log.warning("the machine failed a request", kind=type(error).__name__)
        status, title = 503, "Not now"
        sentence = f"{said} {STILL.get(scope['path'], '')}".strip()
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": str(RETRY_SECONDS)} if said else {})
    if "text/html" not in Headers(scope=scope).get("accept", ""):
        return JSONResponse({"error": sentence}, status, headers=headers)
    # What was posted is not posted again unasked: the way on is the same address, opened anew.
    again = f'<form method="get" action="{html.escape(_again(scope))}"><button type="submit">Try again</button></form>'
    return HTMLResponse(plain_page(title, message=sentence, form=again), status, headers=headers)


def _again(scope: Scope) -> str:
    path = str(scope["path"])
    return path if path.startswith("/") and not path.startswith("//") and path.isprintable() else "/"
