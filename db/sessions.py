"""Sessions that do not see what a correction put away, unless a query asks for it."""

from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from db.tables import Image, Patient, Score, Study

__all__ = ["WITH_PUT_AWAY", "RecordSession"]

WITH_PUT_AWAY: dict[str, Any] = {"with_put_away": True}
"""Execution options of a query that also finds what was put away: ``session.scalars(query, execution_options=…)``."""

_THAT_COUNTS = [
    with_loader_criteria(kind, kind.put_away_by_id.is_(None), include_aliases=True)
    for kind in (Patient, Study, Image, Score)
]


class RecordSession(Session):
    """A session whose queries find only what counts (`db.tables.PutAway`), whichever way they reach a row."""


@event.listens_for(RecordSession, "do_orm_execute")
def _leave_out_what_was_put_away(executing: ORMExecuteState) -> None:
    # Columns and relations of rows that are known follow what their own query asked for.
    if (
        executing.is_select
        and not executing.is_column_load
        and not executing.is_relationship_load
        and not executing.execution_options.get("with_put_away", False)
    ):
        executing.statement = executing.statement.options(*_THAT_COUNTS)
