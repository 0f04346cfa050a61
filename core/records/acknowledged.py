"""That somebody has seen to an alert: acknowledged with a note, and taken back."""

from __future__ import annotations

from datetime import datetime

from core.installation import Installation
from core.people import Permission, Person, audit
from core.people.needing import needs
from db.tables import Alert, User, utc_now

__all__ = ["AcknowledgedMeanwhile", "acknowledge", "take_back_acknowledgement"]

LONGEST_NOTE = 2_000


class AcknowledgedMeanwhile(ValueError):
    """The acknowledgement is not the one that was seen; the message says what to do."""


@needs(Permission.ASSESS)
def acknowledge(here: Installation, person: Person, alert_id: int, note: str) -> bool:
    """Say that an alert was seen to, and how; the first acknowledgement stays. Return whether this is the first.

    Raises
    ------
    AccessDenied
        If the person may not assess.
    ValueError
        If the note says nothing.
    """
    if not note.strip():
        raise ValueError("Say in a few words what explains the alert, or what was arranged.")
    with here.database.write() as session:
        alert = session.get(Alert, alert_id)
        if alert is None or alert.acknowledged_at is not None:
            return False
        alert.acknowledged_at, alert.acknowledged_by_id = utc_now(), person.user_id
        alert.acknowledgement = note.strip()[:LONGEST_NOTE]
        said = {"rule": alert.rule, "note": alert.acknowledgement}
        audit.record(session, person, "alert_acknowledged", f"alert:{alert_id}", said)
        return True


@needs(Permission.ASSESS)
def take_back_acknowledgement(
    here: Installation, person: Person, alert_id: int, *, seen: datetime | None = None
) -> bool:
    """Open an alert again that somebody has acknowledged; who and what it was stays in the audit trail.

    One that a newer score closed stays closed. Return whether it was opened. Raises `AccessDenied` if the person may not assess,
    and `AcknowledgedMeanwhile` where it is acknowledged, but not at the moment `seen`.
    """
    with here.database.write() as session:
        alert = session.get(Alert, alert_id)
        if alert is None or alert.acknowledged_by_id is None or alert.acknowledged_at is None:
            return False
        if seen is not None and alert.acknowledged_at != seen:
            raise AcknowledgedMeanwhile("It was acknowledged anew since you read it. Read it again.")
        acknowledged_by = session.get(User, alert.acknowledged_by_id)
        said = {
            "rule": alert.rule,
            "note": alert.acknowledgement,
            "by": acknowledged_by.display_name if acknowledged_by else None,
            "at": alert.acknowledged_at.isoformat(),
        }
        alert.acknowledged_at = alert.acknowledged_by_id = alert.acknowledgement = None
        audit.record(session, person, "alert_opened_again", f"alert:{alert_id}", said)
        return True
