"""The hospital's own sign-in says that somebody was signed out there: her sign-ins here end (OpenID Connect Back-Channel Logout 1.0).

Its word is a token that it signs for us: believed only if it is one of signing out, of now, and was not heard before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import audit
from core.people.needing import PUBLIC, needs
from core.people.oidc import LEEWAY_SECONDS, OutsideRefused, signed_by_provider
from core.people.outside import subject_of
from core.people.recently import Recently
from core.settings import Settings
from db.tables import SignIn, SignOutSeen, User, utc_now

__all__ = ["sign_out_from_outside"]

EVENT = "http://schemas.openid.net/event/backchannel-logout"
TYPES = {"logout+jwt", "jwt", ""}
OLDEST = timedelta(minutes=10)
"""How long ago a word may have been said; for longer than that what was heard is remembered."""
_REFUSALS_TOGETHER_SECONDS = 60.0

_refused = Recently()


@needs(PUBLIC)
def sign_out_from_outside(
    here: Installation, logout_token: str, *, address: str | None = None, now: datetime | None = None
) -> int:
    """End the sign-ins that a logout token names, and return how many there were; raises `OutsideRefused`.

    With a session (`sid`) those of that session there; with a person (`sub`) alone all of hers.
    """
    now = now or utc_now()
    with audit.coming_from(address):
        try:
            claims = _believed(here.settings, logout_token, now)
            with here.database.write() as session:
                _hear_once(here.settings, session, claims, now)
                return _ended(here.settings, session, claims)
        except OutsideRefused as refusal:
            key = (here.home, address, str(refusal))
            if not _refused.has(key, _REFUSALS_TOGETHER_SECONDS):
                detail = {"by": here.settings.oidc_name, "reason": str(refusal)}
                audit.note(here, None, "signed_out_outside", None, detail, outcome="refused")
                _refused.add(key)
            raise


def _believed(settings: Settings, logout_token: str, now: datetime) -> Mapping[str, Any]:
    header, claims = signed_by_provider(settings, logout_token, needed=("iat", "jti"))

    def no(why: str) -> OutsideRefused:
        return OutsideRefused(f"This logout token is not believed: {why}.")

    if str(header.get("typ") or "").lower() not in TYPES:
        raise no("it is a token of another kind")
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(events.get(EVENT), Mapping):
        raise no("it does not say that somebody was signed out")
    if "nonce" in claims:
        raise no("it holds a nonce, as an ID token does")
    said = now.timestamp() - float(claims["iat"])
    if not -LEEWAY_SECONDS <= said <= OLDEST.total_seconds():
        raise no("it is not of now")
    if not all(isinstance(claims.get(name, ""), str) for name in ("sub", "sid", "jti")):
        raise no("sub, sid and jti are texts")
    if not claims.get("sub") and not claims.get("sid"):
        raise no("it names nobody and no session")
    return claims


def _hear_once(settings: Settings, session: Session, claims: Mapping[str, Any], now: datetime) -> None:
    session.execute(delete(SignOutSeen).where(SignOutSeen.until < now))
    word = hashlib.sha256(f"{settings.oidc_issuer} {claims['jti']}".encode()).hexdigest()
    if session.get(SignOutSeen, word) is not None:
        raise OutsideRefused("This logout token is not believed: it was heard before.")
    session.add(SignOutSeen(word_sha256=word, until=now + 2 * OLDEST))
    session.flush()


def _ended(settings: Settings, session: Session, claims: Mapping[str, Any]) -> int:
    which: ColumnElement[bool] = User.subject.is_not(None)
    if claims.get("sub"):
        which &= User.subject == subject_of(settings, claims["sub"])
    if claims.get("sid"):
        which &= SignIn.session_outside == claims["sid"]
    found = session.scalars(select(SignIn).join(User, User.id == SignIn.user_id).where(which)).all()
    by_person: dict[str, int] = {}
    for one in found:
        by_person[one.user.username] = by_person.get(one.user.username, 0) + 1
        session.delete(one)
    for username, ended in by_person.items():
        detail = {"by": settings.oidc_name, "sign_ins_ended": ended}
        audit.record(session, None, "signed_out_outside", f"user:{username}", detail)
    return len(found)
