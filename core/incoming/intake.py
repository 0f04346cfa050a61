"""Intake: bytes in, each file answered with accepted, duplicate or quarantined and why.

What is accepted is durable before it is acknowledged: first the objects in the image store, then all rows of one
file in one transaction. A batch can be repeated: what is there already is a duplicate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.images import Prepared, ReadImage, lend_reader, storable
from core.incoming import asked
from core.incoming.ahead import Ahead, Turn
from core.incoming.batches import Source, begin_batch, finish_batch
from core.incoming.claims import Claim, settle_claim
from core.incoming.items import (
    BatchReport,
    Examined,
    IncomingFile,
    ItemReport,
    Statement,
    StoredAs,
    printable_name,
)
from core.incoming.keep import (
    is_simulated,
    keep,
    quarantine,
    stored_image,
    stored_patient,
    stored_study,
)
from core.incoming.on_the_way_in import without_her
from core.incoming.opening import answer_known, as_settled, known, open_file
from core.incoming.other_kinds import check_room, settle_kind
from core.incoming.settled import heard
from core.incoming.together import Taken, take_together
from core.installation import Installation
from core.logs import log_of
from core.outages import outage
from core.people import Closed, FirstRealPatient, NewAccount, OwnAdminNeeded, Person
from core.people.needing import needs
from core.people.roles import Permission
from core.refusals import Refusal
from db.sessions import WITH_PUT_AWAY
from db.tables import (
    Image,
    Outcome,
)

log = log_of(__name__)


@needs(Permission.ADD_STUDY)
def examine(here: Installation, files: Iterable[IncomingFile]) -> Iterator[Examined]:
    """Look at files without storing anything, one at a time, in their order."""
    with lend_reader(here.settings) as reader:
        for file in files:
            data = storable(file.data)
            sha256 = hashlib.sha256(data).hexdigest()
            try:
                prepared = open_file(reader, file, data)
                kind = _examined_kind(prepared.image)
            except Refusal as refusal:
                yield Examined(file.name, sha256, refusal=refusal)
                continue
            with here.database.read() as session:
                prepared.image.header, _ = heard(session, prepared.image.header)
            image = prepared.image
            yield Examined(
                name=file.name,
                sha256=sha256,
                header=image.header,
                laterality=image.header.laterality,
                view=kind or image.header.view,
                rows=image.rows,
                columns=image.columns,
                quality_flags=image.quality_flags,
                measured=image.measured,
                spacing_mm=image.pixel_spacing_mm,
                looks_like=image.looks_like,
                thumbnail_png=prepared.thumbnail_png,
                duplicate_of=_stored_as(here, sha256),
                contradictions=image.contradictions,
            )


@needs(Permission.ADD_STUDY)
def take_in(
    here: Installation,
    files: Iterable[IncomingFile],
    *,
    statement: Statement | None,
    source: Source,
    person: Person | None = None,
    sender: str | None = None,
    at_once: int = 1,
    on_item: Callable[[ItemReport], None] | None = None,
    own_admin: Callable[[], NewAccount | None] | None = None,
    on_closed: Callable[[Closed], None] | None = None,
) -> BatchReport:
    """Store files as studies that wait to be scored; each file ends accepted, duplicate or quarantined.

    With a statement the person says whose and when, and the files form one study; what they say otherwise is kept
    with the image. Without, both come from the files. A file that is reported to `on_item` is durable. The next file is
    asked for when that is done, unless several are to be read `at_once` (`core.incoming.ahead`).

    Where the machine fails (`core.outages`), the files that were finished by then are answered all the same and the
    report says in `cut_short` what it lacks; the same files can be taken in again. `person` is who does it, for the
    audit trail; None is the command line, or the machine that `sender` names.

    Where there are accounts of the demo, the first real patient comes in together with an admin of one's own, for whom
    `own_admin` asks if there is none, and closes them for good (`core.people.demo_accounts`); `on_closed` is told so
    when it is durable. Raises `OwnAdminNeeded` if there is no such admin: neither that file is taken in nor one after it.
    """
    if statement is not None:
        statement = replace(statement, mrn=statement.mrn.strip())
    report = BatchReport()
    first = FirstRealPatient(own_admin, person.user_id if person else None)
    batch_id = None
    try:
        # What is in quarantine was de-identified when it came.
        as_they_are = nullcontext((files, statement))
        cleaned = as_they_are if source == "quarantine" else without_her(here, files, statement)
        with cleaned as (coming, told):
            batch_id = begin_batch(here, source=source, person=person, statement=told, sender=sender)
            with Ahead(here, at_once) as ahead:
                _take_all(here, batch_id, ahead.groups(coming), told, first, report, on_item, on_closed)
    except OwnAdminNeeded:
        if batch_id is not None:
            finish_batch(here, batch_id, whole=False)
        raise
    except Exception as error:  # noqa: BLE001 - what is no outage is raised again
        report.cut_short = _lacking(error)
    if batch_id is not None:
        try:
            finish_batch(here, batch_id, whole=report.cut_short is None)
        except Exception as error:  # noqa: BLE001 - what is no outage is raised again
            # Left over: `finish_left_over_batches` finishes it. All that is answered is durable nevertheless.
            report.cut_short = report.cut_short or _lacking(error)
    otherwise = sum(item.detail is not None and item.outcome == Outcome.ACCEPTED for item in report.items)
    log.info(
        "batch cut short" if report.cut_short else "batch taken in",
        batch=batch_id,
        source=source,
        **report.counts(),
        files_saying_otherwise=otherwise,
    )
    return report


def _lacking(error: Exception) -> str:
    """Return what the machine lacks; raises the error again if it is none of the machine's."""
    said = outage(error)
    if said is None:
        raise error
    return said


def _take_all(
    here: Installation,
    batch_id: int,
    groups: Iterable[list[Turn]],
    statement: Statement | None,
    first: FirstRealPatient,
    report: BatchReport,
    on_item: Callable[[ItemReport], None] | None,
    on_closed: Callable[[Closed], None] | None,
) -> None:
    for turns in groups:
        for called, (item, closed) in _taken(here, batch_id, turns, statement, first):
            if called is not None:
                item.path = printable_name(called)
            report.items.append(item)
            if closed is not None and on_closed is not None:
                on_closed(closed)
            if on_item is not None:
                on_item(item)


def _taken(
    here: Installation,
    batch_id: int,
    turns: list[Turn],
    statement: Statement | None,
    first: FirstRealPatient,
) -> Iterator[tuple[str | None, Taken]]:
    """Yield, of files that came one after another, how the person calls each and how it ended; each is durable by then."""
    # A large one by itself would keep others from writing while the disk is waited for.
    in_one = len(turns) > 1 or turns[0].is_small
    together = take_together(here, turns, batch_id, statement, first) if in_one else None
    if together is not None:
        yield from zip([turn.file.called for turn in turns], together, strict=True)
        return
    try:
        while turns:
            called = turns[0].file.called
            taken = _take_one(here, turns[0], batch_id, turns[0].file, turns[0].file.said or statement, first)
            turns.pop(0).drop()  # or its bytes would stay while the next one's are read
            yield called, taken
    finally:
        for turn in turns:
            turn.drop()


def _examined_kind(image: ReadImage) -> str | None:
    """Return what a file is kept as if nobody says more of it; what looks like ultrasound, and says nothing, is asked."""
    return None if image.looks_like is not None else settle_kind(image, "", None)


def _take_one(
    here: Installation,
    reader: Turn,
    batch_id: int,
    file: IncomingFile,
    statement: Statement | None,
    first: FirstRealPatient,
) -> tuple[ItemReport, Closed | None]:
    data, sha256 = reader.data, reader.sha256
    prepared: Prepared | None = None
    claim: Claim | None = None
    try:
        if statement is not None:
            with here.database.read() as session:
                statement = as_settled(session, statement)
        stored = _known(here, batch_id, file, sha256, statement) if reader.may_be_stored else None
        if stored is not None:
            return stored, None
        prepared = open_file(reader, file, data)
        kind = settle_kind(prepared.image, file.name, statement)
        with here.database.read() as session:
            asked.at_one_moment(session)
            prepared.image.header, settled = heard(session, prepared.image.header)
            prepared.image.contradictions += settled
            claim = settle_claim(prepared.image.header, file.name, sha256, statement, kind)
            is_new, is_new_woman = _check_new(session, sha256, prepared, claim, statement)
        if is_new_woman:
            first.expect(here)
        if is_new:
            Turn.keep_all(here, [reader])
        # The end of the batch brings up to date what is kept ready of these women.
        with here.database.write(ready=False) as session:
            return keep(session, batch_id, file, sha256, prepared, claim, statement, first)
    except Refusal as refusal:
        header = prepared.image.header if prepared else None
        return quarantine(here, batch_id, file, data, sha256, refusal, header, claim), None


def _check_new(
    session: Session, sha256: str, prepared: Prepared, claim: Claim, statement: Statement | None
) -> tuple[bool, bool]:
    """Tell whether an image is new, and with it a real woman; raises `Refusal`, so that a refused file leaves no object."""
    if stored_image(session, claim, sha256, prepared) is not None:
        return False, False
    patient = stored_patient(session, claim, prepared.image.header, statement)
    check_room(session, stored_study(session, claim), claim.modality)
    return True, patient is None and not is_simulated(prepared.image.header, statement)


def _known(
    here: Installation, batch_id: int, file: IncomingFile, sha256: str, statement: Statement | None
) -> ItemReport | None:
    """Answer a file that is stored already, the same way, without reading it again."""
    with here.database.read() as session:
        image = known(session, file, sha256, statement)
        if image is None:
            return None
    with here.database.write() as session:
        return answer_known(session, batch_id, file, sha256, image)


def _stored_as(here: Installation, sha256: str) -> StoredAs | None:
    with here.database.read() as session:
        image = session.scalar(select(Image).where(Image.sha256 == sha256), execution_options=WITH_PUT_AWAY)
        if image is None:
            return None
        study = image.study
        return StoredAs(study.patient.mrn, study.study_date, image.laterality.value, image.view)
