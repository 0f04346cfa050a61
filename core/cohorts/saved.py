"""Cohorts that people have named: their own, and those that are shared with all who may see groups of women."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import select as sql
from sqlalchemy.orm import Session

from core.cohorts.definition import Definition, DefinitionRefused
from core.cohorts.disclosure import differs_by_few, few
from core.cohorts.frame import Frame
from core.cohorts.selection import select
from core.installation import Installation
from core.people import Permission, Person, audit
from core.people.needing import needs
from db.tables import SavedCohort as Row
from db.tables import User

__all__ = ["LONGEST_NAME", "MOST_COHORTS", "SavedCohort", "cohorts_of", "delete_cohort", "save_cohort"]

LONGEST_NAME = 64
MOST_COHORTS = 50


@dataclass(frozen=True)
class SavedCohort:
    """A named cohort; `definition` is None where this release cannot read it, and `problem` says why.

    `by` is who shares it, empty where it is the person's own. `key` is what a link says.
    """

    key: str
    name: str
    shared: bool
    by: str
    definition: Definition | None
    problem: str

    @property
    def label(self) -> str:
        """Return its name, and whose it is."""
        return f"{self.name} (by {self.by})" if self.by else self.name


@needs(Permission.SEE_COHORT)
def cohorts_of(here: Installation, person: Person) -> list[SavedCohort]:
    """Return a person's named cohorts by name, then those that others share. Raises `AccessDenied`."""
    query = (
        sql(Row, User.display_name)
        .join(User, User.id == Row.user_id)
        .where((Row.user_id == person.user_id) | Row.shared.is_(True))
        .order_by(Row.user_id != person.user_id, Row.name, Row.id)
    )
    with here.database.read() as session:
        return [
            _of_row(row, "" if row.user_id == person.user_id else name)
            for row, name in session.execute(query)
        ]


def _of_row(row: Row, by: str) -> SavedCohort:
    try:
        definition, problem = Definition.from_json(row.definition), ""
    except DefinitionRefused as refused:
        definition, problem = None, str(refused)
    return SavedCohort(row.key, row.name, row.shared, by, definition, problem)


@needs(Permission.SEE_COHORT)
def save_cohort(
    here: Installation,
    person: Person,
    name: str,
    definition: Definition,
    frame: Frame,
    *,
    shared: bool = False,
) -> SavedCohort:
    """Keep a definition under a name; one of that name is replaced, and keeps its link.

    Raises
    ------
    AccessDenied
        If the person may not see groups of women.
    ValueError
        If the name is empty or too long, there are too many, nothing is told of the cohort, or it differs by a few women
        from one that is saved already: whoever saw both would know these few.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise ValueError(f"Give the cohort a name of 1 to {LONGEST_NAME} characters.")
    with here.database.write() as session:
        same = session.scalar(sql(Row).where(Row.user_id == person.user_id, Row.name == name))
        _refuse_few_apart(session, definition, frame, same)
        if same is None:
            _refuse_too_many(session, person)
            same = Row(key=secrets.token_urlsafe(12), user_id=person.user_id, name=name)
            session.add(same)
        same.definition, same.shared = definition.to_json(), shared
        audit.record(
            session,
            person,
            "cohort_saved",
            f"cohort:{name}",
            {"definition": definition.to_json(), "shared": shared},
        )
        session.flush()
        return _of_row(same, "")


def _refuse_too_many(session: Session, person: Person) -> None:
    if len(session.scalars(sql(Row.id).where(Row.user_id == person.user_id)).all()) >= MOST_COHORTS:
        raise ValueError(f"There are {MOST_COHORTS} cohorts already. Delete one first.")


def _refuse_few_apart(session: Session, definition: Definition, frame: Frame, replaced: Row | None) -> None:
    """Compare with every saved cohort, whoever's it is: two people may lay theirs side by side."""
    mine = select(frame, definition)
    if mine.withheld:
        raise ValueError(f"Nothing is told of this cohort, so it is not saved. {mine.withheld}")
    for row in session.scalars(sql(Row)):
        other = _of_row(row, "").definition
        if row is replaced or other is None:
            continue
        theirs = select(frame, other)
        if not theirs.withheld and differs_by_few(mine.marks, theirs.marks):
            raise ValueError(
                f"This cohort differs by {few()} women from one that is saved here. Figures of both would tell of these "
                "few: define it further from that one."
            )


@needs(Permission.SEE_COHORT)
def delete_cohort(here: Installation, person: Person, key: str) -> None:
    """Delete one of a person's own named cohorts; one that is gone stays gone. Raises `AccessDenied`."""
    with here.database.write() as session:
        row = session.scalar(sql(Row).where(Row.user_id == person.user_id, Row.key == key))
        if row is not None:
            session.delete(row)
            audit.record(session, person, "cohort_deleted", f"cohort:{row.name}")
