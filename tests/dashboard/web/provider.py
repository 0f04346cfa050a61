"""A small OpenID Connect provider that signs in whom a test tells it to, and can be told to lie."""

import base64
import hashlib
import json
import secrets
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "longview", "a secret of two"


@dataclass
class Provider:
    """What it says, and what it was asked."""

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    claims: dict[str, Any] = field(default_factory=dict)
    """Of whom it signs in; those of the token itself stand here as well, where it is to lie."""
    userinfo: dict[str, Any] = field(default_factory=dict)
    signed_with: str = "RS256"
    away: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def configuration(self, _request: Request) -> Response:
        if self.away:
            return JSONResponse({}, 503)
        at = self.issuer
        return JSONResponse(
            {
                "issuer": at,
                "authorization_endpoint": f"{at}/authorize",
                "token_endpoint": f"{at}/token",
                "jwks_uri": f"{at}/keys",
                "userinfo_endpoint": f"{at}/userinfo",
                "end_session_endpoint": f"{at}/out",
            }
        )

    def keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})

    def authorize(self, request: Request) -> Response:
        """Sign in at once, as whoever is told."""
        asked = dict(request.query_params)
        self.asked.append(asked)
        code = secrets.token_urlsafe(8)
        self.codes[code] = asked
        return RedirectResponse(
            f"{asked['redirect_uri']}?{urllib.parse.urlencode({'code': code, 'state': asked['state']})}", 302
        )

    async def token(self, request: Request) -> Response:
        form = dict(urllib.parse.parse_qsl((await request.body()).decode()))
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        basic = base64.b64encode(f"{CLIENT_ID}:{urllib.parse.quote_plus(CLIENT_SECRET)}".encode()).decode()
        plain = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if (
            asked is None
            or challenge.decode().rstrip("=") != asked.get("code_challenge")
            or form.get("redirect_uri") != asked["redirect_uri"]
            or request.headers.get("authorization") not in {f"Basic {basic}", f"Basic {plain}"}
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        own = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        return JSONResponse(
            {"access_token": "a", "token_type": "Bearer", "id_token": self.signed({**own, **self.claims})}
        )

    def signed(self, claims: dict[str, Any]) -> str:
        """Return a token of the provider, or a lie of it."""
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.signed_with == "none":
            head, body = (
                base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
                for part in ({"alg": "none"}, claims)
            )
            return f"{head}.{body}."
        if self.signed_with == "HS256":  # by what both know, as if it were a key
            key = OctKey.import_key(CLIENT_SECRET.encode() * 4)
            return jws.serialize_compact({"alg": "HS256"}, json.dumps(claims), key, algorithms=["HS256"])
        key = RSAKey.generate_key(2048, {"kid": "one"}) if self.signed_with == "another" else self.key
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)

    def out(self, request: Request) -> Response:
        """Sign out, and lead back to where that was asked for."""
        return RedirectResponse(request.query_params["post_logout_redirect_uri"], 302)

    def info(self, _request: Request) -> Response:
        return JSONResponse(self.userinfo)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.configuration),
                Route("/keys", self.keys),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/userinfo", self.info),
                Route("/out", self.out),
            ]
        )


@contextmanager
def running() -> Iterator[Provider]:
    """Run a provider on loopback, in a thread."""
    provider = Provider()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    provider.issuer = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(provider.app(), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
