"""How each kind of records is held against what is stored, and kept: new, there already, filled in, or refused."""

from __future__ import annotations

import enum
from collections import defaultdict
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.incoming import rescoring
from core.people import Permission, Person
from core.records import let_stand, what_is_left_out
from core.rules import highest_concern
from core.rules.vocabulary import BI_RADS_EDITION
from db.tables import (
    AssessmentVersion,
    Event,
    EventKind,
    Laterality,
    Patient,
    RiskFactors,
    Sex,
    Study,
)

Record = dict[str, Any]
FATE = "fate"
BOTH = "B"
"""What a cell that says both breasts is read as; kept as no one side."""
WRITTEN_AT_ONCE = 1_000


class Fate(enum.StrEnum):
    """What becomes of a line."""

    NEW = "new"
    FILLED = "filled in"
    SAME = "there already"


class Keeper:
    """Judges and keeps the lines of one table, one after the other; what an earlier line said counts for later ones.

    `made` names the rows that were made, by table; `in_part` counts readings that leave something out. `judge` raises `ValueError` for a line that cannot be kept.
    """

    permission = Permission.ADD_STUDY

    def __init__(self, session: Session, person: Person | None, source: str) -> None:
        self.session, self.person, self.source = session, person, source
        self.made: defaultdict[str, list[int]] = defaultdict(list)
        self.in_part = 0
        self._added: list[Any] = []
        self.patients = {
            mrn: (id_, born)
            for mrn, id_, born in session.execute(select(Patient.mrn, Patient.id, Patient.birth_date))
        }

    def judge(self, record: Record) -> Fate:
        """Say what becomes of a line, and remember it."""
        raise NotImplementedError

    def keep(self, record: Record) -> None:
        """Write what was judged to be new or filled in, in the caller's transaction."""
        raise NotImplementedError

    def _patient(self, record: Record, *days: date | None) -> int:
        known = self.patients.get(record["mrn"])
        if known is None:
            raise ValueError(f"There is no patient with the MRN {record['mrn']}. Take in patients first.")
        id_, born = known
        for day in days:
            if day is not None and born is not None and day < born:
                raise ValueError(f"{day} lies before her birth, {born}.")
        return int(id_)

    def _add(self, row: Any) -> None:
        self.session.add(row)
        self._added.append(row)
        if len(self._added) >= WRITTEN_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what was added since the last time: many rows at once take a tenth of the time of each by itself."""
        self.session.flush()
        for row in self._added:
            self.made[row.__tablename__].append(row.id)
        self._added.clear()


class Patients(Keeper):
    """Women: new ones are made known, of others what was not known is filled in, and nothing else is changed."""

    FACTS = ("name", "birth_date", "sex", "mrn_issuer")
    WORDS = ("Named", "Born", "Sex", "Number given by")

    def __init__(self, session: Session, person: Person | None, source: str) -> None:
        super().__init__(session, person, source)
        columns = [getattr(Patient, fact) for fact in self.FACTS]
        self.known: dict[str, list[Any]] = {
            mrn: list(facts) for mrn, *facts in session.execute(select(Patient.mrn, *columns))
        }

    def judge(self, record: Record) -> Fate:
        """Compare with what is known of her."""
        said = [record.get(fact) for fact in self.FACTS]
        if said[2] is not None:
            said[2] = Sex(said[2])
        known = self.known.get(record["mrn"])
        if known is None:
            self.known[record["mrn"]] = said
            return Fate.NEW
        for word, new, old in zip(self.WORDS, said, known, strict=True):
            if new is not None and old is not None and new != old:
                raise ValueError(f"{word} {new} in the table, {old} as stored.")
        filled = [new if old is None else old for new, old in zip(said, known, strict=True)]
        self.known[record["mrn"]] = filled
        return Fate.SAME if filled == known else Fate.FILLED

    def keep(self, record: Record) -> None:
        """Make her known, or fill in what is said of her."""
        if record[FATE] is Fate.NEW:
            self._add(
                Patient(
                    mrn=record["mrn"],
                    name=record.get("name"),
                    birth_date=record.get("birth_date"),
                    sex=Sex(record["sex"]) if record.get("sex") else None,
                    mrn_issuer=record.get("mrn_issuer"),
                )
            )
            return
        patient = self.session.scalars(select(Patient).where(Patient.mrn == record["mrn"])).one()
        if patient.birth_date is None:
            rescoring.set_birth_date(self.session, patient, record.get("birth_date"))
        patient.name = patient.name or record.get("name")
        patient.sex = patient.sex or (Sex(record["sex"]) if record.get("sex") else None)
        patient.mrn_issuer = patient.mrn_issuer or record.get("mrn_issuer")


class RiskFactorsOfDays(Keeper):
    """Risk factors of a woman and day."""

    FACTS = (
        "bmi",
        "first_degree_relatives_with_breast_cancer",
        "postmenopausal",
        "hormone_therapy",
        "prior_biopsy",
    )

    def __init__(self, session: Session, person: Person | None, source: str) -> None:
        super().__init__(session, person, source)
        columns = [getattr(RiskFactors, fact) for fact in self.FACTS]
        self.known: dict[tuple[int, date], tuple[Any, ...]] = {
            (id_, on): tuple(facts)
            for id_, on, *facts in session.execute(
                select(RiskFactors.patient_id, RiskFactors.recorded_on, *columns)
            )
        }

    def judge(self, record: Record) -> Fate:
        """Compare with what is recorded of that day."""
        key = self._patient(record, record["recorded_on"]), record["recorded_on"]
        said = tuple(record.get(fact) for fact in self.FACTS)
        if not any(fact is not None for fact in said):
            raise ValueError("The line says no risk factor.")
        if key not in self.known:
            self.known[key] = said
            return Fate.NEW
        if self.known[key] != said:
            raise ValueError(f"Other risk factors are recorded for {record['recorded_on']}.")
        return Fate.SAME

    def keep(self, record: Record) -> None:
        """Record them."""
        facts = {fact: record.get(fact) for fact in self.FACTS}
        self._add(RiskFactors(patient_id=self._patient(record), recorded_on=record["recorded_on"], **facts))


class Events(Keeper):
    """What happened beside the studies. One of the same kind, day and breast is the same."""

    permission = Permission.RECORD_EVENT

    def __init__(self, session: Session, person: Person | None, source: str) -> None:
        super().__init__(session, person, source)
        self.known = {
            (id_, kind, on, side): result
            for id_, kind, on, side, result in session.execute(
                select(Event.patient_id, Event.kind, Event.event_date, Event.laterality, Event.result)
            )
        }

    def _key(self, record: Record) -> tuple[int, EventKind, date, Laterality | None]:
        said = record.get("laterality")
        side = Laterality(said) if said and said != BOTH else None
        return self._patient(record, record["on"]), record["kind"], record["on"], side

    def judge(self, record: Record) -> Fate:
        """Check the event by itself, and compare it with those on record."""
        end, result, kind = record.get("end"), record.get("result"), record["kind"]
        if end is not None and kind is not EventKind.THERAPY:
            raise ValueError("Only a therapy has an end.")
        if result is not None and kind is not EventKind.BIOPSY:
            raise ValueError("Only a biopsy has a result.")
        if end is not None and end < record["on"]:
            raise ValueError("It ends before it begins.")
        if kind is EventKind.MASTECTOMY and not record.get("laterality"):
            raise ValueError("Say which breast was removed: L, R, or both.")
        if kind is EventKind.NOTE and not record.get("detail"):
            raise ValueError("The note is empty.")
        key = self._key(record)
        if key not in self.known:
            self.known[key] = result
            return Fate.NEW
        if result is not None and self.known[key] is None:
            self.known[key] = result
            return Fate.FILLED
        if result is not None and self.known[key] != result:
            raise ValueError(f"The result is {result} in the table, {self.known[key]} as stored.")
        return Fate.SAME

    def keep(self, record: Record) -> None:
        """Record it, or the result of a biopsy that is on record."""
        patient_id, kind, on, side = self._key(record)
        if record[FATE] is Fate.FILLED:
            same_side = Event.laterality.is_(None) if side is None else Event.laterality == side
            same = (Event.patient_id == patient_id, Event.kind == kind, Event.event_date == on, same_side)
            stored = self.session.scalars(select(Event).where(*same).order_by(Event.id)).first()
            if stored is not None:
                stored.result = stored.result or record.get("result")
            return
        self._add(
            Event(
                patient_id=patient_id,
                kind=kind,
                event_date=on,
                end_date=record.get("end"),
                laterality=side,
                result=record.get("result"),
                detail=record.get("detail"),
                recorded_by_id=self.person.user_id if self.person else None,
            )
        )


class Readings(Keeper):
    """Readings elsewhere of studies that are here. What a reader recorded here already is not touched."""

    permission = Permission.ASSESS

    def __init__(self, session: Session, person: Person | None, source: str) -> None:
        super().__init__(session, person, source)
        self.studies: defaultdict[tuple[int, date], list[int]] = defaultdict(list)
        self.read: dict[int, tuple[str | None, str | None]] = {}
        for id_, patient_id, on, category, density in session.execute(
            select(Study.id, Study.patient_id, Study.study_date, Study.bi_rads, Study.reader_density)
            .where(Study.modality == "MG")
            .order_by(Study.id)
        ):
            self.studies[patient_id, on].append(id_)
            if category is not None:
                self.read[id_] = category, density

    def _study(self, record: Record) -> int:
        found = self.studies.get((self._patient(record), record["study_date"]), [])
        if len(found) != 1:
            there = "no study" if not found else f"{len(found)} studies"
            raise ValueError(f"There is {there} of {record['study_date']} here. Record it on her page.")
        return found[0]

    def judge(self, record: Record) -> Fate:
        """Find the study, and compare with what was said of it."""
        right, left, whole = (record.get(key) for key in ("bi_rads_right", "bi_rads_left", "bi_rads"))
        highest = highest_concern((right, left))
        if highest is not None and whole is not None and whole != highest:
            raise ValueError(f"BI-RADS {whole} of the study is not the higher of right and left.")
        category = highest or whole
        if category is None:
            raise ValueError("The line says no BI-RADS category.")
        signed = record.get("signed_on")
        if signed is not None and signed < record["study_date"]:
            raise ValueError("It was read before the day of the study.")
        study = self._study(record)
        said = category, record.get("density")
        if study not in self.read:
            self.read[study] = said
            return Fate.NEW
        if self.read[study] != said:
            stored, density = self.read[study]
            raise ValueError(
                f"It is read as BI-RADS {stored}, density {density or 'not said'}. Correct it on her page."
            )
        return Fate.SAME

    def keep(self, record: Record) -> None:
        """Record it as the first version of the study's assessment, signed when the table says."""
        study = self.session.get_one(Study, self._study(record))
        right, left = record.get("bi_rads_right"), record.get("bi_rads_left")
        category = highest_concern((right, left)) or record.get("bi_rads")
        day = record.get("signed_on") or record["study_date"]
        reader = f"Read by {record['reader']}. " if record.get("reader") else ""
        signed = datetime.combine(day, time(12), UTC)
        row = AssessmentVersion(
            study_id=study.id,
            version=1,
            bi_rads=category,
            bi_rads_right=right,
            bi_rads_left=left,
            edition=BI_RADS_EDITION,
            density=record.get("density"),
            management=record.get("management"),
            findings=record.get("findings"),
            note=f"{reader}From the table {self.source}.",
            # No score of this installation stood beside it, as far as anybody knows.
            covered=None,
            signed_by_id=self.person.user_id if self.person else None,
            signed_at=signed,
        )
        self._add(row)
        # Whoever reads it here has not said yet what a line leaves out: till then nothing may lead her.
        left_out = what_is_left_out(self.session, study, {"R": right, "L": left}, row.density)
        let_stand(study, row, in_part=left_out is not None or row.management is None)
        self.in_part += study.read_in_part


KEEPERS: dict[str, type[Keeper]] = {
    "patients": Patients,
    "risk-factors": RiskFactorsOfDays,
    "events": Events,
    "readings": Readings,
}
