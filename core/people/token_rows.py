"""Ending personal tokens by their rows: by whoever closes an account, gives it another password, or restores a backup."""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from db.tables import PersonalToken, utc_now

__all__ = ["end_all_own"]


def end_all_own(session: Session, user_id: int | None = None) -> int:
    """End all tokens of a person, or of everybody, inside the caller's transaction, and return how many there were."""
    query = update(PersonalToken).where(PersonalToken.ended_at.is_(None))
    if user_id is not None:
        query = query.where(PersonalToken.user_id == user_id)
    return int(session.execute(query.values(ended_at=utc_now())).rowcount)  # type: ignore[attr-defined]
