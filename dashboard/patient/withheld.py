"""What stands in the place of a number that may not be said: a rank, or why there is none and what would be needed."""

import streamlit as st

from core.people import Person, audit
from core.records import COVERED, Visit, VisitScore, cards
from core.rules import Doubt
from core.rules.vocabulary import density_words
from dashboard import look, outages
from dashboard.house import here


def in_short(visit: Visit) -> str:
    """Say in a word or two how high a visit's risk is, or what stands in its place."""
    if visit.score is not None:
        return look.percent(visit.score.risk_5y.value)
    if visit.covered:
        return "covered"
    if visit.rank is not None:
        return f"above {visit.rank.higher_than} of 100"
    if visit.doubt is None:
        return look.UNKNOWN
    return visit.doubt.doubt.in_short if visit.doubt.doubt else "withheld"


def in_full(visit: Visit) -> str:
    """Say why a visit has no number; its rank, where it has one."""
    if visit.covered:
        return COVERED
    if visit.rank is not None:
        return f"{visit.rank.words} ({visit.rank.women})"
    return visit.doubt.sentence if visit.doubt else ""


def show_withheld(visit: Visit, person: Person, mrn: str) -> None:
    """Say why a visit has no number, what may be said nevertheless, and what would be needed."""
    if visit.doubt is None or visit.doubt.doubt is None or visit.untrusted is None:
        return
    doubt = visit.doubt.doubt
    if visit.rank is not None:
        look.show(
            f'<p class="lv-ranked">Cancer within 5 years: {visit.rank.words}</p>'
            f'<p class="lv-needed">Reference women: {look.safe(visit.rank.women)}. {look.safe(doubt.words)} '
            "So nobody can say how likely it is.</p>"
        )
    elif doubt is Doubt.AFTER_DIAGNOSIS:
        look.show(
            f'<p class="lv-note"><b>No risk is shown after the diagnosis.</b> {look.safe(doubt.words)}</p>'
        )
        told_after_diagnosis(visit)
    elif visit.doubt.is_ended:
        look.show(f'<p class="lv-note"><b>No number is shown.</b> {look.safe(doubt.words)}</p>')
    else:
        look.show(
            f'<p class="lv-note alert"><b>No number is shown.</b> {look.safe(doubt.words)} Read this study as usual.</p>'
        )
    if visit.density_by and visit.model_density:
        look.show(
            f'<table class="lv-table"><tr><td>density</td><td class="n">{look.safe(density_words(visit.model_density))}</td>'
            f'</tr></table><p class="lv-needed">Density is said by {look.safe(visit.density_by)}, a model of single views '
            "that knows such pictures.</p>"
        )
    look.show(f'<p class="lv-needed">What would be needed: {look.safe(doubt.needed)}</p>')
    show_anyway(visit, visit.untrusted, person, mrn)
    look.footer(cards.footer(cards.card_of(here(), visit.untrusted.model), visit.untrusted.model))


def told_after_diagnosis(visit: Visit) -> None:
    """Show what a diagnosis does not end: growth since the prior, and density."""
    rows = (
        f'<tr><td><span style="color:{look.PROGRESSION}">▲</span> grown since prior</td>'
        f'<td class="n"><b>{look.percent(visit.progression)}</b></td>'
        f'<td class="n lv-muted">{look.interval_of(visit.progression_interval)}</td></tr>'
    )
    if visit.model_density:
        rows += f'<tr><td>density</td><td class="n" colspan="2">{look.safe(density_words(visit.model_density))}</td></tr>'
    look.show(f'<table class="lv-table">{rows}</table>')


def show_anyway(visit: Visit, said: VisitScore, person: Person, mrn: str) -> None:
    """Let a person see, for research, what the model would have said; asked anew at every look, and in the audit trail."""
    # Not kept anywhere: the next run of the page shows the button alone.
    if not st.button(
        "Show anyway, for research",
        key=f"anyway_{visit.study_uid}",
        type="tertiary",
        icon=":material/visibility:",
        help="What the model would have said. It is written to the audit trail that you looked.",
    ):
        return
    with outages.beside_the_act("It stays hidden."):
        audit.note(
            here(),
            person,
            "withheld_score_shown",
            f"patient:{mrn}",
            {"study": visit.study_uid, "on": visit.on.isoformat()},
        )
        look.show(untrusted_table(visit, said))


def untrusted_table(visit: Visit, said: VisitScore) -> str:
    """Return what the model would have said, hatched and without colour."""
    why = visit.doubt.sentence if visit.doubt else ""
    if visit.doubt and visit.doubt.doubt is Doubt.UNLIKE_PICTURES and visit.doubt.limit is not None:
        why += f" They lie at {visit.doubt.distance:.2f} from them; beyond {visit.doubt.limit:.2f} nothing is told."
    rows: list[tuple[str, float | None]] = [
        (f"cancer within {years} year{'s' if years > 1 else ''}", risk.value)
        for years, risk in sorted(said.risk.items())
    ]
    rows += [("cancer now, left", said.malignancy["L"]), ("cancer now, right", said.malignancy["R"])]
    if visit.progression is None:
        rows.append(("grown since prior", said.progression))
    body = "".join(
        f'<tr><td>{word}</td><td class="n">{look.percent(value)}</td></tr>' for word, value in rows
    )
    return (
        f'<div class="lv-hatched"><p><b>Not to be believed:</b> {look.safe(why)}</p>'
        f'<table class="lv-table">{body}</table></div>'
    )
