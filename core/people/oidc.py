"""The hospital's own sign-in by OpenID Connect: the code flow with PKCE, and the ID token looked at before it is believed.

`begin` says where a browser goes and what it keeps meanwhile; `finish` takes what it comes back with. Nothing is asked of the
provider before somebody presses its button.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from core.installation import Installation
from core.logs import log_of
from core.people.attempts import SignInRefused
from core.people.needing import PUBLIC, needs
from core.settings import Settings

__all__ = ["Begun", "OutsideAway", "OutsideRefused", "begin", "finish", "signed_by_provider", "way_out"]

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that a provider makes with a key of its own; neither none nor one that our shared secret could make."""
SECONDS = 10.0
LEEWAY_SECONDS = 60
_KEPT_SECONDS = 600.0
_ASKED_ANEW_AFTER = 60.0
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")

log = log_of(__name__)


class OutsideRefused(SignInRefused):
    """The hospital's own sign-in did not sign the person in here; the message says what to do."""


class OutsideAway(OutsideRefused):
    """The hospital's own sign-in does not answer, or not as it should: it may later."""


@dataclass(frozen=True)
class Begun:
    """A sign-in that was begun: where the browser goes, and what it keeps until it comes back."""

    url: str
    kept: str = field(repr=False)


@dataclass
class _Provider:
    """What a provider says of itself, and its keys."""

    says: Mapping[str, Any]
    keys: Mapping[str, Any]
    at: float


_providers: dict[str, _Provider] = {}
_asking = threading.Lock()


@needs(PUBLIC)
def begin(here: Installation, *, back_to: str, anew: bool = False) -> Begun:
    """Begin a sign-in; `back_to` is our address that the browser comes back to. Raises `OutsideRefused`.

    With `anew` the provider asks who it is, though somebody is signed in there in this browser.
    """
    provider = _provider(here.settings)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    with _client(here.settings, back_to) as client:
        url, _ = client.create_authorization_url(
            provider.says["authorization_endpoint"],
            state=state,
            nonce=nonce,
            code_verifier=verifier,
            **({"prompt": "login"} if anew else {}),
        )
    kept = json.dumps({"state": state, "nonce": nonce, "verifier": verifier})
    return Begun(str(url), base64.urlsafe_b64encode(kept.encode()).decode())


@needs(PUBLIC)
def finish(
    here: Installation, kept: str | None, asked: Mapping[str, str], *, back_to: str
) -> Mapping[str, Any]:
    """Return the claims of whom the provider has signed in, from what the browser kept and came back with.

    Raises `OutsideRefused` with a sentence where anything of it is not as it must be.
    """
    began = _read(kept)
    if began is None or not secrets.compare_digest(began["state"], asked.get("state", "")):
        raise OutsideRefused(
            "This sign-in was begun in another browser, or was open for too long. Begin again."
        )
    if asked.get("error") or not asked.get("code"):
        raise OutsideRefused(f"{_name(here.settings)} did not sign you in. Try again, or ask your admin.")
    provider = _provider(here.settings)
    with _client(here.settings, back_to) as client, _failing_in_words(here.settings):
        token = client.fetch_token(
            provider.says["token_endpoint"], code=asked["code"], code_verifier=began["verifier"]
        )
        claims = _believed(here.settings, str(token.get("id_token") or ""), began["nonce"])
        return _with_roles(here.settings, provider, client, claims)


@needs(PUBLIC)
def way_out(here: Installation, *, back_to: str) -> str | None:
    """Return where a browser goes to be signed out at the provider too; None where it has no such place, or is away."""
    if here.settings.oidc_issuer is None:
        return None
    try:
        place = _provider(here.settings).says.get("end_session_endpoint")
    except OutsideRefused:
        return None
    if not place:
        return None
    asks = urlencode({"client_id": here.settings.oidc_client_id or "", "post_logout_redirect_uri": back_to})
    return f"{place}{'&' if '?' in place else '?'}{asks}"


def _name(settings: Settings) -> str:
    name = settings.oidc_name
    return f"{name[:1].upper()}{name[1:]}"


def _read(kept: str | None) -> dict[str, str] | None:
    try:
        read = json.loads(base64.urlsafe_b64decode((kept or "").encode()))
    except ValueError:
        return None
    named = ("state", "nonce", "verifier")
    if not isinstance(read, dict) or not all(
        isinstance(read.get(name), str) and read[name] for name in named
    ):
        return None
    return {name: read[name] for name in named}


class _failing_in_words:  # noqa: N801 - reads as a statement
    """Whatever a provider answers that is none of what it should, and its being away, refuse the person in words."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is None or isinstance(error, OutsideRefused) or not isinstance(error, Exception):
            return
        # What an answer held is not for the log: it may hold tokens.
        log.warning("the hospital's own sign-in failed", kind=type(error).__name__)
        raise OutsideAway(
            f"{_name(self._settings)} does not answer, or not as it should. Try again in a while; an admin with a password "
            "here can sign in meanwhile."
        ) from error


def _client(settings: Settings, back_to: str) -> Any:
    from authlib.integrations.requests_client import OAuth2Session

    secret = _secret(settings)
    return OAuth2Session(
        client_id=settings.oidc_client_id,
        client_secret=secret,
        token_endpoint_auth_method="client_secret_basic" if secret else "none",
        scope=settings.oidc_scopes,
        redirect_uri=back_to,
        code_challenge_method="S256",
        default_timeout=SECONDS,
    )


def _secret(settings: Settings) -> str | None:
    if settings.oidc_client_secret_file is not None:
        try:
            return settings.oidc_client_secret_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            log.warning("the secret for the hospital's own sign-in cannot be read", kind=type(error).__name__)
            raise OutsideRefused(
                f"{_name(settings)} cannot be asked: its secret cannot be read here. Tell your admin."
            ) from error
    return settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None


def _provider(settings: Settings, *, anew: bool = False) -> _Provider:
    """Return what the provider says of itself, asked at most every few minutes."""
    import requests

    def asked(address: str) -> Any:
        answer = requests.get(address, timeout=SECONDS, allow_redirects=False)
        answer.raise_for_status()
        return answer.json()

    issuer = settings.oidc_issuer
    if issuer is None:
        raise OutsideRefused("Here people sign in with a password that is kept here.")
    with _asking:
        known = _providers.get(issuer)
        age = time.monotonic() - known.at if known else _KEPT_SECONDS
        if known is not None and age < (_ASKED_ANEW_AFTER if anew else _KEPT_SECONDS):
            return known
        with _failing_in_words(settings):
            says = asked(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if says.get("issuer") != issuer or not all(says.get(name) for name in _NEEDED):
                raise ValueError("what the provider says of itself")
            keys = asked(says["jwks_uri"])
            found = _providers[issuer] = _Provider(says, keys, time.monotonic())
    return found


def _believed(settings: Settings, id_token: str, nonce: str) -> dict[str, Any]:
    """Return the claims of an ID token that is signed by the provider, for us, now, and in answer to this sign-in."""
    _, claims = signed_by_provider(settings, id_token, needed=("sub", "exp", "iat"), nonce=nonce)
    others = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", settings.oidc_client_id if not others else None) != settings.oidc_client_id:
        raise _not_believed(settings, ValueError("azp"))
    return claims


def signed_by_provider(
    settings: Settings, token: str, *, needed: Sequence[str], nonce: str | None = None
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Return header and claims of a token that the provider has signed for us and that holds now; `needed` are there.

    Raises `OutsideRefused`.
    """
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet
    from joserfc.jwt import ClaimsOption, JWTClaimsRegistry, decode

    def read(said: _Provider) -> Any:
        return decode(token, KeySet.import_key_set(dict(said.keys)), algorithms=list(ALGORITHMS))  # type: ignore[arg-type]

    asked: dict[str, ClaimsOption] = {name: {"essential": True} for name in needed}
    asked["iss"] = {"essential": True, "value": settings.oidc_issuer or ""}
    asked["aud"] = {"essential": True, "value": settings.oidc_client_id or ""}
    if nonce is not None:
        asked["nonce"] = {"essential": True, "value": nonce}
    provider = _provider(settings)
    try:
        try:
            found = read(provider)
        except (JoseError, ValueError):
            # Its keys may have changed since they were asked for.
            found = read(_provider(settings, anew=True))
        claims = dict(found.claims)
        JWTClaimsRegistry(None, LEEWAY_SECONDS, **asked).validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise _not_believed(settings, error) from error
    return found.header, claims


def _not_believed(settings: Settings, error: Exception) -> OutsideRefused:
    log.warning("a token of the hospital's own sign-in is not believed", kind=type(error).__name__)
    return OutsideRefused(
        f"What {settings.oidc_name} says of you cannot be believed. Begin again; if it fails again, tell your admin."
    )


def _with_roles(
    settings: Settings, provider: _Provider, client: Any, claims: dict[str, Any]
) -> Mapping[str, Any]:
    """Add what the provider says elsewhere, where the ID token holds no roles."""
    where = provider.says.get("userinfo_endpoint")
    if settings.oidc_role_claim.split(".")[0] in claims or settings.oidc_role_claim in claims or not where:
        return claims
    answer = client.get(where)
    answer.raise_for_status()
    more = answer.json()
    # As OpenID Connect Core 5.3.2 asks: another's claims must not stand in for hers.
    return {**more, **claims} if more.get("sub") == claims["sub"] else claims
