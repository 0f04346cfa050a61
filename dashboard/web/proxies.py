"""Who really asks, where a proxy stands in front: what it says is believed of the proxies that are named, of nobody else.

``LONGVIEW_TRUSTED_PROXIES`` names them. Each adds the address that it was asked from at the end of ``X-Forwarded-For``,
so the browser's is the last one there that is no trusted proxy's; all to the left of it anybody can have written.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import uvicorn.config
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from core.installation import Installation
from core.settings import Network

_SCHEMES = {"http": ("http", "ws"), "https": ("https", "wss")}


class BehindProxies:
    """An ASGI middleware, before the gate: what follows finds the browser's address and scheme in the scope.

    `here` tells whose word is believed. What comes from elsewhere is left as it came.
    """

    def __init__(self, app: ASGIApp, here: Callable[[], Installation]) -> None:
        self.app, self.here = app, here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "lifespan":
            scope = as_the_browser_asked(scope, self.here().settings.proxies)
        await self.app(scope, receive, send)


def as_the_browser_asked(scope: Scope, trusted: tuple[Network, ...]) -> Scope:
    """Return the scope with the address and the scheme that trusted proxies say the browser asked from and by.

    What they do not say, or say in no sense, stays as it is.
    """
    client = scope.get("client")
    if client is None or not _is_in(client[0], trusted):
        return scope
    headers, seen = Headers(scope=scope), dict(scope)
    hops = [one.strip() for line in headers.getlist("x-forwarded-for") for one in line.split(",")]
    for hop in reversed(hops):
        address = _address(hop)
        if address is None:
            break
        seen["client"] = (address, 0)
        if not _is_in(address, trusted):
            break
    # Each proxy replaces it, or hands on what the one before it said.
    said = headers.get("x-forwarded-proto", "").rsplit(",", 1)[-1].strip().lower()
    if said in _SCHEMES:
        seen["scheme"] = _SCHEMES[said][scope["type"] == "websocket"]
    return seen


def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return any((mapped or found) in network for network in networks)


def _address(hop: str) -> str | None:
    """Return the address of one hop, which may have its port behind it: ``10.0.0.7:4711``, ``[fd00::1]:4711``."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        return str(ipaddress.ip_address(hop))
    except ValueError:
        return None


def believe_only_the_named() -> None:
    """Take away that uvicorn believes such headers of every program on this machine; called before it is set up.

    Streamlit starts it and leaves no way to say so.
    """
    uvicorn.config.ProxyHeadersMiddleware = _as_it_came  # type: ignore[misc, assignment]


def _as_it_came(app: Any, trusted_hosts: object) -> Any:
    return app
