"""Who she is, what is open, the figures of her last visit, and who spoke."""

import math
from collections.abc import Sequence
from datetime import date

import streamlit as st

from core.people import Permission, Person
from core.records import (
    AlertEntry,
    AlertStanding,
    Interval,
    PatientRecord,
    Visit,
    acknowledge,
    cards,
    take_back_acknowledgement,
)
from core.rules import age_years, alert_rules, thresholds, trends, urgency
from core.rules.end_of_risk import words_of_end
from core.rules.vocabulary import density_name, density_words
from dashboard import addresses, keys, look, outages
from dashboard.house import here
from dashboard.patient import withheld

INTERVAL = "90 % interval: of models trained anew, other pictures of the same day, and what is missing"
CORRECTED_ALERT = "Raised by a score of before the study was corrected."
WITHHELD_ALERT = "Raised by a score that is withheld: read that study as usual."


def identity(record: PatientRecord) -> None:
    """Say who she is."""
    today, stands = date.today(), record.standing
    age, next_due = age_years(record.birth_date, today), stands.next_due(today)
    if stands.risk_ended_on is not None:
        due = "nothing"
    elif stands.diagnosed:
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
        f'<div class="lv-identity"><span><h1>{look.safe(record.label)}</h1>{look.badge(record.simulated)}</span>'
        f"{facts_html}</div>"
    )


def key_figures(record: PatientRecord) -> None:
    """Show the figures of the last visit that the model has read; none where no number may be said of it."""
    if ended := words_of_end(record.events):
        look.show(f'<p class="lv-note">{look.safe(ended)}</p>')
        return
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
                density_name(density),
                "reader" if stands.reader_density else "model",
                density_words(density),
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
                density_name(stands.density),
                "reader" if stands.reader_density else "model",
                density_words(stands.density),
            )
        )
    look.figures(entries)


def way_through(record: PatientRecord) -> None:
    """Lead back to the list that she was opened from, and to the woman before and after her in it."""
    mrns, words = st.session_state.get(keys.WALK, ((), ""))
    place = mrns.index(record.mrn) if record.mrn in mrns else None
    with st.container(
        horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="xsmall", key="walk"
    ):
        if place is not None and len(mrns) > 1:
            before = mrns[place - 1] if place else None
            after = mrns[place + 1] if place + 1 < len(mrns) else None
            step("before", "Previous", before)
            look.show(
                f'<span class="lv-walk">{place + 1} of {len(mrns)} {look.safe(words)}</span>', width="content"
            )
            step("after", "Next", after)
        st.page_link("screens/worklist.py", label="Worklist", icon=":material/arrow_back:")


def step(name: str, label: str, mrn: str | None) -> None:
    """Offer the way to a neighbour in the list; closed where there is none."""
    st.button(
        label,
        key=f"walk_{name}",
        disabled=mrn is None,
        on_click=open_patient,
        args=(mrn,),
        shortcut="Alt+Up" if name == "before" else "Alt+Down",
    )


def open_patient(mrn: str) -> None:
    """Show another woman at her last visit."""
    st.session_state[keys.LAST_PATIENT] = mrn
    st.query_params.from_dict(dict(addresses.query_of(mrn)))


def alerts(record: PatientRecord, person: Person) -> None:
    """Show open alerts, each to be acknowledged with a note, and what came of earlier ones."""
    for alert in sorted(record.open_alerts, key=lambda alert: urgency(alert.rule) or math.inf):
        words = (
            f'<p class="lv-note alert" title="{look.safe(why_it_was_raised(alert))}">{look.safe(alert.message)} '
            f'<span class="lv-muted">at the visit of {alert.study_date}, raised {look.ago(alert.raised_at)}</span></p>'
        )
        look.show(words)
        if person.may(Permission.ASSESS):
            ask_for_note(alert, person)
    seen = [alert for alert in record.alerts if alert not in record.open_alerts]
    if seen:
        with st.expander(f"Earlier alerts {len(seen)}", expanded=not record.open_alerts):
            look.show(
                f'<table class="lv-table"><tr><th>visit</th><th>alert</th><th>ended by</th><th>at</th><th>note</th></tr>'
                f"{''.join(map(seen_row, seen))}</table>"
            )
            if person.may(Permission.ASSESS):
                open_again([alert for alert in seen if alert.acknowledged_by], person)


def why_it_was_raised(alert: AlertEntry) -> str:
    """Say by which rule, and from where its threshold is."""
    rule = next((rule for rule in alert_rules() if rule.rule == alert.rule), None)
    return f"{rule.why} {rule.source}." if rule is not None else "By a rule that is not in force any more."


def ask_for_note(alert: AlertEntry, person: Person) -> None:
    """Ask what explains an alert or was arranged, and acknowledge it."""
    with st.form(f"acknowledging_{alert.alert_id}", border=False):
        what, button = st.columns([5, 1], vertical_alignment="bottom")
        note = what.text_input(
            "What explains it, or was arranged", max_chars=2000, key=f"note_{alert.alert_id}"
        )
        if button.form_submit_button("Acknowledge", key=f"acknowledged_{alert.alert_id}", width="stretch"):
            with outages.beside_the_act("The alert is not acknowledged."):
                try:
                    acknowledge(here(), person, alert.alert_id, note)
                except ValueError as error:
                    st.warning(str(error))
                    return
                st.rerun()


def open_again(seen: Sequence[AlertEntry], person: Person) -> None:
    """Let an acknowledgement be taken back."""
    for alert in seen:
        name = alert.message or rule_label(alert)
        if st.button(
            f"Open again: {look.plain(name)}", icon=":material/undo:", key=f"open_again_{alert.alert_id}"
        ):
            with outages.beside_the_act("The alert stays acknowledged."):
                take_back_acknowledgement(here(), person, alert.alert_id)
                st.rerun()


def rule_label(alert: AlertEntry) -> str:
    """Say what an alert is of, without what it says."""
    return next((rule.label for rule in alert_rules() if rule.rule == alert.rule), "alert")


def seen_row(alert: AlertEntry) -> str:
    """Return an alert that is closed as a row of a table."""
    return (
        f'<tr><td class="d">{alert.study_date}</td><td>{look.safe(alert.message or untold(alert))}</td>'
        f"<td>{look.safe(how_it_ended(alert))}</td><td class=d>{look.moment(alert.acknowledged_at)}</td>"
        f"<td>{look.safe(alert.acknowledgement or '')}</td></tr>"
    )


def untold(alert: AlertEntry) -> str:
    """Say why an alert does not say any more what it said."""
    return CORRECTED_ALERT if alert.standing is AlertStanding.CORRECTED else WITHHELD_ALERT


def how_it_ended(alert: AlertEntry) -> str:
    """Say who or what ended an alert."""
    if alert.acknowledged_at is not None:
        return alert.acknowledged_by or "a newer score"
    return "her events" if alert.standing is AlertStanding.ANSWERED else look.UNKNOWN


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
    if addresses.is_old():
        text = "This link is of an earlier release: addresses hold no MRN any more."
    elif st.query_params.get(keys.PATIENT) and not mrn:
        text = "This link leads to no patient who is stored here."
    look.show(
        f'<div class="lv-empty"><h1>{text}</h1>Open her from the worklist, or search there by name or MRN.</div>'
    )
    st.container(horizontal=True, horizontal_alignment="center").page_link(
        "screens/worklist.py", label="Worklist", icon=":material/arrow_back:"
    )
