"""Admin: people, what was done, how the installation is."""

import streamlit as st

from core import care
from core.people import (
    ASKED_OF_A_PASSWORD,
    GRANT_WORDS,
    Account,
    Permission,
    Person,
    Role,
    RoleChangedMeanwhile,
    change_account,
    create_user,
    list_accounts,
    published_accounts,
    second_factor,
    set_active,
    set_grant,
)
from core.quarantine import count_waiting
from core.records import StudyStatus, cards
from core.worker import progress, retry_refused
from dashboard import audit_trail, look, outages, session
from dashboard.account import others as sign_ins
from dashboard.drafts import Draft
from dashboard.house import here

MOST_REASONS = 5
"""How many reasons for putting studies off are listed: one is the rule, a broken release may have one a study."""
SAVE, SAVED, ADDED = "save_account", "accounts_saved", "accounts_added"

ROLE_WORDS = {
    Role.ONCOLOGIST: "oncologist",
    Role.STAFF: "clinical staff",
    Role.ANALYST: "analyst",
    Role.ADMIN: "admin",
}


def people(me: Person) -> None:
    """Show the accounts, and let an admin add and change them."""
    published = published_accounts(here())
    if published:
        look.show(
            f'<p class="lv-note alert">Accounts with published demo passwords: {", ".join(a.username for a in published)}. They open nothing from another '
            "machine, and the first real patient closes them for good. One with a password of your own is yours and stays.</p>"
        )
    accounts = list_accounts(here())
    rows = "".join(
        f"<tr><td>{look.safe(a.username)}</td><td>{look.safe(a.display_name)}</td><td>{ROLE_WORDS[a.role]}</td>"
        f"<td>{'active' if a.active else 'closed'}</td>"
        f"<td>{'elsewhere' if a.outside else 'yes' if a.second_factor else ''}</td><td>{guessed(a)}</td>"
        f'<td class="d">{look.moment(a.created_at)}</td></tr>'
        for a in accounts
    )
    look.show(
        '<table class="lv-table"><tr><th>user name</th><th>name</th><th>role</th><th>state</th><th>second factor</th>'
        f"<th>wrong passwords, last day</th><th>since</th></tr>{rows}</table>"
    )
    left, right = st.columns(2, gap="large")
    # What was put in stays until it is written, and no longer: the next one's fields have other keys.
    added, saved = st.session_state.get(ADDED, 0), st.session_state.get(SAVED, 0)
    with left, st.form(f"add_person_{added}"):
        look.heading("Add a person")
        username = st.text_input("User name", max_chars=64, key=f"new_username_{added}")
        name = st.text_input("Name as the pages show it", max_chars=128, key=f"new_name_{added}")
        role = st.selectbox(
            "Role",
            list(ROLE_WORDS),
            format_func=lambda role: ROLE_WORDS[Role(role)],
            key=f"new_role_{added}",
        )
        password = st.text_input(
            "First password",
            type="password",
            help=f"{ASKED_OF_A_PASSWORD} She is asked for one of her own when she signs in first.",
            key=f"new_password_{added}",
        )
        if st.form_submit_button("Add person", type="primary", key="add_person"):
            tell(
                lambda: create_user(
                    here(), username, password, Role(role), display_name=name, by=me, first_password=True
                ),
                clears=ADDED,
            )
    with right, st.container(border=True):
        look.heading("Change an account")
        names = [a.username for a in accounts]
        chosen = st.selectbox("Account", names, key="account_to_change")
        account = next((a for a in accounts if a.username == chosen), None)
        if account is None:
            return
        field = role_field(account)
        draft = Draft(field)
        draft.follow({field: account.role}, account.role, pressed=bool(st.session_state.get(SAVE)))
        new_role = st.selectbox(
            "Role", list(ROLE_WORDS), format_func=lambda role: ROLE_WORDS[Role(role)], key=field
        )
        new_password = st.text_input(
            "New password",
            type="password",
            help=ASKED_OF_A_PASSWORD,
            key=f"password_of_{account.user_id}_{saved}",
        )
        change, close = st.columns(2)
        if change.button("Save", type="primary", width="stretch", key=SAVE):
            tell(lambda: save(account, draft, Role(new_role), new_password, me), clears=SAVED)
        if close.button("Close account" if account.active else "Open account", width="stretch"):
            tell(lambda: set_active(here(), account.username, not account.active, by=me))
        if account.second_factor and st.button(
            "Reset second factor",
            key=f"reset_factor_{account.user_id}",
            width="stretch",
            help="For a person who has lost phone and recovery codes. She is signed out everywhere.",
        ):
            tell(lambda: second_factor.reset(here(), account.username, by=me))
        grants(account, me)
        sign_ins.show(account, me, tell)


def guessed(account: Account) -> str:
    """Say how often an account was guessed at in the last day, and what that locks, as HTML."""
    told = account.guessed
    if told is None:
        return ""
    places = f"{told.addresses} address{'es' if told.addresses != 1 else ''}"
    locked = (
        f"; locked until {look.moment(told.locked_until)} for browsers and places that are new to it"
        if told.locked_until
        else ""
    )
    return f"{told.failures} from {places}, last {look.moment(told.last)}{locked}"


def grants(account: Account, me: Person) -> None:
    """Let an admin grant what no role may, and take it back; the trail has both."""
    for permission, words in GRANT_WORDS.items():
        has = permission in account.granted
        granted = "Granted" if has else "Not granted"
        look.show(f'<p class="lv-muted">{granted}: to {look.safe(words)}.</p>')
        label = "Take back" if has else "Grant"
        if st.button(label, key=f"grant_{permission.value}_{account.user_id}", width="stretch"):
            tell(
                lambda permission=permission, has=has: set_grant(
                    here(), account.username, permission, granted=not has, by=me
                )
            )


def role_field(account: Account) -> str:
    """Return the key of the box that holds an account's role."""
    return f"role_of_{account.user_id}"


def save(account: Account, draft: Draft, role: Role, password: str, me: Person) -> None:
    """Change role and password of an account, whichever is another one; raises `ValueError` as `core.people.accounts` does.

    Another role is one that this admin chose, not one that another admin changed since the page was drawn.
    """
    role_was = Role(str(draft.version))
    try:
        change_account(
            here(),
            account.username,
            role=role if role is not role_was else None,
            role_was=role_was,
            password=password or None,
            by=me,
            # One's own is one's own; every other one is known to two.
            first_password=account.user_id != me.user_id,
        )
    except RoleChangedMeanwhile as meanwhile:
        draft.refused({role_field(account): meanwhile.role}, meanwhile.role, str(meanwhile))
        raise
    draft.forget()


def tell(act: object, *, clears: str | None = None) -> None:
    """Do something to an account and say why where it cannot be done; `clears` counts what clears fields by then."""
    assert callable(act)
    with outages.beside_the_act():
        try:
            act()
        except ValueError as error:
            st.warning(look.plain(error))
            return
        if clears:
            st.session_state[clears] = st.session_state.get(clears, 0) + 1
        st.rerun()


@st.fragment(run_every=5.0)
def health() -> None:
    """Show worker and queue, fresh every few seconds."""
    session.require(Permission.ADMINISTER)
    worker, queue = progress.worker_seen(here()), progress.queue(here())
    look.show(f'<p class="lv-note{"" if worker.running else " alert"}">{look.safe(worker.sentence)}</p>')
    waits = progress.put_off(here())
    for one in waits[:MOST_REASONS]:
        look.show(f'<p class="lv-note alert">{look.safe(one.sentence)}</p>')
    if len(waits) > MOST_REASONS:
        look.show(
            f'<p class="lv-muted">and for {len(waits) - MOST_REASONS} other reasons: the worker’s log says all.</p>'
        )
    look.figures(
        [
            ("waiting to be scored", str(queue[StudyStatus.PENDING]), "", "Studies in the queue"),
            ("scored", str(queue[StudyStatus.SCORED]), "", "Studies"),
            (
                "not scored",
                str(queue[StudyStatus.REFUSED]),
                "",
                "Studies refused, each with its reason below",
            ),
            ("model that speaks", look.safe(cards.speaking(here())), "", "Setting LONGVIEW_MODEL"),
        ]
    )
    for check in care.upkeep(here()):
        look.show(f'<p class="lv-note{"" if check.state == "ok" else " alert"}">{look.safe(check.said)}</p>')


def problems() -> None:
    """Lead to the files that wait in quarantine, and list studies that were not scored."""
    waiting = count_waiting(here())
    look.heading("Files in quarantine", beside=str(waiting) if waiting else "")
    if waiting:
        st.page_link("screens/quarantine.py", label="Open the quarantine", icon=":material/arrow_forward:")
    else:
        look.show('<p class="lv-muted">No file waits: every file was taken in, or set aside by a person.</p>')
    found, number = progress.refused_studies(here()), progress.queue(here())[StudyStatus.REFUSED]
    beside = str(number) if number <= len(found) else f"newest {len(found)} of {number}"
    look.heading("Studies that were not scored", beside=beside if found else "")
    if not found:
        look.show('<p class="lv-muted">Every study was scored or waits.</p>')
        return
    rows = "".join(
        f'<tr><td class="d">{look.moment(w.at)}</td><td>{look.safe(w.what)}</td><td>{look.safe(w.whose)}</td>'
        f"<td>{look.safe(w.reason)}</td></tr>"
        for w in found
    )
    look.show(
        '<table class="lv-table"><tr><th>refused</th><th>what</th><th>whose</th><th>why, and what to do</th></tr>'
        f"{rows}</table>"
    )
    try_again()


def try_again() -> None:
    """Let an admin put all refused studies back in the queue, once what they were refused for is mended."""
    refused = progress.queue(here())[StudyStatus.REFUSED]
    if not refused:
        return
    label = "Try to score it again" if refused == 1 else f"Try to score all {refused} again"
    if st.button(label, icon=":material/refresh:", key="try_again"):
        retry_refused(here(), by=session.require(Permission.ADMINISTER))
        st.rerun()


me = session.require(Permission.ADMINISTER)
look.title("Admin")
how, who, what = st.tabs(["Health", "People", "Audit"], key="part", on_change="rerun", bind="query-params")
if how.open:
    with how:
        health()
        problems()
if who.open:
    with who:
        people(me)
if what.open:
    with what:
        audit_trail.show(me)
