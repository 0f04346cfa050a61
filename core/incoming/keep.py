"""Writing what was taken in: patient, study, image and the batch's item, in one transaction; or the refusal and its bytes."""

from __future__ import annotations

import hashlib
import re
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.images import Header, Prepared
from core.incoming.claims import Claim, study_uid_of
from core.incoming.items import IncomingFile, ItemReport, Statement
from core.installation import Installation
from core.refusals import Refusal
from core.rules import rescoring
from db.tables import (
    Image,
    ImportItem,
    Outcome,
    Patient,
    Sex,
    Study,
)


def stored_image(session: Session, claim: Claim, sha256: str) -> Image | None:
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


def stored_patient(
    session: Session, claim: Claim, header: Header, statement: Statement | None
) -> Patient | None:
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
    born = born_on(header, claim, statement)
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


def born_on(header: Header, claim: Claim, statement: Statement | None) -> date | None:
    """Return her birth date as the person says it, else as a file of her own does."""
    own = header.patient_id in (None, claim.mrn)
    return (statement.birth_date if statement else None) or (header.birth_date if own else None)


def _is_simulated(header: Header, statement: Statement | None) -> bool:
    return header.simulated or (statement is not None and statement.simulated)


def stored_study(session: Session, claim: Claim) -> Study | None:
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


def keep(
    session: Session,
    batch_id: int,
    file: IncomingFile,
    sha256: str,
    prepared: Prepared,
    claim: Claim,
    statement: Statement | None,
) -> ItemReport:
    """Write all rows of one accepted file, or that it is there already; raises `Refusal` and then writes nothing."""
    stored = stored_image(session, claim, sha256)
    if stored is not None:
        study = stored.study
        detail = None
        if (stored.laterality, stored.view) != (claim.laterality, claim.view):
            detail = f"It is stored as {stored.laterality.value}-{stored.view}."
        item = add_item(session, batch_id, file, sha256, Outcome.DUPLICATE, detail=detail, image_id=stored.id)
        return report_of(item, study.patient.mrn, study, stored)
    header, image = prepared.image.header, prepared.image
    patient = stored_patient(session, claim, header, statement)
    own = header.patient_id in (None, claim.mrn)
    born = born_on(header, claim, statement)
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
    if patient.birth_date is None:
        rescoring.set_birth_date(session, patient, born)
    patient.name = patient.name or name
    joined = stored_study(session, claim)
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
    rescoring.image_added(session, study)
    said = sorted(set(claim.otherwise) - {"age_years"})
    detail = f"The file says otherwise of: {', '.join(said)}." if said and claim.stated else None
    item = add_item(session, batch_id, file, sha256, Outcome.ACCEPTED, detail=detail, image_id=row.id)
    return report_of(item, patient.mrn, study, row)


def quarantine(
    here: Installation,
    batch_id: int,
    file: IncomingFile,
    data: bytes,
    sha256: str,
    refusal: Refusal,
    header: Header | None,
    claim: Claim | None,
) -> ItemReport:
    """Keep a refused file's bytes and why it was refused."""
    if data:
        here.quarantine.put(data)
    with here.database.write() as session:
        item = add_item(
            session,
            batch_id,
            file,
            sha256 if data else None,
            Outcome.QUARANTINED,
            reason=refusal.reason,
            detail=refusal.detail or None,
        )
        report = report_of(item, None, None, None)
    if claim is not None:
        report.patient, report.study_date = claim.mrn, claim.study_date.isoformat()
        report.laterality, report.view = claim.laterality.value, claim.view
    elif header is not None:
        report.laterality, report.view = header.laterality, header.view
    if header is not None:
        report.modality = header.modality
    return report


def add_item(
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
    """Add the line of a batch that says how a file ended, inside the caller's transaction."""
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


def report_of(item: ImportItem, mrn: str | None, study: Study | None, image: Image | None) -> ItemReport:
    """Return how a file ended, as people and ``import --json`` see it."""
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
