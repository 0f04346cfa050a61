"""What became of the studies that were added: live while they are scored, then how that ended."""

from __future__ import annotations

import streamlit as st

from core.people import Permission
from core.records import COVERED, StudyStatus, cards, record_of, statuses
from core.worker import worker_seen
from dashboard import look, session
from dashboard.house import here


@st.fragment(run_every=1.0)
def wait(uids: tuple[str, ...]) -> None:
    """Say live that studies are being scored, and have the page say how they ended when they have.

    Only while they are: what goes on by itself may ask once more when another page is open already, and empty that one.
    """
    session.require(Permission.ADD_STUDY)
    if StudyStatus.PENDING not in statuses(here(), uids).values():
        st.rerun()
    worker = worker_seen(here())
    if worker.running:
        look.show('<p class="lv-note">Being scored …</p>')
    else:
        look.show(f'<p class="lv-note alert">{look.safe(worker.sentence)}</p>')


def progress(mrn: str, uids: tuple[str, ...]) -> None:
    """Say whether the study is scored, live while it is not."""
    if StudyStatus.PENDING in statuses(here(), uids).values():
        wait(uids)
        return
    record = record_of(here(), mrn)
    for uid in uids:
        visit = record.visit(uid) if record else None
        if visit is None:
            continue
        if visit.score and visit.status is StudyStatus.SCORED:
            risk = visit.score.risk_5y
            look.show(
                f'<p class="lv-note good"><b>Scored.</b> Cancer within 5 years {look.percent(risk.value)} '
                f"{look.interval(risk.low, risk.high)}.</p>"
            )
            look.footer(cards.footer(cards.card_of(here(), visit.score.model), visit.score.model))
        elif visit.other_kind is not None:
            look.show(
                f'<p class="lv-note good"><b>Kept.</b> {visit.other_kind.capitalize()} is shown and measured on, and read by '
                "no model.</p>"
            )
        elif visit.covered:
            look.show(f'<p class="lv-note good"><b>Scored.</b> {look.safe(COVERED)}</p>')
        elif visit.doubt is not None:
            why = look.safe(visit.doubt.sentence)
            look.show(
                f'<p class="lv-note"><b>Cancer within 5 years: {visit.rank.words}.</b> {why}</p>'
                if visit.rank
                else f'<p class="lv-note"><b>Read by the model, no number shown.</b> {why} Read this study as usual.</p>'
            )
            if visit.untrusted:
                look.footer(cards.footer(cards.card_of(here(), visit.untrusted.model), visit.untrusted.model))
        else:
            look.show(f'<p class="lv-note alert">Not scored. {look.safe(visit.refusal)}</p>')
