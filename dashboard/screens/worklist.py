"""The worklist: who needs a look, found and opened."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.people import Permission, Person, audit
from core.records import (
    COVERED,
    Column,
    Group,
    Order,
    Shown,
    StudyStatus,
    View,
    delete_view,
    key_of,
    keys_of,
    mrn_of,
    save_view,
    shown,
    views_of,
    worklist,
)
from core.rules import alert_rules, thresholds, trends
from core.rules.vocabulary import DENSITIES, DENSITY_WORDS
from core.worker import progress, worker_seen
from dashboard import addresses, components, keys, look, outages, session, waiting
from dashboard.house import here

PAGE_OF_ROWS = 100
MOST_ROWS = 5_000
"""What an address may ask for at once."""
AGES = (20, 100)
BANDS = {band.key: band.label for band in thresholds.risk_bands()}
ADDRESSED = (keys.GROUP, keys.AGE, keys.DENSITY, keys.BAND, keys.ORDER, keys.ROWS_SHOWN)
OWN_ORDER = ("", True)
"""The order that no column has: the group's own."""
WHY = {rule.rule: f"{rule.why} {rule.source}." for rule in alert_rules()}


class GroupWords(NamedTuple):
    """What a group is called on its button, what in "3 of 7 changed", and in a sentence what stands in it."""

    button: str
    walk: str
    sentence: str


GROUPS = {
    Group.TO_READ: GroupWords(
        "To read",
        "to read",
        "Nobody has assessed the newest study. By its day, the newest first: the order says nothing of a score.",
    ),
    Group.CHANGED: GroupWords(
        "Changed",
        "changed",
        "An alert is open, and nobody who could have seen it has said what explains it. The most urgent first.",
    ),
    Group.OPEN: GroupWords(
        "Open assessment",
        "open",
        "BI-RADS 0 waits for further pictures, 3 for the follow-up at six months, 4 and 5 for a biopsy's result.",
    ),
    Group.NOT_SCORED: GroupWords(
        "Not scored", "not scored", "The last study has no number: it is read as usual."
    ),
    Group.OVERDUE: GroupWords(
        "Overdue",
        "overdue",
        f"The next study should have come by now; {thresholds.screening_interval().source}.",
    ),
    Group.UNDER_TREATMENT: GroupWords(
        "Under treatment",
        "under treatment",
        "A cancer is known: the clinic plans, and of the rules for alerts only growth speaks.",
    ),
    Group.ALL: GroupWords("All", "patients", "What is changed and unexplained first, then what is open."),
}


def entry(row: worklist.Row, key: str, looked: Sequence[audit.Looked], person: Person) -> dict[str, object]:
    """Say a row in words and numbers, as the table shows it."""
    words = {StudyStatus.PENDING: "being scored", StudyStatus.REFUSED: "not scored"}
    status = words.get(row.last_status) if row.last_status else None
    return {
        "mrn": row.mrn,
        "key": key,
        "label": row.label,
        "simulated": row.simulated,
        "last_study": look.iso(row.last_study) if row.last_study else None,
        "status": row.last_status.value if row.last_status else "",
        "status_text": status or ("to read" if row.unread else ""),
        "status_hint": row.refusal if row.last_status is StudyStatus.REFUSED else "",
        "risk_text": risk_text(row),
        "told": not row.withheld and not row.covered,
        "why": "" if row.ended or row.rank else row.withheld,
        "interval_text": look.interval(row.risk_5y_low, row.risk_5y_high),
        "risk_hint": risk_hint(row),
        "band": row.band if row.band and holds_for(row, row.scored_on) else None,
        "change": row.change_since_prior,
        "factor_text": look.times(row.factor) if row.factor is not None else "",
        "change_text": look.points(row.change_since_prior, within_noise=row.change_is_noise),
        "change_note": "within positioning" if row.change_is_noise else "",
        "change_hint": change_hint(row),
        "course": [
            [look.iso(p.on), p.risk_5y, look.percent(p.risk_5y), p.complete, course_step(p)]
            for p in row.course
        ],
        "threshold": threshold(row),
        "next_due": look.month(row.next_due) if row.next_due else None,
        "due_hint": due_hint(row),
        "overdue": row.overdue,
        "alerts": [
            {
                "text": alert.message,
                "age": look.ago(alert.raised_at),
                "explained": alert.explained,
                "why": WHY.get(alert.rule, ""),
            }
            for alert in row.alerts
        ],
        "notices": [notice.message for notice in row.notices],
        **who_she_is(row),
        **slope_words(row),
        **last_said(row),
        **who_looked(looked, person),
    }


def threshold(row: worklist.Row) -> dict[str, object] | None:
    """Say the risk from which a woman stands in the first band above none, and from when until when that holds for her."""
    if row.diagnosed:
        return None
    band = thresholds.risk_bands()[1]
    begins, ends = band.days(row.standing.birth_date)
    return {"risk": band.lower, "from": look.iso(begins), "until": look.iso(ends)}


def holds_for(row: worklist.Row, on: date | None) -> bool:
    """Say whether the thresholds hold for a woman on a day."""
    begins, ends = thresholds.risk_bands()[1].days(row.standing.birth_date)
    return on is not None and begins <= on < ends


def who_she_is(row: worklist.Row) -> dict[str, object]:
    """Say what stands beneath her name."""
    density_by = "reader" if row.density_by_reader else "model"
    facts = [
        f"MRN {row.mrn}" if row.name and not row.simulated else "",
        f"{row.age_years} y" if row.age_years is not None else "",
        f"density {row.density}" if row.density else "",
    ]
    hint = f"{DENSITY_WORDS[row.density]}, by the {density_by}" if row.density else "Density is not known yet"
    return {"about": " · ".join(filter(None, facts)), "about_hint": f"MRN {row.mrn}. {hint}"}


def slope_words(row: worklist.Row) -> dict[str, object]:
    """Say how 5-year risk runs a year."""
    line = row.slope
    if line is None:
        return {"slope_text": look.UNKNOWN, "slope_interval": "", "slope_noise": False, "slope_hint": ""}
    known = line.low is not None and line.high is not None
    return {
        "slope_text": look.signed(line.per_year),
        "slope_interval": f"{look.signed(line.low or 0.0)} to {look.signed(line.high or 0.0)}"
        if known
        else "",
        "slope_noise": line.holds_nothing,
        "slope_hint": trends.SLOPE_METHOD,
    }


def last_said(row: worklist.Row) -> dict[str, object]:
    """Say what a reader recorded last, and what it waits for."""
    word, waits = row.last_word, row.open_assessment
    if word is None:
        return {
            "said": look.UNKNOWN,
            "said_by": "",
            "waits_for": "",
            "said_hint": "Nobody has assessed a study",
        }
    biopsied = f". Biopsied {waits.biopsied_on}" if waits and waits.biopsied_on else ""
    when = f", recorded {look.moment(word.at)}" if word.at else ""
    return {
        "said": f"{word.category} · {look.iso(word.on)}",
        "said_by": word.by or "",
        "waits_for": f"waits for {waits.waits_for}" if waits else "",
        "said_hint": f"BI-RADS {word.category} of the study of {word.on} by {word.by or 'unknown'}{when}{biopsied}",
    }


def who_looked(looked: Sequence[audit.Looked], person: Person) -> dict[str, object]:
    """Say who has opened her record, the last first."""
    if not looked:
        return {"looked": look.UNKNOWN, "looked_on": "", "looked_hint": "Nobody has opened her record"}
    names = ["you" if one.user_id == person.user_id else one.person for one in looked]
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    lines = (f"{name}, {look.moment(one.at)}" for name, one in zip(names, looked, strict=True))
    return {
        "looked": f"{names[0]}{more}",
        "looked_on": look.iso(looked[0].at.astimezone().date()),
        "looked_hint": "Opened her record: " + "; ".join(lines),
    }


def risk_text(row: worklist.Row) -> str:
    """Say how high the risk is, or what stands in its place."""
    if row.covered:
        return "covered"
    if row.rank:
        return f"above {row.rank.higher_than} of 100"
    if row.withheld:
        if row.standing.risk_ended_on is not None:
            return "not at risk"
        return "after diagnosis" if row.ended else "withheld"
    return look.percent(row.risk_5y)


def risk_hint(row: worklist.Row) -> str:
    """Say what the risk is of and as of when, or why there is none."""
    if row.covered:
        return COVERED
    if row.rank:
        return f"{row.rank.words.capitalize()} ({row.rank.women}). {row.withheld}"
    if row.withheld:
        return row.withheld if row.ended else f"{row.withheld} Read as usual."
    return f"Cancer within 5 years, as of {row.scored_on}" if row.scored_on else "No study is scored yet"


def change_hint(row: worklist.Row) -> str:
    """Say since when a change is, or why there is none."""
    if row.withheld or row.covered:
        return risk_hint(row)
    if row.prior_on is None:
        return "There is no scored visit before"
    if row.change_since_prior is None:
        return f"since {row.prior_on}: {look.OTHER_WEIGHTS}"
    return f"since {row.prior_on}" + (f". {look.WITHIN_NOISE_WHY}" if row.change_is_noise else "")


def course_step(point: worklist.CoursePoint) -> str:
    """Say how the step to a visit of the small course is drawn: not at all between scores by other weights."""
    return "noise" if point.within_noise else "line" if point.alike else ""


def due_hint(row: worklist.Row) -> str:
    """Say why no next study is due; nothing where one is."""
    if row.next_due is not None:
        return ""
    if row.diagnosed:
        return "As the clinic plans after a diagnosis"
    return thresholds.screening_interval().outside.capitalize() if row.last_study else "There is no study yet"


def adopt(asked: Mapping[str, str]) -> None:
    """Take search, filters and order from an address; what cannot be is passed over."""
    ages = [int(age[:4]) for age in asked.get(keys.AGE, "").split("-") if age.isdecimal()]
    shown = asked.get(keys.ROWS_SHOWN, "")
    state = st.session_state
    state[keys.SEARCH] = asked.get(keys.SEARCH, "")
    state[keys.GROUP] = asked[keys.GROUP] if asked.get(keys.GROUP) in list(Group) else Group.ALL.value
    state[keys.AGE] = (
        (max(AGES[0], ages[0]), min(AGES[1], ages[1])) if len(ages) == 2 and ages[0] <= ages[1] else AGES
    )
    state[keys.DENSITY] = [letter for letter in DENSITIES if letter in asked.get(keys.DENSITY, "")]
    state[keys.BAND] = [key for key in BANDS if key in asked.get(keys.BAND, "").split(",")]
    column, _, way = asked.get(keys.ORDER, "").partition("-")
    state[keys.ORDER] = (column, way != "up") if column in list(Column) else OWN_ORDER
    state[keys.ROWS_SHOWN] = (
        min(max(int(shown[:6]), PAGE_OF_ROWS), MOST_ROWS) if shown.isdecimal() else PAGE_OF_ROWS
    )


def adopt_address() -> None:
    """Take what the address says, where it says anything: a shared link, or the browser's way back.

    An address without any leaves what the person had set, so that coming back from a patient changes nothing.
    """
    asked = st.query_params
    if (row := asked.get(keys.ROW)) and (mrn := mrn_of(here(), row)):
        st.session_state[keys.LAST_PATIENT] = mrn
    if any(key in asked for key in ADDRESSED):
        # What is searched for stands in no address.
        adopt({**asked, keys.SEARCH: st.session_state.get(keys.SEARCH, "")})


def asked_for() -> dict[str, str]:
    """Say search, filters and order, as a view that is saved keeps them."""
    state = st.session_state
    column, descending = state.get(keys.ORDER, OWN_ORDER)
    shown = state.get(keys.ROWS_SHOWN, PAGE_OF_ROWS)
    said = {
        keys.SEARCH: state[keys.SEARCH].strip(),
        keys.GROUP: state[keys.GROUP] or Group.ALL.value,
        keys.AGE: "" if tuple(state[keys.AGE]) == AGES else "-".join(str(age) for age in state[keys.AGE]),
        keys.DENSITY: "".join(state[keys.DENSITY]),
        keys.BAND: ",".join(state[keys.BAND]),
        keys.ORDER: f"{column}-{'down' if descending else 'up'}" if column else "",
        keys.ROWS_SHOWN: str(shown) if shown > PAGE_OF_ROWS else "",
    }
    return {key: value for key, value in said.items() if value}


def write_address() -> None:
    """Put filters, order and the row into the address, so that it can be shared and come back to; no search: it names her."""
    row = st.session_state.get(keys.LAST_PATIENT)
    said = {key: value for key, value in asked_for().items() if key in ADDRESSED}
    if row and (key := key_of(here(), row)):
        said[keys.ROW] = key
    if said != st.query_params.to_dict():
        st.query_params.from_dict(said)


def wanted(person: Person) -> tuple[worklist.Filter, DeltaGenerator]:
    """Show search and filters, and return what they say with the place for the groups, whose counts are not known yet."""
    adopt_address()
    title, search, saved, filters = st.columns([4, 3, 1.6, 1.4], vertical_alignment="center")
    with title:
        look.title("Worklist")
    search.text_input(
        "Search",
        key=keys.SEARCH,
        placeholder="Search name or MRN",
        label_visibility="collapsed",
        icon=":material/search:",
        on_change=write_address,
        persist_state="session",
    )
    st.session_state.setdefault(keys.AGE, AGES)
    with filters.popover("Filters", icon=":material/tune:", width="stretch"):
        filter_fields()
    st.session_state.setdefault(keys.GROUP, Group.ALL.value)
    groups = st.container()
    with saved.popover("Saved views", icon=":material/bookmark:", width="stretch"):
        saved_views(person)
    state = st.session_state
    age: tuple[int, int] = state[keys.AGE]
    narrowed = worklist.Filter(
        text=state[keys.SEARCH] or "",
        group=Group(state[keys.GROUP] or Group.ALL),
        age_from=age[0] if age[0] > AGES[0] else None,
        age_to=age[1] if age[1] < AGES[1] else None,
        densities=tuple(state[keys.DENSITY]),
        bands=tuple(state[keys.BAND]),
    )
    return narrowed, groups


def choose_group(number: Mapping[Group, int]) -> None:
    """Show the groups with how many stand in each."""
    st.segmented_control(
        "Show",
        [group.value for group in Group],
        key=keys.GROUP,
        format_func=lambda group: f"{GROUPS[Group(group)].button} {number[Group(group)]}",
        required=True,
        label_visibility="collapsed",
        on_change=write_address,
        persist_state="session",
    )


def filter_fields() -> None:
    """Ask for age, density and band."""
    st.slider("Age", *AGES, key=keys.AGE, on_change=write_address, persist_state="session")
    st.pills(
        "Density",
        list(DENSITIES),
        selection_mode="multi",
        wrap=True,
        key=keys.DENSITY,
        on_change=write_address,
        persist_state="session",
    )
    st.pills(
        "5-year risk",
        list(BANDS),
        selection_mode="multi",
        wrap=True,
        format_func=lambda key: BANDS[key],
        key=keys.BAND,
        on_change=write_address,
        persist_state="session",
    )


def saved_views(person: Person) -> None:
    """List a person's named worklists, to be opened or deleted, and keep this one under a name."""
    views = views_of(here(), person)
    for view in views:
        open_it, away = st.columns([3, 1], vertical_alignment="center")
        open_it.button(
            look.plain(view.name),
            key=f"view_{view.name}",
            on_click=partial(open_view, view),
            width="stretch",
            type="tertiary",
        )
        away.button(
            "Delete",
            key=f"delete_view_{view.name}",
            on_click=partial(delete_view, here(), person, view.name),
            type="tertiary",
        )
    if not views:
        look.show('<p class="lv-footer">None yet. A view keeps group, search, filters and order.</p>')
    with st.form("save_view", border=False, clear_on_submit=True):
        name = st.text_input("Name of this view", max_chars=64)
        if st.form_submit_button("Save this view"):
            with outages.beside_the_act("The view is not saved."):
                try:
                    save_view(here(), person, name, asked_for())
                except ValueError as error:
                    st.warning(str(error))
                    return
                st.rerun()


def open_view(view: View) -> None:
    """Show a named worklist."""
    adopt(view.address)
    write_address()


def chips(narrowed: worklist.Filter) -> None:
    """Show each filter that is active, to be taken away by a click."""
    active = {
        keys.SEARCH: f"“{narrowed.text.strip()}”" if narrowed.text.strip() else "",
        keys.AGE: "Age {}–{}".format(*st.session_state[keys.AGE])
        if (narrowed.age_from, narrowed.age_to) != (None, None)
        else "",
        keys.DENSITY: f"Density {', '.join(narrowed.densities)}" if narrowed.densities else "",
        keys.BAND: f"5-year risk {', '.join(BANDS[key] for key in narrowed.bands)}" if narrowed.bands else "",
    }
    if not any(active.values()):
        return
    with st.container(horizontal=True, gap="small", key="chips"):
        for key, words in active.items():
            if words:
                st.button(
                    look.plain(words),
                    icon=":material/close:",
                    key=f"chip_{key}",
                    on_click=partial(take_away, key),
                )
        st.button("Clear all", key="chip_all", on_click=clear, type="tertiary")


NOTHING: Mapping[str, object] = {keys.SEARCH: "", keys.AGE: AGES, keys.DENSITY: [], keys.BAND: []}


def take_away(key: str) -> None:
    """Take one filter back."""
    st.session_state[key] = NOTHING[key]
    write_address()


def clear() -> None:
    """Take all narrowing back."""
    for key, nothing in NOTHING.items():
        st.session_state[key] = nothing
    write_address()


def open_patient(mrn: str) -> None:
    """Go to a woman's page; it asks by itself who may see her."""
    st.session_state[keys.LAST_PATIENT] = mrn
    st.switch_page("screens/patient.py", query_params=addresses.query_of(mrn))


def put_in_order(order: components.WorklistOrder) -> None:
    """Show the rows in another order; one that there is not changes nothing."""
    if order[0] in list(Column) or order == OWN_ORDER:
        st.session_state[keys.ORDER] = order
        write_address()


def show_more() -> None:
    """Show the next rows too."""
    st.session_state[keys.ROWS_SHOWN] += PAGE_OF_ROWS
    write_address()


def empty(person_may_add: bool) -> None:
    """Say what to do where there is nobody yet."""
    look.show(
        '<div class="lv-empty"><b>No patients yet</b>'
        + (
            "Add a study to begin: its four views, whose they are and from which day."
            if person_may_add
            else ""
        )
        + " Or load simulated women from a terminal: <code>python -m seed_data demo</code></div>"
    )
    if person_may_add:
        _, middle, _ = st.columns([2, 1, 2])
        middle.page_link("screens/add_study.py", label="Add study", icon=":material/add:")


@st.fragment(run_every=3.0)
def watch(seen: tuple[int, ...]) -> None:
    """Show studies and scores as they come in, while any are on their way."""
    session.require(Permission.SEE_PATIENTS)
    if progress.state(here()) != seen:
        st.rerun()


def table(found: Shown, person: Person) -> None:
    """Show the rows, and do what is asked of them."""
    session.note_listed(person, [row.mrn for row in found.rows], st.session_state.get(keys.SEARCH) or "")
    subjects = [f"patient:{row.mrn}" for row in found.rows]
    named = keys_of(here(), [row.mrn for row in found.rows])
    looked = audit.who_did(here(), "patient_opened", subjects)
    components.worklist_table(
        [
            entry(row, named.get(row.mrn, ""), looked.get(f"patient:{row.mrn}", ()), person)
            for row in found.rows
        ],
        focus=st.session_state.get(keys.LAST_PATIENT),
        order=st.session_state[keys.ORDER],
        on_open=open_patient,
        on_order=put_in_order,
        says=f"{found.number} {GROUPS[Group(st.session_state[keys.GROUP] or Group.ALL)].walk}",
    )


person = session.seen_by(Permission.SEE_PATIENTS)
seen = progress.state(here())
narrowed, groups = wanted(person)
column, descending = st.session_state.setdefault(keys.ORDER, OWN_ORDER)
order = Order(Column(column), descending) if column else None
rows_shown = st.session_state.setdefault(keys.ROWS_SHOWN, PAGE_OF_ROWS)
found = shown(here(), narrowed, order, number=rows_shown, today=date.today())
everybody = found.counts[Group.ALL]
with groups:
    choose_group(found.counts)
if not everybody or found.pending:
    watch(seen)
if found.pending:
    worker = worker_seen(here())
    if not worker.running:
        look.show(f'<p class="lv-note alert">{look.safe(worker.sentence)}</p>')
files_waiting = waiting.in_quarantine(person)
if files_waiting and not person.may(Permission.ASSESS):
    look.show(
        f'<p class="lv-note alert"><a href="/quarantine" target="_self">{waiting.sentence(files_waiting)}</a></p>'
    )
if not everybody:
    empty(person.may(Permission.ADD_STUDY))
    st.stop()
chips(narrowed)
look.footer(GROUPS[narrowed.group].sentence)
# Those through whom the patient's page goes on.
st.session_state[keys.WALK] = (tuple(found.walk), GROUPS[narrowed.group].walk)
write_address()
if found.rows:
    table(found, person)
else:
    why = "Search and filters together leave no one." if narrowed.narrows else "No one stands in this group."
    look.show(f'<div class="lv-empty"><b>Nobody matches</b>{why}</div>')
line, more = st.columns([5, 1], vertical_alignment="center")
with line:
    look.footer(
        f"{found.number} of {everybody} patients. Risk is cancer within 5 years at the last scored visit; "
        f"thresholds edition {thresholds.edition()}. Research software. Not for diagnosis."
    )
if found.number > rows_shown:
    more.button(
        f"Show {min(PAGE_OF_ROWS, found.number - rows_shown)} more", on_click=show_more, width="stretch"
    )
