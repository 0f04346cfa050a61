"""Looking ahead, correcting, and undoing. Each is one transaction; looking ahead does all of it and takes it back.

So what a preview says is what happens, and nothing is worked out twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.corrections.acts import carry_out, women_of
from core.corrections.asked import Ask, ChangedSince, CorrectionRefused, NotConfirmed, SeenOtherwise
from core.corrections.effects import Preview, lesions_touched, preview_of
from core.corrections.following import alerts_go_with_studies, follow, follow_undoing
from core.corrections.ledger import Ledger, found
from core.corrections.state import state_of
from core.corrections.work import Work
from core.installation import Installation
from core.people import Permission, Person, audit, require
from core.people.needing import needs
from core.records import cards, covered_study_ids
from core.rules import ViewName
from db.sessions import WITH_PUT_AWAY
from db.tables import (
    Alert,
    Correction,
    Event,
    Image,
    Lesion,
    Measurement,
    Patient,
    RiskFactors,
    Study,
    utc_now,
)

__all__ = ["Made", "correct", "preview", "preview_undo", "undo"]

LONGEST_REASON = 2_000


@dataclass(frozen=True)
class Made:
    """A correction that was made, or undone, and what it did."""

    correction_id: int
    did: Preview


class _OnlyLooked(Exception):
    """Ends the transaction of a preview, so that all of it is taken back."""


@needs(Permission.CORRECT)
def preview(here: Installation, ask: Ask, *, by: Person | None = None) -> Preview:
    """Say what a correction would do; nothing is changed.

    Raises `CorrectionRefused` for what cannot be meant, and `AccessDenied` for a role that may not correct (`by` None is the
    command line).
    """
    _may(by)
    return _looked(here, lambda session: _make(here, session, ask, reason="", by=by))


@needs(Permission.CORRECT)
def correct(
    here: Installation,
    ask: Ask,
    *,
    reason: str,
    by: Person | None = None,
    stamp: str | None = None,
    confirmed: bool = False,
) -> Made:
    """Put something right, with what follows of it and the audit entry, in one transaction.

    Parameters
    ----------
    here
        The installation.
    ask
        What is right.
    reason
        Why; what was wrong stays in the record with it.
    by
        Who does it; None on the command line.
    stamp
        That of the preview that the person saw.
    confirmed
        Whether the person has seen what speaks against it (`Preview.conflicts`) and says that it is right all the same.

    Raises
    ------
    CorrectionRefused
        For what cannot be meant, and without a reason.
    ChangedSince
        If something of these women has changed since the preview.
    NotConfirmed
        If something speaks against it and that was not confirmed.
    AccessDenied
        If the person's role may not correct.
    """
    _may(by)
    reason = _checked_reason(reason)
    with here.database.write() as session:
        made = _make(here, session, ask, reason=reason, by=by)
        _check(made.did, stamp, confirmed=confirmed)
        _record(session, by, "corrected", made, reason)
        return made


@needs(Permission.CORRECT)
def preview_undo(here: Installation, correction_id: int, *, by: Person | None = None) -> Preview:
    """Say what undoing a correction would do; nothing is changed. Raises as `undo` does."""
    _may(by)
    return _looked(here, lambda session: _undo(here, session, correction_id, reason=None, by=by))


@needs(Permission.CORRECT)
def undo(
    here: Installation,
    correction_id: int,
    *,
    reason: str | None = None,
    by: Person | None = None,
    stamp: str | None = None,
) -> Made:
    """Let everything be as it was before a correction: what it put away counts again, scores and alerts too.

    What came since stays. Where something of it stands on the correction, nothing is undone and `ChangedSince` says what to
    undo or move first. Raises `CorrectionRefused` where there is no such correction or it is undone already.
    """
    _may(by)
    with here.database.write() as session:
        made = _undo(here, session, correction_id, reason=reason, by=by)
        _check(made.did, stamp, confirmed=True)
        _record(session, by, "correction_undone", made, reason or "")
        return made


def _looked(here: Installation, act: Callable[[Session], Made]) -> Preview:
    """Do something, say what it did, and take it back before it is kept."""
    looked: list[Preview] = []
    try:
        with here.database.write() as session:
            looked.append(act(session).did)
            raise _OnlyLooked
    except _OnlyLooked:
        return looked[0]


def _make(here: Installation, session: Session, ask: Ask, *, reason: str, by: Person | None) -> Made:
    women = women_of(session, ask)
    mrns = [woman.mrn for woman in women]
    patients = [woman.id for woman in women]
    row = Correction(
        kind=ask.kind.value,
        mrn=mrns[0],
        says="",
        reason=reason,
        made_by_id=by.user_id if by else None,
    )
    session.add(row)
    session.flush()
    before = state_of(session, patients)
    work = Work(session, Ledger(session, row.id))
    carry_out(work, ask)
    patients += [row_id for table, row_id in work.ledger.made if table == Patient.__tablename__]
    session.flush()
    after, kept = follow(work.ledger, before, patients, cards.speaking(here))
    did = preview_of(
        mrns[0],
        before,
        after,
        says=work.done,
        notes=work.notes,
        conflicts=work.conflicts,
        lesions=[
            *lesions_touched(_measured_otherwise(session, work.ledger)),
            *_dated_otherwise(session, work.ledger),
        ],
        covered=covered_study_ids(here, session, Study.patient_id.in_(patients)),
    )
    row.says = " ".join(work.done)
    others = [*mrns[1:], *(session.get_one(Patient, one).mrn for one in patients[len(mrns) :])]
    row.other_mrn = others[0] if others else None
    row.changes = {"fields": work.ledger.fields, "made": work.ledger.made, "women": patients, **kept}
    session.flush()
    return Made(row.id, did)


def _undo(
    here: Installation, session: Session, correction_id: int, *, reason: str | None, by: Person | None
) -> Made:
    row = session.get(Correction, correction_id)
    if row is None:
        raise CorrectionRefused(f"There is no correction {correction_id}.")
    if row.undone_at is not None:
        raise CorrectionRefused(f"Correction {correction_id} is undone already.")
    kept = row.changes
    ledger = Ledger(session, row.id, kept["fields"], kept["made"])
    home = kept["women"][0]
    women = sorted({*kept["women"], *ledger.owners()})
    before = state_of(session, women)
    ledger.undo()
    ledger.check_counts()
    alerts_go_with_studies(session, women)  # or they would go with a woman who is taken away
    _unmake(session, ledger, home)
    after, back = follow_undoing(session, row.id, kept, before, women, cards.speaking(here))
    row.undone_at, row.undone_by_id = utc_now(), by.user_id if by else None
    row.undo_reason = (reason or "").strip()[:LONGEST_REASON] or None
    session.flush()
    says = [f"It is as it was before “{row.says}”"]
    covered = covered_study_ids(here, session, Study.patient_id.in_(women))
    return Made(row.id, preview_of(row.mrn, before, after, says=says, back=back, covered=covered))


def _unmake(session: Session, ledger: Ledger, home: int) -> None:
    """Put the studies away that were made, with their scores, and take the women away who were."""
    session.flush()
    session.expire_all()
    made = sorted(ledger.made, key=lambda one: one[0] == Patient.__tablename__)
    women_made = {row_id for table, row_id in made if table == Patient.__tablename__}
    for table, row_id in made:
        row = found(session, table, row_id)
        if isinstance(row, Study):
            if session.scalar(select(Image.id).where(Image.study_id == row.id).limit(1)) is not None:
                raise ChangedSince(
                    f"The study of {row.study_date} that it made holds films that came since. Move these first."
                )
            row.put_away_by_id = ledger.correction_id
            if row.patient_id in women_made:
                row.patient_id = (
                    home  # elsewhere it stays where a later merger has it, which is undone from there
                )
            for alert in session.scalars(select(Alert).where(Alert.study_id == row.id)):
                alert.patient_id = row.patient_id
        elif isinstance(row, Patient):
            session.flush()
            _take_away(session, row, home)


def _take_away(session: Session, woman: Patient, home: int) -> None:
    """Take a woman away whom a correction made; raises `ChangedSince` where she has something by now."""
    hers = select(Study).where(Study.patient_id == woman.id)
    studies = session.scalars(hers, execution_options=WITH_PUT_AWAY).all()
    more = any(
        session.scalar(select(kind.id).where(kind.patient_id == woman.id).limit(1)) is not None
        for kind in (Event, RiskFactors, Lesion)
    )
    if more or any(study.put_away_by_id is None for study in studies):
        raise ChangedSince(
            f"MRN {woman.mrn} has more by now than this correction gave her. Move or take back that first."
        )
    for study in studies:
        study.patient_id = home
    session.flush()
    session.delete(woman)
    session.flush()


def _measured_otherwise(session: Session, ledger: Ledger) -> list[tuple[str, str]]:
    """Return which lesions were measured on films that are another view or another woman's now, or are set aside."""
    films = {row_id for table, row_id, *_ in ledger.fields if table == Image.__tablename__}
    studies = {
        row_id
        for table, row_id, column, *_ in ledger.fields
        if table == Study.__tablename__ and column == "patient_id"
    }
    rows = session.execute(
        select(Lesion, Measurement.view_code, Image, Study)
        .join(Measurement, Measurement.lesion_id == Lesion.id)
        .join(Image, Image.id == Measurement.image_id)
        .join(Study, Study.id == Image.study_id)
        .where(Measurement.removed_at.is_(None), Image.id.in_(films) | Study.id.in_(studies))
        .order_by(Lesion.id, Measurement.id),
        execution_options=WITH_PUT_AWAY,
    )
    return [
        (lesion.label, f"{ViewName.of_code(code).words} of {study.study_date}")
        for lesion, code, image, study in rows
        if code is not None
        and (
            code != f"{image.laterality}-{image.view}"
            or study.patient_id != lesion.patient_id
            or image.put_away_by_id is not None
        )
    ]


def _dated_otherwise(session: Session, ledger: Ledger) -> list[str]:
    """Say of which lesions a measurement is of another day now: how fast they grow is told anew."""
    studies = {
        row_id
        for table, row_id, column, *_ in ledger.fields
        if table == Study.__tablename__ and column == "study_date"
    }
    labels = session.scalars(
        select(Lesion.label)
        .join(Measurement, Measurement.lesion_id == Lesion.id)
        .join(Image, Image.id == Measurement.image_id)
        .where(Measurement.removed_at.is_(None), Image.study_id.in_(studies))
        .order_by(Lesion.id)
    )
    return [
        f"{label} was measured there: its growth is told by the new date." for label in dict.fromkeys(labels)
    ]


def _check(did: Preview, stamp: str | None, *, confirmed: bool) -> None:
    if stamp is not None and stamp != did.stamp:
        raise SeenOtherwise(
            "Something of hers was added or corrected since you looked. Nothing is changed: look again, then repeat."
        )
    if did.conflicts and not confirmed:
        raise NotConfirmed(did.conflicts)


def _checked_reason(reason: str) -> str:
    if not reason.strip():
        raise CorrectionRefused("Say in a few words why: it stays in the record with what was wrong.")
    return reason.strip()[:LONGEST_REASON]


def _may(by: Person | None) -> None:
    if by is not None:
        require(by, Permission.CORRECT)


def _record(session: Session, by: Person | None, action: str, made: Made, reason: str) -> None:
    row = session.get_one(Correction, made.correction_id)
    detail: dict[str, Any] = {
        "correction": row.id,
        "kind": row.kind,
        "says": row.says,
        "reason": reason,
        "scored_anew": len(made.did.anew),
    }
    if row.other_mrn is not None:
        detail["other"] = row.other_mrn
    audit.record(session, by, action, f"patient:{row.mrn}", detail)
    if row.other_mrn is not None:
        # She is looked up in the trail by her own number.
        audit.record(session, by, action, f"patient:{row.other_mrn}", detail | {"other": row.mrn})
