"""What a person states of files that go into a record: whose they are and of which day, asked alike on every page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

import streamlit as st

from core.images import Header
from core.incoming import BatchReport, IncomingFile, ItemReport, Statement, intake, names_agree
from core.people import Closed, NewAccount, Permission, Person, require
from core.records import Found, find
from dashboard import look
from dashboard.house import here

MOST_MATCHES = 8
"""As many women as fit below a search; of more, a person should type more."""
EARLIEST = date(1950, 1, 1)


def search(text: str, *, if_nobody: str) -> list[Found]:
    """Return whom a text finds; say where there are more, and where there is nobody what to do."""
    matches = find(here(), text, limit=MOST_MATCHES + 1)
    if len(matches) > MOST_MATCHES:
        look.show(f'<p class="lv-note">More than {MOST_MATCHES} match: type more of the name or MRN.</p>')
    if text.strip() and not matches:
        look.show(f'<p class="lv-note">Nobody here has this MRN or name. {look.safe(if_nobody)}</p>')
    return matches[:MOST_MATCHES]


def ask_date(headers: Iterable[Header | None], *, key: str) -> date | None:
    """Ask for the day of the study; what all files say is proposed, never assumed silently."""
    said = {header.study_date for header in headers if header and header.study_date}
    proposed = said.pop() if len(said) == 1 else None
    # A file without its identity often says the first day of 1900.
    if proposed and not EARLIEST <= proposed <= date.today():
        proposed = None
    return st.date_input(
        "Day of the study",
        value=proposed,
        min_value=EARLIEST,
        max_value=date.today(),
        help="As the files say. Change it if that is only the day they were exported."
        if proposed
        else "The files do not say it, or not all the same.",
        key=key,
    )


def disagreements(
    found: Found, files: Iterable[tuple[str, Header | None]], study_date: date | None
) -> list[tuple[str, str]]:
    """Say where files, each with its name, say another woman or day than the person: (name, what)."""
    said = []
    for name, header in files:
        if header is None:
            continue
        if header.patient_id and header.patient_id.strip() != found.mrn:
            said.append((name, f"the file says patient {header.patient_id}, you say {found.mrn}."))
        if header.birth_date and found.birth_date and header.birth_date != found.birth_date:
            said.append(
                (name, f"the file says born {header.birth_date}, here she is born {found.birth_date}.")
            )
        names = [one for one in (header.patient_name, *header.other_names) if one]
        if names and found.name and not any(names_agree(one, found.name) for one in names):
            said.append((name, f"the file is of {names[0]}, here she is called {found.name}."))
        if header.study_date and study_date and header.study_date != study_date:
            said.append((name, f"the file says {header.study_date}, you say {study_date}."))
        if found.birth_date and study_date and study_date < found.birth_date:
            said.append((name, "the day of the study lies before her birth."))
    return said


def is_confirmed(
    contradictions: Sequence[tuple[str, str]],
    mrn: str | None,
    study_date: date | None,
    *,
    images: int,
    key: str,
) -> bool:
    """Show what disagrees with this woman and day, and ask to confirm just that; True where nothing disagrees."""
    if not contradictions:
        return True
    lines = "".join(f"<li><b>{look.safe(name)}</b>: {look.safe(text)}</li>" for name, text in contradictions)
    look.show(f'<div class="lv-note alert">Some things disagree. Please check:<ul>{lines}</ul></div>')
    they_are = "this image is" if images == 1 else "these images are"
    # Another patient or day is another question: what was said of the last one does not answer it.
    return st.checkbox(
        f"I have checked: {they_are} hers, from this day.", key=f"{key}_{mrn}_{study_date}_{hash(lines)}"
    )


def take_in(
    found: Found,
    study_date: date,
    views: Mapping[str, tuple[str, str]],
    files: Iterable[IncomingFile],
    person: Person,
    *,
    on_item: Callable[[ItemReport], None] | None = None,
    own_admin: NewAccount | None = None,
    on_closed: Callable[[Closed], None] | None = None,
) -> BatchReport:
    """Hand files to the intake as the person states them, in her name.

    `own_admin` comes with the first real patient, where there are accounts of the demo; without, `OwnAdminNeeded`.
    """
    require(person, Permission.ADD_STUDY)
    statement = Statement(
        mrn=found.mrn,
        study_date=study_date,
        name=found.name,
        birth_date=found.birth_date,
        views=views,
        simulated=found.simulated,
    )
    return intake.take_in(
        here(),
        files,
        statement=statement,
        source="web",
        person=person,
        on_item=on_item,
        own_admin=lambda: own_admin,
        on_closed=on_closed,
    )
