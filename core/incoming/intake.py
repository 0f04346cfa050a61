"""Intake: bytes in, each file answered with accepted, duplicate or quarantined and why.

What is accepted is durable before it is acknowledged: first the objects in the image store, then all rows of one
file in one transaction. A batch can be repeated: what is there already is a duplicate.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from pathlib import PurePath
from typing import Any, Literal

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from core.images.reader import VIEWS, GuardedReader, Header, Prepared, lend_reader
from core.installation import Installation
from core.logs import log_of
from core.refusals import Refusal
from db.tables import (
    Image,
    ImportBatch,
    ImportItem,
    Laterality,
    Outcome,
    Patient,
    Sex,
    Study,
    StudyStatus,
    utc_now,
)

log = log_of(__name__)

_LONGEST_MRN = 64
_LONGEST_NAME = 256
# Our own UIDs lie under the UUID root (PS3.5 B.2) and follow from what they name, so that repeating gives the same.
_NAMESPACE = uuid.UUID("6f1d3f0e-2c53-4a53-9d5c-0d6f7a3b9e11")


@dataclass(frozen=True)
class IncomingFile:
    """One file as it arrives. `refusal` is set where it could not even be opened; `said` is a manifest's row for it."""

    name: str
    data: bytes
    refusal: Refusal | None = None
    said: Statement | None = None


@dataclass(frozen=True)
class Statement:
    """What a person (or a manifest) says of files: whose, when, and which views, by file name."""

    mrn: str
    study_date: date
    name: str | None = None
    birth_date: date | None = None
    views: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    simulated: bool = False


@dataclass
class Examined:
    """What a file shows before anything is stored of it. `duplicate_of` names the stored image with the same bytes."""

    name: str
    sha256: str
    refusal: Refusal | None = None
    header: Header | None = None
    laterality: str | None = None
    view: str | None = None
    rows: int | None = None
    columns: int | None = None
    quality_flags: list[str] = field(default_factory=list)
    thumbnail_png: bytes | None = None
    duplicate_of: str | None = None
    contradictions: list[str] = field(default_factory=list)


@dataclass
class ItemReport:
    """How one file ended; `detail` says what was found in it, `text` also what to do."""

    path: str
    outcome: str
    reason: str | None = None
    detail: str | None = None
    patient: str | None = None
    study_uid: str | None = None
    study_date: str | None = None
    modality: str | None = None
    laterality: str | None = None
    view: str | None = None

    @property
    def text(self) -> str | None:
        """Return what was found, and for a refused file what to do."""
        return Refusal(self.reason, self.detail or "").text if self.reason else self.detail


@dataclass
class Report:
    """How a batch ended."""

    items: list[ItemReport] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        """Return how many files ended that way."""
        return sum(item.outcome == outcome for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of ``import --json``."""
        counts = {outcome.value: self.count(outcome) for outcome in Outcome}
        items = [{**asdict(item), "detail": item.text} for item in self.items]
        return {"items": items, **counts}


@dataclass(frozen=True)
class _Claim:
    """Whose image this is, of when and of what, after statement and file were heard."""

    mrn: str
    study_date: date
    study_uid: str | None
    sop_uid: str
    laterality: Laterality
    view: str
    otherwise: dict[str, Any]
    stated: bool


def examine(here: Installation, files: Iterable[IncomingFile]) -> Iterator[Examined]:
    """Look at files without storing anything, one at a time, in their order."""
    with lend_reader(here.settings) as reader:
        for file in files:
            data = storable(file.data)
            sha256 = hashlib.sha256(data).hexdigest()
            try:
                prepared = _read(reader, file, data)
            except Refusal as refusal:
                yield Examined(file.name, sha256, refusal=refusal)
                continue
            image = prepared.image
            yield Examined(
                name=file.name,
                sha256=sha256,
                header=image.header,
                laterality=image.header.laterality,
                view=image.header.view,
                rows=image.rows,
                columns=image.columns,
                quality_flags=image.quality_flags,
                thumbnail_png=prepared.thumbnail_png,
                duplicate_of=_stored_as(here, sha256),
                contradictions=image.contradictions,
            )


def take_in(
    here: Installation,
    files: Iterable[IncomingFile],
    *,
    statement: Statement | None,
    source: Literal["cli", "web", "demo"],
    user_id: int | None = None,
    on_item: Callable[[ItemReport], None] | None = None,
) -> Report:
    """Store files as studies that wait to be scored; each file ends accepted, duplicate or quarantined.

    With a statement the person says whose and when, and the files form one study; what they say otherwise is kept
    with the image. Without, both come from the files. A file that is reported to `on_item` is durable.
    """
    if statement is not None:
        statement = replace(statement, mrn=statement.mrn.strip())
    with here.database.write() as session:
        batch = ImportBatch(
            source=source,
            user_id=user_id,
            stated_mrn=statement.mrn[:_LONGEST_MRN] if statement else None,
            stated_study_date=statement.study_date if statement else None,
        )
        session.add(batch)
        session.flush()
        batch_id = batch.id
    report = Report()
    with lend_reader(here.settings) as reader:
        for file in files:
            item = _take_one(here, reader, batch_id, file, file.said or statement)
            report.items.append(item)
            del file  # or its bytes would stay while the next one's are read
            if on_item is not None:
                on_item(item)
    with here.database.write() as session:
        session.execute(update(ImportBatch).where(ImportBatch.id == batch_id).values(finished_at=utc_now()))
    counts = {outcome.value: report.count(outcome) for outcome in Outcome}
    otherwise = sum(item.detail is not None and item.outcome == Outcome.ACCEPTED for item in report.items)
    log.info("batch taken in", batch=batch_id, source=source, **counts, files_saying_otherwise=otherwise)
    return report


def storable(data: bytes) -> bytes:
    """Return bytes as they are stored: a DICOM preamble is zeroed, for it may make the file a program (CVE-2019-11687)."""
    clean = data[128:132] != b"DICM" or data.startswith(bytes(128))
    return data if clean else bytes(128) + data[128:]


def study_uid_of(mrn: str, study_date: date) -> str:
    """Return the UID of the study that a person states: the same for the same patient and day."""
    return _uid("study", mrn, study_date.isoformat())


def _uid(*named: str) -> str:
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(10).join(named)).int}"


def check_statement(statement: Statement) -> None:
    """Raise `ValueError` where a statement cannot be meant: no MRN, a name of signs, or a day that has not come yet."""
    if not statement.mrn.strip() or len(statement.mrn) > _LONGEST_MRN or not statement.mrn.isprintable():
        raise ValueError(f"The patient's MRN must have 1 to {_LONGEST_MRN} printable characters.")
    if statement.name and (len(statement.name) > _LONGEST_NAME or not statement.name.isprintable()):
        raise ValueError(f"The patient's name must have at most {_LONGEST_NAME} printable characters.")
    if not date(1900, 1, 1) <= statement.study_date <= date.today() + timedelta(days=1):
        raise ValueError(f"The date of the study, {statement.study_date}, lies in the future or before 1900.")
    if statement.birth_date and statement.birth_date > statement.study_date:
        raise ValueError(f"The birth date {statement.birth_date} lies after the study.")
    for name, (side, view) in statement.views.items():
        if side not in ("L", "R") or view not in VIEWS:
            raise ValueError(
                f"{name}: {side}-{view} is no view. Sides are L and R, views {', '.join(VIEWS)}."
            )


def _read(reader: GuardedReader, file: IncomingFile, data: bytes) -> Prepared:
    """Read a file and raise `Refusal` unless it is a mammogram."""
    if file.refusal is not None:
        raise file.refusal
    prepared = reader.prepare(data, file.name)
    if prepared.image.doubt is not None:
        raise Refusal("not_a_mammogram", prepared.image.doubt)
    return prepared


def _take_one(
    here: Installation,
    reader: GuardedReader,
    batch_id: int,
    file: IncomingFile,
    statement: Statement | None,
) -> ItemReport:
    data = storable(file.data)
    sha256 = hashlib.sha256(data).hexdigest()
    prepared: Prepared | None = None
    claim: _Claim | None = None
    try:
        if statement is not None:
            try:
                check_statement(statement)
            except ValueError as error:
                raise Refusal("bad_statement", str(error)) from error
        known = _known(here, batch_id, file, sha256, statement)
        if known is not None:
            return known
        prepared = _read(reader, file, data)
        claim = _claim(prepared.image.header, file.name, sha256, statement)
        with here.database.read() as session:
            # Looked at before the objects are written, so that a refused file leaves nothing in the image store.
            stored = _existing(session, claim, sha256)
            if stored is None:
                _patient(session, claim, prepared.image.header, statement)
                _study(session, claim)
        if stored is None:
            here.images.put(prepared.rendition)
            here.images.put(prepared.thumbnail_png)
            here.images.put(data)
        with here.database.write() as session:
            return _keep(session, batch_id, file, sha256, prepared, claim, statement)
    except Refusal as refusal:
        header = prepared.image.header if prepared else None
        return _quarantine(here, batch_id, file, data, sha256, refusal, header, claim)


def _known(
    here: Installation, batch_id: int, file: IncomingFile, sha256: str, statement: Statement | None
) -> ItemReport | None:
    """Answer a file that is stored already, the same way, without reading it again: a batch is repeated fast."""
    if file.refusal is not None:
        return None
    with here.database.read() as session:
        image = session.scalar(select(Image).where(Image.sha256 == sha256))
        if image is None:
            return None
        study = image.study
        if statement is None:
            same = not {"patient_id", "study_date"} & set(image.stated)
        else:
            said = _said_view(statement, file.name)
            same = (statement.mrn, statement.study_date) == (study.patient.mrn, study.study_date)
            same = same and said in (None, (image.laterality.value, image.view))
        mrn = study.patient.mrn
    if not same:
        return None
    with here.database.write() as session:
        item = _add_item(session, batch_id, file, sha256, Outcome.DUPLICATE, image_id=image.id)
        return _report(item, mrn, study, image)


def _said_view(statement: Statement, name: str) -> tuple[str, str] | None:
    return statement.views.get(name) or statement.views.get(PurePath(name).name)


def _claim(header: Header, name: str, sha256: str, statement: Statement | None) -> _Claim:
    """Settle whose, when and what from statement and file; raises `Refusal` for what neither says."""
    side, view = header.laterality, header.view
    otherwise: dict[str, Any] = {}
    if statement is None:
        if header.patient_id is None:
            raise Refusal("no_identity")
        mrn, study_date = header.patient_id, header.study_date
        if study_date is None:
            raise Refusal("no_study_date")
        if study_date > date.today() + timedelta(days=1):
            raise Refusal("no_study_date", f"The file says {study_date}, which has not come yet.")
    else:
        mrn, study_date = statement.mrn, statement.study_date
        otherwise = _otherwise(header, statement)
        said = _said_view(statement, name)
        if said is not None:
            if side is not None and said[0] != side:
                otherwise["laterality"] = side
            if view is not None and said[1] != view:
                otherwise["view"] = view
            side, view = said
    if side is None:
        raise Refusal("unknown_laterality")
    if view is None:
        raise Refusal("unknown_view")
    if header.modality not in (None, "MG"):
        otherwise["modality"] = header.modality
    if header.age_years is not None:
        otherwise["age_years"] = header.age_years
    same_patient = header.patient_id == mrn and header.study_date == study_date
    return _Claim(
        mrn=mrn,
        study_date=study_date,
        study_uid=header.study_uid if statement is None or same_patient else None,
        sop_uid=header.sop_uid or _uid("image", sha256),
        laterality=Laterality(side),
        view=view,
        otherwise=otherwise,
        stated=statement is not None,
    )


def _otherwise(header: Header, statement: Statement) -> dict[str, Any]:
    """Return what the file says of person and date where it is not what the person says."""
    another = header.patient_id not in (None, statement.mrn)
    other_day = header.study_date not in (None, statement.study_date)
    said = {
        "patient_id": header.patient_id if another else None,
        "patient_name": header.patient_name if another or statement.name else None,
        "birth_date": header.birth_date if another or statement.birth_date else None,
        "study_date": header.study_date if other_day else None,
        "study_uid": header.study_uid if another or other_day else None,
    }
    ours = {"patient_name": statement.name, "birth_date": statement.birth_date}
    return {
        key: value.isoformat() if isinstance(value, date) else value
        for key, value in said.items()
        if value is not None and value != ours.get(key)
    }


def _existing(session: Session, claim: _Claim, sha256: str) -> Image | None:
    """Return the stored image with these bytes if it is the same claim; raises `Refusal` for any collision."""
    found = session.scalars(
        select(Image).where(or_(Image.sha256 == sha256, Image.sop_uid == claim.sop_uid))
    ).all()
    for image in sorted(found, key=lambda i: i.sha256 != sha256):
        study = image.study
        if study.patient.mrn != claim.mrn:
            what = "same image" if image.sha256 == sha256 else "image's identifier (SOP Instance UID)"
            raise Refusal("other_patient", f"The {what} is stored for patient {study.patient.mrn}.")
        if image.sha256 != sha256:
            raise Refusal(
                "uid_conflict",
                f"SOP Instance UID {claim.sop_uid} is stored with other content, in the study of {study.study_date}.",
            )
        if study.study_date != claim.study_date:
            raise Refusal("exists_elsewhere", f"It is stored in the study of {study.study_date}.")
        return image
    return None


def _patient(session: Session, claim: _Claim, header: Header, statement: Statement | None) -> Patient | None:
    """Return the patient if she is known; raises `Refusal` where file or statement contradict what is stored."""
    of_another = header.patient_id is not None and header.patient_id != claim.mrn
    if of_another:
        known = session.scalar(select(Patient.id).where(Patient.mrn == header.patient_id))
        if known is not None:
            raise Refusal(
                "other_patient",
                f"The file says patient {header.patient_id}, who is known here; you say {claim.mrn}.",
            )
    patient = session.scalar(select(Patient).where(Patient.mrn == claim.mrn))
    born = _born(header, claim, statement)
    if patient is not None and patient.birth_date is not None:
        if born is not None and born != patient.birth_date:
            raise Refusal("identity_conflict", f"Born {born} here, {patient.birth_date} as stored.")
        born = patient.birth_date
    if born is not None and born > claim.study_date:
        raise Refusal("identity_conflict", f"Born {born}, after the study of {claim.study_date}.")
    if patient is None:
        return None
    if not of_another and header.sex and statement is None and header.sex != patient.sex.value:
        raise Refusal("identity_conflict", f"Sex {header.sex} here, {patient.sex.value} as stored.")
    if _is_simulated(header, statement) != patient.simulated:
        stored = "simulated" if patient.simulated else "real"
        raise Refusal("identity_conflict", f"Patient {patient.mrn} is a {stored} one.")
    return patient


def _born(header: Header, claim: _Claim, statement: Statement | None) -> date | None:
    """Return her birth date as the person says it, else as a file of her own does."""
    own = header.patient_id in (None, claim.mrn)
    return (statement.birth_date if statement else None) or (header.birth_date if own else None)


def _is_simulated(header: Header, statement: Statement | None) -> bool:
    return header.simulated or (statement is not None and statement.simulated)


def _study(session: Session, claim: _Claim) -> Study | None:
    """Return the study that the image joins, None if it has to be made; raises `Refusal` for a taken UID."""
    if claim.study_uid is not None:
        study = session.scalar(select(Study).where(Study.uid == claim.study_uid))
        if study is not None:
            if study.patient.mrn != claim.mrn:
                raise Refusal(
                    "other_patient",
                    f"Its study (Study Instance UID) is stored for patient {study.patient.mrn}.",
                )
            if study.study_date != claim.study_date:
                raise Refusal(
                    "uid_conflict",
                    f"The file says {claim.study_date}; its study is stored with {study.study_date}.",
                )
            return study
    if not claim.stated:
        # Without a UID in the file the study has ours, and the other views of that day join it.
        own = study_uid_of(claim.mrn, claim.study_date) if claim.study_uid is None else None
        return session.scalar(select(Study).where(Study.uid == own)) if own else None
    # The person says that the files form one study: those of that day, whatever UIDs they carry.
    return session.scalar(
        select(Study)
        .join(Patient)
        .where(Patient.mrn == claim.mrn, Study.study_date == claim.study_date, Study.modality == "MG")
        .order_by(Study.id)
    )


def _keep(
    session: Session,
    batch_id: int,
    file: IncomingFile,
    sha256: str,
    prepared: Prepared,
    claim: _Claim,
    statement: Statement | None,
) -> ItemReport:
    """Write all rows of one accepted file, or that it is there already; raises `Refusal` and then writes nothing."""
    stored = _existing(session, claim, sha256)
    if stored is not None:
        study = stored.study
        detail = None
        if (stored.laterality, stored.view) != (claim.laterality, claim.view):
            detail = f"It is stored as {stored.laterality.value}-{stored.view}."
        item = _add_item(
            session, batch_id, file, sha256, Outcome.DUPLICATE, detail=detail, image_id=stored.id
        )
        return _report(item, study.patient.mrn, study, stored)
    header, image = prepared.image.header, prepared.image
    patient = _patient(session, claim, header, statement)
    own = header.patient_id in (None, claim.mrn)
    born = _born(header, claim, statement)
    name = (statement.name if statement else None) or (header.patient_name if own else None)
    if patient is None:
        patient = Patient(
            mrn=claim.mrn,
            name=name,
            birth_date=born,
            sex=Sex(header.sex) if own and header.sex else Sex.FEMALE,
            simulated=_is_simulated(header, statement),
        )
        session.add(patient)
        session.flush()
    patient.birth_date = patient.birth_date or born
    patient.name = patient.name or name
    joined = _study(session, claim)
    study = joined or Study(
        uid=claim.study_uid or study_uid_of(claim.mrn, claim.study_date),
        patient_id=patient.id,
        study_date=claim.study_date,
        modality="MG",
        description=header.study_description,
    )
    if joined is None:
        session.add(study)
        session.flush()
    row = Image(
        study_id=study.id,
        sop_uid=claim.sop_uid,
        sha256=sha256,
        media_type=image.media_type,
        source_name=file.name[-512:],
        laterality=claim.laterality,
        view=claim.view,
        rows=image.rows,
        columns=image.columns,
        bits_stored=image.bits_stored,
        pixel_spacing_mm=image.pixel_spacing_mm,
        window_center=image.window_center,
        window_width=image.window_width,
        manufacturer=image.manufacturer,
        quality_flags=image.quality_flags,
        stated=claim.otherwise,
        rendition_sha256=hashlib.sha256(prepared.rendition).hexdigest(),
        thumbnail_sha256=hashlib.sha256(prepared.thumbnail_png).hexdigest(),
    )
    session.add(row)
    session.flush()
    _ask_for_scores(session, study)
    said = sorted(set(claim.otherwise) - {"age_years"})
    detail = f"The file says otherwise of: {', '.join(said)}." if said and claim.stated else None
    item = _add_item(session, batch_id, file, sha256, Outcome.ACCEPTED, detail=detail, image_id=row.id)
    return _report(item, patient.mrn, study, row)


def _ask_for_scores(session: Session, study: Study) -> None:
    """Put this study and all later ones of the woman in the queue: their scores read the image that has come."""
    session.execute(
        update(Study)
        .where(
            Study.patient_id == study.patient_id,
            or_(
                Study.study_date > study.study_date,
                (Study.study_date == study.study_date) & (Study.id >= study.id),
            ),
        )
        .values(
            inputs_changed_at=utc_now(),
            status=StudyStatus.PENDING,
            refusal_reason=None,
            refusal_detail=None,
            claimed_by=None,
            claimed_until=None,
            attempts=0,
        )
        .execution_options(synchronize_session=False)
    )


def _quarantine(
    here: Installation,
    batch_id: int,
    file: IncomingFile,
    data: bytes,
    sha256: str,
    refusal: Refusal,
    header: Header | None,
    claim: _Claim | None,
) -> ItemReport:
    """Keep a refused file's bytes and why it was refused."""
    if data:
        here.quarantine.put(data)
    with here.database.write() as session:
        item = _add_item(
            session,
            batch_id,
            file,
            sha256 if data else None,
            Outcome.QUARANTINED,
            reason=refusal.reason,
            detail=refusal.detail or None,
        )
        report = _report(item, None, None, None)
    if claim is not None:
        report.patient, report.study_date = claim.mrn, claim.study_date.isoformat()
        report.laterality, report.view = claim.laterality.value, claim.view
    elif header is not None:
        report.laterality, report.view = header.laterality, header.view
    if header is not None:
        report.modality = header.modality
    return report


def _add_item(
    session: Session,
    batch_id: int,
    file: IncomingFile,
    sha256: str | None,
    outcome: Outcome,
    *,
    reason: str | None = None,
    detail: str | None = None,
    image_id: int | None = None,
) -> ImportItem:
    item = ImportItem(
        batch_id=batch_id,
        path=re.sub(r"[^\x20-\x7e\u00a0-\U0010ffff]", "�", file.name)[-1024:],
        sha256=sha256,
        outcome=outcome,
        reason=reason,
        detail=detail,
        image_id=image_id,
    )
    session.add(item)
    return item


def _report(item: ImportItem, mrn: str | None, study: Study | None, image: Image | None) -> ItemReport:
    return ItemReport(
        path=item.path,
        outcome=item.outcome.value,
        reason=item.reason,
        detail=item.detail,
        patient=mrn,
        study_uid=study.uid if study else None,
        study_date=study.study_date.isoformat() if study else None,
        modality=study.modality if study else None,
        laterality=image.laterality.value if image else None,
        view=image.view if image else None,
    )


def _stored_as(here: Installation, sha256: str) -> str | None:
    with here.database.read() as session:
        image = session.scalar(select(Image).where(Image.sha256 == sha256))
        if image is None:
            return None
        study = image.study
        return f"{study.patient.mrn}, {study.study_date}, {image.laterality.value}-{image.view}"
