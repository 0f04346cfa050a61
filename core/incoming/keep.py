"""Writing what was taken in: patient, study, image and the batch's item, in one transaction; or the refusal and its bytes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.images import READING, Header, Prepared
from core.incoming import asked, rescoring
from core.incoming.at_hand import at_hand
from core.incoming.claims import Claim, study_uid_of
from core.incoming.identity import disagreements, is_hers, is_of
from core.incoming.items import IncomingFile, ItemReport, Statement, printable_name
from core.incoming.judged import images_of, judge_study
from core.incoming.other_kinds import check_room, wait_for_nothing
from core.installation import Installation
from core.people import Closed, FirstRealPatient
from core.refusals import Refusal
from core.rules.vocabulary import OTHER_KIND_WORDS, QualityFlag
from db.tables import (
    Image,
    ImportItem,
    Outcome,
    Patient,
    Sex,
    Study,
)

_LONGEST_DETAIL = 1000


def stored_image(
    session: Session, claim: Claim, sha256: str, prepared: Prepared | None = None
) -> Image | None:
    """Return the stored image with these bytes if it is the same claim; raises `Refusal` for any collision.

    One with the same SOP Instance UID is the same image too where the picture is the same to the last bit: what goes
    through a network or an archive gets another file header there, often other words, sometimes another encoding. Where
    the picture is not at hand (`prepared`), that is left open.
    """
    found = _same_images(session, sha256, claim.sop_uid)
    for image in sorted(found, key=lambda i: i.sha256 != sha256):
        study = image.study
        if study.patient.mrn != claim.mrn:
            what = "same image" if image.sha256 == sha256 else "image's identifier (SOP Instance UID)"
            raise Refusal("other_patient", f"The {what} is stored for patient {study.patient.mrn}.")
        other = prepared is not None and image.rendition_sha256 != prepared.rendition_sha256
        if image.sha256 != sha256 and other:
            raise Refusal(
                "uid_conflict",
                f"SOP Instance UID {claim.sop_uid} is stored with other content, in the study of {study.study_date}.",
            )
        if study.study_date != claim.study_date:
            raise Refusal("exists_elsewhere", f"It is stored in the study of {study.study_date}.")
        return image
    return None


def _same_images(session: Session, sha256: str, sop_uid: str) -> Sequence[Image]:
    hand = at_hand(session)
    found = hand.same_images(sha256, sop_uid) if hand is not None else None
    if found is not None:
        return found
    named = {"sha256": sha256, "sop_uid": sop_uid}
    return session.scalars(asked.SAME_IMAGE, named, execution_options=asked.AS_WRITTEN).all()


def stored_patient(
    session: Session, claim: Claim, header: Header, statement: Statement | None
) -> Patient | None:
    """Return the patient if she is known; raises `Refusal` where file or statement contradict what is stored.

    Where a person says whose the file is, what it says otherwise of her refuses nothing: it is kept with the image.
    """
    if header.patient_id not in (None, claim.mrn):
        known = session.scalar(select(Patient.id).where(Patient.mrn == header.patient_id))
        if known is not None:
            raise Refusal(
                "other_patient",
                f"The file says patient {header.patient_id}, who is known here; you say {claim.mrn}.",
            )
    patient = asked.first(session, asked.PATIENT_EVEN_PUT_AWAY, mrn=claim.mrn)
    if patient is not None and patient.put_away_by_id is not None:
        patient = None
    born = born_on(header, claim, statement, patient)
    if patient is not None and patient.birth_date is not None:
        if born is not None and born != patient.birth_date:
            raise Refusal("identity_conflict", f"Born {born} here, {patient.birth_date} as stored.")
        born = patient.birth_date
    if born is not None and born > claim.study_date:
        raise Refusal("identity_conflict", f"Born {born}, after the study of {claim.study_date}.")
    if patient is None:
        return None
    if not claim.by_person and (disagreeing := disagreements(header, patient)):
        raise Refusal("identity_conflict", " ".join(one.sentence for one in disagreeing))
    if is_simulated(header, statement) != patient.simulated:
        stored = "simulated" if patient.simulated else "real"
        raise Refusal("identity_conflict", f"Patient {patient.mrn} is a {stored} one.")
    return patient


def born_on(
    header: Header, claim: Claim, statement: Statement | None, patient: Patient | None
) -> date | None:
    """Return her birth date as the person says it, else as a file of her own does."""
    own = is_hers(header, claim.mrn, statement, patient)
    return (statement.birth_date if statement else None) or (header.birth_date if own else None)


def is_simulated(header: Header, statement: Statement | None) -> bool:
    """Return whether file or person says that she is a simulated patient."""
    return header.simulated or (statement is not None and statement.simulated)


def stored_study(session: Session, claim: Claim) -> Study | None:
    """Return the study that the image joins, None if it has to be made; raises `Refusal` for a taken UID."""
    if claim.study_uid is not None:
        study = asked.first(session, asked.STUDY, uid=claim.study_uid)
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
    if not claim.by_person:
        # Without a UID in the file the study has ours, and the other views of that day join it.
        own = study_uid_of(claim.mrn, claim.study_date, claim.modality) if claim.study_uid is None else None
        # One that was corrected since may be of another day or woman.
        as_named = (Study.study_date == claim.study_date, Patient.mrn == claim.mrn)
        return session.scalar(select(Study).join(Patient).where(Study.uid == own, *as_named)) if own else None
    # The person says that the files form one study: those of that day, whatever UIDs they carry.
    return asked.first(
        session, asked.STUDY_OF_DAY, mrn=claim.mrn, study_date=claim.study_date, modality=claim.modality
    )


def keep(
    session: Session,
    batch_id: int,
    file: IncomingFile,
    sha256: str,
    prepared: Prepared,
    claim: Claim,
    statement: Statement | None,
    first: FirstRealPatient,
) -> tuple[ItemReport, Closed | None]:
    """Write all rows of one accepted file, or that it is there already; raises `Refusal` and then writes nothing.

    Returns also what a new real patient closed. Raises `OwnAdminNeeded` where she cannot come in, and writes nothing.
    """
    stored = stored_image(session, claim, sha256, prepared)
    if stored is not None:
        return _keep_duplicate(session, batch_id, file, sha256, claim, stored), None
    header = prepared.image.header
    patient = stored_patient(session, claim, header, statement)
    joined = stored_study(session, claim)
    check_room(session, joined, claim.modality)
    file_says = _says_beside(header, claim, patient)
    is_new_woman = patient is None
    patient, closed = _keep_patient(session, claim, header, statement, patient, first)
    study = _keep_study(session, claim, header, patient, joined)
    if claim.by_person and "study_date" in file_says:
        # Files of several days that a person calls one study are never so silently.
        _flag_contradiction(prepared)
    others = [] if joined is None else images_of(session, study)
    image = _image_row(file, sha256, prepared, claim, file_says)
    judge_study(session, study, [*others, image])
    image.study = study
    session.add(image)  # and with it woman and study, where they are new
    _added(session, image, ask_for_scores=claim.modality == "MG" and not is_new_woman)
    otherwise = sorted(set(file_says) - {"age_years"})
    against = (
        [f"The file says otherwise of: {', '.join(otherwise)}."] if otherwise and claim.by_person else []
    )
    detail = " ".join([*against, *prepared.image.contradictions])[:_LONGEST_DETAIL] or None
    item = add_item(session, batch_id, file, sha256, Outcome.ACCEPTED, detail=detail, image=image)
    return report_of(item, patient.mrn, study, image), closed


def _added(session: Session, image: Image, *, ask_for_scores: bool) -> None:
    """Write an image that was added to the session, and ask for scores of it; her first study waits as it is."""
    hand = at_hand(session)
    if hand is None:
        session.flush()
    else:  # with those that come with it
        hand.comes(image)
    if ask_for_scores and hand is not None:
        hand.gained(image.study)
    elif ask_for_scores:
        rescoring.image_added(session, image.study)


def _flag_contradiction(prepared: Prepared) -> None:
    flags = prepared.image.quality_flags
    if QualityFlag.CONTRADICTORY_HEADER not in flags:
        flags.append(QualityFlag.CONTRADICTORY_HEADER)


def _keep_duplicate(
    session: Session, batch_id: int, file: IncomingFile, sha256: str, claim: Claim, stored: Image
) -> ItemReport:
    """Answer that the image is there already, and how, where it is stored as another view."""
    study = stored.study
    detail = set_aside(stored)
    if (stored.laterality, stored.view) != (claim.laterality, claim.view):
        as_view = f"It is stored as {stored.laterality.value}-{stored.view}."
        detail = f"{as_view} {detail}" if detail else as_view
    item = add_item(session, batch_id, file, sha256, Outcome.DUPLICATE, detail=detail, image=stored)
    return report_of(item, study.patient.mrn, study, stored)


def set_aside(image: Image) -> str | None:
    """Say that an image which is there is set aside; None where it is not."""
    if image.put_away_by_id is None:
        return None
    return "It is set aside as not wanted. Bring it back on her page (Correct) if it is."


def _says_beside(header: Header, claim: Claim, patient: Patient | None) -> dict[str, Any]:
    """Return what is kept of a file's own words, with those in which a file under her number is another woman's."""
    if patient is None or not is_of(header, claim.mrn):
        return claim.file_says
    disagreeing = disagreements(header, patient)
    if not disagreeing:
        return claim.file_says
    otherwise = {one.fact: one.file for one in disagreeing if one.fact != "age_years"}
    if header.birth_date and header.birth_date != patient.birth_date:
        otherwise["birth_date"] = header.birth_date.isoformat()
    # The age is hers only if the file is.
    return {k: v for k, v in claim.file_says.items() if k != "age_years"} | otherwise


def _keep_patient(
    session: Session,
    claim: Claim,
    header: Header,
    statement: Statement | None,
    known: Patient | None,
    first: FirstRealPatient,
) -> tuple[Patient, Closed | None]:
    """Return the woman's row, made if she is new, and what she closed; what was not known of her is filled in.

    A new one comes into the session with her first image.
    """
    own = is_hers(header, claim.mrn, statement, known)
    born = born_on(header, claim, statement, known)
    name = (statement.name if statement else None) or (header.patient_name if own else None)
    simulated = is_simulated(header, statement)
    closed = first.comes(session) if known is None and not simulated else None
    patient = known or Patient(mrn=claim.mrn, birth_date=born, simulated=simulated)
    if patient.birth_date is None:
        rescoring.set_birth_date(session, patient, born)
    patient.name = patient.name or name
    if own:
        patient.sex = patient.sex or (Sex(header.sex) if header.sex else None)
        patient.mrn_issuer = patient.mrn_issuer or header.patient_id_issuer
        others = [other for other in header.other_names if other != patient.name]
        patient.other_names = patient.other_names or "\n".join(others) or None
    return patient, closed


def _keep_study(
    session: Session, claim: Claim, header: Header, patient: Patient, joined: Study | None
) -> Study:
    """Return the study that the image joins, made if there is none yet; a new one comes into the session with the image."""
    if joined is not None:
        if claim.modality == "MG":  # mammograms that come after the ultrasound of the same study
            joined.modality = "MG"
        return joined
    uid = claim.study_uid or study_uid_of(claim.mrn, claim.study_date, claim.modality)
    study = Study(
        # A study that was corrected since keeps its UID.
        uid=f"2.25.{uuid.uuid4().int}" if _is_taken(session, uid) else uid,
        patient=patient,
        study_date=claim.study_date,
        modality=claim.modality,
        description=header.study_description,
    )
    if claim.modality != "MG":
        wait_for_nothing(study)
    return study


def _is_taken(session: Session, uid: str) -> bool:
    """Tell whether a study has this UID that the image does not join."""
    hand = at_hand(session)
    put_away = hand.is_put_away(uid) if hand is not None else None
    if put_away is not None:
        return put_away
    taken = session.scalar(asked.STUDY_EVEN_PUT_AWAY, {"uid": uid}, execution_options=asked.AS_WRITTEN)
    return taken is not None


def _image_row(
    file: IncomingFile, sha256: str, prepared: Prepared, claim: Claim, file_says: dict[str, Any]
) -> Image:
    """Make the row of an image, of no study yet."""
    image = prepared.image
    return Image(
        sop_uid=claim.sop_uid,
        sha256=sha256,
        media_type=image.media_type,
        source_name=printable_name(file.name)[-512:],
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
        measured=image.measured or None,
        file_says=file_says,
        rendition_sha256=prepared.rendition_sha256,
        thumbnail_sha256=prepared.thumbnail_sha256,
        reading=READING,
        series_uid=image.header.series_uid or "",
        sop_class_uid=image.header.sop_class_uid or "",
    )


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
    # Nobody's row; what the files before it left stale is brought up to date at the end of the batch.
    with here.database.write(ready=False) as session:
        return quarantined(session, batch_id, file, sha256 if data else None, refusal, header, claim)


def quarantined(
    session: Session,
    batch_id: int,
    file: IncomingFile,
    sha256: str | None,
    refusal: Refusal,
    header: Header | None,
    claim: Claim | None,
) -> ItemReport:
    """Write why a file was refused; its bytes, if it has any, are in quarantine already."""
    item = add_item(
        session,
        batch_id,
        file,
        sha256,
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
    image: Image | None = None,
) -> ImportItem:
    """Add the line of a batch that says how a file ended, inside the caller's transaction."""
    item = ImportItem(
        batch_id=batch_id,
        path=printable_name(file.name)[-1024:],
        sha256=sha256,
        sop_uid=file.sop_uid,
        outcome=outcome,
        reason=reason,
        # It may quote the file's name or a word of its header.
        detail=printable_name(detail) if detail else None,
        image_id=image.id if image is not None else None,
    )
    hand = at_hand(session)
    if hand is None:
        session.add(item)
    else:
        hand.line(item, image)
    return item


def _modality(study: Study | None, image: Image | None) -> str | None:
    """Return the modality of one image: a study of mammograms may hold ultrasound too."""
    if image is not None and image.view in OTHER_KIND_WORDS:
        return image.view
    return study.modality if study else None


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
        modality=_modality(study, image),
        laterality=image.laterality.value if image else None,
        view=image.view if image else None,
        flags=[str(flag) for flag in image.quality_flags] if image else [],
    )
