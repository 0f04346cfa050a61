"""Routes of the hospital's own sign-in: the way to it, and the way back."""

from __future__ import annotations

from urllib.parse import quote, unquote

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.people import OutsideRefused, oidc, outside
from dashboard.house import here
from dashboard.web import signing_in
from dashboard.web.gate import is_https

GOING, BACK = "/sign-in/oidc", "/sign-in/oidc/back"
KEPT_COOKIE, TARGET_COOKIE = "longview_oidc", "longview_oidc_next"
MOST_SECONDS = 600
"""How long a person may take at the other sign-in."""


async def going(request: Request) -> Response:
    """Lead to the hospital's own sign-in."""
    target = signing_in.safe_target(request.query_params.get("next", "/"))
    try:
        begun = await to_thread.run_sync(
            lambda: oidc.begin(here(), back_to=signing_in.own_address(request, BACK))
        )
    except OutsideRefused as refusal:
        return await signing_in.form_again(request, target=target, message=str(refusal), status=503)
    response = RedirectResponse(begun.url, status_code=303)
    for name, value in ((KEPT_COOKIE, begun.kept), (TARGET_COOKIE, quote(target, safe="/"))):
        response.set_cookie(
            name,
            value,
            max_age=MOST_SECONDS,
            httponly=True,
            samesite="lax",
            secure=is_https(request.scope),
            path=GOING,
        )
    return response


async def back(request: Request) -> Response:
    """Take whom the hospital's own sign-in sends back; a sign-in and the way on, or the sign-in page with a sentence."""
    target = signing_in.safe_target(unquote(request.cookies.get(TARGET_COOKIE, "/")))
    asked = dict(request.query_params)
    try:
        claims = await to_thread.run_sync(
            lambda: oidc.finish(
                here(), request.cookies.get(KEPT_COOKIE), asked, back_to=signing_in.own_address(request, BACK)
            )
        )
        sat = signing_in.sat_of(request)
        entered = await to_thread.run_sync(lambda: outside.sign_in_outside(here(), claims, sat))
        response = signing_in.let_in(request, entered, target)
    except OutsideRefused as refusal:
        response = await signing_in.form_again(request, target=target, message=str(refusal), status=403)
    # A code is taken once, and so is what belongs to it.
    for name in (KEPT_COOKIE, TARGET_COOKIE):
        response.delete_cookie(name, path=GOING)
    return response


ROUTES = [Route(GOING, going), Route(BACK, back)]
