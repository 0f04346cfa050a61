"""Routes of the hospital's own sign-in: the way to it, the way back, and its word that somebody was signed out there."""

from __future__ import annotations

from urllib.parse import quote, unquote

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from core.people import OutsideAway, OutsideRefused, back_channel, linking, oidc, outside
from dashboard.house import here
from dashboard.web import signing_in
from dashboard.web.gate import is_https, token_of

GOING, BACK, SIGNED_OUT = "/sign-in/oidc", "/sign-in/oidc/back", "/sign-in/oidc/logout"
KEPT_COOKIE, TARGET_COOKIE, LINK_COOKIE = "longview_oidc", "longview_oidc_next", "longview_oidc_link"
MOST_SECONDS = 600
"""How long a person may take at the other sign-in."""


async def going(request: Request) -> Response:
    """Lead to the hospital's own sign-in; ``link=1`` from one's account's page, to say there whose account it is."""
    target = signing_in.safe_target(request.query_params.get("next", "/"))
    if here().settings.oidc_issuer is None:
        return RedirectResponse("/sign-in", status_code=303)
    links = request.query_params.get("link") == "1" and await to_thread.run_sync(
        linking.is_linking, here(), token_of(request.headers)
    )
    try:
        begun = await to_thread.run_sync(
            lambda: oidc.begin(here(), back_to=signing_in.own_address(request, BACK), anew=links)
        )
    except OutsideRefused as refusal:
        return await signing_in.form_again(request, target=target, message=str(refusal), status=503)
    response = RedirectResponse(begun.url, status_code=303)
    kept = {
        KEPT_COOKIE: begun.kept,
        TARGET_COOKIE: quote(target, safe="/"),
        LINK_COOKIE: "1" if links else "",
    }
    for name, value in kept.items():
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
        if request.cookies.get(LINK_COOKIE):
            await to_thread.run_sync(linking.link_own, here(), token_of(request.headers), claims)
        entered = await to_thread.run_sync(lambda: outside.sign_in_outside(here(), claims, sat))
        response = signing_in.let_in(request, entered, target)
    except OutsideRefused as refusal:
        response = await signing_in.form_again(request, target=target, message=str(refusal), status=403)
    # A code is taken once, and so is what belongs to it.
    for name in (KEPT_COOKIE, TARGET_COOKIE, LINK_COOKIE):
        response.delete_cookie(name, path=GOING)
    return response


async def signed_out(request: Request) -> Response:
    """End the sign-ins of whom the provider says that she was signed out there (OpenID Connect Back-Channel Logout 1.0)."""
    never_kept = {"Cache-Control": "no-store"}
    if here().settings.oidc_issuer is None:
        return PlainTextResponse("There is nothing at this address.", 404)
    try:
        fields = await signing_in.form_fields(request)
        address = request.client.host if request.client else None
        token = fields.get("logout_token", "")
        await to_thread.run_sync(lambda: back_channel.sign_out_from_outside(here(), token, address=address))
    except signing_in.FormTooLarge:
        return PlainTextResponse("This form is too large.", 413)
    except OutsideRefused as refusal:
        said = {"error": "invalid_request", "error_description": str(refusal)}
        return JSONResponse(said, 503 if isinstance(refusal, OutsideAway) else 400, headers=never_kept)
    return Response(status_code=200, headers=never_kept)


ROUTES = [Route(GOING, going), Route(BACK, back), Route(SIGNED_OUT, signed_out, methods=["POST"])]
