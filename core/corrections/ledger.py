"""What a correction changes, field by field, before and after: written down while it is done, and undone from it."""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from core.corrections.asked import ChangedSince
from db.sessions import WITH_PUT_AWAY
from db.tables import Base, Event, Image, Lesion, Patient, RiskFactors, Study

__all__ = ["Ledger", "plain"]

_TABLES: dict[str, type[Base]] = {
    kind.__tablename__: kind for kind in (Patient, Study, Image, Lesion, Event, RiskFactors)
}


@dataclass
class Ledger:
    """The changes of one correction: fields set, as ``[table, id, column, before, after]``, and rows made, ``[table, id]``."""

    session: Session
    correction_id: int
    fields: list[list[Any]] = field(default_factory=list)
    made: list[list[Any]] = field(default_factory=list)

    def set(self, row: Base, **values: Any) -> bool:
        """Set columns of a row; return whether any of them was another before."""
        changed = False
        for column, after in values.items():
            before = getattr(row, column)
            if plain(before) == plain(after):
                continue
            self.fields.append([row.__tablename__, _id(row), column, plain(before), plain(after)])
            setattr(row, column, after)
            changed = True
        return changed

    def add(self, row: Base) -> None:
        """Add a row."""
        self.session.add(row)
        self.session.flush()
        self.made.append([row.__tablename__, _id(row)])

    def put_away(self, row: Base) -> bool:
        """Put a row away as this correction's."""
        return self.set(row, put_away_by_id=self.correction_id)

    def owners(self) -> Collection[int]:
        """Return whose the films, studies and events are that were changed: those who have them, and those who get them back."""
        studies: set[int] = set()
        women: set[int] = set()
        for table, row_id, column, before, _after in self.fields:
            row = found(self.session, table, row_id)
            if isinstance(row, Image):
                studies |= {row.study_id, *([before] if column == "study_id" else [])}
            elif isinstance(row, Study | Event):
                women |= {row.patient_id, *([before] if column == "patient_id" else [])}
        for study_id in studies:
            study = self.session.get_one(Study, study_id, execution_options=WITH_PUT_AWAY)
            women.add(study.patient_id)
        return women

    def check_counts(self) -> None:
        """Raise `ChangedSince` where what was set back would lie in a study or with a woman that was put away since."""
        for table, row_id, *_ in self.fields:
            row = found(self.session, table, row_id)
            if row is None or getattr(row, "put_away_by_id", None) is not None:
                continue
            if isinstance(row, Image):
                home: Study | Patient | None = self.session.get(
                    Study, row.study_id, execution_options=WITH_PUT_AWAY
                )
            elif isinstance(row, (Study, Lesion, Event, RiskFactors)):
                home = self.session.get(Patient, row.patient_id, execution_options=WITH_PUT_AWAY)
            else:
                continue
            if home is not None and home.put_away_by_id is not None:
                raise ChangedSince(
                    f"Correction {home.put_away_by_id}, which came later, stands in the way. Undo it first."
                )

    def undo(self) -> None:
        """Set every field back to what it was before; raises `ChangedSince` where one is not what was made of it any more.

        Rows that were made are left to the caller.
        """
        for table, row_id, column, before, after in reversed(self.fields):
            row = found(self.session, table, row_id)
            if row is None or plain(getattr(row, column)) != after:
                raise ChangedSince(
                    f"What this correction changed ({table} {column.removesuffix('_id').replace('_', ' ')}) was changed "
                    "again since. Undo the later correction first."
                )
            setattr(row, column, _typed(row, column, before))
            self.session.flush()


def found(session: Session, table: str, row_id: int) -> Any:
    """Return a row by table and id, put away or not; None if there is none."""
    return session.get(_TABLES[table], row_id, execution_options=WITH_PUT_AWAY)


def plain(value: Any) -> Any:
    """Return a value of a column as JSON holds it."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return list(value) if isinstance(value, (list, tuple)) else value


def _typed(row: Base, column: str, value: Any) -> Any:
    """Return a value from JSON as the column holds it."""
    if value is None:
        return None
    kind = inspect(type(row)).columns[column].type
    enum_class = getattr(kind, "enum_class", None)
    if enum_class is not None:
        return enum_class(value)
    return date.fromisoformat(value) if kind.python_type is date else value


def _id(row: Base) -> int:
    return int(row.id)  # type: ignore[attr-defined]
