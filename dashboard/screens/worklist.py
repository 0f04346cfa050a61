"""The worklist: who needs a look, found and opened."""

from datetime import date

import streamlit as st

from core.people import Permission
from core.records import COVERED, Column, Group, Order, StudyStatus, worklist
from core.rules import thresholds
from core.rules.vocabulary import DENSITIES, DENSITY_WORDS
from core.worker import progress, worker_seen
from dashboard import components, keys, look, session
from dashboard.house import here

PAGE_OF_ROWS = 100
AGES = (20, 100)
BANDS = {band.key: band.label for band in thresholds.risk_bands()}
ADDRESSED = (keys.SEARCH, keys.GROUP, keys.AGE, keys.DENSITY, keys.BAND, keys.ORDER)
NEEDS_A_LOOK_FIRST = ("", True)
"""The order that no column has."""


def entry(row: worklist.Row) -> dict[str, object]:
    """Say a row in words and numbers, as the table shows it."""
    density_by = "reader" if row.density_by_reader else "model"
    words = {StudyStatus.PENDING: "being scored", StudyStatus.REFUSED: "not scored"}
    status = words.get(row.last_status) if row.last_status else None
    return {
        "mrn": row.mrn,
        "label": row.label,
        "mrn_line": f"MRN {row.mrn}" if row.name else "",
        "simulated": row.simulated,
        "age": row.age_years,
        "last_study": look.iso(row.last_study) if row.last_study else None,
        "status": row.last_status.value if row.last_status else "",
        "status_text": status or "",
        "status_hint": (row.refusal or "")
        if row.last_status is StudyStatus.REFUSED
        else "Waits for the worker",
        "risk_text": risk_text(row),
        "told": not row.withheld and not row.covered,
        "why": "" if row.ended or row.rank else row.withheld,
        "interval_text": look.interval(row.risk_5y_low, row.risk_5y_high),
        "risk_hint": risk_hint(row),
        "band": row.band,
        "change": row.change_since_prior,
        "change_text": look.points(row.change_since_prior, within_noise=row.change_is_noise),
        "change_note": "within positioning" if row.change_is_noise else "",
        "change_hint": change_hint(row),
        "course": [[look.iso(p.on), p.risk_5y, look.percent(p.risk_5y), course_step(p)] for p in row.course],
        "threshold": thresholds.risk_bands()[1].lower,
        "density": row.density,
        "density_hint": f"{DENSITY_WORDS[row.density]}, by the {density_by}"
        if row.density
        else "Not known yet",
        "next_due": look.month(row.next_due) if row.next_due else None,
        "due_hint": due_hint(row),
        "overdue": row.overdue,
        "alerts": list(row.alerts),
    }


def risk_text(row: worklist.Row) -> str:
    """Say how high the risk is, or what stands in its place."""
    if row.covered:
        return "covered"
    if row.rank:
        return f"above {row.rank.higher_than} of 100"
    if row.withheld:
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


def adopt_address() -> None:
    """Take search, filters and order from the address, where it has any: a shared link, or the browser's way back.

    An address without any leaves what the person had set, so that coming back from a patient changes nothing.
    """
    asked = st.query_params
    if not any(key in asked for key in ADDRESSED):
        return
    ages = [int(age) for age in asked.get(keys.AGE, "").split("-") if age.isdigit()]
    state = st.session_state
    state[keys.SEARCH] = asked.get(keys.SEARCH, "")
    state[keys.GROUP] = asked[keys.GROUP] if asked.get(keys.GROUP) in list(Group) else Group.ALL.value
    state[keys.AGE] = (
        (max(AGES[0], ages[0]), min(AGES[1], ages[1])) if len(ages) == 2 and ages[0] <= ages[1] else AGES
    )
    state[keys.DENSITY] = [letter for letter in DENSITIES if letter in asked.get(keys.DENSITY, "")]
    state[keys.BAND] = [key for key in BANDS if key in asked.get(keys.BAND, "").split(",")]
    column, _, way = asked.get(keys.ORDER, "").partition("-")
    state[keys.ORDER] = (column, way != "up") if column in list(Column) else NEEDS_A_LOOK_FIRST


def write_address() -> None:
    """Put search, filters and order into the address, so that it can be shared."""
    state = st.session_state
    column, descending = state.get(keys.ORDER, NEEDS_A_LOOK_FIRST)
    said = {
        keys.SEARCH: state[keys.SEARCH].strip(),
        keys.GROUP: state[keys.GROUP] or Group.ALL.value,
        keys.AGE: "" if tuple(state[keys.AGE]) == AGES else "-".join(str(age) for age in state[keys.AGE]),
        keys.DENSITY: "".join(state[keys.DENSITY]),
        keys.BAND: ",".join(state[keys.BAND]),
        keys.ORDER: f"{column}-{'down' if descending else 'up'}" if column else "",
    }
    st.query_params.from_dict({key: value for key, value in said.items() if value})


def wanted() -> worklist.Filter:
    """Show search, groups and filters, and return what they say."""
    adopt_address()
    title, search = st.columns([3, 2], vertical_alignment="center")
    with title:
        look.title("Worklist")
    text = search.text_input(
        "Search",
        key=keys.SEARCH,
        placeholder="Search name or MRN",
        label_visibility="collapsed",
        icon=":material/search:",
        on_change=write_address,
        persist_state="session",
    )
    groups, filters = st.columns([5, 1], vertical_alignment="center")
    number = worklist.counts(found)
    st.session_state.setdefault(keys.GROUP, Group.ALL.value)
    group = groups.segmented_control(
        "Show",
        [group.value for group in Group],
        key=keys.GROUP,
        format_func=lambda group: f"{group.capitalize()} {number[Group(group)]}",
        required=True,
        label_visibility="collapsed",
        on_change=write_address,
        persist_state="session",
    )
    st.session_state.setdefault(keys.AGE, AGES)
    with filters.popover("Filters", icon=":material/tune:", width="stretch"):
        st.slider("Age", *AGES, key=keys.AGE, on_change=write_address, persist_state="session")
        density = st.pills(
            "Density",
            list(DENSITIES),
            selection_mode="multi",
            wrap=True,
            key=keys.DENSITY,
            on_change=write_address,
            persist_state="session",
        )
        band = st.pills(
            "5-year risk",
            list(BANDS),
            selection_mode="multi",
            wrap=True,
            format_func=lambda key: BANDS[key],
            key=keys.BAND,
            on_change=write_address,
            persist_state="session",
        )
    age: tuple[int, int] = st.session_state[keys.AGE]
    return worklist.Filter(
        text=text or "",
        group=Group(group or Group.ALL),
        age_from=age[0] if age[0] > AGES[0] else None,
        age_to=age[1] if age[1] < AGES[1] else None,
        densities=tuple(density),
        bands=tuple(band),
    )


def clear() -> None:
    """Take all narrowing back."""
    st.session_state[keys.SEARCH] = ""
    st.session_state[keys.GROUP] = Group.ALL.value
    st.session_state[keys.AGE] = AGES
    st.session_state[keys.DENSITY] = []
    st.session_state[keys.BAND] = []
    write_address()


def open_patient(mrn: str) -> None:
    """Go to a woman's page; it asks by itself who may see her."""
    st.session_state[keys.LAST_PATIENT] = mrn
    st.switch_page("screens/patient.py", query_params={keys.MRN: mrn})


def put_in_order(order: components.WorklistOrder) -> None:
    """Show the rows in another order; one that there is not changes nothing."""
    if order[0] in list(Column) or order == NEEDS_A_LOOK_FIRST:
        st.session_state[keys.ORDER] = order
        write_address()


def show_more() -> None:
    """Show the next rows too."""
    st.session_state[keys.ROWS_SHOWN] += PAGE_OF_ROWS


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


person = session.require(Permission.SEE_PATIENTS)
seen = progress.state(here())
found = worklist.rows(here(), today=date.today())
narrowed = wanted()
chosen = worklist.choose(found, narrowed)
column, descending = st.session_state.setdefault(keys.ORDER, NEEDS_A_LOOK_FIRST)
if column:
    # All of them, before the first hundred are taken.
    chosen = worklist.ordered(chosen, Order(Column(column), descending))
if not found or any(row.last_status is StudyStatus.PENDING for row in found):
    watch(seen)
if found and any(row.last_status is StudyStatus.PENDING for row in found):
    worker = worker_seen(here())
    if not worker.running:
        look.show(f'<p class="lv-note alert">{look.safe(worker.sentence)}</p>')
if not found:
    empty(person.may(Permission.ADD_STUDY))
    st.stop()
shown = st.session_state.setdefault(keys.ROWS_SHOWN, PAGE_OF_ROWS)
if not chosen:
    look.show('<div class="lv-empty"><b>Nobody matches</b>Search and filters together leave no one.</div>')
else:
    components.worklist_table(
        [entry(row) for row in chosen[:shown]],
        focus=st.session_state.get(keys.LAST_PATIENT),
        order=(column, descending),
        on_open=open_patient,
        on_order=put_in_order,
    )
line, more, back = st.columns([4, 1, 1], vertical_alignment="center")
with line:
    look.footer(
        f"{len(chosen)} of {len(found)} patients. Risk is cancer within 5 years at the last scored visit; "
        f"thresholds edition {thresholds.edition()}. Research software. Not for diagnosis."
    )
if len(chosen) > shown:
    more.button(f"Show {min(PAGE_OF_ROWS, len(chosen) - shown)} more", on_click=show_more, width="stretch")
if narrowed.narrows or narrowed.group is not Group.ALL:
    back.button("Show all", on_click=clear, width="stretch")
