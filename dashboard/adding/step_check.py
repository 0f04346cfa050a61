"""Step 3 of adding one study: its views hung as they will be read, what is not known asked, what disagrees confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.images import hanging
from core.incoming import Examined, named_view
from core.people import OwnAdminNeeded, Person
from core.records import Found, known
from core.rules import hanging_protocols
from core.rules.vocabulary import (
    BOTH_BREASTS,
    IMAGE_SIDE_WORDS,
    OTHER_KIND_WORDS,
    PICTURES,
    SHOW_BOTH,
    SIDE_WORDS,
)
from dashboard import look, outages, picture_quality, statement
from dashboard.adding.files_table import identifiers, is_usable, picture, proposed
from dashboard.adding.first_real import REFUSED, FirstReal
from dashboard.adding.step_done import take_in
from dashboard.adding.steps import EXAMINED, go
from dashboard.house import here


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
    first = FirstReal.of(person, comes=not simulated and known(here(), found.mrn) is None)
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
    sides = list(IMAGE_SIDE_WORDS if item.view in SHOW_BOTH else SIDE_WORDS)
    stands = said[0] or (BOTH_BREASTS if item.view in SHOW_BOTH else None)
    side = side_column.selectbox(
        "Side",
        sides,
        index=sides.index(stands) if stands in sides else None,
        label_visibility="collapsed",
        format_func=lambda key: IMAGE_SIDE_WORDS[key],
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
        side = IMAGE_SIDE_WORDS[BOTH_BREASTS] if laterality == BOTH_BREASTS else laterality or ""
        words = f"{side} {OTHER_KIND_WORDS[kind or '']}".strip()
        cells += (
            f'<div class="{SIDE_WORDS.get(laterality or "", "left")}"><b>{words}</b>{picture(item)}</div>'
        )
    return f'<div class="lv-hung">{cells}</div>'


def named_otherwise(item: Examined) -> bool:
    """Say whether a file's name says another side or view than the file itself."""
    named = named_view(item.name)
    return named is not None and proposed(item) is None and named != (item.laterality, item.view)
