"""A batch of files: begun with its entry in the audit trail, finished with another, and finished later if it was cut off.

Both entries are written in the transaction that they are about, so no file is ever taken in that the trail does not
know of. Between them each file is a transaction of its own, and the batch's items say what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from core.incoming.claims import LONGEST_MRN
from core.incoming.items import Statement
from core.installation import Installation
from core.people import Person, accounts, audit
from core.people.needing import SIGNED_IN, SYSTEM_ONLY, needs
from db.sessions import WITH_PUT_AWAY
from db.tables import Image, ImportBatch, ImportItem, Outcome, Study, User, utc_now

Source = Literal["cli", "web", "demo", "quarantine", "watch", "dicom", "stow", "pull", "api"]

LEFT_OVER_AFTER = timedelta(hours=1)
"""A batch in which nothing has ended for so long has no process any more: one file takes minutes at most."""
_FROM = {
    "cli": "terminal",
    "web": "page",
    "demo": "demo",
    "watch": "watched folder",
    "dicom": "DICOM network",
    "stow": "DICOMweb",
    "pull": "PACS",
    "api": "API",
}


def begin_batch(
    here: Installation,
    *,
    source: Source,
    person: Person | None,
    statement: Statement | None,
    sender: str | None = None,
) -> int:
    """Begin a batch and say in the audit trail who takes in files, from where, and for whom; return its id."""
    with here.database.write() as session:
        fits = statement is not None and 0 < len(statement.mrn) <= LONGEST_MRN
        batch = ImportBatch(
            source=source,
            user_id=person.user_id if person else None,
            sender=sender[:128] if sender else None,
            stated_mrn=statement.mrn if statement and fits else None,
            stated_study_date=statement.study_date if statement else None,
        )
        session.add(batch)
        session.flush()
        _record(session, batch, "import_begun", {})
        return batch.id


def finish_batch(here: Installation, batch_id: int, *, whole: bool) -> None:
    """Finish a batch, all of it or what there is, and say in the audit trail how many files ended in which way."""
    with here.database.write() as session:
        _finish(session, session.get_one(ImportBatch, batch_id), utc_now(), whole=whole)


@needs(SIGNED_IN)
def count_left_over_batches(here: Installation, *, now: datetime | None = None) -> int:
    """Count the batches whose process was cut off: nothing has ended in them for `LEFT_OVER_AFTER`."""
    left_over = _left_over(now or utc_now())
    with here.database.read() as session:
        return session.scalar(select(func.count()).select_from(left_over.subquery())) or 0


@needs(SYSTEM_ONLY)
def finish_left_over_batches(here: Installation, *, now: datetime | None = None) -> int:
    """Finish the batches whose process was cut off, and return how many there were.

    What they took in by then is there and stays; the rest can be imported again. A batch counts as left over when
    nothing has ended in it for `LEFT_OVER_AFTER`.
    """
    now = now or utc_now()
    left_over = _left_over(now)
    with here.database.read() as session:
        if session.scalar(left_over.limit(1)) is None:
            return 0
    with here.database.write() as session:
        batches = session.scalars(left_over.order_by(ImportBatch.id)).all()
        for batch in batches:
            _finish(session, batch, now, whole=False)
        return len(batches)


def _left_over(now: datetime) -> Select[ImportBatch]:
    last_ended = (
        select(func.max(ImportItem.created_at)).where(ImportItem.batch_id == ImportBatch.id).scalar_subquery()
    )
    return select(ImportBatch).where(
        ImportBatch.finished_at.is_(None),
        func.coalesce(last_ended, ImportBatch.started_at) < now - LEFT_OVER_AFTER,
    )


def _finish(session: Session, batch: ImportBatch, now: datetime, *, whole: bool) -> None:
    ended = dict(
        session.execute(
            select(ImportItem.outcome, func.count())
            .where(ImportItem.batch_id == batch.id)
            .group_by(ImportItem.outcome)
        ).all()
    )
    batch.finished_at = now
    action = "import_finished" if whole else "import_cut_short"
    counts = {outcome.value: ended.get(outcome, 0) for outcome in Outcome}
    _record(session, batch, action, counts, patients=_women_of(session, batch) or None)


def _women_of(session: Session, batch: ImportBatch) -> Sequence[int]:
    """Return whose images a batch brought, new ones and those that were here before."""
    hers = (
        select(Study.patient_id)
        .join(Image, Image.study_id == Study.id)
        .join(ImportItem, ImportItem.image_id == Image.id)
        .where(ImportItem.batch_id == batch.id)
        .distinct()
    )
    return session.scalars(hers, execution_options=WITH_PUT_AWAY).all()


def _record(
    session: Session,
    batch: ImportBatch,
    action: str,
    counts: dict[str, Any],
    *,
    patients: Sequence[int] | None = None,
) -> None:
    user = session.get(User, batch.user_id) if batch.user_id is not None else None
    who = accounts.person_of(user) if user else None
    detail = {"batch": batch.id, "from": _FROM.get(batch.source, batch.source), **counts}
    if batch.sender is not None:
        detail["sender"] = batch.sender
    if batch.stated_study_date is not None:
        detail["study_date"] = batch.stated_study_date.isoformat()
    subject = f"patient:{batch.stated_mrn}" if batch.stated_mrn else f"batch:{batch.id}"
    audit.record(session, who, action, subject, detail, patients=patients)
