"""What single people may do beside their role: granted and taken back by admins, each time in the trail."""

from __future__ import annotations

from sqlalchemy import select

from core.installation import Installation
from core.people import audit
from core.people.accounts import person_of, plain_name
from core.people.needing import SIGNED_IN, needs
from core.people.roles import GRANTED_ONLY, Permission, Person, require
from db.tables import User

__all__ = ["GRANT_WORDS", "set_grant"]

GRANT_WORDS = {Permission.SEE_SINGLE_COURSES: "see single courses and take away rows of single women"}
"""What each permission that can be granted lets a person do."""


@needs(Permission.ADMINISTER)
def set_grant(
    here: Installation, username: str, permission: Permission, *, granted: bool, by: Person | None = None
) -> bool:
    """Grant a permission to a person, or take it back; say whether that changed anything.

    Who has the page open has or lacks it from her next click on. `by` is None at the terminal.

    Raises
    ------
    AccessDenied
        If whoever grants is no admin.
    ValueError
        If there is no such account, or the permission goes with roles and is not granted.
    """
    if by is not None:
        require(by, Permission.ADMINISTER)
    if permission not in GRANTED_ONLY:
        names = ", ".join(sorted(one.value for one in GRANTED_ONLY))
        raise ValueError(
            f"“{permission.value}” goes with a role and is not granted to a person. Granted are: {names}."
        )
    with here.database.write() as session:
        user = session.scalar(select(User).where(User.username == plain_name(username)))
        if user is None:
            raise ValueError(f"There is no account “{username}”.")
        if (permission.value in user.granted) is granted:
            return False
        kept = [one for one in user.granted if one != permission.value]
        user.granted = [*kept, permission.value] if granted else kept
        action = "permission_granted" if granted else "permission_taken_back"
        audit.record(session, by, action, f"user:{user.username}", {"permission": permission.value})
    return True


@needs(SIGNED_IN)
def may_now(here: Installation, person: Person, permission: Permission) -> bool:
    """Say whether a person may do something at this moment, whatever she might when the page was drawn."""
    with here.database.read() as session:
        user = session.get(User, person.user_id)
        return user is not None and user.active and person_of(user).may(permission)
