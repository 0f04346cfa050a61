"""Out of the house: the report of the chosen visit in each format, and the address of this very view."""

from urllib.parse import quote, urlencode, urlsplit

import streamlit as st

from core.records import PatientRecord, Visit
from core.reports import Format
from dashboard import addresses, keys, look, opening

REPORT = "report"
"""The popover of this kind holds the report's formats."""


def offer(record: PatientRecord, visit: Visit) -> None:
    """Offer the report of a visit as files, and its address to hand on."""
    opened = opening.popover(REPORT, "Report", icon=":material/description:", key=f"report_{visit.study_uid}")
    with opened as is_drawn:
        if not is_drawn:
            return
        look.heading("Report", beside=f"study of {look.iso(visit.on)}")
        query = address_query(record, visit)
        hidden = st.toggle(
            "De-identified",
            key=f"report_deidentified_{visit.study_uid}",
            help="A pseudonym, moved days, no name, pictures of the breast alone, and none of the words that people wrote.",
        )
        asked = f"{query}&deidentified=1" if hidden else query
        links = "".join(
            f'<li><a href="/report/{kind.value}?{look.safe(asked)}">{kind.name}</a><span>{look.safe(kind.words)}</span></li>'
            for kind in Format
        )
        look.show(f'<ul class="lv-formats">{links}</ul>')
        look.footer(
            "That it was made is written to the audit trail. What is withheld is a number in none of them."
        )
        look.show('<p class="lv-muted lv-footer">The address of this view:</p>')
        st.code(f"{site()}/patient?{query}", language=None, wrap_lines=True)


def address_query(record: PatientRecord, visit: Visit) -> str:
    """Return what in an address names this woman and visit."""
    return urlencode(addresses.query_of(record.mrn, **{keys.VISIT: visit.study_uid}), quote_via=quote)


def site() -> str:
    """Return where the browser reaches the dashboard; empty where it does not say."""
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
