"""Priors from the PACS: a button that begins to fetch them, and a line that says how far it is and what came."""

import streamlit as st

from core.network import Fetch, Pulled, begin_fetch, fetch_of, forget_fetch, is_pacs_configured
from core.people import Permission, Person
from core.records import PatientRecord
from dashboard import look, outages, session
from dashboard.house import here

_MOST_REASONS = 4


def are_fetched_by(person: Person) -> bool:
    """Return whether this person may fetch priors, and there is a PACS to fetch them from."""
    return person.may(Permission.ADD_STUDY) and is_pacs_configured(here().settings)


def button(record: PatientRecord) -> None:
    """Offer to fetch her priors; closed while they come."""
    fetch = fetch_of(here(), record.mrn)
    if st.button(
        "Fetch priors",
        icon=":material/cloud_download:",
        disabled=fetch is not None and fetch.running,
        key="fetch_priors",
        help="Ask the PACS for her earlier mammograms that are not here",
        type="tertiary",
    ):
        with outages.beside_the_act("No priors are fetched."):
            begin_fetch(here(), session.require(Permission.ADD_STUDY), record.mrn)
            st.rerun()


def progress(record: PatientRecord) -> None:
    """Say how far the fetching of her priors is, or what came of it; nothing where nobody asked lately."""
    fetch = fetch_of(here(), record.mrn)
    if fetch is None:
        return
    if fetch.running:
        _while_they_come(record.mrn)
    else:
        _what_came(fetch)


@st.fragment(run_every=1.0)
def _while_they_come(mrn: str) -> None:
    session.require(Permission.ADD_STUDY)
    fetch = fetch_of(here(), mrn)
    if fetch is None or not fetch.running:
        st.rerun()
        return
    pulled = fetch.pulled
    far = f"{len(pulled.items)} of {pulled.wanted} images" if pulled is not None else "the PACS is asked"
    look.show(f'<p class="lv-note">Fetching priors: {far} …</p>')


def _what_came(fetch: Fetch) -> None:
    pulled = fetch.pulled
    bad = bool(
        fetch.failed or (pulled and (pulled.cut_short or pulled.failed or pulled.count("quarantined")))
    )
    said = " ".join(
        sentence
        for sentence in (pulled and pulled.sentence, pulled and pulled.cut_short, fetch.failed)
        if sentence
    )
    more = (
        " Their scores and those of later studies come by themselves."
        if pulled and pulled.count("accepted")
        else ""
    )
    words, close = st.columns([10, 1], vertical_alignment="center")
    with words:
        look.show(
            f'<div class="lv-note{" alert" if bad else ""}">{look.safe(said)}{more}{_why(pulled)}</div>'
        )
    with close:
        if st.button("Close", icon=":material/close:", type="tertiary", key="priors_seen"):
            forget_fetch(here(), fetch.patient)
            st.rerun()


def _why(pulled: Pulled | None) -> str:
    """Say why images are in quarantine, each reason once, as HTML."""
    reasons = dict.fromkeys(item.text for item in pulled.items if item.text and item.reason) if pulled else {}
    listed = "".join(f"<li>{look.safe(reason)}</li>" for reason in list(reasons)[:_MOST_REASONS])
    return f"<ul>{listed}</ul>" if listed else ""
