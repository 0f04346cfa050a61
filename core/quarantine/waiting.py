"""What waits in quarantine: each file once, however often it was sent, with why it was not taken and what helps."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.installation import Installation
from core.people.needing import needs
from core.people.roles import Permission
from core.refusals import SENTENCES, refusal_text
from db.tables import ImportBatch, ImportItem, Outcome, Settled, SettledItem, User

__all__ = ["Helps", "Kept", "State", "count_waiting", "helps", "kept_file", "kept_files", "reasons_waiting"]


class State(enum.StrEnum):
    """Where a file that was not taken in stands."""

    WAITING = "waiting"
    SET_ASIDE = "set_aside"
    RESUBMITTED = "resubmitted"


class Helps(enum.StrEnum):
    """What a person can say of a file so that it is taken in."""

    WHOSE_AND_WHEN = "whose_and_when"
    WHEN = "when"
    SIDE_AND_VIEW = "side_and_view"
    A_MAMMOGRAM = "a_mammogram"
    ANOTHER_FILE = "another_file"
    """Nothing that can be said: the file itself has to be another one."""
    THE_SAME_AGAIN = "the_same_again"
    """What stood against it lay outside the file: sent in again it may be taken."""


_HELPS: Mapping[str, Helps] = {
    "no_identity": Helps.WHOSE_AND_WHEN,
    "bad_identifier": Helps.WHOSE_AND_WHEN,
    "identity_conflict": Helps.WHOSE_AND_WHEN,
    "other_patient": Helps.WHOSE_AND_WHEN,
    "bad_statement": Helps.WHOSE_AND_WHEN,
    "bad_manifest_row": Helps.WHOSE_AND_WHEN,
    "exists_elsewhere": Helps.WHEN,
    "no_study_date": Helps.WHEN,
    "unknown_laterality": Helps.SIDE_AND_VIEW,
    "unknown_view": Helps.SIDE_AND_VIEW,
    "not_a_mammogram": Helps.A_MAMMOGRAM,
    "timeout": Helps.THE_SAME_AGAIN,
    "uid_conflict": Helps.THE_SAME_AGAIN,
}


def helps(reason: str | None) -> Helps:
    """Return what a person can say of a file that was not taken for this reason; a new reason asks for another file."""
    return _HELPS.get(reason or "", Helps.ANOTHER_FILE)


@dataclass(frozen=True)
class Kept:
    """One file in quarantine. `state` says whether it waits; `settled_…` who ended that, when and why."""

    item_id: int
    batch_id: int
    name: str
    sha256: str | None
    reason: str
    detail: str
    at: datetime
    by: str
    stated_mrn: str | None
    stated_date: date | None
    state: State
    settled_at: datetime | None = None
    settled_by: str | None = None
    settled_why: str | None = None

    @property
    def text(self) -> str:
        """Return what was found, then what to do."""
        return refusal_text(self.reason, self.detail)

    @property
    def advice(self) -> str:
        """Return what to do."""
        return SENTENCES.get(self.reason, "")

    @property
    def has_bytes(self) -> bool:
        """Say whether there is a file to send in again: one that could not be opened left nothing."""
        return self.sha256 is not None

    def to_json(self) -> dict[str, Any]:
        """Return the shape of ``quarantine list --json``."""
        shown = asdict(self) | {"advice": self.advice, "helps": helps(self.reason).value}
        return {
            key: value.isoformat() if isinstance(value, date | datetime) else value
            for key, value in shown.items()
        }


_Later, _Same = aliased(ImportItem), aliased(ImportItem)
_settled_alike = (
    select(SettledItem.item_id)
    .join(_Same, _Same.id == SettledItem.item_id)
    .where(or_(_Same.id == ImportItem.id, _Same.sha256 == ImportItem.sha256))
)
_IS_NEWEST = ~exists().where(_Later.sha256 == ImportItem.sha256, _Later.id > ImportItem.id)
_IS_OF_QUARANTINE = ImportItem.outcome == Outcome.QUARANTINED
_WAITS = (_IS_OF_QUARANTINE, _IS_NEWEST, ~_settled_alike.exists())
"""The same bytes wait once, under their newest line; what came after it (taken, or refused again) stands in its place."""


@needs(Permission.ADD_STUDY)
def count_waiting(here: Installation) -> int:
    """Count the files that wait for a person."""
    with here.database.read() as session:
        return session.scalar(select(func.count()).select_from(ImportItem).where(*_WAITS)) or 0


@needs(Permission.ADD_STUDY)
def reasons_waiting(here: Installation) -> dict[str, int]:
    """Count the files that wait by their reason, the most frequent first."""
    query = select(ImportItem.reason, func.count()).where(*_WAITS).group_by(ImportItem.reason)
    with here.database.read() as session:
        counted = {reason or "": number for reason, number in session.execute(query)}
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


@needs(Permission.ADD_STUDY)
def kept_files(
    here: Installation,
    *,
    state: State = State.WAITING,
    reason: str | None = None,
    text: str = "",
    limit: int = 200,
    offset: int = 0,
) -> list[Kept]:
    """Return files in quarantine, newest first; `text` is part of the file's name or of the MRN that was stated."""
    query = _query(state)
    if reason:
        query = query.where(ImportItem.reason == reason)
    if text.strip():
        part = f"%{_literal(text.strip())}%"
        query = query.where(
            or_(
                ImportItem.path.ilike(part, escape="\\"),
                ImportBatch.stated_mrn.ilike(part, escape="\\"),
            )
        )
    with here.database.read() as session:
        rows = session.execute(query.order_by(ImportItem.id.desc()).limit(limit).offset(offset)).all()
        return [_kept(state, *row) for row in rows]


@needs(Permission.ADD_STUDY)
def kept_file(here: Installation, item_id: int) -> Kept:
    """Return one file in quarantine by its number; raises `LookupError` where there is none."""
    with here.database.read() as session:
        return kept_of(session, item_id)


def kept_of(session: Session, item_id: int) -> Kept:
    """Return one file in quarantine within a transaction; raises `LookupError` where there is none."""
    row = session.execute(_select().where(_IS_OF_QUARANTINE, ImportItem.id == item_id)).first()
    if row is None:
        raise LookupError(f"No file number {item_id} is in quarantine.")
    settled = row[3]
    if settled is not None:
        state = State(settled.how.value)
    elif session.scalar(select(ImportItem.id).where(*_WAITS, ImportItem.id == item_id)) is not None:
        state = State.WAITING
    else:
        state = State.RESUBMITTED
    return _kept(state, *row)


def _select() -> Any:
    settler = aliased(User)
    return (
        select(ImportItem, ImportBatch, User.display_name, SettledItem, settler.display_name)
        .join(ImportBatch, ImportBatch.id == ImportItem.batch_id)
        .outerjoin(User, User.id == ImportBatch.user_id)
        .outerjoin(SettledItem, SettledItem.item_id == ImportItem.id)
        .outerjoin(settler, settler.id == SettledItem.by_id)
    )


def _query(state: State) -> Any:
    if state is State.WAITING:
        return _select().where(*_WAITS)
    how = Settled.SET_ASIDE if state is State.SET_ASIDE else Settled.RESUBMITTED
    return _select().where(_IS_OF_QUARANTINE, SettledItem.how == how)


def _kept(
    state: State,
    item: ImportItem,
    batch: ImportBatch,
    by: str | None,
    settled: SettledItem | None,
    settled_by: str | None,
) -> Kept:
    return Kept(
        item_id=item.id,
        batch_id=batch.id,
        name=item.path,
        sha256=item.sha256,
        reason=item.reason or "",
        detail=item.detail or "",
        at=item.created_at,
        by=by or batch.source,
        stated_mrn=batch.stated_mrn,
        stated_date=batch.stated_study_date,
        state=state,
        settled_at=settled.at if settled else None,
        settled_by=(settled_by or "command line") if settled else None,
        settled_why=settled.reason if settled else None,
    )


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
