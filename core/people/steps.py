"""What a sign-in may still lack once its password was right, one step after the other."""

from __future__ import annotations

import enum

from core.settings import Settings
from db.tables import User

__all__ = ["Step", "enforced", "next_step"]


class Step(enum.StrEnum):
    """What a person has to do before her sign-in opens anything."""

    SECOND_FACTOR = "second_factor"
    """Enter a code of her second factor."""
    PASSWORD = "password"  # noqa: S105
    """Choose a password of her own in place of one that somebody else chose."""
    ENROL = "enrol"
    """Set up a second factor, which her role asks for."""


def enforced(settings: Settings, user: User) -> bool:
    """Return whether this person's role asks for a second factor.

    Not of the demo's accounts, which many share, nor of whom the hospital's own sign-in answers for.
    """
    return user.role in settings.second_factor_roles and not user.demo and user.subject is None


def next_step(settings: Settings, user: User, *, passed: bool = False) -> Step | None:
    """Return what a person lacks who has shown her password, and with `passed` her second factor; None for nothing."""
    if user.totp_secret is not None and not passed:
        return Step.SECOND_FACTOR
    if user.password_to_change:
        return Step.PASSWORD
    if user.totp_secret is None and enforced(settings, user):
        return Step.ENROL
    return None
