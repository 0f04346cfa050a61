"""What of a file is settled before it is known whose it is: what a person says of it, whether it is here, what is read of it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.images import Prepared, ReadImage
from core.incoming.claims import check_statement, said_view
from core.incoming.files import named_view
from core.incoming.items import IncomingFile, ItemReport, Statement
from core.incoming.keep import add_item, report_of, set_aside
from core.incoming.settled import stated
from core.refusals import Refusal
from core.rules.vocabulary import QualityFlag
from db.sessions import WITH_PUT_AWAY
from db.tables import Image, Outcome

__all__ = ["Reader", "answer_known", "as_settled", "known", "open_file"]


class Reader(Protocol):
    """Who reads a file: a `GuardedReader`, or a `Turn` that has done so already."""

    def prepare(self, data: bytes, name: str) -> Prepared:
        """Read a file; raises `Refusal`."""


def open_file(reader: Reader, file: IncomingFile, data: bytes) -> Prepared:
    """Read a file, and compare it with its name; raises `Refusal` where it cannot be read."""
    if file.refusal is not None:
        raise file.refusal
    prepared = reader.prepare(data, file.name)
    _compare_name(file.name, prepared.image)
    return prepared


def _compare_name(name: str, image: ReadImage) -> None:
    """Note where a file that is named after its side and view says others itself."""
    named, header = named_view(PurePosixPath(name).name), image.header
    if named is None:
        return
    says = header.laterality or named[0], header.view or named[1]
    if says == named:
        return
    image.contradictions.append(f"The file is named {'-'.join(named)}, and says {'-'.join(says)} itself.")
    if QualityFlag.CONTRADICTORY_HEADER not in image.quality_flags:
        image.quality_flags.append(QualityFlag.CONTRADICTORY_HEADER)


def as_settled(session: Session, statement: Statement | None) -> Statement | None:
    """Return what a person states, with the MRN that stands today; raises `Refusal` where it cannot be meant."""
    if statement is None:
        return None
    try:
        check_statement(statement)
    except ValueError as error:
        raise Refusal("bad_statement", str(error)) from error
    return stated(session, statement)


def known(session: Session, file: IncomingFile, sha256: str, statement: Statement | None) -> Image | None:
    """Return the image of a file that is stored already, the same way: a batch is repeated fast, without reading it again.

    Its study and the woman are loaded with it.
    """
    if file.refusal is not None:
        return None
    image = session.scalar(select(Image).where(Image.sha256 == sha256), execution_options=WITH_PUT_AWAY)
    if image is None:
        return None
    study, mrn = image.study, image.study.patient.mrn
    if statement is None:
        same = not {"patient_id", "study_date"} & set(image.file_says)
    else:
        said = said_view(statement, file.name)
        same = (statement.mrn, statement.study_date) == (mrn, study.study_date)
        same = same and said in (None, (image.laterality.value, image.view))
    return image if same else None


def answer_known(
    session: Session, batch_id: int, file: IncomingFile, sha256: str, image: Image
) -> ItemReport:
    """Write that a file is here already, as this image."""
    item = add_item(session, batch_id, file, sha256, Outcome.DUPLICATE, detail=set_aside(image), image=image)
    return report_of(item, image.study.patient.mrn, image.study, image)
