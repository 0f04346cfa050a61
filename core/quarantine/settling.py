"""What a person does with files in quarantine: says what was missing and sends them in again, or sets them aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import select

from core.deidentification import Identity, key_of
from core.images import Header
from core.incoming import BatchReport, IncomingFile, ItemReport, Statement, take_in
from core.installation import Installation
from core.people import NewAccount, Permission, Person, audit, require
from core.people.needing import needs
from core.quarantine.looking import read_kept
from core.quarantine.waiting import Kept, State, kept_file, kept_of
from core.refusals import Refusal
from db.tables import Outcome, Settled, SettledItem

__all__ = ["Said", "bring_back", "resubmit", "set_aside"]

SHORTEST_REASON = 3


@dataclass(frozen=True)
class Said:
    """What a person says of files in quarantine; what she does not say is taken from each file.

    `side` (L or R) and `view` go together. `a_mammogram` says against a doubt that the pictures are mammograms.
    """

    mrn: str | None = None
    study_date: date | None = None
    side: str | None = None
    view: str | None = None
    a_mammogram: bool = False
    name: str | None = None
    birth_date: date | None = None

    def __post_init__(self) -> None:
        if (self.side is None) != (self.view is None):
            raise ValueError("Side and view go together: say both, or neither.")

    @property
    def says_nothing(self) -> bool:
        """Say whether the files are to be tried again as they are."""
        return self == Said()


@needs(Permission.ADD_STUDY)
def resubmit(
    here: Installation,
    item_ids: Iterable[int],
    said: Said,
    *,
    person: Person | None = None,
    on_item: Callable[[ItemReport], None] | None = None,
    own_admin: Callable[[], NewAccount | None] | None = None,
) -> BatchReport:
    """Take files in quarantine in again with what a person says of them, each answered as at any import.

    What is taken, or is there already, no longer waits; what is refused again waits with its new reason. `person` is who
    says it, None the command line. Raises `LookupError` for a number that is not in quarantine or left no bytes,
    `ValueError` for one that no longer waits, `AccessDenied`, and `OwnAdminNeeded` as `take_in` does.
    """
    if person is not None:
        require(person, Permission.ADD_STUDY)
    kept = [_sendable(here, item_id) for item_id in dict.fromkeys(item_ids)]
    report = take_in(
        here,
        _files(here, kept, said),
        statement=None,
        source="quarantine",
        person=person,
        on_item=on_item,
        own_admin=own_admin,
    )
    taken = [
        one.item_id
        for one, item in zip(kept, report.items, strict=False)
        if item.outcome != Outcome.QUARANTINED
    ]
    if taken:
        with here.database.write() as session:
            for item_id in taken:
                session.merge(
                    SettledItem(
                        item_id=item_id,
                        how=Settled.RESUBMITTED,
                        by_id=person.user_id if person else None,
                    )
                )
                audit.record(session, person, "quarantine_resubmitted", f"quarantine:{item_id}")
    return report


@needs(Permission.ADD_STUDY)
def set_aside(
    here: Installation, item_ids: Iterable[int], reason: str, *, person: Person | None = None
) -> int:
    """Say of files that they are not wanted, and why; return how many. They stay kept, and can be brought back.

    Raises `ValueError` without a reason or for a file that no longer waits, `LookupError`, and `AccessDenied`.
    """
    if person is not None:
        require(person, Permission.ADD_STUDY)
    reason = " ".join(reason.split())
    if len(reason) < SHORTEST_REASON:
        raise ValueError("Say in a few words why the files are set aside.")
    wanted = list(dict.fromkeys(item_ids))
    with here.database.write() as session:
        for item_id in wanted:
            _must_wait(kept_of(session, item_id))
            session.add(
                SettledItem(
                    item_id=item_id,
                    how=Settled.SET_ASIDE,
                    reason=reason,
                    by_id=person.user_id if person else None,
                )
            )
            audit.record(session, person, "quarantine_set_aside", f"quarantine:{item_id}", {"reason": reason})
    return len(wanted)


@needs(Permission.ADD_STUDY)
def bring_back(here: Installation, item_ids: Iterable[int], *, person: Person | None = None) -> int:
    """Let files that were set aside wait again; return how many were. Raises `LookupError` and `AccessDenied`."""
    if person is not None:
        require(person, Permission.ADD_STUDY)
    number = 0
    with here.database.write() as session:
        for item_id in dict.fromkeys(item_ids):
            kept_of(session, item_id)
            settled = session.scalar(
                select(SettledItem).where(
                    SettledItem.item_id == item_id, SettledItem.how == Settled.SET_ASIDE
                )
            )
            if settled is not None:
                session.delete(settled)
                audit.record(session, person, "quarantine_brought_back", f"quarantine:{item_id}")
                number += 1
    return number


def _sendable(here: Installation, item_id: int) -> Kept:
    kept = kept_file(here, item_id)
    _must_wait(kept)
    if not kept.has_bytes:
        raise LookupError(
            f"{kept.name} could not be opened when it came: nothing of it is kept. Send it in anew."
        )
    return kept


def _must_wait(kept: Kept) -> None:
    if kept.state is State.SET_ASIDE:
        raise ValueError(f"{kept.name} was set aside by {kept.settled_by}. Bring it back first.")
    if kept.state is not State.WAITING:
        raise ValueError(f"{kept.name} was sent in again meanwhile. Read the list anew.")


def _files(here: Installation, kept: Iterable[Kept], said: Said) -> Iterator[IncomingFile]:
    """Yield the files with what is said of them, one at a time."""
    for one in kept:
        assert one.sha256 is not None
        yield IncomingFile(one.name, here.quarantine.get(one.sha256), said=_statement(here, one, said))


def _statement(here: Installation, kept: Kept, said: Said) -> Statement | None:
    """Return what is stated of a file: the person's word, then the word that came with it, then the file's own.

    None where nothing is said, or neither says whose and when: then the intake says what is missing.
    """
    if said.says_nothing:
        return None
    header = _header_of(here, kept)
    mrn = said.mrn or kept.stated_mrn or header.patient_id
    if mrn is None:
        return None
    stated = _as_kept(here, mrn, said)
    study_date = stated.study_date or kept.stated_date or header.study_date
    if study_date is None:
        return None
    return Statement(
        mrn=stated.mrn or mrn,
        study_date=study_date,
        name=stated.name,
        birth_date=stated.birth_date,
        views={kept.name: (said.side, said.view)} if said.side and said.view else {},
        simulated=header.simulated,
        a_mammogram=said.a_mammogram,
    )


def _header_of(here: Installation, kept: Kept) -> Header:
    """Return what a file says of itself; nothing where it cannot be read, which the intake will say."""
    try:
        return read_kept(here, kept).image.header
    except Refusal:
        return Header()


def _as_kept(here: Installation, mrn: str, said: Said) -> Said:
    """Return what a person says as it may be stored: by her pseudonym and moved days, where files come in de-identified.

    What is in quarantine was de-identified when it came, and is not once more.
    """
    if not here.settings.deidentify_incoming:
        return said
    hers = Identity.of(key_of(here), mrn)
    return replace(
        said,
        mrn=hers.pseudonym,
        study_date=hers.day(said.study_date) if said.study_date else None,
        birth_date=hers.day(said.birth_date) if said.birth_date else None,
        name=None,
    )
