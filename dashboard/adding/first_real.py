"""What the first real patient asks for where there are accounts of the demo, which she closes for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core.people import (
    ASKED_OF_A_PASSWORD,
    NewAccount,
    Person,
    SignInRefused,
    first_real_patient_closes,
    own_admin_is_needed,
    prepare_account,
    sign_ins,
)
from dashboard import batches, look, session
from dashboard.house import here

REFUSED = "add_refused"


def goes_over(before: Person, person: Person) -> None:
    """Make this page, and what has arrived for it, another person's, to whom its sign-in has gone over."""
    session.goes_over_to(person)
    batches.hand_over(before.user_id, person.user_id)


@dataclass(frozen=True)
class FirstReal:
    """What the first real patient asks for, where there are accounts of the demo: whoever adds her as somebody of her own.

    `closes` are the accounts that she closes. `makes` says that an admin of one's own is made with her; `ready` that
    all is said.
    """

    closes: Sequence[str] = ()
    makes: bool = False
    ready: bool = True
    said: tuple[str, str, str] = ("", "", "")

    @classmethod
    def of(cls, person: Person, *, comes: bool) -> FirstReal:
        """Ask, below the check, for what is needed; nothing where no real patient `comes` who is new here."""
        closes = first_real_patient_closes(here()) if comes else []
        if not closes:
            return cls()
        with st.container(border=True, key="first_real"):
            look.heading("The first real patient")
            look.show(
                '<p class="lv-note">She closes the demo accounts, whose passwords are published, for good: '
                f"{look.safe(', '.join(closes))}.</p>"
            )
            refused = st.session_state.pop(REFUSED, "")
            if own_admin_is_needed(here()):
                made = cls.ask_for_admin(closes, takes_over=person.username in closes)
            else:
                made = cls(closes, ready=person.username not in closes or cls.sign_in(person))
            if refused:
                st.warning(look.plain(refused))
        return made

    @classmethod
    def ask_for_admin(cls, closes: Sequence[str], *, takes_over: bool) -> FirstReal:
        """Ask for the name and password of an admin of one's own."""
        then = " You go on as this admin, without signing in again." if takes_over else ""
        look.show(f'<p class="lv-note">Make an admin of your own, who comes in with her.{then}</p>')
        left, middle, right = st.columns(3)
        username = left.text_input("User name of your admin", max_chars=64, key="first_username")
        password = middle.text_input(
            "Password", type="password", key="first_password", help=ASKED_OF_A_PASSWORD
        )
        again = right.text_input("Password again", type="password", key="first_password_again")
        look.show(f'<p class="lv-muted">{ASKED_OF_A_PASSWORD}</p>')
        return cls(closes, makes=True, said=(username, password, again))

    @staticmethod
    def sign_in(person: Person) -> bool:
        """Have somebody who is signed in with an account that is about to close sign in as herself."""
        look.show(
            '<p class="lv-note alert">You are signed in with one of them. Sign in as yourself to go on: all that you have '
            "entered stays.</p>"
        )
        left, right, press = st.columns([2, 2, 1], vertical_alignment="bottom")
        username = left.text_input("Your user name", key="first_own_username")
        password = right.text_input("Your password", type="password", key="first_own_password")
        if press.button("Sign in"):
            try:
                entered = sign_ins.sign_in(
                    here(), username, password, address=session.address(), takes_over=session.token()
                )
                goes_over(person, entered.person)
            except SignInRefused as error:
                st.session_state[REFUSED] = str(error)
            st.rerun()
        return False

    def admin(self) -> NewAccount | None:
        """Return the admin who comes in with her, if one is made; raises `ValueError` if name or password will not do."""
        if not self.makes:
            return None
        username, password, again = self.said
        if password != again:
            raise ValueError("The two passwords are not the same. Type them again.")
        return prepare_account(here(), username, password, takes_over=session.token())
