"""What people have settled by corrections, and so holds for files that still say otherwise: who a number leads to, and what is known to be wrong.

A woman who was merged into another one is found by either MRN. A file that repeats what was corrected of her or of its study
is heard as corrected: nobody is asked twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.images import Header
from core.incoming import asked
from core.incoming.at_hand import Corrections, at_hand
from core.incoming.items import Statement
from db.sessions import WITH_PUT_AWAY
from db.tables import Patient, Study

__all__ = ["called", "former_mrns", "heard", "mrns_of", "stated"]

_OF_HER = {
    "name": "patient_name",
    "birth_date": "birth_date",
    "sex": "sex",
    "mrn_issuer": "patient_id_issuer",
}
"""Columns of a patient by what the header calls them."""


def called(session: Session, mrn: str) -> Patient | None:
    """Return the woman whom an MRN leads to: of one who was merged into another that other one; None if nobody has it."""
    woman = asked.first(session, asked.PATIENT_EVEN_PUT_AWAY, mrn=mrn)
    while woman is not None and woman.merged_into_id is not None:
        woman = session.get_one(Patient, woman.merged_into_id, execution_options=WITH_PUT_AWAY)
    return woman


def former_mrns(session: Session) -> dict[str, int]:
    """Return by MRN of women who were merged into others whom it leads to, by id."""
    rows = {
        woman_id: (mrn, into or woman_id)
        for woman_id, mrn, into in session.execute(
            select(Patient.id, Patient.mrn, Patient.merged_into_id).where(
                Patient.merged_into_id.is_not(None)
            ),
            execution_options=WITH_PUT_AWAY,
        )
    }
    found = {}
    for mrn, into in rows.values():
        while into in rows:
            into = rows[into][1]
        found[mrn] = into
    return found


def mrns_of(session: Session, mrn: str) -> list[str]:
    """Return every MRN that leads to the woman whom this one leads to, her own first."""
    woman = called(session, mrn)
    if woman is None:
        return [mrn]
    return [woman.mrn, *(other for other, into in former_mrns(session).items() if into == woman.id)]


def stated(session: Session, statement: Statement) -> Statement:
    """Return what a person states, with the MRN that stands today."""
    woman = called(session, statement.mrn)
    return statement if woman is None or woman.mrn == statement.mrn else replace(statement, mrn=woman.mrn)


def heard(session: Session, header: Header) -> tuple[Header, list[str]]:
    """Return what a file says with what was settled of it, and that it was, in sentences.

    Only what a person corrected from exactly what this file says is heard otherwise.
    """
    if header.patient_id is None or "patient_id" in header.unusable:
        return header, []
    said: dict[str, Any] = {}
    notes = []
    woman = called(session, header.patient_id)
    study = _study(session, header)
    owner = study.patient if study is not None else None
    corrections = _corrections(session, {header.patient_id, *(one.mrn for one in (woman, owner) if one)})
    if study is not None and owner is not None:
        mrns = {header.patient_id, owner.mrn}
        for column, before in _corrected(corrections, Study.__tablename__, study.id, mrns):
            if column == "patient_id" and woman is not None and before == woman.id != study.patient_id:
                woman = owner
                notes.append(f"Its study was corrected: it is of patient {woman.mrn}.")
            if column == "study_date" and header.study_date and before == header.study_date.isoformat():
                said["study_date"] = study.study_date
                notes.append(f"Its study was corrected: it is of {study.study_date}.")
    if woman is None:
        return header, []
    if woman.mrn != header.patient_id:
        said["patient_id"] = woman.mrn
        notes = notes or [f"MRN {header.patient_id} is now {woman.mrn}."]
    said |= dict.fromkeys(_known_to_be_wrong(session, header, woman, corrections))
    return replace(header, **said) if said else header, notes


def _study(session: Session, header: Header) -> Study | None:
    if header.study_uid is None:
        return None
    return asked.first(session, asked.STUDY, uid=header.study_uid)


def _known_to_be_wrong(
    session: Session, header: Header, woman: Patient, corrections: Corrections
) -> Iterator[str]:
    """Name the facts of a header that were corrected of her, or that the record said which was merged into hers."""
    wrong = _corrected(corrections, Patient.__tablename__, woman.id, {woman.mrn})
    if header.patient_id != woman.mrn:
        other = session.scalar(
            select(Patient).where(Patient.mrn == header.patient_id), execution_options=WITH_PUT_AWAY
        )
        if other is not None and other.merged_into_id is not None:
            wrong += [(column, getattr(other, column)) for column in _OF_HER]
    for column, before in wrong:
        fact = _OF_HER.get(column)
        value = getattr(header, fact) if fact else None
        if value is None or before is None:
            continue
        if str(value) == str(before) != str(getattr(woman, column)):
            assert fact is not None
            yield fact


def _corrections(session: Session, mrns: set[str]) -> Corrections:
    hand = at_hand(session)
    found = hand.corrections(mrns) if hand is not None else None
    if found is not None:
        return found
    return session.execute(
        asked.CORRECTIONS, {"mrns": sorted(mrns)}, execution_options=asked.AS_WRITTEN
    ).all()


def _corrected(corrections: Corrections, table: str, row_id: int, mrns: set[str]) -> list[tuple[str, Any]]:
    """Return which columns of a row were corrected from what, by corrections of these women that stand."""
    return [
        (column, before)
        for mrn, other_mrn, changes in corrections
        if mrn in mrns or other_mrn in mrns
        for of, number, column, before, _after in changes["fields"]
        if (of, number) == (table, row_id)
    ]
