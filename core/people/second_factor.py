"""The second factor: codes that change every 30 seconds (TOTP, RFC 6238), and codes for whoever has lost hers.

The secret is kept sealed (`core.people.secrets_kept`), recovery codes by their sha256. A code is taken once, from one step
before to one step after the server's own time.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime

import pyotp
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.installation import Installation
from core.people import audit
from core.people.accounts import find_user
from core.people.needing import needs
from core.people.open_sign_ins import end_all_of
from core.people.roles import Permission, Person
from core.people.secrets_kept import seal, sha256_of, unseal
from db.tables import RecoveryCode, User

__all__ = [
    "RECOVERY_CODES",
    "Factor",
    "drop",
    "factor_of",
    "how_many_left",
    "keep",
    "new_codes",
    "new_factor",
    "reset",
    "takes",
]

ISSUER = "Longview"
RECOVERY_CODES = 10
STEP_SECONDS, DIGITS, DRIFT = 30, 6, 1


@dataclass(frozen=True)
class Factor:
    """A second factor that is being set up: the secret as an app takes it, by hand or from a picture of `address`."""

    secret: str
    address: str

    def picture(self) -> str:
        """Return the QR code of the address as a picture's address (``data:``)."""
        import segno

        return str(segno.make(self.address, error="m").svg_data_uri(scale=5, border=2))


def new_factor(username: str) -> Factor:
    """Return a new second factor for a person; nothing is kept of it yet."""
    return factor_of(username, pyotp.random_base32())


def factor_of(username: str, secret: str) -> Factor:
    """Return the second factor of a secret."""
    return Factor(secret, pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER))


def step_of(secret: str, code: str, now: datetime, last: int | None) -> int | None:
    """Return the time step that a code is of, if it is one that may be taken now, and later than `last`."""
    typed = "".join(code.split())
    if len(typed) != DIGITS or not (typed.isascii() and typed.isdecimal()):
        return None
    at = int(now.timestamp()) // STEP_SECONDS
    # A last step from the future is of a clock that was put back: it must not keep her out until its time has come.
    after = last if last is not None and last <= at + DRIFT else None
    totp = pyotp.TOTP(secret)
    for step in (at, at - 1, at + 1):
        if (after is None or step > after) and hmac.compare_digest(totp.generate_otp(step), typed):
            return step
    return None


def takes(here: Installation, session: Session, user: User, code: str, now: datetime) -> str | None:
    """Take a code inside the caller's transaction, which has locked the user; say which kind it was, None if it is wrong.

    Either kind is used up by it.
    """
    secret = unseal(here, user.totp_secret) if user.totp_secret else None
    step = step_of(secret, code, now, user.totp_step) if secret else None
    if step is not None:
        user.totp_step = step
        return "code"
    used = session.execute(
        delete(RecoveryCode).where(
            RecoveryCode.user_id == user.id, RecoveryCode.code_sha256 == sha256_of(_plain(code))
        )
    )
    return "recovery code" if used.rowcount else None  # type: ignore[attr-defined]


def keep(
    here: Installation, session: Session, user: User, secret: str, code: str, now: datetime
) -> list[str] | None:
    """Keep a second factor whose first code is right, and return its recovery codes, shown this once; None if it is wrong."""
    step = step_of(secret, code, now, None)
    if step is None:
        return None
    user.totp_secret, user.totp_step = seal(here, secret), step
    return new_codes(session, user)


def new_codes(session: Session, user: User) -> list[str]:
    """Make new recovery codes in the place of those there are."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    # 80 bits each: out of reach of guessing, so that a plain sha256 does.
    codes = [b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(user_id=user.id, code_sha256=sha256_of(code)) for code in codes)
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in codes]


def drop(session: Session, user: User) -> None:
    """Take a person's second factor away, with its recovery codes."""
    user.totp_secret = user.totp_step = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))


def how_many_left(session: Session, user: User) -> int:
    """Return how many recovery codes a person has left."""
    query = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user.id)
    return session.scalar(query) or 0


@needs(Permission.ADMINISTER)
def reset(here: Installation, username: str, *, by: Person | None = None) -> bool:
    """Take the second factor of a person away who has lost it, and end her sign-ins; say whether she had one.

    Where her role asks for one she sets up another when she signs in next. `by` is who does it, None at the terminal.
    """
    with here.database.write() as session:
        user = find_user(session, username)
        if user.totp_secret is None:
            return False
        drop(session, user)
        ended = end_all_of(session, user.id)
        audit.record(session, by, "second_factor_reset", f"user:{user.username}", {"sign_ins_ended": ended})
    return True


def _plain(code: str) -> str:
    return "".join(character for character in code.lower() if character.isalnum())
