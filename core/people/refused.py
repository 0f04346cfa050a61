"""What was asked for and refused, as entries of the trail."""

from __future__ import annotations

from core.installation import Installation
from core.logs import log_of
from core.people import audit
from core.people.asking import Asker
from core.people.needing import PUBLIC, needs
from core.people.recently import Recently
from core.people.roles import Person

TOGETHER_SECONDS = 60.0
"""The same refusal of the same person is written once in so long: who asks a thousand times fills no trail."""

log = log_of(__name__)
_recently = Recently()


@needs(PUBLIC)
def note(
    here: Installation, who: Asker | None, asked_for: str, subject: str | None = None, *, what: str = ""
) -> None:
    """Write down that somebody, a person or a program, asked for what she may not, in a transaction of its own.

    `asked_for` is the permission or the route, `subject` whom it was about, `what` the act. The refusal stands where the
    entry cannot be written: the log then says so.
    """
    person = who if isinstance(who, Person) else None
    name = getattr(who, "name", None)
    key = (here.home, person.user_id if person else name, asked_for, subject, what)
    if _recently.has(key, TOGETHER_SECONDS):
        return
    detail = {"asked for": asked_for} | ({"act": what} if what else {})
    about = subject or (f"user:{person.username}" if person else None)
    try:
        audit.note(here, person, "not_allowed", about, detail, outcome="refused", name=name)
    except Exception as error:  # noqa: BLE001 (whatever keeps it from being written, the refusal stands)
        log.warning("a refusal is not in the audit trail", kind=type(error).__name__, asked_for=asked_for)
        return
    _recently.add(key)
