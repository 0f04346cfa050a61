"""Acts on lesions that a program can take back: kept for who did them, by a key, until somebody goes on from them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from core.exchange.job_rows import LESION_ACT, forget_old_jobs
from core.exchange.listed import NotHere
from core.installation import Installation
from core.people import Permission, Person
from core.people.needing import needs
from core.records import LesionStatus, Undo, take_act_back
from db.tables import ApiJob, utc_now

__all__ = ["KeptAct", "TakenBackBefore", "take_lesion_act_back"]

DONE, UNDONE = "done", "undone"


class TakenBackBefore(ValueError):
    """The act was taken back already."""


class KeptAct:
    """What takes an act back, kept by `key` in the act's own transaction; only who did it is told, for as long as jobs are kept.

    >>> kept = KeptAct(person)
    >>> rename_lesion(here, person, 7, "Mass", version=1, keep=kept)
    >>> take_lesion_act_back(here, person, kept.key)
    """

    def __init__(self, person: Person) -> None:
        self.person = person
        self.key = secrets.token_urlsafe(12)

    def __call__(self, session: Session, undo: Undo) -> None:
        """Keep it, inside the caller's transaction."""
        forget_old_jobs(session)
        now = utc_now()
        row = ApiJob(key=self.key, user_id=self.person.user_id, kind=LESION_ACT, state=DONE)
        row.result, row.begun_at, row.ended_at = _to_json(undo), now, now
        session.add(row)


@needs(Permission.ASSESS)
def take_lesion_act_back(here: Installation, person: Person, key: str) -> Undo:
    """Take an act back once and return what was done; see `core.records.take_act_back`.

    Raises `NotHere`, `TakenBackBefore`, and as that does.
    """
    with here.database.write() as session:
        row = session.get(ApiJob, key)
        if row is None or row.user_id != person.user_id or row.kind != LESION_ACT:
            raise NotHere("There is no act of yours by this key, or it is too long ago.")
        if row.state == UNDONE:
            raise TakenBackBefore("This was taken back already.")
        undo = _from_json(row.result)
        take_act_back(session, person, undo)
        row.state, row.ended_at = UNDONE, utc_now()
    return undo


def _to_json(undo: Undo) -> dict[str, Any]:
    return {
        "words": undo.words,
        "mrn": undo.mrn,
        "versions": [list(pair) for pair in undo.versions.items()],
        "fields": [[lesion_id, _plain(fields)] for lesion_id, fields in undo.fields.items()],
        "moved": [list(pair) for pair in undo.moved.items()],
        "removed": list(undo.removed),
        "added": list(undo.added),
    }


def _from_json(said: Mapping[str, Any]) -> Undo:
    return Undo(
        said["words"],
        said["mrn"],
        dict(said["versions"]),
        {lesion_id: _typed(fields) for lesion_id, fields in said["fields"]},
        dict(said["moved"]),
        tuple(said["removed"]),
        tuple(said["added"]),
    )


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat()
        if isinstance(value, datetime)
        else value.value
        if isinstance(value, LesionStatus)
        else value
        for name, value in fields.items()
    }


def _typed(fields: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {"status": LesionStatus, "status_at": datetime.fromisoformat}
    return {
        name: kinds[name](value) if name in kinds and value is not None else value
        for name, value in fields.items()
    }
