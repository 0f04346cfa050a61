"""What each role may do, and who asks."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from db.tables import Role

__all__ = [
    "GRANTED_ONLY",
    "PERMISSIONS",
    "AccessDenied",
    "Permission",
    "Person",
    "granted_of",
    "not_included",
    "require",
]


class Permission(enum.StrEnum):
    """One thing a role may do. Pages, routes and buttons ask for these, never for a role."""

    SEE_PATIENTS = "see_patients"
    ADD_STUDY = "add_study"
    CORRECT = "correct"
    ASSESS = "assess"
    RECORD_EVENT = "record_event"
    SEE_COHORT = "see_cohort"
    SEE_SINGLE_COURSES = "see_single_courses"
    SEE_MODELS = "see_models"
    ADMINISTER = "administer"


GRANTED_ONLY = frozenset({Permission.SEE_SINGLE_COURSES})
"""What no role has by itself: an admin grants it to a person, and the trail says so (`core.people.grants`)."""

PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ONCOLOGIST: frozenset(Permission) - {Permission.ADMINISTER} - GRANTED_ONLY,
    Role.STAFF: frozenset(
        {
            Permission.SEE_PATIENTS,
            Permission.ADD_STUDY,
            Permission.CORRECT,
            Permission.RECORD_EVENT,
            Permission.SEE_MODELS,
        }
    ),
    # Analysts work with figures of groups: no names, no images.
    Role.ANALYST: frozenset({Permission.SEE_COHORT, Permission.SEE_MODELS}),
    # An admin sees every page; a clinical judgement stays with an oncologist.
    Role.ADMIN: frozenset(Permission) - {Permission.ASSESS} - GRANTED_ONLY,
}


@dataclass(frozen=True)
class Person:
    """Someone who has signed in."""

    user_id: int
    username: str
    display_name: str
    role: Role
    granted: frozenset[Permission] = frozenset()

    def may(self, permission: Permission) -> bool:
        """Return whether this person's role has the permission, or an admin granted it to her."""
        return permission in PERMISSIONS[self.role] or permission in self.granted


def granted_of(stored: Collection[str]) -> frozenset[Permission]:
    """Return the permissions that an account's row holds; what this release does not know or does not grant is left out."""
    return frozenset(one for one in GRANTED_ONLY if one.value in stored)


class AccessDenied(Exception):
    """The person's role does not include what she asked for."""


def not_included(need: str) -> str:
    """Say that a role does not include a permission, in words."""
    return f"Your role does not include this ({need.replace('_', ' ')}). Ask your admin."


def require(person: Person | None, permission: Permission) -> Person:
    """Return the person if she has the permission; raises `AccessDenied` otherwise."""
    if person is None or not person.may(permission):
        raise AccessDenied(not_included(permission))
    return person
