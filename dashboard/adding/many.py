"""Many at once: files of many women and days, by woman and day before anything is added, problems first."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.bulk import Arrival, ArrivalRefused, Batch, Group, Need, Stage, summary_csv
from core.incoming import IncomingFile
from core.people import OwnAdminNeeded, Permission, Person
from core.records import known
from core.wording import counted
from dashboard import components, handing, look, outages, session
from dashboard.adding import many_groups
from dashboard.adding.first_real import REFUSED, FirstReal, goes_over
from dashboard.adding.many_done import done
from dashboard.batches import arrivals, batch_of
from dashboard.house import here
from dashboard.web import uploads

SHOWN = "many_shown"
FILTERS = {
    "all": frozenset(Need),
    "problems": frozenset({Need.REFUSED, Need.CHECK, Need.ANSWER}),
    "can be added": frozenset({Need.NOTHING}),
    "already here": frozenset({Need.HERE}),
}
GROUPS_A_PAGE = 20


def many(person: Person) -> None:
    """Take files as they come, show them by woman and day, and add what is chosen."""
    batch = batch_of(person.user_id)
    batch.look_on()
    waiting = arrivals().of(person.user_id)
    components.drop_zone([_kept(one) for one in waiting], user_id=person.user_id, on_arrived=batch.look_on)
    if batch.is_busy:
        _working()
        return
    lacking = batch.progress.lacking
    if lacking:
        look.show(
            f'<p class="lv-note alert" role="alert">{look.safe(lacking)} What is added stays; the rest waits here and '
            "can be added once it works again.</p>"
        )
    groups = batch.groups()
    if batch.cut_off:
        _go_on(person, batch)
    if batch.told():
        done(batch)
    if groups:
        _groups(person, batch, groups)
    elif not waiting and not batch.told():
        look.show(
            '<div class="lv-empty"><b>Nothing waits here</b>Bring the files of as many women and days as you like: they '
            "are sorted by woman and day, and you see each study before it is added.</div>"
        )
    if waiting:
        look.show(
            '<p class="lv-footer">What waits here is kept for 7 days, also when this page is closed; then it is dropped.</p>'
        )
    _another_way(person, batch)


def _go_on(person: Person, batch: Batch) -> None:
    """Offer to go on with what was being added when the server stopped."""
    left = batch.cut_off_groups()
    files = sum(len(one.new_files) for one in left)
    if not files:
        return
    with st.container(key="many_go_on"):
        look.show(
            f'<p class="lv-note alert" role="alert"><b>The server was started anew while this was being added.</b> What is '
            f"added stays; {counted(files, 'file')} of it wait{'s' if files == 1 else ''}.</p>"
        )
        if st.button("Go on adding", icon=":material/play_arrow:", type="primary", key="many_go_on_do"):
            _add(person, batch, left, FirstReal())


def _kept(arrival: Arrival) -> dict[str, object]:
    return {
        "key": arrival.key,
        "name": arrival.name,
        "size": arrival.size,
        "modified": arrival.modified,
        "arrived": arrival.arrived,
    }


def keep_arrived(person: Person, file: IncomingFile) -> None:
    """Keep a file that came by another way among those that wait; raises `ArrivalRefused` where it cannot be kept."""
    if file.refusal is not None:
        raise ArrivalRefused(file.refusal.text, 413)
    arrival = arrivals().begin(person.user_id, file.name, len(file.data))
    arrivals().append(arrival, arrival.arrived, [file.data[arrival.arrived :]])


def _another_way(person: Person, batch: Batch) -> None:
    """Take files by the plain field, where the browser does not let the other one work."""
    with st.expander("The field above does not react? Choose files here"):
        number = st.session_state.get("many_upload_number", 0)
        chosen = st.file_uploader(
            "Files and ZIP archives, up to 100 MB each",
            accept_multiple_files=True,
            key=f"many_upload_{number}",
            label_visibility="collapsed",
        )
        if not chosen:
            return
        for upload in chosen:
            file = uploads.opened(upload)
            try:
                keep_arrived(person, file)
            except ArrivalRefused as refused:
                st.warning(look.plain(f"{file.name}: {refused}"))
                return
        uploads.drop(chosen)
        st.session_state["many_upload_number"] = number + 1
        batch.look_on()
        st.rerun()


@st.fragment(run_every=1.0)
def _working() -> None:
    """Say live how far the batch is, and let it be paused; the page is drawn anew when it has ended."""
    person = session.require(Permission.ADD_STUDY)
    batch = batch_of(person.user_id)
    progress = batch.progress
    if progress.stage is Stage.WAITING:
        st.rerun()
    what = "Looking at the files" if progress.stage is Stage.LOOKING else "Adding"
    paused = " · paused" if progress.paused else ""
    of = f"{progress.done} of {progress.total}" if progress.total else "…"
    st.progress(progress.done / progress.total if progress.total else 0.0, f"{what}: {of}{paused}")
    with st.container(horizontal=True):
        if progress.paused:
            st.button("Go on", on_click=batch.go_on, icon=":material/play_arrow:")
        else:
            st.button("Pause", on_click=batch.pause, icon=":material/pause:")
        if progress.stage is Stage.TAKING:
            st.button(
                "Stop",
                on_click=batch.stop,
                icon=":material/stop:",
                help="What is added by then stays, the other files wait here.",
            )


def _groups(person: Person, batch: Batch, groups: Sequence[Group]) -> None:
    """Show the groups and what can be done with them."""
    files = sum(len(one.files) for one in groups)
    refused = sum(len(one.files) for one in groups if one.need is Need.REFUSED)
    women = {one.mrn for one in groups if one.mrn}
    studies = sum(one.studies for one in groups if one.mrn and one.on)
    asked = sum(one.need is Need.ANSWER for one in groups)
    check = sum(one.need is Need.CHECK for one in groups)
    look.figures(
        [
            ("files", f"{files}", "", "Of all archives and folders"),
            ("patients", f"{len(women)}", "", "By the numbers that the files say"),
            ("studies", f"{studies}", "", "By woman, day and study number"),
            ("files to be refused", f"{refused}", "", "Each with its reason below"),
            ("to check", f"{check}", "", "Something in them disagrees"),
            ("asked of you", f"{asked}", "", "The files do not say whose, of when or which view"),
        ]
    )
    shown_as = _filter(groups)
    bar = st.container()
    shown = [one for one in groups if one.need in FILTERS[shown_as]]
    start = _page_of(shown)
    many_groups.heads()
    for group in shown[start : start + GROUPS_A_PAGE]:
        many_groups.show(batch, group)
    with bar:
        _bar(person, batch, groups)


def _filter(groups: Sequence[Group]) -> str:
    counts = {name: sum(one.need in needs for one in groups) for name, needs in FILTERS.items()}
    chosen = st.pills(
        "Show",
        [name for name in FILTERS if counts[name] or name == "all"],
        default="all",
        format_func=lambda name: f"{name} {counts[name]}",
        label_visibility="collapsed",
        key=SHOWN,
    )
    return str(chosen or "all")


def _page_of(shown: Sequence[Group]) -> int:
    pages = -(-len(shown) // GROUPS_A_PAGE)
    if pages < 2:
        return 0
    page = st.selectbox(
        "Page",
        range(pages),
        format_func=lambda number: (
            f"{number * GROUPS_A_PAGE + 1} to {min(len(shown), (number + 1) * GROUPS_A_PAGE)} of {len(shown)}"
        ),
        width=200,
        label_visibility="collapsed",
        key="many_page",
    )
    return int(page or 0) * GROUPS_A_PAGE


def _bar(person: Person, batch: Batch, groups: Sequence[Group]) -> None:
    """Say what is chosen, and offer to add it or to drop all."""
    chosen = [one for one in groups if many_groups.is_chosen(batch, one)]
    ready = [one for one in chosen if not one.lacks(batch.answers.get(one.key))]
    studies = [one for one in ready if one.need is not Need.REFUSED]
    first = FirstReal.of(person, comes=bool(_new_real(batch, studies)))
    images = sum(len(one.files) for one in studies)
    rest = sum(len(one.files) for one in ready) - images
    many = sum(one.studies for one in studies)
    words = f"Add {images} file{'s' if images != 1 else ''} of {many} stud{'ies' if many != 1 else 'y'}"
    if rest:
        words += f", keep {rest} in quarantine"
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(words, type="primary", disabled=not ready or not first.ready, key="many_add"):
            _add(person, batch, ready, first)
        handing.download_button(
            "Download the list",
            data=lambda: summary_csv(batch),
            file_name="studies-to-add.csv",
            mime="text/csv",
            icon=":material/download:",
        )
        _offer_to_discard(person, batch)
    unsaid = len(chosen) - len(ready)
    if unsaid:
        look.show(
            f'<p class="lv-note">{unsaid} chosen group{"s lack" if unsaid > 1 else " lacks"} an answer and '
            f"wait{'' if unsaid > 1 else 's'} until it is given.</p>"
        )


def _offer_to_discard(person: Person, batch: Batch) -> None:
    with st.popover("Discard …", icon=":material/delete:"):
        look.show("<p>All files that wait here are dropped. What is added already stays.</p>")
        if st.button("Discard all that waits", key="many_discard"):
            batch.discard(person)
            st.rerun()


def _new_real(batch: Batch, groups: Sequence[Group]) -> list[Group]:
    """Return the groups of real women who are not known here."""
    found = []
    for group in groups:
        answer = batch.answers.get(group.key)
        mrn = group.mrn or (answer.mrn if answer else None)
        if mrn and not group.is_simulated and known(here(), mrn) is None:
            found.append(group)
    return found


def _add(person: Person, batch: Batch, groups: Sequence[Group], first: FirstReal) -> None:
    """Add groups in the background; the first real patient of an installation with demo accounts before all others."""
    with outages.beside_the_act(
        "Not all is added. Add them once more: what is stored already is not added twice."
    ):
        try:
            if first.closes:
                before = _new_real(batch, groups)[:1]
                admin = first.admin()
                with st.spinner("Adding the first real patient …"):
                    batch.take_in(person, before, own_admin=lambda: admin, in_background=False)
                groups = [one for one in groups if one not in before]
                closed = batch.closed
                if closed is not None and closed.admin is not None and person.username in closed.accounts:
                    goes_over(person, closed.admin)
                    person = closed.admin
            batch.take_in(person, groups)
        except (ValueError, OwnAdminNeeded) as error:
            # What was entered is all still there: it is asked again, or for the first time.
            st.session_state[REFUSED] = str(error)
        st.rerun()
