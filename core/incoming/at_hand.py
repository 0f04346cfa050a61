"""What several files ask of the database, asked for all of them at once and kept at hand while they are written together.

Whatever is not at hand is asked as if a file came alone: then what was written of those before it is brought to the database
first, as each query of a session does by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import BindParameter, Row, bindparam, or_, select
from sqlalchemy.orm import Session

from core.images import Header
from core.incoming import asked, rescoring
from db.tables import Correction, Image, ImportItem, Patient, Study

__all__ = ["AtHand", "at_hand"]

_MRNS: BindParameter[Any] = bindparam("mrns", expanding=True)
_UIDS: BindParameter[Any] = bindparam("uids", expanding=True)
_BYTES: BindParameter[Any] = bindparam("bytes_sha256", expanding=True)
_STUDIES: BindParameter[Any] = bindparam("study_ids", expanding=True)

# As in `core.incoming.asked`, each of several.
_PATIENTS = select(Patient).where(Patient.mrn.in_(_MRNS))
_STUDIES_OF_UIDS = select(Study).where(Study.uid.in_(_UIDS))
_SAME_IMAGES = select(Image).where(or_(Image.sha256.in_(_BYTES), Image.sop_uid.in_(_UIDS)))
_IMAGES_OF_STUDIES = (
    select(Image)
    .where(Image.study_id.in_(_STUDIES), Image.put_away_by_id.is_(None))
    .order_by(Image.study_id, Image.id)
)
_CORRECTIONS = (
    select(Correction.mrn, Correction.other_mrn, Correction.changes)
    .where(or_(Correction.mrn.in_(_MRNS), Correction.other_mrn.in_(_MRNS)), Correction.undone_at.is_(None))
    .order_by(Correction.id)
)

_KEY = "at hand"

Corrections = Sequence[Row[str, str | None, dict[str, Any]]]


def at_hand(session: Session) -> AtHand | None:
    """Return what is at hand of the files that this session writes together; None where it writes one."""
    found: AtHand | None = session.info.get(_KEY)
    return found


class AtHand:
    """The women, studies, images and corrections that files with these headers may meet, and what is written of them meanwhile.

    >>> with here.database.write() as session:
    ...     hand = AtHand(session, headers, sha256s, stated_mrns)
    ...     ...  # each file asks `at_hand(session)`, and says what it adds
    ...     hand.write()
    """

    def __init__(
        self, session: Session, headers: Sequence[Header], sha256s: Iterable[str], stated: Iterable[str] = ()
    ) -> None:
        self._session = session
        mrns = {header.patient_id for header in headers if header.patient_id} | set(stated)
        uids = {header.study_uid for header in headers if header.study_uid}
        women: dict[str, Patient] = {woman.mrn: woman for woman in self._all(_PATIENTS, mrns=mrns)}
        for mrn in mrns:
            asked.have_at_hand(session, asked.PATIENT_EVEN_PUT_AWAY, women.get(mrn), mrn=mrn)
        found = self._all(_STUDIES_OF_UIDS, uids=uids)
        studies: dict[str, Study] = {study.uid: study for study in found if study.put_away_by_id is None}
        self._study_uids = uids
        self._put_away = {study.uid for study in found} - set(studies)
        for uid in uids:
            asked.have_at_hand(session, asked.STUDY, studies.get(uid), uid=uid)
        known = list(studies.values())
        self._bytes = set(sha256s)
        self._uids = {header.sop_uid for header in headers if header.sop_uid}
        self._images: list[Image] = self._all(_SAME_IMAGES, bytes_sha256=self._bytes, uids=self._uids)
        self._of_study: dict[Study, list[Image]] = {study: [] for study in known}
        if known:
            by_id = {study.id: study for study in known}
            for image in self._all(_IMAGES_OF_STUDIES, study_ids=set(by_id)):
                self._of_study[by_id[image.study_id]].append(image)
        self._mrns = mrns | {study.patient.mrn for study in known}
        self._corrections = session.execute(
            _CORRECTIONS, {"mrns": sorted(self._mrns)}, execution_options=asked.AS_WRITTEN
        ).all()
        self._new_women: set[Patient] = set()
        self._gained: dict[Study, None] = {}
        self._lines: list[tuple[ImportItem, Image | None]] = []
        session.info[_KEY] = self

    def _all(self, statement: Any, **named: set[Any]) -> list[Any]:
        if not any(named.values()):
            return []
        values = {name: sorted(some) for name, some in named.items()}
        return list(self._session.scalars(statement, values, execution_options=asked.AS_WRITTEN))

    def same_images(self, sha256: str, sop_uid: str) -> list[Image] | None:
        """Return the images with these bytes or this SOP Instance UID; None where that is not at hand."""
        if sha256 not in self._bytes or sop_uid not in self._uids:
            return None
        return [image for image in self._images if image.sha256 == sha256 or image.sop_uid == sop_uid]

    def is_put_away(self, uid: str) -> bool | None:
        """Tell whether a study with this UID was put away, where none that counts has it; None where that is not at hand."""
        return uid in self._put_away if uid in self._study_uids else None

    def images_of(self, study: Study) -> list[Image] | None:
        """Return the images of a study that count, in the order in which they came; None where they are not at hand."""
        found = self._of_study.get(study)
        return None if found is None else list(found)

    def corrections(self, mrns: set[str]) -> Corrections | None:
        """Return the corrections of these women that stand, in their order; None where they are not at hand."""
        if not mrns <= self._mrns:
            return None
        return [row for row in self._corrections if row.mrn in mrns or row.other_mrn in mrns]

    def comes(self, image: Image) -> None:
        """Have an image at hand that was added to the session, with its study and her whose it is, where they are new."""
        study = image.study
        if study.id is None and study not in self._of_study:
            asked.have_at_hand(self._session, asked.STUDY, study, uid=study.uid)
            self._of_study[study] = []
            woman = study.patient
            if woman.id is None:
                asked.have_at_hand(self._session, asked.PATIENT_EVEN_PUT_AWAY, woman, mrn=woman.mrn)
                self._new_women.add(woman)
        if study in self._of_study:
            self._of_study[study].append(image)
        self._images.append(image)

    def gained(self, study: Study) -> None:
        """Ask at the end, and once, for the scores that an image changed; those of a new woman all wait as they are."""
        if study.patient not in self._new_women:
            self._gained[study] = None

    def line(self, item: ImportItem, image: Image | None) -> None:
        """Keep the line of a batch until the image that it names has its number."""
        self._lines.append((item, image))

    def write(self) -> None:
        """Write all that was added; what was at hand is so no more."""
        session = self._session
        del session.info[_KEY]
        session.flush()
        for study in self._gained:
            rescoring.image_added(session, study)
        for item, image in self._lines:
            item.image_id = image.id if image is not None else None
        session.add_all([item for item, _ in self._lines])
