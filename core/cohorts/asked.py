"""What one person was shown before: two cohorts that differ by a few women are not both shown to one of them.

Bands, rounding and the neighbours of a definition (`core.cohorts.selection`) leave pairs that differ in several choices at
once. Of these the second is refused. What was asked is kept by person in the database, as definitions: neither a restart nor
another process forgets it. Within a process a cohort is compared as it was when it was shown, one of before as it is today.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.orm import Session

from core.cohorts.definition import Definition, DefinitionRefused
from core.cohorts.disclosure import few, is_small
from core.cohorts.frame import Frame
from core.cohorts.selection import Selection
from core.cohorts.selection import select as select_women
from db.database import Database
from db.tables import AskedCohort

__all__ = ["Asked"]

MOST = 200


@dataclass
class _Shown:
    """The cohorts that one person was shown, by their definitions as text, the oldest first."""

    women: int = 0
    packed: OrderedDict[str, NDArray[np.uint8]] = field(default_factory=OrderedDict)
    last_id: int = 0


class Asked:
    """The cohorts that people were shown of one source of women, by person; the last `MOST` of each.

    With a database they are kept there; without one they last as long as this object. `source` is the name of a cohort that
    came as a table, empty for the women stored here. A person is her user id; None is the command line.
    """

    def __init__(self, database: Database | None = None, source: str = "") -> None:
        self._database, self._source = database, source
        self._lock = threading.Lock()
        self._of: dict[int | None, _Shown] = {}

    def why_not(self, person_id: int | None, selection: Selection) -> str:
        """Say why a cohort is not shown to a person beside those that she saw; empty where it may, and is remembered."""
        key = json.dumps(selection.definition.to_json(), sort_keys=True)
        with self._lock:
            shown = self._shown(person_id, selection.frame)
            packed = np.packbits(selection.marks)
            if key not in shown.packed and any(_few_apart(packed, one) for one in shown.packed.values()):
                return (
                    f"This cohort differs by {few()} women from one that you have seen. Figures of both would tell of "
                    "these few: go back to that one, or define this one further from it."
                )
            if key not in shown.packed:
                self._keep(person_id, key, shown)
            shown.packed[key] = packed
            _forget_oldest(shown)
        return ""

    def _shown(self, person_id: int | None, frame: Frame) -> _Shown:
        """Return what a person was shown, with what other processes have shown her since, of the women as they are."""
        shown = self._of.setdefault(person_id, _Shown())
        definitions = self._read(person_id, shown)
        if len(frame.women) < shown.women:  # somebody is gone: marks are of other women now
            definitions = [*shown.packed, *definitions]
        shown.women = len(frame.women)
        for key in definitions:
            shown.packed[key] = _marks(frame, key)
        _forget_oldest(shown)
        return shown

    def _read(self, person_id: int | None, shown: _Shown) -> list[str]:
        if self._database is None:
            return []
        query = (
            select(AskedCohort.id, AskedCohort.definition)
            .where(*self._hers(person_id), AskedCohort.id > shown.last_id)
            .order_by(AskedCohort.id.desc())
            .limit(MOST)
        )
        with self._database.read() as session:
            rows = session.execute(query).all()
        shown.last_id = max([shown.last_id, *(row.id for row in rows)])
        return [row.definition for row in reversed(rows) if row.definition not in shown.packed]

    def _keep(self, person_id: int | None, key: str, shown: _Shown) -> None:
        if self._database is None:
            return
        with self._database.write() as session:
            new = {"user_id": person_id, "source": self._source, "definition": key}
            made = session.execute(insert(AskedCohort).values(new).returning(AskedCohort.id)).scalar_one()
            self._leave_the_last(session, person_id)
        shown.last_id = made

    def _leave_the_last(self, session: Session, person_id: int | None) -> None:
        older = select(AskedCohort.id).where(*self._hers(person_id)).order_by(AskedCohort.id.desc())
        session.execute(
            delete(AskedCohort).where(AskedCohort.id.in_(older.offset(MOST))),
            execution_options={"synchronize_session": False},
        )

    def _hers(self, person_id: int | None) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return AskedCohort.user_id.is_not_distinct_from(person_id), AskedCohort.source == self._source


def _marks(frame: Frame, key: str) -> NDArray[np.uint8]:
    """Return the women of a kept definition; nobody's marks where this release cannot read it any more."""
    try:
        return np.packbits(select_women(frame, Definition.from_json(key)).marks)
    except DefinitionRefused:
        return np.zeros(0, np.uint8)


def _few_apart(ones: NDArray[np.uint8], others: NDArray[np.uint8]) -> bool:
    """Say whether two cohorts differ by somebody, but by few; women who came since one was shown are not in it."""
    if not len(others):
        return False
    both = min(len(ones), len(others))
    apart = int(np.bitwise_count(ones[:both] ^ others[:both]).sum())
    apart += int(np.bitwise_count(ones[both:]).sum()) + int(np.bitwise_count(others[both:]).sum())
    return is_small(apart)


def _forget_oldest(shown: _Shown) -> None:
    while len(shown.packed) > MOST:
        shown.packed.popitem(last=False)
