"""What every page shares: who is signed in, the pages of her role, the look."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.people import Person, Role, asking
from core.people.needing import is_met
from dashboard import components, handbook, look, outages, page_keys, pages, remembered, session, waiting

ICON = Path(__file__).with_name("icon.png")
ROLE_NAMES = {
    Role.ONCOLOGIST: "oncologist",
    Role.STAFF: "clinical staff",
    Role.ANALYST: "analyst",
    Role.ADMIN: "admin",
}
FIRST_PAGE = {
    Role.ONCOLOGIST: "worklist",
    Role.STAFF: "add_study",
    Role.ANALYST: "cohort",
    Role.ADMIN: "worklist",
}
QUARANTINE, ACCOUNT = "quarantine", "account"
SCREENS = {screen.address: screen for screen in pages.PAGES}


def pages_for(person: Person) -> list[st.Page]:
    """Return all pages, in the navigation those that her role may open; the others say that it does not."""
    return pages.of(
        pages.Entry(
            screen.name,
            called(screen.name, screen.title, person),
            visible=screen.in_navigation and is_met(screen.needs, person),
        )
        for screen in pages.PAGES
    )


def called(name: str, title: str, person: Person) -> str:
    """Return what a page is called in the navigation: beside the quarantine's name how many files wait there."""
    return f"{title}{waiting.badge(waiting.in_quarantine(person))}" if name == QUARANTINE else title


def first_page(person: Person) -> None:
    """Open the page that a person's role begins with; the address "/" leads here."""
    st.switch_page(f"screens/{FIRST_PAGE[person.role]}.py")


def main() -> None:
    """Run one page for whoever is signed in."""
    st.set_page_config(page_title="Longview", page_icon=str(ICON), layout="wide")
    look.dress()
    asking.found_by(session.asks)
    remembered.forget_gone_widgets()
    with outages.closing_the_page(), session.of_one_run() as person:
        show_page(person)


def show_page(person: Person) -> None:
    """Run the page that the address names, as far as her role opens it."""
    home = st.Page(
        lambda: first_page(person), title="Longview", url_path="home", default=True, visibility="hidden"
    )
    page = st.navigation([home, *pages_for(person)], position="top")
    # Without the number beside it: the browser's history and bookmarks keep it.
    screen = SCREENS.get(page.url_path)
    title = screen.title if screen else page.title
    st.set_page_config(page_title=f"{title} · Longview" if page.url_path else title)
    components.account(
        person.display_name,
        ROLE_NAMES[person.role],
        user_id=person.user_id,
        page=page_keys.of_page(page.url_path, title),
        own=f"screens/{ACCOUNT}.py",
        chapter=handbook.chapter_for(page.url_path),
    )
    session.turned_to(page.url_path)
    if screen:
        session.shown_to_whom_it_is_for(screen.needs)
    page.run()


main()
