"""Keeping a table of records, all of it or its good lines, in one transaction; and setting it aside again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.incoming import printable_name
from core.installation import Installation
from core.people import SIGNED_IN, Permission, Person, audit, first_real_patient_closes, needs, require
from core.records import csv
from core.sheets.checked import Checked, check, judged, settled
from core.sheets.columns import Mapping
from core.sheets.keepers import FATE, KEEPERS, Fate
from core.sheets.sheet import Sheet
from db.tables import (
    AssessmentVersion,
    Event,
    Lesion,
    Patient,
    RecordImport,
    RiskFactors,
    Study,
    User,
    utc_now,
)

_AT_ONCE = 5_000


@dataclass(frozen=True)
class Imported:
    """What became of a table: the number under which it was kept, None where nothing was, and what was found in it."""

    number: int | None
    checked: Checked
    kept: Counter[Fate] = field(default_factory=Counter)
    in_part: int = 0
    """Readings that leave something out: their studies count as unread."""

    @property
    def note(self) -> str:
        """Say what follows of readings that leave something out; empty where none does."""
        if not self.in_part:
            return ""
        return (
            f"{self.in_part} of them leave out BI-RADS of a breast, density or management: those studies count as not read "
            "yet, and their scores stay covered until they are."
        )


@dataclass(frozen=True)
class SetAside:
    """What was taken out again when a table was set aside, by table, and how many rows stay as they are in use."""

    removed: dict[str, int]
    kept: int


@dataclass(frozen=True)
class PastImport:
    """A table that was taken in before."""

    number: int
    kind: str
    file_name: str
    rows: int
    by: str | None
    at: datetime
    set_aside_at: datetime | None


def permission_for(mapping: Mapping) -> Permission:
    """Return what a person has to be allowed for this kind of records."""
    return KEEPERS[mapping.kind.key].permission


@needs(lambda _here, _person, _sheet, mapping, **_: permission_for(mapping))
def import_records(
    here: Installation, person: Person | None, sheet: Sheet, mapping: Mapping, *, only_good: bool = False
) -> Imported:
    """Keep a table of records; one with bad lines only if `only_good` says that its good ones are wanted alone.

    `person` is who does it, for the audit trail; None is the command line.

    Raises
    ------
    AccessDenied
        If the person may not record this.
    ValueError
        If a field that is needed has no column, the order of day and month is not said, or the first real patients of an
        installation with demo accounts would come in.
    """
    if mapping.missing:
        raise ValueError(f"No column says: {', '.join(mapping.missing)}.")
    checked = check(here, person, sheet, mapping)
    if checked.order_asked:
        raise ValueError("Day and month cannot be told apart: say which comes first.")
    if not checked.to_keep or (checked.bad_lines and not only_good):
        return Imported(None, checked)
    mapping, _ = settled(sheet, mapping)
    new_patients = mapping.kind.key == "patients" and checked.fates[Fate.NEW]
    if new_patients and first_real_patient_closes(here):
        raise ValueError(
            "These would be the first real patients here, who close the demo accounts: add a study of one of them first, "
            "with an admin of your own."
        )
    sha256, kept = sheet.sha256(), Counter[Fate]()
    about: set[str] = set()
    with here.database.write() as session:
        keeper = KEEPERS[mapping.kind.key](session, person, printable_name(sheet.name))
        for _line, record, _bad in judged(sheet, mapping, keeper, kept):
            if record is not None and record[FATE] is not Fate.SAME:
                keeper.keep(record)
                about.add(record["mrn"])
        keeper.flush()
        row = RecordImport(
            kind=mapping.kind.key,
            file_name=printable_name(sheet.name)[-256:],
            sha256=sha256,
            rows=kept[Fate.NEW] + kept[Fate.FILLED],
            made=dict(keeper.made),
            imported_by_id=person.user_id if person else None,
        )
        session.add(row)
        session.flush()
        detail = {"kind": row.kind, "sha256": sha256, "bad_lines": checked.bad_lines}
        counts = {fate.value: kept[fate] for fate in Fate}
        women = _numbers_of(session, about)
        subject = f"records:{row.id}"
        audit.record(session, person, "records_imported", subject, detail | counts, patients=women)
        return Imported(row.id, checked, kept, keeper.in_part)


def _numbers_of(session: Session, mrns: Collection[str]) -> list[int]:
    """Return the rows of women by their MRNs, some thousands at a time."""
    every, found = sorted(mrns), list[int]()
    for at in range(0, len(every), _AT_ONCE):
        found += session.scalars(select(Patient.id).where(Patient.mrn.in_(every[at : at + _AT_ONCE])))
    return found


@needs(SIGNED_IN)
def imports_of_records(here: Installation, *, limit: int = 20) -> list[PastImport]:
    """Return the tables that were taken in, the last first."""
    with here.database.read() as session:
        rows = session.execute(
            select(RecordImport, User.display_name)
            .outerjoin(User, User.id == RecordImport.imported_by_id)
            .order_by(RecordImport.id.desc())
            .limit(limit)
        ).all()
        return [
            PastImport(row.id, row.kind, row.file_name, row.rows, name, row.imported_at, row.set_aside_at)
            for row, name in rows
        ]


@needs(SIGNED_IN)  # and what the table's kind needs, once it is known
def set_aside(here: Installation, person: Person | None, number: int) -> SetAside:
    """Take out what a table made, as far as nothing else stands on it; what it filled in of others stays.

    Raises
    ------
    AccessDenied
        If the person may not record this.
    ValueError
        If there is no such table, or it is set aside already.
    """
    with here.database.write() as session:
        row = session.get(RecordImport, number)
        if row is None or row.set_aside_at is not None:
            raise ValueError(f"There is no table {number} that could be set aside.")
        if person is not None:
            require(person, KEEPERS[row.kind].permission)
        removed: Counter[str] = Counter()
        kept = 0
        women: set[int] = set()
        for table, ids in row.made.items():
            for id_ in ids:
                whose = _TAKE_OUT[table](session, person, id_)
                if whose is None:
                    kept += 1
                else:
                    removed[table] += 1
                    women.add(whose)
        row.set_aside_at, row.set_aside_by_id = utc_now(), person.user_id if person else None
        detail = {**removed, "still_in_use": kept}
        subject = f"records:{row.id}"
        audit.record(session, person, "records_set_aside", subject, detail, patients=sorted(women))
        return SetAside(dict(removed), kept)


def _take_out_event(session: Session, person: Person | None, id_: int) -> int | None:
    event = session.get(Event, id_)
    if event is None:
        return None
    said = {
        "kind": event.kind.value,
        "on": event.event_date.isoformat(),
        "laterality": event.laterality.value if event.laterality else None,
        "result": event.result.value if event.result else None,
        "detail": event.detail,
    }
    audit.record(session, person, "event_removed", f"patient:{event.patient.mrn}", said)
    session.delete(event)
    return event.patient_id


def _take_out_risk_factors(session: Session, _person: Person | None, id_: int) -> int | None:
    row = session.get(RiskFactors, id_)
    if row is None:
        return None
    session.delete(row)
    return row.patient_id


def _take_out_reading(session: Session, _person: Person | None, id_: int) -> int | None:
    row = session.get(AssessmentVersion, id_)
    if row is None:
        return None
    last = session.scalar(
        select(func.max(AssessmentVersion.version)).where(AssessmentVersion.study_id == row.study_id)
    )
    if last != row.version:
        return None  # a reader has corrected it since: it is the first version of hers
    study = session.get_one(Study, row.study_id)
    study.bi_rads = study.bi_rads_edition = study.reader_density = study.assessment_note = None
    study.assessed_by_id = study.assessed_at = None
    study.read_in_part = False
    session.delete(row)
    return study.patient_id


def _take_out_patient(session: Session, _person: Person | None, id_: int) -> int | None:
    patient = session.get(Patient, id_)
    if patient is None:
        return None
    session.flush()
    for table in (Study, Event, RiskFactors, Lesion):
        if session.scalar(select(table.id).where(table.patient_id == id_).limit(1)) is not None:
            return None
    session.delete(patient)
    return id_


_TAKE_OUT: dict[str, Callable[[Session, Person | None, int], int | None]] = {
    "event": _take_out_event,
    "risk_factors": _take_out_risk_factors,
    "assessment": _take_out_reading,
    "patient": _take_out_patient,
}
"""Table -> what takes one of its rows out and returns whose it was; None where it stays."""


def errors_csv(checked: Checked) -> bytes:
    """Return the bad lines as a table that no spreadsheet runs."""
    rows = [(one.line, one.column, one.reason) for one in checked.bad]
    return csv.csv_of(pd.DataFrame(rows, columns=["line", "column", "reason"], dtype=object))
