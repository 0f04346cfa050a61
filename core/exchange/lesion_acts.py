"""Acts on lesions that a program can take back: kept for who did them, by a key, until somebody goes on from them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.exchange.job_rows import LESION_ACT, forget_old_jobs
from core.exchange.listed import NotHere
from core.installation import Installation
from core.people import Permission, Person
from core.people.needing import needs
from core.records import LesionStatus, Undo, undo_lesion_act
from db.tables import ApiJob, utc_now

__all__ = ["TakenBackBefore", "keep_lesion_act", "take_lesion_act_back"]

DONE, UNDONE = "done", "undone"


class TakenBackBefore(ValueError):
    """The act was taken back already."""


@needs(Permission.ASSESS)
def keep_lesion_act(here: Installation, person: Person, undo: Undo) -> str:
    """Keep what takes an act back, and return its key; only this person is told of it, for as long as jobs are kept."""
    key = secrets.token_urlsafe(12)
    with here.database.write() as session:
        forget_old_jobs(session)
        now = utc_now()
        row = ApiJob(key=key, user_id=person.user_id, kind=LESION_ACT, state=DONE, result=_to_json(undo))
        row.begun_at = row.ended_at = now
        session.add(row)
    return key


@needs(Permission.ASSESS)
def take_lesion_act_back(here: Installation, person: Person, key: str) -> Undo:
    """Take an act back and return what was done; see `core.records.undo_lesion_act`.

    Raises `NotHere`, `TakenBackBefore`, and as that does.
    """
    with here.database.read() as session:
        row = session.get(ApiJob, key)
        if row is None or row.user_id != person.user_id or row.kind != LESION_ACT:
            raise NotHere("There is no act of yours by this key, or it is too long ago.")
        if row.state == UNDONE:
            raise TakenBackBefore("This was taken back already.")
        undo = _from_json(row.result)
    undo_lesion_act(here, person, undo)
    with here.database.write() as session:
        row = session.get(ApiJob, key)
        if row is not None:
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
