"""What became of a batch: how many, which studies, which files were not taken and why, as a table to take away."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import streamlit as st

from core.bulk import Batch, summary_csv
from core.incoming import ItemReport
from core.refusals import refusal_text
from core.rules import ViewName
from core.wording import counted
from dashboard import addresses, handing, look

MOST_STUDIES = 100


def done(batch: Batch) -> None:
    """Say what was added, and offer all of it as a file."""
    reports = list(batch.told().values())
    added, refused = (
        sum(one.outcome == outcome for one in reports) for outcome in ("accepted", "quarantined")
    )
    already = len(reports) - added - refused
    studies = {one.study_uid for one in reports if one.outcome == "accepted"}
    closed = batch.closed
    if closed is not None:
        now = f" {closed.admin.username} is admin here now." if closed.admin else ""
        look.show(
            f'<p class="lv-note good"><b>The demo accounts are closed for good.</b>{look.safe(now)}</p>'
        )
    look.show(
        f'<p class="lv-note {"good" if added else ""}"><b>{added} file{"s" if added != 1 else ""} of {len(studies)} '
        f"stud{'ies' if len(studies) != 1 else 'y'} added</b> · {already} already here · {refused} not taken. "
        "The worker scores the studies; the worklist shows them as they come.</p>"
    )
    with st.container(horizontal=True):
        handing.download_button(
            "Download the summary",
            data=lambda: summary_csv(batch),
            file_name=f"added-{date.today()}.csv",
            mime="text/csv",
            icon=":material/download:",
        )
        st.button("Clear this summary", on_click=batch.forget_reports)
    with st.expander(
        f"{counted(len(studies), 'study', 'studies')}, {counted(refused, 'file')} not taken", expanded=True
    ):
        look.show(_table(reports))


def _table(reports: list[ItemReport]) -> str:
    rows = ""
    for one in reports:
        if one.outcome == "quarantined":
            rows += (
                f'<tr><td class="d bad">not taken</td><td colspan="3">{look.safe(one.path)}</td>'
                f"<td>{look.safe(refusal_text(one.reason, one.detail))}</td></tr>"
            )
    by: defaultdict[tuple[str, str], list[ItemReport]] = defaultdict(list)
    for one in reports:
        if one.outcome != "quarantined":
            by[one.patient or "", one.study_date or ""].append(one)
    for (mrn, day), hers in sorted(by.items())[:MOST_STUDIES]:
        added = [one for one in hers if one.outcome == "accepted"]
        views = ", ".join(ViewName(one.laterality or "", one.view or "").words for one in added)
        words = f"{len(added)} added" if added else "already here"
        kind = "" if not added else "mammogram" if added[0].modality == "MG" else added[0].modality or ""
        link = f'<a href="{look.safe(addresses.link_to(mrn))}" target="_self">{look.safe(mrn)}</a>'
        rows += (
            f'<tr><td class="d {"good" if added else ""}">{words}</td><td>{link}</td><td class="d">{look.safe(day)}</td>'
            f'<td class="d">{look.safe(kind)}</td><td>{look.safe(views)}</td></tr>'
        )
    more = len(by) - MOST_STUDIES
    if more > 0:
        rows += (
            f'<tr><td colspan="5" class="lv-muted">{more} more studies: they stand in the summary.</td></tr>'
        )
    return (
        '<table class="lv-table lv-files"><tr><th>result</th><th>patient</th><th>date</th><th>kind</th><th>views, or why</th></tr>'
        f"{rows}</table>"
    )
