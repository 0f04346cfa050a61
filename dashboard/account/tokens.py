"""The tokens by which programs act for a person: listed, made and ended; an admin sees everybody's, and may end them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import streamlit as st

from core.people import SCOPE_WORDS, Permission, Person, Scope, own_tokens
from core.people.own_tokens import OwnToken
from dashboard import look
from dashboard.account.doing import counted, said, tell
from dashboard.house import here

COLUMNS = (3, 4, 2, 2, 2, 1.4)
_TITLES = ("what it is for", "what it may use", "made", "valid until", "last used", "")
_MADE = "own_token_made"
DAYS = {1: "1 day", 7: "7 days", 30: "30 days", 90: "90 days", 366: "1 year"}


def show(person: Person) -> None:
    """List one's own tokens with a way to make and to end them; to an admin also everybody else's that are valid."""
    said("tokens")
    _just_made()
    own = own_tokens.own_tokens_of(here(), person)
    valid = [one for one in own if one.is_valid()]
    look.heading("Your tokens", beside=str(len(valid)))
    look.show(
        '<p class="lv-muted">A program shows a token to act for you, within your role and what you let it use. '
        f'<a href="/api/v1/docs" target="_self" style="color: {look.ACCENT}">See and try what it can ask for</a>.</p>'
    )
    _rows(person, valid, "You have no token that opens anything.", whose=False)
    _form(person)
    ended = len(own) - len(valid)
    if ended:
        with st.expander(f"Ended ({ended})"):
            _rows(person, [one for one in own if not one.is_valid()], "", whose=False, ends=False)
    if person.may(Permission.ADMINISTER):
        _everybodys(person)


def _everybodys(person: Person) -> None:
    others = [
        one
        for one in own_tokens.all_own_tokens(here(), by=person)
        if one.username != person.username and one.is_valid()
    ]
    look.heading("Tokens of others", beside=str(len(others)))
    _rows(person, others, "Nobody else has a token that opens anything.", whose=True)


def _rows(
    person: Person, tokens: Sequence[OwnToken], nothing: str, *, whose: bool, ends: bool = True
) -> None:
    if not tokens:
        look.show(f'<p class="lv-muted">{nothing}</p>')
        return
    with st.container(key=f"own_tokens_{'others' if whose else 'valid' if ends else 'ended'}"):
        for column, title in zip(st.columns(COLUMNS), _TITLES, strict=True):
            with column:
                look.show(f'<p class="lv-muted">{title}</p>')
        for one in tokens:
            _one(person, one, whose=whose, ends=ends)


def _one(person: Person, one: OwnToken, *, whose: bool, ends: bool) -> None:
    name = f"{one.username}: {one.label}" if whose else one.label
    until = f"ended {look.moment(one.ended_at)}" if one.ended_at else look.moment(one.expires_at)
    cells = (
        f"<b>{look.safe(name)}</b>",
        look.safe(", ".join(one.scopes)),
        look.moment(one.created_at),
        until,
        look.moment(one.last_used_at) if one.last_used_at else "never",
    )
    *columns, last = st.columns(COLUMNS, vertical_alignment="center")
    for column, cell in zip(columns, cells, strict=True):
        with column:
            look.show(f'<p class="lv-cell">{cell}</p>')
    with last:
        if ends and st.button("End", key=f"own_token_end_{one.token_id}", width="stretch"):
            tell("tokens", lambda: _ended(person, one))


def _form(person: Person) -> None:
    number = counted("tokens")
    with st.form(f"own_token_form_{number}", border=True):
        st.markdown("**Make a token**")
        left, right = st.columns((3, 1))
        label = left.text_input(
            "What it is for", max_chars=64, placeholder="nightly export", key=f"own_token_label_{number}"
        )
        days = right.selectbox(
            "Valid for", list(DAYS), index=3, format_func=DAYS.__getitem__, key=f"own_token_days_{number}"
        )
        scopes = st.pills(
            "What it may use",
            list(Scope),
            selection_mode="multi",
            default=[Scope.READ],
            key=f"own_token_scopes_{number}",
            help="\n".join(f"- **{scope.value}**: {words}" for scope, words in SCOPE_WORDS.items()),
        )
        if st.form_submit_button("Make it", type="primary"):
            tell("tokens", lambda: _made(person, label, scopes, days))


def _made(person: Person, label: str, scopes: Sequence[Scope], days: int) -> str:
    if not label.strip():
        raise ValueError("Say what the token is for.")
    made = own_tokens.make_own_token(
        here(), person.username, scopes, label=label, lasts=timedelta(days=days), by=person
    )
    st.session_state[_MADE] = made.token
    return f"The token “{made.entry.label}” is made."


def _just_made() -> None:
    """Show a token that was just made, this once."""
    token = st.session_state.pop(_MADE, None)
    if token is not None:
        look.show('<p class="lv-muted">Copy it now: it is kept nowhere, and shown this once.</p>')
        st.code(token, language=None)


def _ended(person: Person, one: OwnToken) -> str:
    own_tokens.end_own_token(here(), one.token_id, by=person)
    return f"The token “{one.label}” opens nothing any more."
