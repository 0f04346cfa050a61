"""Step 2 of adding one study: its files, and what each of them is."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.bulk import ArrivalRefused
from core.incoming import Examined, intake, printable_name
from core.people import Person
from core.records import Found
from dashboard import look
from dashboard.adding.files_table import identifiers, is_usable, table_of
from dashboard.adding.many import keep_arrived
from dashboard.adding.steps import EXAMINED, FIELD, FILES, HOW, MANY, again, go
from dashboard.house import here
from dashboard.web import uploads

NOT_SORTED = "add_not_sorted"


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


def take_out(name: str) -> None:
    """Forget a file that is not in the field any more."""
    same = st.session_state[FILES].get(name, [])
    uploads.drop(same)
    forget({upload.file_id for upload in same})


def follow_field(key: str) -> None:
    """Forget what the person took out of the field; files of before are not in it, and stay."""
    forget(st.session_state.get(FIELD, set()) - {upload.file_id for upload in st.session_state[key]})


def forget(gone: Collection[str]) -> None:
    """Forget uploads by their ids, and the files that no other upload brought as well."""
    files: dict[str, list[UploadedFile]] = st.session_state.get(FILES, {})
    left = {name: [upload for upload in same if upload.file_id not in gone] for name, same in files.items()}
    st.session_state[FILES] = {name: same for name, same in left.items() if same}
    examined: list[Examined] = st.session_state.get(EXAMINED, [])
    st.session_state[EXAMINED] = [item for item in examined if left.get(item.name)]
