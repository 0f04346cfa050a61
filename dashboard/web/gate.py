"""The gate: an ASGI middleware that closes everything to strangers and shows each role its own routes only.

It stands before Streamlit, so that pages, WebSocket, uploads, media and images are behind it alike.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import quote, urlsplit

import anyio
import streamlit
from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from core.installation import Installation
from core.outages import outage
from core.people import PUBLIC, Person, Service, asking, audit, refused, service_of, sign_ins
from core.people.needing import is_met
from dashboard import owners
from dashboard.web import admission
from dashboard.web.declared import declared
from dashboard.web.plain import failed

COOKIE = "longview_sign_in"

HEALTH = "/health"

FOR_PROGRAMS = ("/dicom-web/",)
"""Routes by prefix that a program may ask for with a token."""
STORING = "/dicom-web/studies"
"""Where a program on this machine may post studies without one."""

_NOT_ALLOWED, _TRY_AGAIN_LATER = 1008, 1013
"""Codes that close a WebSocket (RFC 6455 and the registry of close codes)."""
HELD_SECONDS = 0.5
"""How often a page that is held asks whether the sign-in it came back with has ended."""

PACKED = ("/img/", "/tile/")
"""Routes by prefix whose answers are packed already: to pack them again costs 13 ms a film, and makes them no smaller."""

NEVER_STORED = (
    "/img/",
    "/thumb/",
    "/opens-with",
    "/crop/",
    "/heatmap/",
    "/registration/",
    "/tile/",
    "/reading/",
    "/arrive",
    "/report/",
    "/api/v1/docs",
    "/fhir",
    "/media/",
    "/sign-in",
    "/sign-out",
)


def bearer_of(headers: Headers) -> str | None:
    """Return the token that a request shows as its right to be answered (RFC 6750, 2.1), if it shows one."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def token_of(headers: Headers) -> str | None:
    """Return the sign-in token of a request's cookie, if it has one."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def is_https(scope: Scope) -> bool:
    """Return whether the browser talks to us over TLS, directly or as a trusted proxy says (`dashboard.web.proxies`)."""
    return scope.get("scheme") in {"https", "wss"}


FORWARDING = re.compile(
    r"forwarded|via|client-ip|true-client-ip|cdn-loop|proxy-.*|cf-.*"
    r"|x-(forwarded|real|client|cluster|original|proxy|proxied|envoy|remote|host|amzn|azure|request-id).*"
)
"""Headers that a proxy adds and a browser at this machine does not."""


def is_from_this_machine(scope: Scope) -> bool:
    """Return whether the browser runs on this very machine: it says so itself, and nothing has forwarded for it.

    Peer and Host are both a loopback one. A proxy on this machine that hands on the browser's Host and nothing else is
    told by that; one that replaces it and adds nothing cannot be told at all, which is why more than this guards the
    demo accounts (`core.people.demo_accounts`).
    """
    client, headers = scope.get("client"), Headers(scope=scope)
    if client is None or any(FORWARDING.fullmatch(name) for name in headers):
        return False
    hosts = headers.getlist("host")
    return len(hosts) == 1 and _is_loopback(client[0]) and _is_loopback(_host_name(hosts[0]))


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def same_origin(headers: Headers) -> bool:
    """Return whether a request comes from our own pages; one without Origin comes from no web page at all."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}
    try:
        return urlsplit(origin).netloc == headers.get("host")
    except ValueError:
        return False


class Gate:
    """Let in who is signed in and may; answer all others, and put the security headers on every answer."""

    def __init__(self, app: ASGIApp, here: Callable[[], Installation]) -> None:
        self.app = app
        self.here = here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            if scope["path"].startswith(PACKED):
                scope = _taken_as_it_is(scope)
            await self._http(scope, receive, _with_security_headers(scope, send))

    async def _person(self, headers: Headers) -> Person | None:
        token = token_of(headers)
        return await to_thread.run_sync(sign_ins.who, self.here(), token) if token else None

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, headers = scope["path"], Headers(scope=scope)
        begun = False
        asking.begins(None)
        if scope.get("client"):
            audit.came_from.set(scope["client"][0])

        async def send_begun(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        # The one edge of all routes, ours and Streamlit's: whatever fails behind it is answered in words.
        try:
            answer = None if path == HEALTH else await self._refusal(path, scope["method"], scope, headers)
            await (answer or self.app)(scope, receive, send_begun)
        except Exception as error:
            if begun:
                raise
            await failed(error, scope)(scope, receive, send)

    async def _refusal(self, path: str, method: str, scope: Scope, headers: Headers) -> Response | None:
        if not is_host_allowed(headers.get("host")):
            return PlainTextResponse(
                "This host name is not served here. An admin can add it to STREAMLIT_SERVER_ALLOWED_HOSTS.",
                421,
            )
        if method not in {"GET", "HEAD"} and not same_origin(headers):
            return PlainTextResponse("This request came from another site.", 403)
        if path.startswith(admission.CALLS):
            with suppress(admission.Elsewhere):
                return await admission.admit(self.here(), scope, headers)
        place, need = declared(path) or (path, None)
        if need is PUBLIC:
            return None
        if path.startswith(FOR_PROGRAMS) and token_of(headers) is None:
            return await self._refusal_of_program(path, method, scope, headers)
        person = await self._person(headers)
        if person is None:
            if method == "GET" and "text/html" in headers.get("accept", ""):
                query = scope.get("query_string", b"").decode("latin-1")
                target = quote(path + (f"?{query}" if query else ""), safe="/")
                return RedirectResponse("/sign-in" if target == "/" else f"/sign-in?next={target}", 303)
            return PlainTextResponse("Sign in first.", 401)
        if need is None:
            return PlainTextResponse("There is nothing at this address.", 404)
        if not is_met(need, person):
            await to_thread.run_sync(refused.note, self.here(), person, place)
            return PlainTextResponse("Your role does not include this. Ask your admin.", 403)
        asking.begins(person)
        scope.setdefault("state", {})["person"] = person
        return None

    async def _refusal_of_program(
        self, path: str, method: str, scope: Scope, headers: Headers
    ) -> Response | None:
        token = bearer_of(headers)
        service: Service | None = None
        if token is not None:
            service = await to_thread.run_sync(service_of, self.here(), token)
        elif method == "POST" and f"{path}/".startswith(f"{STORING}/") and is_from_this_machine(scope):
            asking.begins(asking.SYSTEM)
            return None
        if service is None:
            return PlainTextResponse("Sign in first.", 401, headers={"WWW-Authenticate": "Bearer"})
        place, need = declared(path) or (path, None)
        if need is None or not is_met(need, service):
            await to_thread.run_sync(refused.note, self.here(), service, place)
            return PlainTextResponse("This token does not include this. Ask your admin.", 403)
        asking.begins(service)
        scope.setdefault("state", {})["service"] = service
        return None

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        known = (
            is_host_allowed(headers.get("host"))
            and same_origin(headers)
            and declared(scope["path"]) is not None
        )
        try:
            person = await self._person(headers) if known else None
        except Exception as error:
            if outage(error) is None:
                raise
            await receive()
            await send({"type": "websocket.close", "code": _TRY_AGAIN_LATER})
            return
        if person is None:
            await receive()
            await send({"type": "websocket.close", "code": _NOT_ALLOWED})
            return
        subprotocol, page = _asked_of_websocket(headers)
        owner = owners.owner_of(page) if page else None
        if owner is not None and owner != person.user_id:
            await self._hold(headers, subprotocol, receive, send)
            return

        async def receive_while_signed_in() -> Message:
            # A page that is still open after signing out, or after the account was closed, must not go on.
            message = await receive()
            if message["type"] == "websocket.receive" and await self._has_ended(headers):
                await send({"type": "websocket.close", "code": _NOT_ALLOWED})
                return {"type": "websocket.disconnect", "code": _NOT_ALLOWED}
            return message

        await self.app(scope, receive_while_signed_in, send)

    async def _has_ended(self, headers: Headers) -> bool:
        try:
            return await self._person(headers) is None
        except Exception as error:
            if outage(error) is None:
                raise
            # The page asks as well before it reads or does anything, and can say in words what the machine lacks.
            return False

    async def _hold(self, headers: Headers, subprotocol: str | None, receive: Receive, send: Send) -> None:
        """Keep the connection of a page that another person opened, and let nothing of it through.

        A browser that is refused asks again at once and for ever. One that is held leaves the page as it stands, with
        what was typed on it; the page says who is signed in (`components/account.js`), and goes on when its own person
        is: then this sign-in has ended, the connection is closed, and the browser connects anew with hers.
        """
        await receive()
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        async with anyio.create_task_group() as tasks:

            async def until_it_goes() -> None:
                while (await receive())["type"] != "websocket.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            async def until_it_has_ended() -> None:
                while not await self._has_ended(headers):
                    await anyio.sleep(HELD_SECONDS)
                await send({"type": "websocket.close", "code": _NOT_ALLOWED})
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_it_goes)
            tasks.start_soon(until_it_has_ended)


def _asked_of_websocket(headers: Headers) -> tuple[str | None, str | None]:
    """Return the subprotocol that a browser asks for, and the session it comes back to: Streamlit's first and third."""
    asked = [part.strip() or None for part in headers.get("sec-websocket-protocol", "").split(",")]
    return asked[0], asked[2] if len(asked) > 2 else None


def _taken_as_it_is(scope: Scope) -> Scope:
    """Return a request that asks for no encoding of what is sent."""
    return {**scope, "headers": [one for one in scope["headers"] if one[0] != b"accept-encoding"]}


def _with_security_headers(scope: Scope, send: Send) -> Send:
    path, https = scope["path"], is_https(scope)

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = content_security_policy()
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-Frame-Options"] = "DENY"
            headers["Referrer-Policy"] = "same-origin"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
            if https:
                headers["Strict-Transport-Security"] = "max-age=31536000"
            if path.startswith(NEVER_STORED):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return send_with_headers


@cache
def content_security_policy() -> str:
    """Return the policy: nothing from elsewhere, and of inline scripts only those of Streamlit's own start page.

    Components' JavaScript is imported from blobs; styles are inline throughout Streamlit; Plotly and the
    tables need data: and blob: pictures.
    """
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    inline = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in inline]
    scripts = " ".join(["'self'", "blob:", *(f"'sha256-{digest}'" for digest in digests)])
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )
