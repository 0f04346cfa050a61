"""Series and instances as an archive lists them by DICOMweb, of one study or of all (QIDO-RS, PS3.18 10.6).

What is told of an image is what the record says. Which series it is of and which kind of object its file names was kept as it
came in; of images of before that it is read from the file when they are listed first, and kept then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice

from sqlalchemy import ColumnElement, Select, func, or_, select, update

from core.exchange.archive import (
    DICOM,
    Instance,
    Listing,
    Matching,
    made_series,
    series_uid,
    studies_meant,
    study_found,
)
from core.exchange.headers import Attributes, HeaderLost, header_of, json_listed
from core.installation import Installation
from core.people import Permission, Person
from core.people.needing import needs
from db.tables import Image, Patient, Study

__all__ = ["TooManyUnlisted", "instances_found", "series_found"]

_AT_ONCE = 200
MOST_UNLISTED = 500
"""How many files are read to find a series by its UID alone."""


class TooManyUnlisted(ValueError):
    """Too many files would have to be read to find a series; the message says what to ask for."""


@needs(Permission.SEE_PATIENTS)
def series_found(
    here: Installation, person: Person, asked: Matching, *, limit: int, offset: int, address: str
) -> Listing:
    """Return series, those of the newest study first; raises `TooManyUnlisted`."""
    hers = groupby(_walk(here, asked), key=lambda one: one.study.id)
    all_series = (group for _, of_study in hers for group in _by_series(here, list(of_study)))
    found = list(islice(all_series, offset, offset + limit + 1))
    rows = [json_listed(_series(uid, ones, address)) for uid, ones in found[:limit]]
    return Listing(rows, _women(one for _, ones in found[:limit] for one in ones), len(found) > limit)


@needs(Permission.SEE_PATIENTS)
def instances_found(
    here: Installation, person: Person, asked: Matching, *, limit: int, offset: int, address: str
) -> Listing:
    """Return instances, those of the newest study first; raises `TooManyUnlisted`."""
    if asked.series:
        found = list(islice(_walk(here, asked), offset, offset + limit + 1))
    else:
        found = _known(here, _rows(here, _images(asked).offset(offset).limit(limit + 1)))
    rows = [json_listed(_instance(here, one, address)) for one in found[:limit]]
    return Listing(rows, _women(found[:limit]), len(found) > limit)


def _images(asked: Matching) -> Select[Image, Study, Patient]:
    query = (
        select(Image, Study, Patient)
        .join(Study, Study.id == Image.study_id)
        .join(Patient, Patient.id == Study.patient_id)
        .where(*studies_meant(asked))
        .order_by(Study.study_date.desc(), Study.id.desc(), Image.id)
    )
    return query.where(Image.sop_uid.in_(asked.instances)) if asked.instances else query


def _walk(here: Installation, asked: Matching) -> Iterator[Instance]:
    """Yield the images that match, of the newest study first."""
    query = _images(asked)
    if asked.series:
        query = query.where(_of_series(here, asked))
    for at in range(0, 10**9, _AT_ONCE):
        found = _rows(here, query.offset(at).limit(_AT_ONCE))
        for one in _known(here, found):
            if not asked.series or series_uid(here, one) in asked.series:
                yield one
        if len(found) < _AT_ONCE:
            return


def _of_series(here: Installation, asked: Matching) -> ColumnElement[bool]:
    """Return which images may be of the series: those whose files name it, and those of which that is not known yet."""
    not_known = Image.series_uid.is_(None) & (Image.media_type == DICOM)
    without = or_(Image.series_uid == "", Image.series_uid.is_(None) & (Image.media_type != DICOM))
    meant = studies_meant(asked)
    of_images = (
        select(func.count(Image.id))
        .join(Study, Study.id == Image.study_id)
        .join(Patient, Patient.id == Study.patient_id)
        .where(not_known, *meant)
    )
    with here.database.read() as session:
        to_read = session.scalar(of_images) or 0
        uids = (
            select(Study.id, Study.uid)
            .join(Image, Image.study_id == Study.id)
            .join(Patient, Patient.id == Study.patient_id)
            .where(without, *meant)
            .distinct()
        )
        made = [study_id for study_id, uid in session.execute(uids) if made_series(uid) in asked.series]
    if to_read > MOST_UNLISTED:
        raise TooManyUnlisted(
            f"Of {to_read:,} images of an earlier release it is not known yet which series they are of. Ask with "
            "StudyInstanceUID or PatientID as well, or list all series once."
        )
    return or_(Image.series_uid.in_(asked.series), not_known, without & Image.study_id.in_(made))


def _rows(here: Installation, query: Select[Image, Study, Patient]) -> list[Instance]:
    with here.database.read() as session:
        return [Instance(row.Image, row.Study, row.Patient) for row in session.execute(query)]


def _known(here: Installation, found: Sequence[Instance]) -> list[Instance]:
    """Return images of which it is known what their files name; it is read and kept where it was not."""
    read = []
    for one in found:
        if one.image.series_uid is None and one.is_dicom:
            try:
                header = header_of(here, one.image, "SeriesInstanceUID", "SOPClassUID")
            except HeaderLost:
                continue  # its bytes may come back with a backup
            one.image.series_uid = str(header.get("SeriesInstanceUID") or "")[:64]
            one.image.sop_class_uid = str(header.get("SOPClassUID") or "")[:64]
            read.append(one.image)
    if read:
        with here.database.write() as session:
            for image in read:
                told = {"series_uid": image.series_uid, "sop_class_uid": image.sop_class_uid}
                session.execute(update(Image).where(Image.id == image.id).values(told))
    return list(found)


def _by_series(here: Installation, of_study: Sequence[Instance]) -> list[tuple[str, list[Instance]]]:
    found: dict[str, list[Instance]] = {}
    for one in of_study:
        found.setdefault(series_uid(here, one), []).append(one)
    return list(found.items())


def _women(found: Iterator[Instance] | Sequence[Instance]) -> list[int]:
    return list(dict.fromkeys(one.patient.id for one in found))


def _series(uid: str, ones: Sequence[Instance], address: str) -> Attributes:
    study = ones[0].study
    made = study_found(study, ones[0].patient, len(ones), address)
    del made["NumberOfStudyRelatedInstances"]
    return made | {
        "Modality": study.modality,
        "SeriesInstanceUID": uid,
        "SeriesNumber": None,
        "NumberOfSeriesRelatedInstances": len(ones),
        "RetrieveURL": f"{address}/studies/{study.uid}/series/{uid}",
    }


def _instance(here: Installation, one: Instance, address: str) -> Attributes:
    uid, image = series_uid(here, one), one.image
    made = _series(uid, [one], address)
    del made["NumberOfSeriesRelatedInstances"]
    return made | {
        **({"SOPClassUID": image.sop_class_uid} if image.sop_class_uid else {}),
        "SOPInstanceUID": image.sop_uid,
        "InstanceNumber": None,
        "Rows": image.rows,
        "Columns": image.columns,
        "BitsStored": image.bits_stored,
        "ImageLaterality": image.laterality.value,
        "ViewPosition": image.view,
        "RetrieveURL": f"{made['RetrieveURL']}/instances/{image.sop_uid}",
    }
