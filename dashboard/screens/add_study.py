"""Add study: who, which files, a check of what they are, and what became of each."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.bulk import ArrivalRefused
from core.images import hanging
from core.incoming import BatchReport, Examined, intake, named_view, printable_name
from core.people import Closed, NewAccount, OwnAdminNeeded, Permission, Person
from core.records import Found
from core.records import known as known_
from core.refusals import refusal_text
from core.rules import hanging_protocols
from core.rules.vocabulary import OTHER_KIND_WORDS, PICTURES, SIDE_WORDS, SIDES
from dashboard import keys, look, outages, picture_quality, session, statement
from dashboard.adding.files_table import identifiers, is_usable, picture, proposed, table_of
from dashboard.adding.first_real import REFUSED, FirstReal, goes_over
from dashboard.adding.from_table import from_table
from dashboard.adding.many import keep_arrived, many
from dashboard.adding.scored import progress
from dashboard.batches import arrivals
from dashboard.house import here
from dashboard.web import uploads

HOW = "add_how"
ONE, MANY, TABLE = "One study", "Many at once", "From a table"
WAYS = {MANY: many, TABLE: from_table}
STEPS = ("Who", "Files", "Check", "Done")
STEP, WHO, REPORT, CLOSED = "add_step", "add_who", "add_report", "add_closed"
NOT_SORTED = "add_not_sorted"
FILES, EXAMINED, FIELD = "add_files", "add_examined", "add_field"
"""The uploads by the names that their files go by, what each file is, and the ids of the uploads in the field."""


def go(step: int) -> None:
    """Move to a step."""
    st.session_state[STEP] = step


def again(keep_patient: bool) -> None:
    """Begin anew, for the same woman or for another."""
    uploads.drop(upload for same in st.session_state.get(FILES, {}).values() for upload in same)
    for key in (FILES, EXAMINED, FIELD, REPORT, CLOSED, *([] if keep_patient else [WHO])):
        st.session_state.pop(key, None)
    st.session_state["add_upload_number"] = st.session_state.get("add_upload_number", 0) + 1
    go(1 if keep_patient else 0)


def stepper(step: int) -> None:
    """Show where one stands."""
    items = "".join(
        f'<div class="{"now" if number == step else "past" if number < step else ""}">'
        f"<span>{number + 1}</span>{name}</div>"
        for number, name in enumerate(STEPS)
    )
    look.show(f'<div class="lv-steps">{items}</div>')


def choose(found: Found) -> None:
    """Take a woman and go on to her files."""
    st.session_state[WHO] = found
    go(1)


def who() -> None:
    """Step 1: search for her, or make her known."""
    search, new = st.tabs(["Known here", "New patient"])
    with search:
        text = st.text_input(
            "MRN or name",
            width=560,
            key="add_search",
            placeholder="Search MRN or name",
            icon=":material/search:",
        )
        matches = statement.search(text, if_nobody="Check it, or add a new patient.")
        for number, found in enumerate(matches):
            row, button = st.columns([6, 1], vertical_alignment="center")
            with row:
                look.show(identifiers(found))
            button.button(
                "This patient",
                key=f"take_{number}_{found.mrn}",
                on_click=choose,
                args=(found,),
                width="stretch",
            )
    with new, st.form("new_patient", border=False, width=560):
        mrn = st.text_input("MRN", max_chars=64)
        name = st.text_input("Name", max_chars=256)
        born = st.date_input("Birth date", value=None, min_value=date(1900, 1, 1), max_value=date.today())
        if st.form_submit_button("Go on", type="primary"):
            problem = why_not_new(mrn)
            if problem:
                st.warning(look.plain(problem))
            else:
                choose(Found(mrn.strip(), name.strip() or None, born, False, None))
                st.rerun()


def why_not_new(mrn: str) -> str | None:
    """Say why an MRN cannot be a new patient's, or None."""
    if not mrn.strip():
        return "A new patient needs an MRN."
    if known_(here(), mrn.strip()):
        return f"MRN {mrn.strip()} is known here already: choose her under “Known here”."
    return None


def forget(gone: Collection[str]) -> None:
    """Forget uploads by their ids, and the files that no other upload brought as well."""
    files: dict[str, list[UploadedFile]] = st.session_state.get(FILES, {})
    left = {name: [upload for upload in same if upload.file_id not in gone] for name, same in files.items()}
    st.session_state[FILES] = {name: same for name, same in left.items() if same}
    examined: list[Examined] = st.session_state.get(EXAMINED, [])
    st.session_state[EXAMINED] = [item for item in examined if left.get(item.name)]


def follow_field(key: str) -> None:
    """Forget what the person took out of the field; files of before are not in it, and stay."""
    forget(st.session_state.get(FIELD, set()) - {upload.file_id for upload in st.session_state[key]})


def take_out(name: str) -> None:
    """Forget a file that is not in the field any more."""
    same = st.session_state[FILES].get(name, [])
    uploads.drop(same)
    forget({upload.file_id for upload in same})


def files(found: Found, person: Person) -> None:
    """Step 2: take the files and say of each what it is."""
    look.show(identifiers(found))
    field = f"add_upload_{st.session_state.get('add_upload_number', 0)}"
    chosen = st.file_uploader(
        "Her mammograms: DICOM, PNG or JPEG, one file a view; ultrasound and MR images of her breast too",
        accept_multiple_files=True,
        on_change=follow_field,
        args=(field,),
        key=field,
    )
    st.session_state[FIELD] = {upload.file_id for upload in chosen}
    examined = examine(chosen)
    if examined:
        look.show(table_of(examined, found))
    offer_to_sort(examined, person)
    offer_to_take_out([item.name for item in examined])
    usable = [item for item in examined if is_usable(item)]
    buttons = st.container(horizontal=True)
    buttons.button("Other patient", on_click=again, args=(False,))
    if not examined:
        return
    buttons.button("Go on to check", type="primary", on_click=go, args=(2,), disabled=not usable)
    if not usable:
        look.show(
            '<p class="lv-note alert">None of these files can be added. Remove them and choose others.</p>'
        )


def offer_to_sort(examined: Sequence[Examined], person: Person) -> None:
    """Say where files are of several days, or archives, and offer to have them sorted before anything is added."""
    days = Counter(item.header.study_date for item in examined if item.header and item.header.study_date)
    archives = [item for item in examined if item.refusal and item.name.lower().endswith(".zip")]
    if len(days) < 2 and not archives:
        return
    told = ", ".join(f"{day}: {n} file{'s' if n > 1 else ''}" for day, n in sorted(days.items()))
    why = (
        f"These files say {len(days)} days ({told}). One study is of one day."
        if len(days) > 1
        else "An archive is unpacked under “Many at once”."
    )
    look.show(f'<p class="lv-note alert" role="alert">{look.safe(why)}</p>')
    if not_sorted := st.session_state.pop(NOT_SORTED, None):
        st.warning(look.plain(not_sorted))
    st.button("Sort them by woman and day", icon=":material/sort:", on_click=sort_by_day, args=(person,))


def sort_by_day(person: Person) -> None:
    """Hand the files over to be added as many at once."""
    held: dict[str, list[UploadedFile]] = st.session_state[FILES]
    with closing(uploads.opened_in_turn((name, same[-1]) for name, same in held.items())) as incoming:
        for file in incoming:
            try:
                keep_arrived(person, file)
            except ArrivalRefused as refused:
                st.session_state[NOT_SORTED] = f"{file.name}: {refused}"
                return
    again(True)
    st.session_state[HOW] = MANY


def offer_to_take_out(names: Sequence[str]) -> None:
    """Offer to take out the files that came before: coming back from the check the field is empty again."""
    files, in_field = st.session_state[FILES], st.session_state[FIELD]
    before = [name for name in names if not any(upload.file_id in in_field for upload in files[name])]
    if not before:
        return
    look.show('<p class="lv-note">These came before and are kept. Take out what is not to be added:</p>')
    with st.container(horizontal=True):
        for name in before:
            st.button(
                look.plain(name), icon=":material/close:", key=f"out_{name}", on_click=take_out, args=(name,)
            )


def examine(chosen: Sequence[UploadedFile]) -> list[Examined]:
    """Look at each uploaded file once, and return what all are that came until now; one that came twice is there once."""
    files: dict[str, list[UploadedFile]] = st.session_state.setdefault(FILES, {})
    examined: list[Examined] = st.session_state.setdefault(EXAMINED, [])
    known = {upload.file_id for same in files.values() for upload in same}
    new = named_apart([upload for upload in chosen if upload.file_id not in known], files)
    if not new:
        return examined
    bar = st.progress(0.0, "Looking at the files …")
    with closing(uploads.opened_in_turn(new.items())) as incoming:
        for number, file in enumerate(incoming, start=1):
            upload = new[file.name]
            (item,) = intake.examine(here(), [file])
            del file  # or its bytes would stay while the next one's are read
            twin = next((one for one in examined if is_same(one, files[one.name][0], item, upload)), None)
            if twin:
                files[twin.name].append(upload)
            else:
                files[item.name] = [upload]
                examined.append(item)
            bar.progress(number / len(new), f"Looked at {number} of {len(new)} files")
    bar.empty()
    return examined


def is_same(one: Examined, upload: UploadedFile, other: Examined, other_upload: UploadedFile) -> bool:
    """Say whether a file was dropped twice: the same bytes under the name that it had on the person's disk."""
    return (one.sha256, upload.name) == (other.sha256, other_upload.name)


def named_apart(chosen: Sequence[UploadedFile], taken: Collection[str]) -> dict[str, UploadedFile]:
    """Return uploads by names that can be shown and no other file has: what is said of a file is kept by its name."""
    named: dict[str, UploadedFile] = {}
    for upload in chosen:
        own = printable_name(upload.name)
        numbered = (f"{own} ({number})" for number in itertools.count(2))
        names = itertools.chain([own], numbered)
        named[next(name for name in names if name not in taken and name not in named)] = upload
    return named


def check(found: Found, person: Person) -> None:
    """Step 3: hang the views as they will be read, ask what is not known, confirm what disagrees."""
    usable: list[Examined] = [item for item in st.session_state[EXAMINED] if is_usable(item)]
    look.show(identifiers(found))
    stated: dict[str, tuple[str | None, str | None]] = {}
    left, right = st.columns([3, 2], gap="medium")
    with right:
        study_date = statement.ask_date((item.header for item in usable), key="add_date")
        for item in usable:
            stated[item.name] = ask_view(item)
    with left:
        look.show(hung(usable, stated))
        if remarks := picture_quality.remarks_at_check(usable, stated):
            look.show(remarks)
    missing = [name for name, (side, view) in stated.items() if side is None or view is None]
    contradictions = [(item.name, text) for item in usable for text in item.contradictions]
    contradictions += [
        (item.name, "its name says another side or view than the file itself.")
        for item in usable
        if named_otherwise(item)
    ]
    contradictions += statement.disagreements(
        found, [(item.name, item.header) for item in usable], study_date
    )
    confirmed = True
    by_name = sum(proposed(item) is not None for item in usable)
    if by_name:
        look.show(
            f'<p class="lv-note">Side and view of {by_name} file{"s" if by_name > 1 else ""} are proposed from '
            f"{'their names' if by_name > 1 else 'its name'}. Compare them with the pictures.</p>"
        )
        confirmed = st.checkbox("I have checked side and view of each picture.", key="add_views_confirmed")
    confirmed &= statement.is_confirmed(
        contradictions, found.mrn, study_date, images=len(usable), key="add_confirmed"
    )
    if missing:
        look.show(
            f'<p class="lv-note">Say side and view of {len(missing)} more file{"s" if len(missing) > 1 else ""}.</p>'
        )
    if study_date is None:
        look.show('<p class="lv-note">Say the day of the study.</p>')
    simulated = all(item.header is not None and item.header.simulated for item in usable)
    first = FirstReal.of(person, comes=not simulated and known_(here(), found.mrn) is None)
    buttons = st.container(horizontal=True)
    buttons.button("Back to the files", on_click=go, args=(1,))
    ready = not missing and confirmed and study_date is not None and first.ready
    if buttons.button(
        f"Add {len(usable)} image{'s' if len(usable) != 1 else ''}", type="primary", disabled=not ready
    ):
        assert study_date is not None
        views = {n: (s, v) for n, (s, v) in stated.items() if s and v}
        with outages.beside_the_act(
            "Not all is added. Add them once more: what is stored already is not added twice."
        ):
            try:
                take_in(found, study_date, views, person, first.admin())
            except (ValueError, OwnAdminNeeded) as error:
                # What was entered is all still there: it is asked again, or for the first time.
                st.session_state[REFUSED] = str(error)
            else:
                go(3)
            st.rerun()


def ask_view(item: Examined) -> tuple[str | None, str | None]:
    """Ask for side and view of a file, filled in where the file says them."""
    pic, answers = st.columns([1, 4], gap="small", vertical_alignment="center")
    with pic:
        look.show(f'<div class="lv-pic">{picture(item)}</div>')
    with answers:
        look.show(f'<p class="lv-filename">{look.safe(item.name)}</p>')
        side_column, view_column = st.columns(2, gap="small")
    said = proposed(item) or (item.laterality, item.view or item.looks_like)
    side = side_column.selectbox(
        "Side",
        list(SIDE_WORDS),
        index=SIDES.index(said[0]) if said[0] in SIDES else None,
        label_visibility="collapsed",
        format_func=lambda key: SIDE_WORDS[key],
        placeholder="Side?",
        key=f"add_side_{item.sha256}_{item.name}",
    )
    views = list(PICTURES) if item.view is None or item.view in PICTURES else [item.view, *PICTURES]
    view = view_column.selectbox(
        "View",
        views,
        index=views.index(said[1]) if said[1] else None,
        format_func=lambda key: OTHER_KIND_WORDS.get(key, key),
        label_visibility="collapsed",
        placeholder="View?",
        key=f"add_view_{item.sha256}_{item.name}",
    )
    return side, view


def hung(usable: Sequence[Examined], stated: Mapping[str, tuple[str | None, str | None]]) -> str:
    """Return the views as they will hang, by the hanging protocol in force, and below them ultrasound and MR."""
    cells = ""
    others = [item for item in usable if stated[item.name][1] in OTHER_KIND_WORDS]
    for row in hanging_protocols.protocol().rows if len(others) < len(usable) else ():
        for place in row:
            fits = [item for item in usable if stated[item.name] == place]
            side = SIDE_WORDS[place.laterality]
            unsaid = any(None in stated[item.name] for item in usable)
            inner = f"<span>{'not said yet' if unsaid else f'{place.words} is not among the files'}</span>"
            hangs = hanging.to_hang(fits)
            if hangs and hangs.thumbnail_png:
                wall = hanging.chest_wall_side_of_png(hangs.thumbnail_png)
                inner = picture(hangs, cls="flipped" if hanging.is_flipped(place.laterality, wall) else "")
            more = f" · {len(fits)} files" if len(fits) > 1 else ""
            cells += f'<div class="{side}"><b>{place.words}{more}</b>{inner}</div>'
    for item in others:
        laterality, kind = stated[item.name]
        words = f"{laterality or ''} {OTHER_KIND_WORDS[kind or '']}".strip()
        cells += (
            f'<div class="{SIDE_WORDS.get(laterality or "", "left")}"><b>{words}</b>{picture(item)}</div>'
        )
    return f'<div class="lv-hung">{cells}</div>'


def named_otherwise(item: Examined) -> bool:
    """Say whether a file's name says another side or view than the file itself."""
    named = named_view(item.name)
    return named is not None and proposed(item) is None and named != (item.laterality, item.view)


def take_in(
    found: Found,
    study_date: date,
    views: Mapping[str, tuple[str, str]],
    person: Person,
    own_admin: NewAccount | None,
) -> None:
    """Hand the files to the intake and remember what became of each."""
    # The files that cannot be added go in as well: each is answered, and kept in quarantine with its reason.
    files: dict[str, list[UploadedFile]] = st.session_state[FILES]
    named = [(name, same[-1]) for name, same in files.items()]
    bar = st.progress(0.0, "Adding …")
    done = 0

    def on_item(_item: object) -> None:
        nonlocal done
        done += 1
        bar.progress(min(1.0, done / len(named)), f"Added {done} of {len(named)}")

    def on_closed(closed: Closed) -> None:
        st.session_state[CLOSED] = closed
        if closed.admin is not None and person.username in closed.accounts:
            goes_over(person, closed.admin)

    with closing(uploads.opened_in_turn(named)) as incoming:
        report = statement.take_in(
            found,
            study_date,
            views,
            incoming,
            person,
            on_item=on_item,
            own_admin=own_admin,
            on_closed=on_closed,
        )
    bar.empty()
    st.session_state[REPORT] = report
    answered = list(files)[: len(report.items)]
    uploads.drop(upload for name in answered for upload in files[name])
    # Where the machine failed, the files that it did not come to stay here and can be added once it works again.
    left = {name: same for name, same in files.items() if name not in answered}
    examined: list[Examined] = [item for item in st.session_state[EXAMINED] if item.name in left]
    for key in (FILES, EXAMINED, FIELD):
        st.session_state.pop(key, None)
    if left:
        st.session_state[FILES], st.session_state[EXAMINED] = left, examined
        # The field forgets: what it still shows is not all left.
        st.session_state["add_upload_number"] = st.session_state.get("add_upload_number", 0) + 1


def go_on() -> None:
    """Go back to the files that the machine did not come to."""
    st.session_state.pop(REPORT, None)
    go(1)


def cut_short(report: BatchReport, left: Collection[str]) -> None:
    """Say what the machine lacks, which files are not in, and that they wait here."""
    many = f"{len(left)} file{'s are' if len(left) != 1 else ' is'} not added yet"
    names = "".join(f"<li>{look.safe(name)}</li>" for name in left)
    look.show(
        f'<div class="lv-note alert">{look.safe(report.cut_short)} '
        + (
            f"{many}, and kept here to be added then:<ul>{names}</ul></div>"
            if left
            else "All files were answered.</div>"
        )
    )
    if left:
        st.button("Go on with these files", on_click=go_on)


def done(found: Found) -> None:
    """Step 4: what became of each file, and the score as it comes."""
    # Where files are de-identified on the way in she is here by a pseudonym.
    came: BatchReport = st.session_state[REPORT]
    found = replace(
        found, mrn=next((item.patient for item in came.items if item.patient and item.study_uid), found.mrn)
    )
    known = known_(here(), found.mrn) or found
    look.show(identifiers(known))
    closed: Closed | None = st.session_state.get(CLOSED)
    if closed:
        now = f" {closed.admin.username} is admin here now." if closed.admin else ""
        look.show(
            f'<p class="lv-note good"><b>The demo accounts are closed for good.</b>{look.safe(now)}</p>'
        )
    report: BatchReport = st.session_state[REPORT]
    if report.cut_short is not None:
        cut_short(report, st.session_state.get(FILES, {}))
    words = {
        "accepted": ("added", "good"),
        "duplicate": ("already here", ""),
        "quarantined": ("not taken", "bad"),
    }
    rows = ""
    order = list(words)[::-1]
    for item in sorted(report.items, key=lambda item: order.index(str(item.outcome))):
        word, cls = words[str(item.outcome)]
        why = refusal_text(item.reason, item.detail) if str(item.outcome) == "quarantined" else ""
        rows += (
            f"<tr><td>{look.safe(item.path)}</td><td>{SIDE_WORDS.get(item.laterality or '', '')}</td>"
            f'<td>{look.safe(item.view or "")}</td><td class="{cls}">{word}</td><td>{look.safe(why)}</td></tr>'
        )
    if rows:
        look.show(
            '<table class="lv-table lv-files"><tr><th>file</th><th>side</th><th>view</th><th>result</th><th>why</th></tr>'
            f"{rows}</table>"
        )
    uids = sorted({item.study_uid for item in report.items if item.study_uid})
    if uids:
        progress(found.mrn, tuple(uids))
    buttons = st.container(horizontal=True)
    buttons.button("Another study of hers", on_click=again, args=(True,))
    buttons.button("Another patient", on_click=again, args=(False,))
    if uids and buttons.button("Open the patient", type="primary"):
        st.switch_page("screens/patient.py", query_params={keys.MRN: found.mrn, keys.VISIT: uids[0]})


def how_many(person: Person) -> str:
    """Ask whether one study is added, many at once, or records from a table."""
    waiting = len(arrivals().of(person.user_id))
    st.session_state.setdefault(HOW, ONE)
    words = {MANY: f"{MANY} · {waiting} waiting"} if waiting else {}
    return (
        st.segmented_control(
            "What to add",
            [ONE, *WAYS],
            required=True,
            format_func=lambda way: words.get(way, way),
            label_visibility="collapsed",
            key=HOW,
        )
        or ONE
    )


def page(person: Person) -> None:
    """Go through the steps."""
    look.title("Add study")
    how = how_many(person)
    if how != ONE:
        WAYS[how](person)
        return
    asked = str(st.query_params.get(keys.MRN, ""))
    if asked and st.session_state.get("add_asked") != asked:
        st.session_state["add_asked"] = asked
        found = known_(here(), asked)
        if found:
            again(False)
            choose(found)
    step = st.session_state.get(STEP, 0)
    chosen: Found | None = st.session_state.get(WHO)
    if (
        chosen is None
        or (step == 2 and not st.session_state.get(EXAMINED))
        or (step == 3 and REPORT not in st.session_state)
    ):
        step = 0 if chosen is None else 1
    stepper(step)
    if step == 0 or chosen is None:
        who()
    elif step == 1:
        files(chosen, person)
    elif step == 2:
        check(chosen, person)
    else:
        done(chosen)


page(session.require(Permission.ADD_STUDY))
