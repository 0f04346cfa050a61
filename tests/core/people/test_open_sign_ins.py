"""How long a sign-in lasts, whom a known browser lets pass, and what a person sees and ends of her own."""

import multiprocessing
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.installation import Installation
from core.people import accounts, attempts, audit, browsers, open_sign_ins, own_tokens, sign_ins
from core.people.own_account import WRONG, change_password, set_up_factor
from core.people.passwords import hash_of
from core.people.roles import Person, Role
from core.people.second_factor import new_factor
from core.people.sign_ins import Sat, SignInRefused, SignInWaits
from core.settings import Settings
from db.tables import KnownBrowser, SignInAttempt, utc_now

PASSWORD = "correct horse battery"
NOW = utc_now()
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CLINIC, ATTACKER = "192.0.2.10", "203.0.113.9"


@pytest.fixture
def ada(here: Installation) -> Person:
    return accounts.create_user(here, "ada", PASSWORD, Role.ONCOLOGIST)


def opened(here: Installation, now=NOW, **sat: str | None) -> sign_ins.NewSignIn:
    return sign_ins.sign_in(
        here, "ada", PASSWORD, sat=Sat(**{"address": CLINIC, "agent": FIREFOX, **sat}), now=now
    )


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def test_a_sign_in_in_which_nobody_does_anything_ends(here: Installation, ada: Person) -> None:
    token = opened(here).token
    assert sign_ins.who(here, token, now=NOW + minutes(29)) == ada
    assert sign_ins.who(here, token, now=NOW + minutes(31)) is None
    assert open_sign_ins.seen(here, token, done=True, now=NOW + minutes(31)) is None, "nor does it come back"


def test_what_is_done_keeps_it_and_what_a_page_asks_by_itself_does_not(
    here: Installation, ada: Person
) -> None:
    asked, done = opened(here).token, opened(here).token
    for at in range(5, 60, 5):
        open_sign_ins.seen(here, asked, done=False, now=NOW + minutes(at))
        open_sign_ins.seen(here, done, done=True, now=NOW + minutes(at))
    assert sign_ins.who(here, asked, now=NOW + minutes(60)) is None
    assert sign_ins.who(here, done, now=NOW + minutes(60)) == ada


def test_it_ends_in_the_end_whatever_is_done(here: Installation, ada: Person) -> None:
    token, at = opened(here).token, NOW
    while at < NOW + timedelta(hours=11, minutes=30):
        at += minutes(20)
        left = open_sign_ins.seen(here, token, done=True, now=at)
    assert left is not None
    assert left.most < left.idle
    assert sign_ins.who(here, token, now=NOW + timedelta(hours=12)) is None


def test_a_clock_that_was_put_back_leaves_no_sign_in_of_the_future(here: Installation, ada: Person) -> None:
    ahead, near = opened(here, now=NOW + timedelta(hours=2)), opened(here, now=NOW + minutes(2))
    assert sign_ins.who(here, ahead.token, now=NOW) is None
    assert open_sign_ins.seen(here, ahead.token, done=True, now=NOW) is None
    assert sign_ins.who(here, near.token, now=NOW) == ada, "clocks of several web processes differ a little"


def test_what_was_done_while_the_clock_was_ahead_keeps_no_sign_in(here: Installation, ada: Person) -> None:
    token = opened(here).token
    open_sign_ins.seen(here, token, done=True, now=NOW + minutes(25))
    assert sign_ins.who(here, token, now=NOW + minutes(5)) is None
    assert open_sign_ins.seen(here, token, done=True, now=NOW + minutes(5)) is None


def test_where_clocks_differ_a_little_it_lasts_from_what_was_done_last(
    here: Installation, ada: Person
) -> None:
    token = opened(here).token
    open_sign_ins.seen(here, token, done=True, now=NOW + minutes(9))
    left = open_sign_ins.seen(here, token, done=True, now=NOW + minutes(7))
    assert left is not None
    assert left.idle == left.idle_after
    assert sign_ins.who(here, token, now=NOW + minutes(38)) is None


def test_one_that_is_used_is_written_down_once_a_minute(here: Installation, ada: Person) -> None:
    token = opened(here).token
    for second in range(0, 50, 10):
        open_sign_ins.seen(here, token, done=True, now=NOW + timedelta(seconds=second))
    (row,) = open_sign_ins.list_own(here, ada, token, now=NOW)
    assert row.seen == NOW


def test_ones_own_are_listed_and_ended_one_or_all_but_this(here: Installation, ada: Person) -> None:
    this, phone, third = (
        opened(here),
        opened(here, agent="… iPhone … Safari/604.1", address="198.51.100.7"),
        opened(here),
    )
    other = accounts.create_user(here, "bo", PASSWORD, Role.STAFF)
    hers = sign_ins.sign_in(here, "bo", PASSWORD)
    rows = open_sign_ins.list_own(here, ada, this.token)
    assert [row.this for row in rows] == [True, False, False]
    assert {row.browser for row in rows} == {"Firefox on Linux", "Safari on iPhone"}
    assert {row.address for row in rows} == {CLINIC, "198.51.100.7"}
    key = next(row.key for row in rows if row.browser == "Safari on iPhone")
    assert not open_sign_ins.end_one(here, other, key), "another's is none of one's own"
    assert open_sign_ins.end_one(here, ada, key)
    assert not open_sign_ins.end_one(here, ada, key)
    assert not open_sign_ins.end_one(here, ada, "%")
    assert sign_ins.who(here, phone.token) is None
    assert open_sign_ins.end_others(here, ada, this.token) == 1
    assert sign_ins.who(here, third.token) is None
    assert sign_ins.who(here, this.token) == ada
    assert sign_ins.who(here, hers.token) == other
    assert {"signed_out", "signed_out_elsewhere"} <= {entry.action for entry in audit.latest(here)}


def test_one_browser_never_holds_two_people(here: Installation, ada: Person) -> None:
    accounts.create_user(here, "bo", PASSWORD, Role.STAFF)
    hers = opened(here)
    his = sign_ins.sign_in(here, "bo", PASSWORD, sat=Sat(instead_of=hers.token))
    assert sign_ins.who(here, hers.token) is None
    assert sign_ins.who(here, his.token) is not None


def guess(here: Installation, times: int, **sat: str | None) -> int:
    looked_at = 0
    for number in range(times):
        try:
            sign_ins.sign_in(here, "ada", f"wrong guess {number}", sat=Sat(**sat), now=NOW)
        except SignInWaits:
            continue
        except SignInRefused:
            looked_at += 1
    return looked_at


def test_who_guesses_at_her_desk_does_not_lock_out_her_browser(here: Installation, ada: Person) -> None:
    """Behind a proxy all come from one address: only the browser tells the owner from the guesser."""
    browser = opened(here).browser
    assert guess(here, 20, address=CLINIC) == attempts.FAILURES_BEFORE_LOCK
    with pytest.raises(SignInWaits):
        opened(here)
    assert opened(here, browser=browser).person == ada
    with pytest.raises(SignInWaits):
        opened(here, browser="made-up-" * 5)


def test_guesses_from_many_addresses_lock_nobody_out_of_a_known_place(
    here: Installation, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "FAILURES_PER_NAME", 8)
    browser = opened(here).browser
    looked_at = sum(guess(here, 2, address=f"203.0.113.{number}") for number in range(10))
    assert looked_at == attempts.FAILURES_PER_NAME, "all together they get no more than that"
    with pytest.raises(SignInWaits):
        opened(here, address="198.51.100.7")
    assert opened(here, address="198.51.100.7", browser=browser).person == ada
    assert opened(here, address=CLINIC).person == ada
    told = accounts.list_accounts(here)[0].guessed
    assert told is not None
    assert told.addresses == 4


def test_a_known_browser_is_no_way_to_guess_more(here: Installation, ada: Person) -> None:
    browser = opened(here).browser
    assert guess(here, 20, address=CLINIC, browser=browser) == attempts.FAILURES_BEFORE_LOCK
    with pytest.raises(SignInWaits):
        opened(here, browser=browser)


def test_a_browser_is_known_for_whom_signed_in_in_it_and_no_other(here: Installation, ada: Person) -> None:
    accounts.create_user(here, "bo", PASSWORD, Role.STAFF)
    his = sign_ins.sign_in(here, "bo", PASSWORD, now=NOW).browser
    with here.database.read() as session:
        assert browsers.known(session, "bo", his, NOW)
        assert browsers.known(session, "ada", his, NOW) is None
        assert browsers.known(session, "bo", his, NOW + browsers.KNOWN_FOR + minutes(1)) is None
        assert his not in repr([vars(row) for row in session.scalars(select(KnownBrowser))])
    assert opened(here, browser=his).browser == his, "two people may share one"
    assert opened(here, browser="x" * 40).browser != "x" * 40, "what was not given out here is not kept"


def test_a_wrong_try_of_the_future_locks_nobody(here: Installation, ada: Person) -> None:
    for _ in range(attempts.FAILURES_BEFORE_LOCK):
        with pytest.raises(SignInRefused):
            sign_ins.sign_in(here, "ada", "wrong", sat=Sat(address=CLINIC), now=NOW + timedelta(days=30))
    assert opened(here).person == ada


def guess_in_a_process(home: str) -> int:
    here = Installation.open(Settings(home=home, _env_file=None))
    try:
        return guess(here, 5, address=ATTACKER)
    finally:
        here.close()


def test_guesses_of_several_processes_are_counted_together(here: Installation, ada: Person) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        looked_at = pool.map(guess_in_a_process, [str(here.home)] * 4)
    assert sum(looked_at) == attempts.FAILURES_BEFORE_LOCK
    with here.database.read() as session:
        assert len(session.scalars(select(SignInAttempt)).all()) == attempts.FAILURES_BEFORE_LOCK


def test_ones_own_password_is_changed_by_who_knows_it_and_ends_all_else(
    here: Installation, ada: Person
) -> None:
    this, other = opened(here), opened(here)
    program = own_tokens.make_own_token(here, ada.username).token
    with pytest.raises(ValueError, match=WRONG):
        change_password(here, ada, "not this one", "seven quiet rivers", token=this.token)
    for new, why in ((PASSWORD, "is the old one"), ("short", "too short"), ("adaadaadaada", "easy to guess")):
        with pytest.raises(ValueError, match=why):
            change_password(here, ada, PASSWORD, new, token=this.token)
    assert change_password(here, ada, PASSWORD, "seven quiet rivers", token=this.token) == 1
    assert sign_ins.who(here, this.token) == ada
    assert sign_ins.who(here, other.token) is None
    with pytest.raises(own_tokens.TokenRefused, match="ended"):
        own_tokens.access_of(here, program)
    with pytest.raises(SignInRefused):
        opened(here)


def test_an_open_page_is_no_place_to_guess_a_password_at(here: Installation, ada: Person) -> None:
    this = opened(here)
    said = []
    for number in range(8):
        with pytest.raises(ValueError) as refused:
            change_password(
                here, ada, f"wrong {number}", "seven quiet rivers", token=this.token, address=ATTACKER
            )
        said.append(str(refused.value))
    assert said[:5] == [WRONG] * 5
    assert all("Too many wrong passwords" in one for one in said[5:])
    assert audit.latest(here, action="own_account_refused")


def test_the_demo_keeps_its_password_and_has_no_second_factor(here: Installation) -> None:
    with here.database.write() as session:
        new = accounts.NewAccount("shown", "Shown", hash_of(PASSWORD))
        person = accounts.person_of(accounts.add_account(session, new, Role.STAFF, by=None, demo=True))
    with pytest.raises(ValueError, match="account of the demo"):
        change_password(here, person, PASSWORD, "seven quiet rivers", token=None)
    with pytest.raises(ValueError, match="account of the demo"):
        set_up_factor(here, person, new_factor("shown"), PASSWORD, "000000")


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0 Safari/537.36 Edg/139.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("curl/8.9", "a program"),
        ("<script>", "a program"),
        ("", None),
        (None, None),
    ],
)
def test_browsers_are_told_in_words(agent: str | None, said: str | None) -> None:
    assert browsers.browser_in_words(agent) == said
