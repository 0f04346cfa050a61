"""Other people's sign-ins and programs, as an admin sees and ends them, and which account the hospital's own sign-in answers for."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.people import Account, Person, linking, open_sign_ins, own_tokens
from dashboard import look
from dashboard.house import here

MOST = 5
"""How many sign-ins are listed."""


def show(account: Account, me: Person, tell: Callable[[Callable[[], object]], None]) -> None:
    """Say where a person is signed in and how many programs act for her, with a way to end all of it."""
    rows = open_sign_ins.list_of(here(), account.username, by=me)
    tokens = [
        one
        for one in own_tokens.all_own_tokens(here(), by=me)
        if one.username == account.username and one.is_valid()
    ]
    lines = "".join(
        f"<br>{look.safe(row.browser or 'a browser that is not known')} at {look.safe(row.address or 'this machine')}, "
        f"seen {look.moment(row.seen)}"
        for row in rows[:MOST]
    )
    more = f"<br>and {len(rows) - MOST} more" if len(rows) > MOST else ""
    look.show(f'<p class="lv-muted">{_sentence(len(rows), len(tokens))}{lines}{more}</p>')
    # One's own stand on one's account's page, this one told from the others.
    if (
        account.user_id != me.user_id
        and (rows or tokens)
        and st.button(
            "End sign-ins and tokens",
            key=f"end_all_{account.user_id}",
            width="stretch",
            help="At once, on every page that is open. To keep a person out for good close the account.",
        )
    ):
        tell(lambda: open_sign_ins.end_all_for(here(), account.username, by=me))
    if here().settings.oidc_issuer is not None and not account.outside:
        _link(account, me, tell)


def _sentence(sign_ins: int, tokens: int) -> str:
    where = {0: "Not signed in", 1: "Signed in at 1 place"}.get(sign_ins, f"Signed in at {sign_ins} places")
    programs = {0: "no token", 1: "1 token"}.get(tokens, f"{tokens} tokens")
    return f"{where}; {programs} for programs."


def _link(account: Account, me: Person, tell: Callable[[Callable[[], object]], None]) -> None:
    name = here().settings.oidc_name
    with st.expander(f"Sign in with {name} from now on"):
        sub = st.text_input(
            "Subject (“sub”) there",
            max_chars=256,
            key=f"link_{account.user_id}",
            help="As the provider's own admin pages show it. Not an e-mail address: those are handed on.",
        )
        if st.button("Link", key=f"link_do_{account.user_id}", width="stretch", disabled=not sub.strip()):
            tell(lambda: linking.link(here(), account.username, sub, by=me))
