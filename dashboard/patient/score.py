"""What the model said of the chosen visit, why it moved, and who spoke."""

from collections.abc import Mapping

import streamlit as st

from core.people import Permission, Person
from core.records import PatientRecord, StudyStatus, Visit, VisitScore, cards, statuses
from core.worker import retry_refused, worker_seen
from dashboard import look, outages, session
from dashboard.house import here
from dashboard.patient import unread, why
from dashboard.patient.withheld import show_withheld


def what_the_model_said(record: PatientRecord, visit: Visit, person: Person) -> None:
    """Show a visit's score as of then, why it moved, and who spoke."""
    look.heading("What the model said then")
    not_now(visit)
    score = visit.score
    if score is None:
        unread.show_covered(visit, person)
        show_withheld(visit, person, record.mrn)
        return
    unread.beside_the_reader(visit, person)
    look.show(
        f'<table class="lv-table">{probabilities(score)}'
        f'<tr><td>density</td><td class="n" colspan="2">{densities(score)}</td></tr></table>'
    )
    if score.missing_views:
        unseen = ", ".join(view.words for view in score.missing_views)
        look.show(
            f'<p class="lv-note">Not seen by the model: {look.safe(unseen)}. The score is less certain for it.</p>'
        )
    why.why_it_moved(record, visit)
    look.footer(cards.footer(cards.card_of(here(), score.model), score.model))


def not_now(visit: Visit) -> None:
    """Say why a visit has no score, or that the one it has is of before; nothing where it is scored."""
    if visit.status is StudyStatus.SCORED:
        return
    if visit.other_kind is not None:
        said = f"{visit.other_kind.capitalize()}: shown and measured on, read by no model."
        look.show(f'<p class="lv-note">{said}</p>')
        return
    refused = visit.status is StudyStatus.REFUSED
    if visit.score is None:
        if (visit.doubt is not None or visit.covered) and visit.status is StudyStatus.PENDING:
            look.show('<p class="lv-note">This study is being scored again.</p>')
            return
        if visit.covered:
            return
        look.show(
            f'<p class="lv-note alert">This study was not scored. {look.safe(visit.refusal)}</p>'
            if refused
            else f'<p class="lv-note">This study waits to be scored. {look.safe(worker_away())}</p>'
        )
        return
    said = f"What follows is the score of {look.moment(visit.score.computed_at)}."
    why = (
        f"This study could not be scored again. {look.safe(visit.refusal)}"
        if refused
        else "This study is being scored again."
    )
    look.show(f'<p class="lv-note alert">{why} {said}</p>')


def worker_away() -> str:
    """Say why a study may wait for long; nothing where the worker runs."""
    worker = worker_seen(here())
    return "" if worker.running else worker.sentence


def try_again(visit: Visit, person: Person) -> None:
    """Let who adds studies put a refused one back in the queue, once what it was refused for is mended."""
    if visit.status is not StudyStatus.REFUSED or visit.other_kind or not person.may(Permission.ADD_STUDY):
        return
    if st.button("Try to score it again", icon=":material/refresh:", key=f"try_again_{visit.study_uid}"):
        with outages.beside_the_act("It is not put back in the queue."):
            retry_refused(here(), study=visit.study_uid, by=session.require(Permission.ADD_STUDY))
            st.rerun()


def probabilities(score: VisitScore) -> str:
    """Return the score's probabilities as rows of a table: what, how likely, what stands beside it."""
    rows: list[tuple[str, float | None, str]] = [
        (
            f"cancer within {years} year{'s' if years > 1 else ''}",
            risk.value,
            look.interval(risk.low, risk.high),
        )
        for years, risk in sorted(score.risk.items())
    ]
    rows += [
        (
            f'<span style="color:{look.LEFT}">●</span> within 1 year, left',
            score.malignancy["L"],
            look.interval_of(score.malignancy_interval["L"]),
        ),
        (
            f'<span style="color:{look.RIGHT}">◆</span> within 1 year, right',
            score.malignancy["R"],
            look.interval_of(score.malignancy_interval["R"]),
        ),
        (
            f'<span style="color:{look.PROGRESSION}">▲</span> grown since prior',
            score.progression,
            look.interval_of(score.progression_interval) if score.progression is not None else "no prior",
        ),
    ]
    return "".join(
        f'<tr><td>{word}</td><td class="n"><b>{look.percent(value)}</b></td><td class="n lv-muted">{beside}</td></tr>'
        for word, value, beside in rows
    )


def densities(score: VisitScore) -> str:
    """Return how likely each density is, the likeliest in bold."""
    return " · ".join(
        f"<b>{letter} {look.percent(p)}</b>"
        if letter == score.likeliest_density
        else f"{letter} {look.percent(p)}"
        for letter, p in score.density.items()
    )


@st.fragment(run_every=2.0)
def wait_for_score(waiting: Mapping[str, StudyStatus]) -> None:
    """Look now and then whether a pending study has its score, and show it when it has."""
    session.require(Permission.SEE_PATIENTS)
    if statuses(here(), list(waiting)) != waiting:
        st.rerun()
