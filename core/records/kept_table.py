"""A table of what is computed of each woman, kept ready: how its rows are written with what changes them, and found stale.

Triggers mark a woman as stale in the transaction that changes anything her row is computed from (`db.stale`), and before that
transaction ends the row is written again. What is marked and left, as by a migration or a long load, and what was computed by
another basis, is computed by whoever asks next. So a row that is there, by the basis that holds, is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from core.installation import Installation
from db.tables import Base, CohortRow, KeptChange, Patient, StaleCohortRow, StaleStanding, Standing

__all__ = ["MOST_AT_ONCE", "KeptTable", "last_change"]

MOST_AT_ONCE = 500
"""As many women are computed in one transaction; one that marks more leaves them to whoever asks next."""


@dataclass(frozen=True)
class KeptTable:
    """The table `rows`, one row a woman; `stale` names those whose row no longer holds.

    `basis_of` says what rows are computed by here, `compute` returns those of some women as columns, without `written_in`.
    """

    rows: type[Standing | CohortRow]
    stale: type[StaleStanding | StaleCohortRow]
    basis_of: Callable[[Installation], str]
    compute: Callable[[Installation, Session, Sequence[int]], Iterable[Mapping[str, object]]]

    def write_stale(self, here: Installation, session: Session) -> None:
        """Compute what the transaction of this session has made stale, unless that is very much."""
        ids = session.scalars(select(self.stale.patient_id).limit(MOST_AT_ONCE + 1)).all()
        if ids and len(ids) <= MOST_AT_ONCE:
            self._write(here, session, ids)

    def is_up_to_date(self, here: Installation, session: Session) -> bool:
        """Say whether every woman's row is there, by what holds here, and not stale."""
        return not self._waiting(here, session, 1)

    def bring_up_to_date(self, here: Installation) -> int:
        """Compute what is stale or by another basis, and return of how many women; safe beside others who do the same."""
        number = 0
        while True:
            with here.database.read() as session:
                if self.is_up_to_date(here, session):
                    return number
            with here.database.write() as session:
                ids = self._waiting(here, session, MOST_AT_ONCE)
                self._write(here, session, ids)
            number += len(ids)

    def rebuild(self, here: Installation) -> int:
        """Compute every woman's row anew; return how many women there are."""
        with here.database.write() as session:
            session.execute(delete(self.rows))
            session.execute(delete(self.stale))
            session.execute(insert(self.stale).from_select(["patient_id"], select(Patient.id)))
            number = session.scalar(select(func.count()).select_from(Patient)) or 0
        self.bring_up_to_date(here)
        return number

    def lacking(self, session: Session, *of: ColumnElement[bool]) -> int:
        """Return how many women, of whom `of` (conditions on `Patient`) is true, have no row and are not marked."""
        there = (~exists().where(one.patient_id == Patient.id) for one in (self.rows, self.stale))
        return session.scalar(select(func.count()).select_from(Patient).where(*of, *there)) or 0

    def holds(self, here: Installation) -> ColumnElement[bool]:
        """Return the condition that a row is by what holds here, and not stale."""
        stale = exists().where(self.stale.patient_id == self.rows.patient_id)
        return (self.rows.basis == self.basis_of(here)) & ~stale

    def _waiting(self, here: Installation, session: Session, most: int) -> Sequence[int]:
        # Not "another than": that is looked for in every row, this at both ends of an index.
        basis = self.basis_of(here)
        by_another = or_(self.rows.basis < basis, self.rows.basis > basis)
        return (
            session.scalars(select(self.stale.patient_id).limit(most)).all()
            or session.scalars(select(self.rows.patient_id).where(by_another).limit(most)).all()
        )

    def _write(self, here: Installation, session: Session, ids: Sequence[int]) -> None:
        """Write the rows of some women; of those who are gone nothing is left."""
        for table in (self.rows, self.stale):
            session.execute(
                delete(table).where(table.patient_id.in_(ids)),
                execution_options={"synchronize_session": False},
            )
        rows = list(self.compute(here, session, ids))
        number = _next_change(session, self.rows)
        if rows:
            session.execute(insert(self.rows), [{**row, "written_in": number} for row in rows])


def _next_change(session: Session, kept_in: type[Base]) -> int:
    """Return the number that this transaction's rows of a table of what is kept are written with."""
    number = last_change(session, kept_in) + 1
    session.execute(
        update(KeptChange).where(KeptChange.kept_in == kept_in.__tablename__).values(number=number),
        execution_options={"synchronize_session": False},
    )
    return number


def last_change(session: Session, kept_in: type[Base]) -> int:
    """Return the number of the last transaction that has written to a table of what is kept; 0 before the first."""
    return session.scalar(select(KeptChange.number).where(KeptChange.kept_in == kept_in.__tablename__)) or 0
