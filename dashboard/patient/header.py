"""Who she is, what is open, the figures of her last visit, and who spoke."""

from datetime import date

import streamlit as st

from core.people import Permission, Person
from core.records import AlertEntry, AlertStanding, Interval, PatientRecord, Visit, acknowledge, cards
from core.rules import age_years, thresholds, trends
from core.rules.vocabulary import DENSITY_WORDS
from dashboard import look, outages
from dashboard.house import here
from dashboard.patient import withheld

INTERVAL = "90 % interval: of models trained anew, other pictures of the same day, and what is missing"
WITHHELD_ALERT = "Raised by a score that is withheld: read that study as usual."


def identity(record: PatientRecord) -> None:
    """Say who she is."""
    today, stands = date.today(), record.standing
    age, next_due = age_years(record.birth_date, today), stands.next_due(today)
    if stands.diagnosed:
        due = "as the clinic plans"
    elif record.visits and next_due is None:
        due = thresholds.screening_interval().outside
    else:
        due = look.month(next_due) + (" (overdue)" if stands.is_overdue(today) else "")
    facts = [
        ("MRN", look.safe(record.mrn)),
        (
            "born",
            f"{look.iso(record.birth_date) if record.birth_date else 'unknown'}{f' · {age} y' if age is not None else ''}",
        ),
        ("next due", due),
    ]
    facts_html = "".join(f'<span class="fact">{what} <i>{value}</i></span>' for what, value in facts)
    look.show(
        f'<div class="lv-identity"><span><b>{look.safe(record.label)}</b>{look.badge(record.simulated)}</span>'
        f"{facts_html}</div>"
    )


def key_figures(record: PatientRecord) -> None:
    """Show the figures of the last visit that the model has read; none where no number may be said of it."""
    if record.standing.doubt is not None or record.standing.covered:
        told_of_last(record)
        return
    if not record.scored:
        return
    last = record.scored[-1]
    score = last.score
    assert score is not None
    stands = record.standing
    density = stands.density or score.likeliest_density
    risk = score.risk_5y
    look.figures(
        [
            (
                f"5-year risk, {look.month(last.on)}",
                look.percent(risk.value),
                look.interval(risk.low, risk.high),
                f"Probability of cancer within 5 years of this visit; in brackets the {INTERVAL}",
            ),
            since_prior(record),
            slope(record),
            (
                "malignancy L",
                f'<span style="color:{look.LEFT}">●</span> {look.percent(score.malignancy["L"])}',
                roomy(look.interval_of(score.malignancy_interval["L"])),
                f"Probability of cancer in the left breast now or within 12 months{interval_words(score.malignancy_interval['L'])}",
            ),
            (
                "malignancy R",
                f'<span style="color:{look.RIGHT}">◆</span> {look.percent(score.malignancy["R"])}',
                roomy(look.interval_of(score.malignancy_interval["R"])),
                f"Probability of cancer in the right breast now or within 12 months{interval_words(score.malignancy_interval['R'])}",
            ),
            progression(last),
            (
                "density",
                density,
                "reader" if stands.reader_density else "model",
                DENSITY_WORDS[density],
            ),
        ]
    )


def since_prior(record: PatientRecord) -> look.Figure:
    """Say how 5-year risk has changed since the visit before; thin where that is within what positioning makes."""
    stands = record.standing
    change, prior, noise = stands.change_since_prior, stands.prior, stands.change_is_noise
    what = f"since {look.month(prior.on)}" if prior else "since prior"
    more = (
        "Change of 5-year risk since the visit before, in percentage points; "
        "scores by different weights or calibrations are not compared"
    )
    if change is None:
        return what, look.UNKNOWN, look.OTHER_WEIGHTS if prior else "no prior", more
    if noise:
        number = f'<span class="lv-noise">{look.points(change, within_noise=True)}</span>'
        return (
            what,
            number,
            roomy(look.WITHIN_NOISE, "within positioning"),
            f"{more}. {look.WITHIN_NOISE_WHY}",
        )
    return what, look.points(change), "points", more


def slope(record: PatientRecord) -> look.Figure:
    """Say how 5-year risk runs over all her visits; thin where the interval holds 0."""
    line = record.standing.slope
    if line is None:
        beside = look.OTHER_WEIGHTS if record.standing.prior else "needs two visits"
        return "slope", look.UNKNOWN, beside, trends.SLOPE_METHOD
    number, beside = look.signed(line.per_year), "points a year"
    if line.low is not None and line.high is not None:
        beside = f"({look.signed(line.low)} to {look.signed(line.high)}) points a year"
    if line.holds_nothing:
        number = f'<span class="lv-noise">{number}</span>'
    return "slope", number, beside, trends.SLOPE_METHOD


def progression(visit: Visit) -> look.Figure:
    """Say how likely it is that disease has grown since the prior."""
    return (
        "progression",
        f'<span style="color:{look.PROGRESSION}">▲</span> {look.percent(visit.progression)}',
        roomy(look.interval_of(visit.progression_interval)) if visit.progression is not None else "no prior",
        f"Probability that disease has grown since the visit before{interval_words(visit.progression_interval)}",
    )


def roomy(text: str, tight: str = "") -> str:
    """Return what stands beside a number where there is room for it, and what where there is none, as HTML."""
    return f'<span class="lv-roomy">{text}</span><span class="lv-tight">{tight}</span>' if text else ""


def interval_words(known: Interval | None) -> str:
    """Say an interval on hover, where it is known."""
    return "" if known is None else f"; {look.interval_of(known)} % is the {INTERVAL}"


def told_of_last(record: PatientRecord) -> None:
    """Show what may be said of the last visit where its risk may not: no earlier number is where she stands now."""
    last, stands = record.standing.last_read, record.standing
    assert last is not None
    beside = f"reference women: {last.rank.women}" if last.rank is not None else withheld.in_full(last)
    if last.covered:
        beside = "until this study is read"
    entries = [
        (
            f"5-year risk, {look.month(last.on)}",
            f'<span class="lv-untold">{withheld.in_short(last)}</span>',
            look.safe(beside),
            withheld.in_full(last),
        )
    ]
    if last.doubt is not None and last.doubt.tells_growth:
        entries.append(progression(last))
    if last.bi_rads:
        entries.append(("BI-RADS", last.bi_rads, "reader", last.assessment.words))
    if stands.density:
        entries.append(
            (
                "density",
                stands.density,
                "reader" if stands.reader_density else "model",
                DENSITY_WORDS[stands.density],
            )
        )
    look.figures(entries)


def alerts(record: PatientRecord, person: Person) -> None:
    """Show open alerts, each to be acknowledged."""
    for alert in record.open_alerts:
        words = (
            f'<p class="lv-note alert">{look.safe(alert.message)} '
            f'<span class="lv-muted">at the visit of {alert.study_date}</span></p>'
        )
        if not person.may(Permission.ASSESS):
            look.show(words)
            continue
        text, button = st.columns([6, 1], vertical_alignment="center")
        with text:
            look.show(words)
        if button.button("Acknowledge", key=f"acknowledge_{alert.alert_id}", width="stretch"):
            with outages.beside_the_act("The alert is not acknowledged."):
                acknowledge(here(), person, alert.alert_id)
                st.rerun()
    seen = [alert for alert in record.alerts if alert not in record.open_alerts]
    if seen:
        rows = "".join(
            f'<tr><td class="d">{alert.study_date}</td><td>{look.safe(alert.message or WITHHELD_ALERT)}</td>'
            f"<td>{look.safe(how_it_ended(alert))}</td><td class=d>{look.moment(alert.acknowledged_at)}</td></tr>"
            for alert in seen
        )
        with st.expander(f"Earlier alerts {len(seen)}"):
            look.show(
                f'<table class="lv-table"><tr><th>visit</th><th>alert</th><th>ended by</th><th>at</th></tr>{rows}</table>'
            )


def how_it_ended(alert: AlertEntry) -> str:
    """Say who or what ended an alert."""
    if alert.acknowledged_at is not None:
        return alert.acknowledged_by or "a newer score"
    return "the diagnosis" if alert.standing is AlertStanding.ANSWERED else look.UNKNOWN


def model_card(record: PatientRecord) -> None:
    """Show the card of the model that spoke."""
    score = record.scored[-1].score if record.scored else None
    card = cards.card_of(here(), score.model) if score else None
    if card is None:
        return
    with st.expander(f"The model that spoke: {look.plain(card.title)}"):
        look.card_table(card)


def nobody(mrn: str) -> None:
    """Say what to do where no patient is chosen."""
    text = f"There is no patient with MRN {look.safe(mrn)}." if mrn else "No patient is chosen."
    look.show(
        f'<div class="lv-empty"><b>{text}</b>Open her from the worklist, or search there by name or MRN.</div>'
    )
    st.container(horizontal=True, horizontal_alignment="center").page_link(
        "screens/worklist.py", label="Worklist", icon=":material/arrow_back:"
    )
