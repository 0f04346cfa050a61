"""The patient: who she is, how her risk runs, and the chosen visit with its pictures."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import streamlit as st

from core import cards, findings, hanging, patients, trends
from core.access import Permission, Person
from core.findings import Finding
from core.patients import BI_RADS, DENSITIES, EventKind, PatientRecord, StudyStatus, Visit
from dashboard import charts, components, keys, look, session
from dashboard.house import here

SIDE_OF = {"R": "right", "L": "left"}


def identity(record: PatientRecord) -> None:
    """Say who she is."""
    age = trends.age_years(record.birth_date, date.today())
    due = look.month(record.next_due) + (" (overdue)" if record.overdue else "")
    facts = [
        ("MRN", look.safe(record.mrn)),
        (
            "born",
            f"{look.iso(record.birth_date) if record.birth_date else 'unknown'}{f' · {age} y' if age is not None else ''}",
        ),
        ("next due", "as the clinic plans" if record.diagnosed else due),
    ]
    facts_html = "".join(f'<span class="fact">{what} <i>{value}</i></span>' for what, value in facts)
    look.show(
        f'<div class="lv-identity"><span><b>{look.safe(record.label)}</b>{look.badge(record.simulated)}</span>'
        f"{facts_html}</div>"
    )


def key_figures(record: PatientRecord) -> None:
    """Show the figures of the last scored visit."""
    if not record.scored:
        return
    last = record.scored[-1]
    score = last.score
    assert score is not None
    risk, slope = score.risk_5y, record.slope
    prior = record.scored[-2].on if len(record.scored) > 1 else None
    if slope is None:
        slope_text, slope_beside = look.UNKNOWN, "needs two visits"
    elif slope.low is None or slope.high is None:
        slope_text, slope_beside = look.signed(slope.per_year), "points a year"
    else:
        slope_text = look.signed(slope.per_year)
        slope_beside = f"({look.signed(slope.low)} to {look.signed(slope.high)}) points a year"
    look.figures(
        [
            (
                f"5-year risk, {look.month(last.on)}",
                look.percent(risk.value),
                look.interval(risk.low, risk.high),
                "Probability of cancer within 5 years of this visit; in brackets the interval of the model's members",
            ),
            (
                f"since {look.month(prior)}" if prior else "since prior",
                look.points(record.change_since_prior),
                "points" if record.change_since_prior is not None else "no prior",
                "Change of 5-year risk since the visit before, in percentage points",
            ),
            ("slope", slope_text, slope_beside, trends.SLOPE_METHOD),
            (
                "malignancy L",
                f'<span style="color:{look.LEFT}">●</span> {look.percent(score.malignancy["L"])}',
                "",
                "Probability of cancer in the left breast now or within 12 months",
            ),
            (
                "malignancy R",
                f'<span style="color:{look.RIGHT}">◆</span> {look.percent(score.malignancy["R"])}',
                "",
                "Probability of cancer in the right breast now or within 12 months",
            ),
            (
                "progression",
                f'<span style="color:{look.PROGRESSION}">▲</span> {look.percent(score.progression)}',
                "" if score.progression is not None else "no prior",
                "Probability that disease has grown since the visit before",
            ),
            (
                "density",
                last.density or look.UNKNOWN,
                "reader" if last.reader_density else "model",
                DENSITIES.get(last.density or "", "Not known"),
            ),
        ]
    )


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
            patients.acknowledge(here(), person, alert.alert_id)
            st.rerun()
    seen = [alert for alert in record.alerts if alert.acknowledged_at is not None]
    if seen:
        rows = "".join(
            f'<tr><td class="d">{alert.study_date}</td><td>{look.safe(alert.message)}</td>'
            f"<td>{look.safe(alert.acknowledged_by or 'closed by a newer score')}</td><td class=d>{look.moment(alert.acknowledged_at)}</td></tr>"
            for alert in seen
        )
        with st.expander(f"Earlier alerts {len(seen)}"):
            look.show(
                f'<table class="lv-table"><tr><th>visit</th><th>alert</th><th>acknowledged by</th><th>at</th></tr>{rows}</table>'
            )


def choose_visit(record: PatientRecord) -> Visit:
    """Return the chosen visit: the one in the address, else the last."""
    asked = str(st.query_params.get(keys.VISIT, ""))
    return record.visit(asked) or record.visits[-1]


def go_to(study_uid: str) -> None:
    """Choose a visit everywhere on the page."""
    st.query_params[keys.VISIT] = study_uid


def trend(record: PatientRecord, chosen: Visit) -> None:
    """Draw the course; a click on a visit chooses it."""
    # The chart's key changes with the choice, so that one click is answered once and the next starts afresh.
    state = st.plotly_chart(
        charts.trend(record, chosen=chosen.study_uid),
        key=f"trend_{record.mrn}_{chosen.study_uid}",
        theme=None,
        on_select="rerun",
        selection_mode="points",
        config=look.FIGURE_CONFIG,
        alt=f"Course of 5-year risk over {len(record.scored)} scored visits",
    )
    for point in state["selection"]["points"]:
        uid = point.get("customdata", [None])[0]
        if uid and uid != chosen.study_uid and record.visit(str(uid)):
            go_to(str(uid))
            st.rerun()


def strip(record: PatientRecord, chosen: Visit) -> None:
    """Show all visits as thumbnails."""
    picked = components.visit_strip([strip_entry(visit) for visit in record.visits], chosen=chosen.study_uid)
    if picked and picked != chosen.study_uid and record.visit(picked):
        go_to(picked)
        st.rerun()


def strip_entry(visit: Visit) -> dict[str, object]:
    """Say one visit for the strip."""
    thumbs = {}
    for laterality, side in SIDE_OF.items():
        hers = [image for image in visit.images if image.laterality == laterality]
        best = next((image for image in hers if image.view == "MLO"), hers[0] if hers else None)
        if best:
            thumbs[side] = {
                "sop_uid": best.sop_uid,
                "flipped": best.flipped,
                "label": f"{best.laterality} {best.view}",
            }
    missing = len(visit.missing_views)
    words = {StudyStatus.PENDING: "being scored", StudyStatus.REFUSED: "not scored"}
    note = words.get(visit.status) or (
        f"{missing} view{'s' if missing > 1 else ''} missing" if missing else ""
    )
    return {
        "uid": visit.study_uid,
        "on": visit.on.isoformat(),
        "risk": look.percent(visit.score.risk_5y.value) if visit.score else look.UNKNOWN,
        "note": note or "4 views",
        "warns": bool(note),
        "bi_rads": f"BI-RADS {visit.bi_rads}" if visit.bi_rads else "",
        "hint": f"Visit of {visit.on}"
        + (f", not taken: {', '.join(visit.missing_views)}" if missing else ""),
        "thumbs": thumbs,
    }


def viewer(visit: Visit, found: Sequence[Finding]) -> None:
    """Hang the chosen visit's views, with the findings kept on them; a view can be opened to be read by itself."""
    standard = [pair for row in hanging.HANGING for pair in row]
    panes = [pane(visit, laterality, view) for laterality, view in standard]
    extra = [image for image in visit.images if (image.laterality, image.view) not in standard]
    if visit.images and not any(item["sop_uid"] for item in panes):
        panes = []
    panes += [pane_of(image) for image in extra]
    for one in panes:
        on_it = [finding for finding in found if finding.sop_uid == one["sop_uid"]]
        one["findings"] = [{"box": finding.box, "label": finding.label} for finding in on_it]
    read = components.viewer(panes, title=f"{visit.on}", height=720 if len(panes) > 2 else 480)
    if read:
        st.switch_page("screens/read_image.py", query_params={keys.IMAGE: read})


def findings_of(visit: Visit, found: Sequence[Finding], person: Person) -> None:
    """List what readers kept on this visit's images."""
    look.heading("Findings")
    rows = "".join(
        f"<tr><td><b>{look.safe(finding.label)}</b></td><td>{look.safe(finding.where)}</td>"
        f"<td>{look.safe(finding.by)}</td>"
        f'<td class="n">{look.millimetres(finding.diameter_mm)}</td>'
        f'<td class="n">{look.percent(finding.reading.get("malignant"))}</td></tr>'
        for finding in found
        if finding.study_uid == visit.study_uid
    )
    if not rows:
        how = (
            " Choose “Read this image” on a view, draw a box and keep it."
            if person.may(Permission.ASSESS)
            else ""
        )
        look.show(f'<p class="lv-muted lv-footer">None kept.{how}</p>')
        return
    look.show(
        '<table class="lv-table"><tr><th>finding</th><th>view</th><th>kept by</th><th class="n">longest side</th>'
        '<th class="n" title="What the model said of the box when it was kept; not every model is calibrated for that">'
        f"malignant</th></tr>{rows}</table>"
    )


def pane(visit: Visit, laterality: str, view: str) -> dict[str, object]:
    """Say what one place of the hanging shows: a view, or which view is missing."""
    image = next((i for i in visit.images if (i.laterality, i.view) == (laterality, view)), None)
    if image:
        return pane_of(image)
    return {
        "sop_uid": None,
        "side": SIDE_OF[laterality],
        "label": f"{laterality} {view}",
        "note": "",
        "missing": f"{laterality} {view} was not taken at this visit.",
        "flipped": False,
    }


def pane_of(image: patients.ViewImage) -> dict[str, object]:
    """Say a view for the viewer, with what was done to hang it."""
    if image.flipped:
        note = "mirrored to hang"
    elif image.chest_wall is None:
        note = "chest wall not found: shown as stored"
    else:
        note = ""
    return {
        "sop_uid": image.sop_uid,
        "side": SIDE_OF[image.laterality],
        "label": f"{image.laterality} {image.view}",
        "note": note,
        "missing": "",
        "flipped": image.flipped,
    }


def what_the_model_said(visit: Visit) -> None:
    """Show a visit's score as of then, why it moved, and who spoke."""
    look.heading("What the model said then")
    score = visit.score
    if score is None:
        if visit.status is StudyStatus.REFUSED:
            reason = look.safe(visit.refusal)
            look.show(f'<p class="lv-note alert">This study was not scored. {reason}</p>')
        else:
            look.show('<p class="lv-note">This study waits to be scored.</p>')
        return
    if visit.status is not StudyStatus.SCORED:
        said = f"What follows is the score of {look.moment(score.computed_at)}."
        why = (
            "This study is being scored again."
            if visit.status is StudyStatus.PENDING
            else f"This study could not be scored again. {look.safe(visit.refusal)}"
        )
        look.show(f'<p class="lv-note alert">{why} {said}</p>')
    rows = "".join(
        f"<tr><td>cancer within {years} year{'s' if years > 1 else ''}</td>"
        f'<td class="n"><b>{look.percent(risk.value)}</b></td>'
        f'<td class="n lv-muted">{look.interval(risk.low, risk.high)}</td></tr>'
        for years, risk in sorted(score.risk.items())
    )
    rows += "".join(
        f'<tr><td>{word}</td><td class="n"><b>{look.percent(value)}</b></td><td class="n lv-muted">{beside}</td></tr>'
        for word, value, beside in (
            (
                f'<span style="color:{look.LEFT}">●</span> cancer now, left',
                score.malignancy["L"],
                "within 12 months",
            ),
            (
                f'<span style="color:{look.RIGHT}">◆</span> cancer now, right',
                score.malignancy["R"],
                "within 12 months",
            ),
            (
                f'<span style="color:{look.PROGRESSION}">▲</span> grown since prior',
                score.progression,
                "" if score.progression is not None else "no prior",
            ),
        )
    )
    density = " · ".join(
        f"<b>{letter} {look.percent(p)}</b>"
        if letter == score.likeliest_density
        else f"{letter} {look.percent(p)}"
        for letter, p in score.density.items()
    )
    look.show(
        f'<table class="lv-table">{rows}<tr><td>density</td><td class="n" colspan="2">{density}</td></tr></table>'
    )
    if score.missing_views:
        look.show(
            '<p class="lv-note">Not seen by the model: '
            f"{look.safe(', '.join(score.missing_views))}. The score is less certain for it.</p>"
        )
    if len(score.contributions) > 1:
        look.heading("Why it moved", beside="what each visit did to the odds")
        st.plotly_chart(
            charts.contributions(score),
            key=f"contributions_{visit.study_uid}",
            theme=None,
            config=look.FIGURE_CONFIG,
            alt="How much each visit multiplied the odds of cancer within 5 years",
        )
    look.footer(cards.footer(cards.card_of(here(), score.model), score.model))


def place(options: Iterable[str], value: str | None) -> int | None:
    """Return where a value stands among the options, None where nothing is chosen yet."""
    return next((number for number, option in enumerate(options) if option == value), None)


def assessment(visit: Visit, person: Person) -> None:
    """Show the reader's assessment, and let an oncologist record it."""
    look.heading("Reader's assessment")
    if visit.bi_rads:
        tissue = f", density {visit.reader_density}" if visit.reader_density else ""
        look.show(
            f'<p class="lv-note"><b>BI-RADS {visit.bi_rads}{tissue}</b> · {look.safe(visit.assessed_by or "")}, '
            f"{look.moment(visit.assessed_at)}"
            + (f"<br>{look.safe(visit.assessment_note)}" if visit.assessment_note else "")
            + "</p>"
        )
    elif not person.may(Permission.ASSESS):
        look.show('<p class="lv-note">Not assessed yet.</p>')
    if not person.may(Permission.ASSESS):
        return
    with st.form(f"assessment_{visit.study_uid}", border=False):
        left, right = st.columns(2)
        bi_rads = left.selectbox(
            "BI-RADS (v2025)",
            list(BI_RADS),
            index=place(BI_RADS, visit.bi_rads),
            format_func=lambda key: BI_RADS[key],
            placeholder="Choose",
        )
        density = right.selectbox(
            "Density",
            list(DENSITIES),
            index=place(DENSITIES, visit.reader_density),
            format_func=lambda key: DENSITIES[key],
            placeholder="Choose",
        )
        note = st.text_area("Note", value=visit.assessment_note or "", height=80, max_chars=10_000)
        if st.form_submit_button(
            "Record assessment" if not visit.bi_rads else "Change assessment", type="primary"
        ):
            if bi_rads is None:
                st.warning("Choose a BI-RADS assessment first.")
                return
            patients.record_assessment(
                here(), person, visit.study_uid, bi_rads=bi_rads, density=density, note=note
            )
            st.rerun()


def events(record: PatientRecord, person: Person) -> None:
    """List events and notes, and let people add one."""
    head, button = st.columns([4, 1], vertical_alignment="center")
    with head:
        look.heading("Events and notes")
    if person.may(Permission.RECORD_EVENT):
        with button.popover("Add", icon=":material/add:", width="stretch"):
            add_event(record, person)
    if not record.events:
        look.show('<p class="lv-muted lv-footer">None recorded.</p>')
        return
    rows = "".join(
        f'<tr><td class="d">{event.on}{f"<br>to {event.end}" if event.end else ""}</td>'
        f"<td>{event.kind.value}{f' {event.laterality}' if event.laterality else ''}</td>"
        f"<td>{look.safe(event.detail or '')}</td></tr>"
        for event in reversed(record.events)
    )
    look.show(f'<table class="lv-table"><tr><th>date</th><th>what</th><th></th></tr>{rows}</table>')


def add_event(record: PatientRecord, person: Person) -> None:
    """Ask for an event."""
    with st.form("event", border=False, clear_on_submit=True):
        what, side = st.columns(2)
        begin, finish = st.columns(2)
        kind = EventKind(what.selectbox("What", [kind.value for kind in EventKind]) or EventKind.NOTE)
        laterality = side.selectbox(
            "Breast",
            ["L", "R"],
            index=None,
            format_func=lambda key: SIDE_OF[key],
            placeholder="Not one-sided",
        )
        earliest = record.birth_date or date(1900, 1, 1)
        on = begin.date_input("Date", value=date.today(), min_value=earliest, max_value=date.today())
        end = finish.date_input(
            "End, of a therapy",
            value=None,
            min_value=earliest,
            max_value=date.today() + timedelta(days=7300),
        )
        detail = st.text_area("Note", height=80, max_chars=10_000)
        if st.form_submit_button("Add", type="primary"):
            try:
                patients.add_event(
                    here(),
                    person,
                    record.mrn,
                    kind=kind,
                    on=on,
                    end=end if kind is EventKind.THERAPY else None,
                    laterality=laterality,
                    detail=detail,
                )
            except ValueError as error:
                st.warning(str(error))
                return
            st.rerun()


def model_card(record: PatientRecord) -> None:
    """Show the card of the model that spoke."""
    score = record.scored[-1].score if record.scored else None
    card = cards.card_of(here(), score.model) if score else None
    if card is None:
        return
    with st.expander(f"The model that spoke: {look.plain(card.title)}"):
        look.card_table(card)


@st.fragment(run_every=2.0)
def wait_for_score(waiting: Mapping[str, StudyStatus]) -> None:
    """Look now and then whether a pending study has its score, and show it when it has."""
    session.require(Permission.SEE_PATIENTS)
    if patients.statuses(here(), list(waiting)) != waiting:
        st.rerun()


def nobody(mrn: str) -> None:
    """Say what to do where no patient is chosen."""
    text = f"There is no patient with MRN {look.safe(mrn)}." if mrn else "No patient is chosen."
    look.show(
        f'<div class="lv-empty"><b>{text}</b>Open her from the worklist, or search there by name or MRN.</div>'
    )
    st.container(horizontal=True, horizontal_alignment="center").page_link(
        "screens/worklist.py", label="Worklist", icon=":material/arrow_back:"
    )


def page(person: Person) -> None:
    """Tell a woman's record from top to bottom."""
    # The browser's way back leads here without the address: then it is the woman who was open last.
    mrn = str(st.query_params.get(keys.MRN) or st.session_state.get(keys.LAST_PATIENT, ""))
    record = patients.record_of(here(), mrn) if mrn else None
    if record is None:
        nobody(mrn)
        return
    session.note_once(person, "patient_opened", f"patient:{record.mrn}")
    st.session_state[keys.LAST_PATIENT] = record.mrn
    st.query_params[keys.MRN] = record.mrn
    head, back, add = st.columns([8, 1.4, 1.4], vertical_alignment="center")
    with head:
        identity(record)
    back.page_link("screens/worklist.py", label="Worklist", icon=":material/arrow_back:", width="stretch")
    if person.may(Permission.ADD_STUDY):
        add.page_link(
            "screens/add_study.py",
            label="Add study",
            icon=":material/add:",
            query_params={keys.MRN: record.mrn},
            width="stretch",
        )
    if not record.visits:
        look.show('<div class="lv-empty"><b>No studies yet</b>Add a study to see her course.</div>')
        return
    alerts(record, person)
    key_figures(record)
    chosen = choose_visit(record)
    if record.scored:
        trend(record, chosen)
    strip(record, chosen)
    pictures, words = st.columns([5, 3], gap="medium")
    found = findings.of_patient(here(), record.mrn)
    with pictures:
        viewer(chosen, found)
        findings_of(chosen, found, person)
        events(record, person)
    with words:
        what_the_model_said(chosen)
        assessment(chosen, person)
    model_card(record)
    waiting = {v.study_uid: v.status for v in record.visits if v.status is StudyStatus.PENDING}
    if waiting:
        wait_for_score(waiting)


page(session.require(Permission.SEE_PATIENTS))
