"""The patient: who she is, how her risk runs, and the chosen visit with its pictures."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import streamlit as st

from core.images import hanging
from core.people import Permission, Person
from core.records import (
    BI_RADS,
    DENSITIES,
    AssessedMeanwhile,
    Assessment,
    EventEntry,
    EventKind,
    Finding,
    PatientRecord,
    StudyStatus,
    ViewImage,
    Visit,
    acknowledge,
    cards,
    findings,
    record_assessment,
    record_of,
    statuses,
)
from core.records import add_event as add_event_
from core.records import remove_event as remove_event_
from core.rules import thresholds, trends
from core.worker import retry_refused, worker_seen
from dashboard import components, keys, look, outages, session
from dashboard.charts import course
from dashboard.drafts import Draft
from dashboard.house import here

SIDE_OF = {"R": "right", "L": "left"}
EVENT_NOTE, EVENTS_WRITTEN = "event_note", "events_written"


def identity(record: PatientRecord) -> None:
    """Say who she is."""
    age = trends.age_years(record.birth_date, date.today())
    if record.diagnosed:
        due = "as the clinic plans"
    elif record.visits and record.next_due is None:
        due = thresholds.screening_interval().outside
    else:
        due = look.month(record.next_due) + (" (overdue)" if record.overdue else "")
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
    """Show the figures of the last scored visit."""
    if not record.scored:
        return
    last = record.scored[-1]
    score = last.score
    assert score is not None
    density = record.reader_density or score.likeliest_density
    risk, slope, change, prior = score.risk_5y, record.slope, record.change_since_prior, record.prior
    if slope is None:
        slope_text, slope_beside = look.UNKNOWN, look.OTHER_WEIGHTS if prior else "needs two visits"
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
                f"since {look.month(prior.on)}" if prior else "since prior",
                look.points(change),
                "points" if change is not None else look.OTHER_WEIGHTS if prior else "no prior",
                "Change of 5-year risk since the visit before, in percentage points; "
                "scores by different weights or calibrations are not compared",
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
                density,
                "reader" if record.reader_density else "model",
                DENSITIES[density],
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
            with outages.beside_the_act("The alert is not acknowledged."):
                acknowledge(here(), person, alert.alert_id)
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
        course.trend(record, chosen=chosen.study_uid),
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
    entries = [strip_entry(visit, record.missing_views(visit)) for visit in record.visits]
    picked = components.visit_strip(entries, chosen=chosen.study_uid)
    if picked and picked != chosen.study_uid and record.visit(picked):
        go_to(picked)
        st.rerun()


def strip_entry(visit: Visit, not_taken: Sequence[str]) -> dict[str, object]:
    """Say one visit for the strip, with the views that no study of its day has."""
    thumbs = {}
    for laterality, side in SIDE_OF.items():
        hers = [image for image in visit.images if image.laterality == laterality]
        best = visit.hung(laterality, "MLO") or hanging.to_hang(hers)
        if best:
            thumbs[side] = {
                "sop_uid": best.sop_uid,
                "flipped": best.flipped,
                "label": f"{best.laterality} {best.view}",
            }
    missing = len(not_taken)
    words = {StudyStatus.PENDING: "being scored", StudyStatus.REFUSED: "not scored"}
    note = words.get(visit.status) or (
        f"{missing} view{'s' if missing > 1 else ''} missing" if missing else ""
    )
    return {
        "uid": visit.study_uid,
        "on": visit.on.isoformat(),
        "risk": look.percent(visit.score.risk_5y.value) if visit.score else look.UNKNOWN,
        "note": note or ("part of a visit" if visit.missing_views else "4 views"),
        "warns": bool(note),
        "bi_rads": f"BI-RADS {visit.bi_rads}" if visit.bi_rads else "",
        "hint": f"Visit of {visit.on}" + (f", not taken: {', '.join(not_taken)}" if missing else ""),
        "thumbs": thumbs,
    }


def viewer(visit: Visit, not_taken: Sequence[str], found: Sequence[Finding]) -> None:
    """Hang the chosen visit's views, with the findings kept on them; a view can be opened to be read by itself."""
    panes = panes_of(visit, not_taken)
    for one in panes:
        on_it = [finding for finding in found if finding.sop_uid == one["sop_uid"]]
        one["findings"] = [{"box": finding.box, "label": finding.label} for finding in on_it]
    rows = max(sum(one["side"] == side for one in panes) for side in SIDE_OF.values())
    read = components.viewer(panes, title=f"{visit.on}", height=max(480, 360 * rows))
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


def panes_of(visit: Visit, not_taken: Sequence[str]) -> list[dict[str, object]]:
    """Say the four standard views, then every other image of the study: none is kept from the reader."""
    standard = [pair for row in hanging.HANGING for pair in row]
    hung = [image for pair in standard if (image := visit.hung(*pair))]
    panes = [pane(visit, laterality, view, not_taken) for laterality, view in standard]
    if visit.images and not hung:
        panes = []
    places = {(image.laterality, image.view) for image in hung}
    return panes + [
        pane_of(image, another=(image.laterality, image.view) in places)
        for image in visit.images
        if image not in hung
    ]


def pane(visit: Visit, laterality: str, view: str, not_taken: Sequence[str]) -> dict[str, object]:
    """Say what one place of the hanging shows: a view, or which view is missing."""
    image = visit.hung(laterality, view)
    if image:
        return pane_of(image)
    where = (
        "was not taken at this visit"
        if f"{laterality} {view}" in not_taken
        else "is in another study of this day"
    )
    return {
        "sop_uid": None,
        "side": SIDE_OF[laterality],
        "label": f"{laterality} {view}",
        "note": "",
        "missing": f"{laterality} {view} {where}.",
        "flipped": False,
    }


def pane_of(image: ViewImage, *, another: bool = False) -> dict[str, object]:
    """Say a view for the viewer: what kind of picture it is, its quality, and what was done to hang it.

    `another` says that an image of the same side and view hangs already.
    """
    kinds = [flag for flag in image.quality_flags if flag in hanging.OTHER_THAN_STANDARD]
    notes = [flag.replace("_", " ") for flag in image.quality_flags if flag not in kinds]
    if image.flipped:
        notes.append("mirrored to hang")
    elif image.chest_wall is None:
        notes.append("chest wall not found: shown as stored")
    if another and not kinds:
        kinds = ["another image"]
    return {
        "sop_uid": image.sop_uid,
        "side": SIDE_OF[image.laterality],
        "label": " · ".join(
            [f"{image.laterality} {image.view}", *(kind.replace("_", " ") for kind in kinds)]
        ),
        "note": " · ".join(notes),
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
            look.show(f'<p class="lv-note">This study waits to be scored. {look.safe(worker_away())}</p>')
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
            course.contributions(score),
            key=f"contributions_{visit.study_uid}",
            theme=None,
            config=look.FIGURE_CONFIG,
            alt="How much each visit multiplied the odds of cancer within 5 years",
        )
    look.footer(cards.footer(cards.card_of(here(), score.model), score.model))


def worker_away() -> str:
    """Say why a study may wait for long; nothing where the worker runs."""
    worker = worker_seen(here())
    return "" if worker.running else worker.sentence


def assessment(visit: Visit, person: Person) -> None:
    """Show the reader's assessment, and let an oncologist record it."""
    look.heading("Reader's assessment")
    if visit.bi_rads:
        look.show(
            f'<p class="lv-note"><b>{visit.assessment.words}</b> · {look.safe(visit.assessed_by or "")}, '
            f"{look.moment(visit.assessed_at)}"
            + (f"<br>{look.safe(visit.assessment_note)}" if visit.assessment_note else "")
            + "</p>"
        )
    elif not person.may(Permission.ASSESS):
        look.show('<p class="lv-note">Not assessed yet.</p>')
    if person.may(Permission.ASSESS):
        assess(visit)


@st.fragment
def assess(visit: Visit) -> None:
    """Ask for an assessment; what is put in survives another visit being chosen, and another reader's writing."""
    # Not a form: what stands in one reaches the server, and outlives the form, only when it is sent.
    person = session.require(Permission.ASSESS)
    name = f"assessment_{visit.study_uid}_{person.user_id}"
    press, draft = f"{name}_record", Draft(name)
    stored = fields(name, visit.assessment)
    draft.follow(stored, visit.assessed_at, pressed=bool(st.session_state.get(press)))
    left, right = st.columns(2)
    with left:
        bi_rads = ask_category("BI-RADS (v2025)", BI_RADS, key=f"{name}_bi_rads")
    with right:
        density = ask_category("Density", DENSITIES, key=f"{name}_density")
    note = st.text_area("Note", height=80, max_chars=10_000, key=f"{name}_note", persist_state="session")
    label = "Change assessment" if visit.bi_rads else "Record assessment"
    if draft.told:
        look.show(f'<p class="lv-note alert">{look.safe(draft.told)}</p>')
        label = "Replace assessment"
    record, drop = st.columns([3, 2])
    if draft.changed or draft.told:
        drop.button("Drop my draft", key=f"{name}_drop", on_click=draft.forget, type="tertiary")
    if not record.button(label, key=press, type="primary"):
        return
    if bi_rads is None:
        st.warning("Choose a BI-RADS assessment first.")
        return
    instead_of = draft.version
    assert instead_of is None or isinstance(instead_of, datetime)
    with outages.beside_the_act("The assessment is not recorded."):
        try:
            record_assessment(
                here(),
                person,
                visit.study_uid,
                bi_rads=bi_rads,
                density=density,
                note=note,
                instead_of=instead_of,
            )
        except AssessedMeanwhile as meanwhile:
            draft.refused(fields(name, meanwhile.stored), meanwhile.stored.at, str(meanwhile))
        except ValueError as error:
            st.warning(str(error))
            return
        else:
            draft.forget()
        st.rerun()


def ask_category(label: str, words: Mapping[str, str], *, key: str) -> str | None:
    """Ask for one of some categories, none of which is chosen for the reader."""
    return st.selectbox(
        label,
        list(words),
        index=None,
        format_func=words.__getitem__,
        placeholder="Choose",
        key=key,
        persist_state="session",
    )


def fields(name: str, stored: Assessment) -> dict[str, str | None]:
    """Return what the widgets of an assessment show where it is the one that stands, by their keys."""
    return {
        f"{name}_bi_rads": stored.bi_rads if stored.bi_rads in BI_RADS else None,
        f"{name}_density": stored.density,
        f"{name}_note": stored.note or "",
    }


def events(record: PatientRecord, person: Person) -> None:
    """List events and notes, and let people add one or take one back."""
    head, add, *away = st.columns([4, 1.2, 1.5] if record.events else [5.5, 1.2], vertical_alignment="center")
    with head:
        look.heading("Events and notes")
    if person.may(Permission.RECORD_EVENT):
        # Each change begins new forms in closed popovers: until then what was put in stays.
        form = f"event_{record.mrn}_{person.user_id}_{st.session_state.get(EVENTS_WRITTEN, 0)}"
        with add.popover("Add", icon=":material/add:", width="stretch", key=f"{form}_adding"):
            add_event(record, person, form)
        if away:
            with away[0].popover(
                "Take back", icon=":material/undo:", width="stretch", key=f"{form}_removing"
            ):
                take_event_back(record, person, form)
        what_was_done(record, person)
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


def say_event(event: EventEntry) -> str:
    """Say an event in one line."""
    parts = [look.iso(event.on), event.kind.value, event.laterality or "", event.detail or ""]
    line = " ".join(" ".join(parts).split())
    return line if len(line) <= 80 else f"{line[:79]}…"


def event_done(record: PatientRecord, text: str, event_id: int | None = None) -> None:
    """Draw the page anew with what was done; an event that was added can be taken back at once."""
    st.session_state[EVENT_NOTE] = (record.mrn, text, event_id)
    st.session_state[EVENTS_WRITTEN] = st.session_state.get(EVENTS_WRITTEN, 0) + 1
    st.rerun()


def what_was_done(record: PatientRecord, person: Person) -> None:
    """Say which event of hers was added or taken back last, with the way to undo it."""
    mrn, text, added = st.session_state.get(EVENT_NOTE, ("", "", None))
    if mrn != record.mrn:
        st.session_state.pop(EVENT_NOTE, None)
        return
    words, undo = st.columns([5.2, 1.5], vertical_alignment="center")
    with words:
        look.show(f'<p class="lv-note">{look.safe(text)}</p>')
    event = next((event for event in record.events if event.event_id == added), None)
    if event and undo.button("Undo", key=f"undo_event_{event.event_id}", width="stretch"):
        remove_event(record, person, event)


def remove_event(record: PatientRecord, person: Person, event: EventEntry) -> None:
    """Take an event back and say so."""
    with outages.beside_the_act("Nothing is taken back."):
        remove_event_(here(), person, event.event_id)
        event_done(record, f"Taken back: {say_event(event)}. The audit trail keeps what it said.")


def take_event_back(record: PatientRecord, person: Person, form: str) -> None:
    """Ask which event was recorded by mistake."""
    with st.form(f"{form}_remove", border=False):
        by_id = {event.event_id: event for event in reversed(record.events)}
        chosen = st.selectbox(
            "Recorded by mistake",
            list(by_id),
            index=None,
            format_func=lambda key: say_event(by_id[key]),
            placeholder="Choose",
            key=f"{form}_which",
            width=420,
        )
        if st.form_submit_button("Take back", key=f"{form}_take_back", type="primary"):
            if chosen is None:
                st.warning("Choose what to take back.")
                return
            remove_event(record, person, by_id[chosen])


def add_event(record: PatientRecord, person: Person, form: str) -> None:
    """Ask for an event; what is put in stays until it is recorded."""
    with st.form(form, border=False):
        what, side = st.columns(2)
        begin, finish = st.columns(2)
        kinds = [kind.value for kind in EventKind]
        kind = EventKind(what.selectbox("What", kinds, key=f"{form}_kind") or EventKind.NOTE)
        laterality = side.selectbox(
            "Breast",
            ["L", "R"],
            index=None,
            format_func=lambda key: SIDE_OF[key],
            placeholder="Not one-sided",
            key=f"{form}_side",
        )
        earliest = record.birth_date or date(1900, 1, 1)
        on = begin.date_input(
            "Date", value=date.today(), min_value=earliest, max_value=date.today(), key=f"{form}_on"
        )
        end = finish.date_input(
            "End, of a therapy",
            value=None,
            min_value=earliest,
            max_value=date.today() + timedelta(days=7300),
            key=f"{form}_end",
        )
        detail = st.text_area("Note", height=80, max_chars=10_000, key=f"{form}_note")
        if st.form_submit_button("Add", key=f"{form}_add", type="primary"):
            with outages.beside_the_act("It is not recorded."):
                try:
                    added = add_event_(
                        here(),
                        person,
                        record.mrn,
                        kind=kind,
                        on=on,
                        end=end,
                        laterality=laterality,
                        detail=detail,
                    )
                except ValueError as error:
                    st.warning(str(error))
                    return
                event_done(record, f"Recorded: {say_event(added)}.", added.event_id)


def model_card(record: PatientRecord) -> None:
    """Show the card of the model that spoke."""
    score = record.scored[-1].score if record.scored else None
    card = cards.card_of(here(), score.model) if score else None
    if card is None:
        return
    with st.expander(f"The model that spoke: {look.plain(card.title)}"):
        look.card_table(card)


def try_again(visit: Visit, person: Person) -> None:
    """Let who adds studies put a refused one back in the queue, once what it was refused for is mended."""
    if visit.status is not StudyStatus.REFUSED or not person.may(Permission.ADD_STUDY):
        return
    if st.button("Try to score it again", icon=":material/refresh:", key=f"try_again_{visit.study_uid}"):
        retry_refused(here(), study=visit.study_uid, by=session.require(Permission.ADD_STUDY))
        st.rerun()


@st.fragment(run_every=2.0)
def wait_for_score(waiting: Mapping[str, StudyStatus]) -> None:
    """Look now and then whether a pending study has its score, and show it when it has."""
    session.require(Permission.SEE_PATIENTS)
    if statuses(here(), list(waiting)) != waiting:
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
    record = record_of(here(), mrn) if mrn else None
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
        viewer(chosen, record.missing_views(chosen), found)
        findings_of(chosen, found, person)
        events(record, person)
    with words:
        what_the_model_said(chosen)
        try_again(chosen, person)
        assessment(chosen, person)
    model_card(record)
    waiting = {v.study_uid: v.status for v in record.visits if v.status is StudyStatus.PENDING}
    if waiting:
        wait_for_score(waiting)


page(session.require(Permission.SEE_PATIENTS))
