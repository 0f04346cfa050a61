"""One's own second factor: set up by a picture and a first code, and codes for the day on which the phone is lost."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.people import Person
from core.people.own_account import OwnAccount, own_account, renew_codes, set_up_factor, turn_off_factor
from core.people.second_factor import RECOVERY_CODES, Factor, new_factor
from dashboard import look, session
from dashboard.account.doing import counted, said, tell
from dashboard.house import here

_FACTOR, _CODES = "own_factor", "own_codes"
FEW_CODES = 3


def show(person: Person) -> None:
    """Say whether a person signs in with a second factor, and let her set it up, renew its codes or turn it off."""
    mine = own_account(here(), person)
    if mine.outside or mine.demo:
        why = (
            f"You sign in with {here().settings.oidc_name}, which asks for a second factor itself, or does not."
            if mine.outside
            else "This is an account of the demo, which many may use: it has no second factor."
        )
        look.show(f'<p class="lv-muted">{look.safe(why)}</p>')
        return
    said("second_factor")
    codes = st.session_state.get(_CODES)
    if codes:
        _show_codes(codes)
        return
    if mine.second_factor:
        st.session_state.pop(_FACTOR, None)
        _has_one(person, mine)
    else:
        _set_up(person)


def _set_up(person: Person) -> None:
    factor: Factor = st.session_state.setdefault(_FACTOR, new_factor(person.username))
    look.heading("Set up a second factor")
    look.show(
        '<p class="lv-muted">Beside your password you then enter a code of six digits, which an authenticator app on your '
        "phone shows. It needs no network.</p>"
    )
    left, right, _ = st.columns([3, 4, 2], gap="large")
    with left:
        look.show(
            f'<img alt="Picture for the authenticator app" width="220" height="220" src="{look.safe(factor.picture())}">'
            f'<p class="lv-muted">By hand, if the picture cannot be taken:<br><code>{look.safe(_in_fours(factor.secret))}'
            "</code></p>"
        )
    number = counted("second_factor")
    with right, st.form(f"own_factor_{number}"):
        look.show(
            "<p>1. Take the picture with the app.<br>2. Enter the code that it shows, and your password.</p>"
        )
        code = st.text_input("Code", max_chars=12, key=f"own_code_{number}", autocomplete="one-time-code")
        password = st.text_input(
            "Your password",
            type="password",
            key=f"own_factor_password_{number}",
            autocomplete="current-password",
        )
        if st.form_submit_button("Set up", type="primary", key="own_factor_save"):
            tell("second_factor", lambda: _has_set_up(person, factor, password, code))


def _has_set_up(person: Person, factor: Factor, password: str, code: str) -> str:
    st.session_state[_CODES] = set_up_factor(
        here(), person, factor, password, code, address=session.address()
    )
    st.session_state.pop(_FACTOR, None)
    return "Your second factor is set up: from now on you are asked for a code when you sign in."


def _has_one(person: Person, mine: OwnAccount) -> None:
    look.heading("You sign in with a second factor", beside="your role asks for one" if mine.enforced else "")
    few = mine.codes_left <= FEW_CODES
    look.show(
        f'<p class="{"lv-note alert" if few else "lv-muted"}">{mine.codes_left} of {RECOVERY_CODES} recovery codes are left. '
        "Each stands once for a code, should you not have your phone.</p>"
    )
    number = counted("second_factor")
    left, _ = st.columns([2, 3])
    with left, st.form(f"own_change_factor_{number}"):
        code = st.text_input(
            "A code of your app, or a recovery code",
            max_chars=32,
            key=f"own_change_code_{number}",
            autocomplete="one-time-code",
        )
        make, off = st.columns(2)
        with make:
            renew = st.form_submit_button("Make new recovery codes", key="own_renew", width="stretch")
        with off:
            turn_off = not mine.enforced and st.form_submit_button(
                "Turn it off", key="own_factor_off", width="stretch"
            )
    if renew:
        tell("second_factor", lambda: _renewed(person, code))
    if turn_off:
        tell("second_factor", lambda: _turned_off(person, code))


def _renewed(person: Person, code: str) -> str:
    st.session_state[_CODES] = renew_codes(here(), person, code, address=session.address())
    return "Those that you had open nothing any more."


def _turned_off(person: Person, code: str) -> str:
    turn_off_factor(here(), person, code, address=session.address())
    return "Your second factor is off: your password alone signs you in."


def _show_codes(codes: Sequence[str]) -> None:
    look.heading("Your recovery codes", beside="shown this once")
    look.show(
        '<p class="lv-muted">Each stands once for a code, should you not have your phone. Write them down or print them, and '
        "keep them where your phone is not.</p>"
        f'<ol class="lv-codes">{"".join(f"<li><code>{look.safe(code)}</code></li>" for code in codes)}</ol>'
    )
    if st.button("I have kept them", type="primary", key="own_codes_kept"):
        del st.session_state[_CODES]
        st.rerun()


def _in_fours(secret: str) -> str:
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
