"""A look into a file in quarantine: why it waits, what it says of itself, its picture."""

from __future__ import annotations

import base64
from pathlib import PurePath

import streamlit as st

from core.people import Person
from core.quarantine import Contents, Kept, look_into, original
from core.rules.vocabulary import SIDE_WORDS
from dashboard import handing, look
from dashboard.house import here

LOOKED = "quarantine_looked"


def one_file(kept: Kept, me: Person) -> Contents:
    """Show one file: why it waits, what it says of itself, and let it be downloaded."""
    look.heading(PurePath(kept.name).name, beside=f"number {kept.item_id}")
    why = f"{kept.detail or ''} {kept.advice}".strip()
    look.show(f'<p class="lv-note alert">{look.safe(why)}</p>')
    inside = contents(kept, me)
    if inside.header is not None or (inside.unreadable or "") not in why:
        look.show(facts(inside))
    return inside


def contents(kept: Kept, me: Person) -> Contents:
    """Look into a file, once for as long as it is chosen."""
    looked: tuple[int, Contents] | None = st.session_state.get(LOOKED)
    if looked is None or looked[0] != kept.item_id:
        with st.spinner("Opening the file…"):
            looked = st.session_state[LOOKED] = (kept.item_id, look_into(here(), kept.item_id, me))
    return looked[1]


def facts(inside: Contents) -> str:
    """Say what a file says of itself, as HTML."""
    header = inside.header
    if header is None:
        return f'<p class="lv-note">{look.safe(inside.unreadable or "")}</p>'
    size = f"{inside.columns} × {inside.rows} pixels"
    side = SIDE_WORDS.get(header.laterality or "", "")
    rows = "".join(
        f'<tr><td class="d lv-muted">{what}</td><td>{look.safe(value or look.UNKNOWN)}</td></tr>'
        for what, value in (
            ("patient", " · ".join(one for one in (header.patient_id, header.patient_name) if one)),
            ("born", look.iso(header.birth_date)),
            ("study", " · ".join((look.iso(header.study_date), header.modality or ""))),
            ("side and view", f"{side} {header.view or ''}".strip()),
            ("size", size),
        )
    )
    picture = ""
    if inside.thumbnail_png:
        data = base64.b64encode(inside.thumbnail_png).decode()
        picture = f'<img src="data:image/png;base64,{data}" alt="the file’s picture, small">'
    said = "".join(f"<li>{look.safe(text)}</li>" for text in dict.fromkeys(inside.contradictions))
    return (
        f'<div class="lv-kept">{picture}<table class="lv-table">{rows}</table></div>'
        f"{f'<ul class=lv-said>{said}</ul>' if said else ''}"
    )


def download(kept: Kept, me: Person) -> None:
    """Let the file leave as it was sent; fetched when asked, and written to the audit trail."""
    handing.download_button(
        "Download the file",
        data=lambda: original(here(), kept.item_id, me),
        file_name=f"quarantine-{kept.item_id}{PurePath(kept.name).suffix[:8]}",
        mime="application/octet-stream",
        icon=":material/download:",
        key=f"quarantine_download_{kept.item_id}",
    )
