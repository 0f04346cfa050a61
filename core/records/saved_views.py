"""Worklists that a person has named: each holds search, group, filters and order as the page's address says them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from core.installation import Installation
from core.people import Permission, Person, audit
from core.people.needing import needs
from db.tables import SavedView

__all__ = ["View", "delete_view", "save_view", "views_of"]

LONGEST_NAME = 64
MOST_VIEWS = 50


@dataclass(frozen=True)
class View:
    """A named worklist: `address` holds the query parameters of the page."""

    name: str
    address: Mapping[str, str]


@needs(Permission.SEE_PATIENTS)
def views_of(here: Installation, person: Person) -> list[View]:
    """Return a person's named worklists by their names; nobody sees another's."""
    with here.database.read() as session:
        rows = session.scalars(
            select(SavedView).where(SavedView.user_id == person.user_id).order_by(SavedView.name)
        )
        return [View(row.name, {str(key): str(value) for key, value in row.address.items()}) for row in rows]


@needs(Permission.SEE_PATIENTS)
def save_view(here: Installation, person: Person, name: str, address: Mapping[str, str]) -> View:
    """Keep a worklist under a name; one of that name is replaced.

    Raises
    ------
    AccessDenied
        If the person may not see patients.
    ValueError
        If the name is empty or too long, or there are too many.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise ValueError(f"Give the view a name of 1 to {LONGEST_NAME} characters.")
    view = View(name, dict(address))
    with here.database.write() as session:
        hers = session.scalars(select(SavedView).where(SavedView.user_id == person.user_id)).all()
        same = next((row for row in hers if row.name == name), None)
        if same is not None:
            same.address = dict(address)
        elif len(hers) >= MOST_VIEWS:
            raise ValueError(f"There are {MOST_VIEWS} views already. Delete one first.")
        else:
            session.add(SavedView(user_id=person.user_id, name=name, address=dict(address)))
        audit.record(session, person, "view_saved", f"view:{name}")
    return view


@needs(Permission.SEE_PATIENTS)
def delete_view(here: Installation, person: Person, name: str) -> None:
    """Delete one of a person's named worklists; one that is gone stays gone. Raises `AccessDenied`."""
    with here.database.write() as session:
        row = session.scalar(
            select(SavedView).where(SavedView.user_id == person.user_id, SavedView.name == name)
        )
        if row is not None:
            session.delete(row)
            audit.record(session, person, "view_deleted", f"view:{name}")
