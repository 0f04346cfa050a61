"""Routes of signing in and out: the form, what a sign-in may lack after it, the way out, and whether it still holds."""

from __future__ import annotations

import hmac
import html
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qs, quote

import streamlit
from anyio import CapacityLimiter, WouldBlock, to_thread
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from core.people import (
    NewSignIn,
    Person,
    Sat,
    SignInBusy,
    SignInRefused,
    SignInWaits,
    Step,
    accounts,
    browsers,
    demo_accounts,
    half_open,
    oidc,
    open_sign_ins,
    outside,
    sign_ins,
)
from core.people.half_open import Lacking
from dashboard.house import here
from dashboard.web import step_forms
from dashboard.web.gate import COOKIE, is_from_this_machine, is_https, same_origin, token_of
from dashboard.web.plain import plain_page

FORM_COOKIE, BROWSER_COOKIE = "longview_form", "longview_browser"
STEP = "/sign-in/step"
TOO_OLD = "This page was open for too long. Try again."
_LARGEST_FORM_BYTES = 16_384
T = TypeVar("T")

# Each waits in a thread for its password to be looked at: fewer than there are threads, so that pages go on.
_signing_in = CapacityLimiter(16)


class FormTooLarge(Exception):
    """More was sent than any form of ours holds."""


async def sign_in_font(_request: Request) -> Response:
    """Serve the type face of the sign-in page, the same as that of the pages."""
    return FileResponse(_font(), media_type="font/woff2", headers={"Cache-Control": "public, max-age=86400"})


@cache
def _font() -> Path:
    return next(
        (Path(streamlit.__file__).parent / "static" / "static" / "media").glob("SourceSansVF-Upright*.woff2")
    )


def safe_target(target: str) -> str:
    """Return a path of our own to go to after signing in; anything else leads to the first page."""
    inside = target.startswith("/") and not target.startswith(("//", "/sign-")) and "\\" not in target
    return target if inside and target.isprintable() and len(target) < 2000 else "/"


def own_address(request: Request, path: str) -> str:
    """Return one of our paths as an address that another site can lead to."""
    scheme = "https" if is_https(request.scope) else "http"
    return f"{scheme}://{request.headers.get('host', '')}{path}"


def sat_of(request: Request) -> Sat:
    """Return at what a person sits, from her request."""
    return Sat(
        address=request.client.host if request.client else None,
        agent=request.headers.get("user-agent", "")[:512],
        browser=request.cookies.get(BROWSER_COOKIE),
        # Two people never hold one browser: the other tabs of the one before must not act in her name.
        instead_of=token_of(request.headers),
    )


async def sign_in_form(request: Request) -> Response:
    """Show the sign-in page."""
    return await form_again(request, target=safe_target(request.query_params.get("next", "/")))


async def form_again(
    request: Request, *, target: str, username: str = "", message: str = "", status: int = 200
) -> HTMLResponse:
    """Return the sign-in page, with what was typed as a name and a sentence why it did not succeed."""
    if not message and not await to_thread.run_sync(accounts.has_accounts, here()):
        message = "There are no accounts yet. Make the first in a terminal: python -m core user add NAME --role admin"
    form_token = secrets.token_urlsafe(24)
    form = step_forms.sign_in(form_token, target, username, here().settings)
    page = plain_page("Sign in", message=message, form=form, beside=await _demo_table(request))
    return _with_form_cookie(request, HTMLResponse(page, status_code=status), form_token)


def _with_form_cookie(request: Request, response: HTMLResponse, form_token: str) -> HTMLResponse:
    response.set_cookie(
        FORM_COOKIE,
        form_token,
        httponly=True,
        samesite="strict",
        secure=is_https(request.scope),
        path="/sign-in",
    )
    return response


async def _demo_table(request: Request) -> str:
    """List the demo accounts to somebody at this machine, while only simulated women are stored."""
    if not is_from_this_machine(request.scope):
        return ""
    shown = await to_thread.run_sync(demo_accounts.demo_accounts_to_show, here())
    if not shown:
        return ""
    rows = "".join(
        f"<tr><td>{html.escape(account.username)}</td><td>{html.escape(account.password or '')}</td></tr>"
        for account in shown
    )
    return (
        '<div class="demo"><table><caption>Demo accounts, simulated women, this machine only</caption>'
        f"{rows}</table></div>"
    )


async def form_fields(request: Request) -> Mapping[str, str]:
    """Return what a form says, each field once; raises `FormTooLarge`."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_FORM_BYTES:
            raise FormTooLarge
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _is_ours(request: Request, fields: Mapping[str, str]) -> bool:
    """Return whether a form was made here, for this browser."""
    sent, kept = fields.get("form_token", ""), request.cookies.get(FORM_COOKIE, "")
    return bool(kept) and hmac.compare_digest(sent.encode(), kept.encode())


async def sign_in(request: Request) -> Response:
    """Check name and password; a sign-in cookie and the way on, or the form again with a sentence."""
    try:
        fields = await form_fields(request)
    except FormTooLarge:
        return PlainTextResponse("This form is too large.", 413)
    target, username = safe_target(fields.get("next", "/")), fields.get("username", "")
    if not _is_ours(request, fields):
        return await form_again(request, target=target, username=username, message=TOO_OLD, status=403)
    sat, here_itself = sat_of(request), is_from_this_machine(request.scope)
    try:
        entered = await _looked_at(
            request,
            lambda: sign_ins.sign_in(
                here(), username, fields.get("password", ""), loopback=here_itself, sat=sat
            ),
        )
    except SignInRefused as refusal:
        form = await form_again(
            request, target=target, username=username, message=str(refusal), status=_status(refusal)
        )
        return _retry_after(form, refusal)
    return let_in(request, entered, target)


async def _looked_at(request: Request, do: Callable[[], T]) -> T:
    """Do in a thread what looks at a password or a code; raises `SignInBusy` where too many do."""
    with _place_to_sign_in(request):
        return await to_thread.run_sync(do)


@contextmanager
def _place_to_sign_in(request: Request) -> Iterator[None]:
    """Take one of the places for sign-ins, or raise `SignInBusy` at once: a flood is not to fill the threads of all."""
    try:
        _signing_in.acquire_on_behalf_of_nowait(request)
    except WouldBlock:
        raise SignInBusy from None
    try:
        yield
    finally:
        _signing_in.release_on_behalf_of(request)


def _status(refusal: Exception) -> int:
    return {SignInBusy: 503, SignInWaits: 429}.get(type(refusal), 401)


def _retry_after(response: HTMLResponse, refusal: Exception) -> HTMLResponse:
    if isinstance(refusal, SignInWaits):
        response.headers["Retry-After"] = str(refusal.seconds)
    return response


def let_in(request: Request, entered: NewSignIn, target: str) -> Response:
    """Give the browser its sign-in, and lead on: to what it lacks still, or to where the person was going."""
    way_on = target
    if entered.lacks is not None:
        way_on = STEP if target == "/" else f"{STEP}?next={quote(target, safe='/')}"
    return with_sign_in(request, RedirectResponse(way_on, status_code=303), entered)


def with_sign_in(request: Request, response: Response, entered: NewSignIn) -> Response:
    """Put a sign-in's cookies on an answer."""
    secure = is_https(request.scope)
    response.set_cookie(
        COOKIE,
        entered.token,
        expires=entered.expires_at,
        httponly=True,
        samesite="lax",
        secure=secure,
        path="/",
    )
    if entered.browser is not None:
        response.set_cookie(
            BROWSER_COOKIE,
            entered.browser,
            max_age=int(browsers.KNOWN_FOR.total_seconds()),
            httponly=True,
            samesite="strict",
            secure=secure,
            path="/sign-in",
        )
    response.delete_cookie(FORM_COOKIE, path="/sign-in")
    return response


async def step_form(request: Request) -> Response:
    """Ask for what a sign-in lacks still."""
    return await _step_again(request, safe_target(request.query_params.get("next", "/")))


async def _step_again(
    request: Request, target: str, *, message: str = "", status: int = 200
) -> HTMLResponse | RedirectResponse:
    found = await to_thread.run_sync(half_open.lacking, here(), token_of(request.headers))
    if found is None:
        return RedirectResponse(
            "/sign-in" if target == "/" else f"/sign-in?next={quote(target, safe='/')}", 303
        )
    form_token = secrets.token_urlsafe(24)
    title, form = step_forms.FORMS[found.step](found, form_token, target)
    page = HTMLResponse(plain_page(title, message=message, form=form), status_code=status)
    return _with_form_cookie(request, page, form_token)


async def step(request: Request) -> Response:
    """Take what a sign-in lacks; lead on, or ask again with a sentence."""
    try:
        fields = await form_fields(request)
    except FormTooLarge:
        return PlainTextResponse("This form is too large.", 413)
    target = safe_target(fields.get("next", "/"))
    if not _is_ours(request, fields):
        return await _step_again(request, target, message=TOO_OLD, status=403)
    token = token_of(request.headers) or ""
    found = await to_thread.run_sync(half_open.lacking, here(), token)
    if found is None:
        return await form_again(request, target=target, message=half_open.BEGIN_AGAIN, status=401)
    try:
        return await _take(request, found, token, fields, target)
    except (SignInRefused, ValueError) as refusal:
        status = 422 if isinstance(refusal, ValueError) else _status(refusal)
        again = await _step_again(request, target, message=str(refusal), status=status)
        return _retry_after(again, refusal) if isinstance(again, HTMLResponse) else again


async def _take(
    request: Request, found: Lacking, token: str, fields: Mapping[str, str], target: str
) -> Response:
    sat, given = sat_of(request), fields.get("code", "")
    if found.step is Step.SECOND_FACTOR:
        entered = await _looked_at(request, lambda: half_open.enter_code(here(), token, given, sat))
        return let_in(request, entered, target)
    if found.step is Step.PASSWORD:
        chosen = fields.get("password", "")
        if chosen != fields.get("again", ""):
            raise ValueError("The new password is not the same twice.")
        entered = await _looked_at(request, lambda: half_open.choose_password(here(), token, chosen, sat))
        return let_in(request, entered, target)
    enrolled = await _looked_at(request, lambda: half_open.enrol(here(), token, given, sat))
    page = plain_page("Recovery codes", form=step_forms.codes(enrolled.codes, target))
    return with_sign_in(request, HTMLResponse(page), enrolled.opened)


async def sign_out(request: Request) -> Response:
    """End the sign-in. A link on a foreign page only gets asked whether that is meant."""
    if not (request.method == "POST" or (request.headers.get("sec-fetch-site") == "same-origin")):
        return HTMLResponse(
            plain_page(
                "Sign out",
                form='<form method="post" action="/sign-out"><button type="submit">Sign out</button></form>',
            )
        )
    if request.method == "POST" and not same_origin(request.headers):
        return PlainTextResponse("This request came from another site.", 403)
    # A form leads to no other site: whoever comes by one is signed out here only.
    elsewhere = await _way_out(request) if request.method == "GET" else None
    await to_thread.run_sync(sign_ins.sign_out, here(), token_of(request.headers))
    response = RedirectResponse(elsewhere or "/sign-in", status_code=303)
    response.delete_cookie(COOKIE, path="/")
    return response


async def _way_out(request: Request) -> str | None:
    """Return where a person is signed out whom the hospital's own sign-in answers for; None for any other."""
    person = await to_thread.run_sync(sign_ins.who, here(), token_of(request.headers))
    if person is None:
        return None
    if not await to_thread.run_sync(outside.is_outside, here(), person):
        return None
    back_to = own_address(request, "/sign-in")
    return await to_thread.run_sync(lambda: oidc.way_out(here(), back_to=back_to))


async def signed_in(request: Request) -> Response:
    """Answer only behind the gate: an open page asks now and then whether its sign-in still holds.

    ``as=7`` says whose page it is, by user id; where somebody else is signed in by now, the answer says who. ``done=1``
    says that a person did something since. The answer's headers say in how many seconds the sign-in ends if nobody does
    anything, out of how many, and when at the latest.
    """
    person: Person = request.state.person
    asked = request.query_params
    if asked.get("as", str(person.user_id)) != str(person.user_id):
        return JSONResponse({"name": person.display_name}, 409, headers={"Cache-Control": "no-store"})
    token = token_of(request.headers) or ""
    left = await to_thread.run_sync(lambda: open_sign_ins.seen(here(), token, done=asked.get("done") == "1"))
    said = {"Idle-In": left.idle, "Idle-After": left.idle_after, "Ends-In": left.most} if left else {}
    return Response(
        status_code=204,
        headers={"Cache-Control": "no-store"}
        | {f"X-Longview-{name}": f"{seconds:.1f}" for name, seconds in said.items()},
    )


ROUTES = [
    Route("/sign-in", sign_in_form, methods=["GET"]),
    Route("/sign-in", sign_in, methods=["POST"]),
    Route(STEP, step_form, methods=["GET"]),
    Route(STEP, step, methods=["POST"]),
    Route("/sign-in/font.woff2", sign_in_font),
    Route("/sign-out", sign_out, methods=["GET", "POST"]),
    Route("/signed-in", signed_in),
]
