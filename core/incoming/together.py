"""Several small files in one transaction: the disk is waited for once, and none of them is answered before that.

What becomes of each, and in which order, is as if it had been taken in by itself; where that is in doubt, it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from core.images import Prepared
from core.incoming import asked
from core.incoming.ahead import Turn
from core.incoming.at_hand import AtHand
from core.incoming.claims import Claim, settle_claim
from core.incoming.items import ItemReport, Statement
from core.incoming.keep import keep, quarantined
from core.incoming.opening import answer_known, as_settled, known, open_file
from core.incoming.other_kinds import settle_kind
from core.incoming.settled import heard
from core.installation import Installation
from core.logs import log_of
from core.people import Closed, FirstRealPatient
from core.refusals import Refusal

__all__ = ["Taken", "take_together"]

log = log_of(__name__)

Taken = tuple[ItemReport, Closed | None]


def take_together(
    here: Installation,
    turns: Sequence[Turn],
    batch_id: int,
    statement: Statement | None,
    first: FirstRealPatient,
) -> list[Taken] | None:
    """Take in files, all of which are read by now, each with what is said of it, or else by `statement`.

    Returns None, and has taken in none of them, where they have to be taken one by one: then whatever stands against one of
    them is met again, and said of that one.
    """
    try:
        with here.database.write(ready=False) as session:
            hand = _at_hand(session, turns, statement)
            taken, kept = [], []
            for turn in turns:
                report, closed, is_kept = _take(session, turn, batch_id, turn.file.said or statement, first)
                taken.append((report, closed))
                if is_kept:
                    kept.append(turn)
                elif report.outcome == "quarantined" and turn.data:
                    here.quarantine.put(turn.data)
            hand.write()
            Turn.keep_all(here, kept)
        for turn in turns:
            turn.drop()
        return taken
    except Exception as error:  # noqa: BLE001 - raised again by the file that is at fault, when it is taken by itself
        log.info("files are taken in one by one", because=type(error).__name__, files=len(turns))
        return None
    except BaseException:
        for turn in turns:
            turn.drop()
        raise


def _at_hand(session: Session, turns: Sequence[Turn], statement: Statement | None) -> AtHand:
    headers = [turn.header for turn in turns if turn.header is not None]
    stated = {said.mrn for turn in turns if (said := turn.file.said or statement) is not None}
    return AtHand(session, headers, [turn.sha256 for turn in turns], stated)


def _take(
    session: Session, turn: Turn, batch_id: int, statement: Statement | None, first: FirstRealPatient
) -> tuple[ItemReport, Closed | None, bool]:
    """Write the rows of one file; tell also whether its objects are wanted."""
    file, data, sha256 = turn.file, turn.data, turn.sha256
    prepared: Prepared | None = None
    claim: Claim | None = None
    asked.at_one_moment(session)
    try:
        statement = as_settled(session, statement)
        if turn.may_be_stored and (image := known(session, file, sha256, statement)) is not None:
            return answer_known(session, batch_id, file, sha256, image), None, False
        prepared = open_file(turn, file, data)
        kind = settle_kind(prepared.image, file.name, statement)
        if kind is not None:
            session.flush()  # how many of them a study holds is asked by its number
        prepared.image.header, settled = heard(session, prepared.image.header)
        prepared.image.contradictions += settled
        claim = settle_claim(prepared.image.header, file.name, sha256, statement, kind)
        # What refuses it is found before anything is written of it.
        report, closed = keep(session, batch_id, file, sha256, prepared, claim, statement, first)
        return report, closed, report.outcome == "accepted"
    except Refusal as refusal:
        header = prepared.image.header if prepared else None
        held = sha256 if data else None
        return quarantined(session, batch_id, file, held, refusal, header, claim), None, False
