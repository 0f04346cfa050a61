"""What a sign-in lacks after its password: until it is done it opens nothing, and a code is taken once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pyotp
import pytest

from core.installation import Installation
from core.people import accounts, audit, half_open, second_factor, sign_ins
from core.people.attempts import FAILURES_BEFORE_LOCK
from core.people.own_account import own_account, renew_codes, set_up_factor, turn_off_factor
from core.people.roles import Person, Role
from core.people.secrets_kept import KeyUnreadable, key_path
from core.people.sign_ins import NewSignIn, Sat, SignInRefused, SignInWaits
from core.people.steps import Step
from core.settings import Settings
from db.tables import User, utc_now

PASSWORD, OWN = "correct horse battery", "seven quiet rivers"
HOME = Sat(
    address="192.0.2.10", agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
)
NOW = utc_now()


@pytest.fixture
def ada(here: Installation) -> Person:
    return accounts.create_user(here, "ada", PASSWORD, Role.ONCOLOGIST)


@pytest.fixture
def strict(here: Installation) -> Installation:
    """An installation whose admins sign in with a second factor."""
    return replace(here, settings=Settings(home=here.home, second_factor="admin, analyst", _env_file=None))


@pytest.fixture
def secret(here: Installation, ada: Person) -> str:
    factor = second_factor.new_factor("ada")
    set_up_factor(
        here,
        ada,
        factor,
        PASSWORD,
        code(factor.secret, NOW - timedelta(minutes=5)),
        now=NOW - timedelta(minutes=5),
    )
    return factor.secret


def code(secret: str, at: datetime) -> str:
    return pyotp.TOTP(secret).at(at)


def begin(here: Installation, name: str = "ada", password: str = PASSWORD, now: datetime = NOW) -> NewSignIn:
    return sign_ins.sign_in(here, name, password, sat=HOME, now=now)


def test_a_first_password_is_changed_before_anything_opens(here: Installation) -> None:
    accounts.create_user(here, "bo", PASSWORD, Role.STAFF, first_password=True)
    begun = begin(here, "bo", now=utc_now())
    assert begun.lacks is Step.PASSWORD
    assert sign_ins.who(here, begun.token) is None
    for wrong, why in (
        (PASSWORD, "that you were given"),
        ("short", "too short"),
        ("password1234", "easy to guess"),
    ):
        with pytest.raises(ValueError, match=why):
            half_open.choose_password(here, begun.token, wrong, HOME)
    opened = half_open.choose_password(here, begun.token, OWN, HOME)
    assert opened.lacks is None
    assert sign_ins.who(here, opened.token) is not None
    assert opened.token != begun.token
    assert half_open.lacking(here, begun.token) is None
    with pytest.raises(SignInRefused):
        begin(here, "bo")
    assert begin(here, "bo", OWN).lacks is None


def test_a_password_that_an_admin_sets_is_a_first_one_again(here: Installation, ada: Person) -> None:
    boss = accounts.create_user(here, "boss", PASSWORD, Role.ADMIN)
    accounts.set_password(here, "ada", OWN, by=boss, first_password=True)
    assert begin(here, password=OWN).lacks is Step.PASSWORD


def test_a_code_opens_what_the_password_alone_does_not(here: Installation, ada: Person, secret: str) -> None:
    begun = begin(here)
    assert begun.lacks is Step.SECOND_FACTOR
    assert sign_ins.who(here, begun.token) is None
    with pytest.raises(SignInRefused, match="wrong"):
        half_open.enter_code(here, begun.token, "000000", HOME, now=NOW)
    opened = half_open.enter_code(here, begun.token, code(secret, NOW), HOME, now=NOW)
    assert sign_ins.who(here, opened.token) == ada
    assert opened.browser
    assert half_open.lacking(here, begun.token) is None


def test_a_code_is_taken_once_even_by_many_at_once(here: Installation, ada: Person, secret: str) -> None:
    begun = [begin(here).token for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:

        def one(token: str) -> bool:
            try:
                half_open.enter_code(here, token, code(secret, NOW), HOME, now=NOW)
            except SignInRefused:
                return False
            return True

        assert sum(pool.map(one, begun * 2)) == 1


@pytest.mark.parametrize(
    ("seconds", "taken"), [(-30, True), (0, True), (30, True), (-60, False), (60, False)]
)
def test_a_code_may_be_one_step_early_or_late(
    here: Installation, ada: Person, secret: str, seconds: int, taken: bool
) -> None:
    token, given = begin(here).token, code(secret, NOW + timedelta(seconds=seconds))
    if taken:
        assert half_open.enter_code(here, token, given, HOME, now=NOW).lacks is None
    else:
        with pytest.raises(SignInRefused):
            half_open.enter_code(here, token, given, HOME, now=NOW)


def test_who_knows_the_password_cannot_guess_codes_without_end(
    here: Installation, ada: Person, secret: str
) -> None:
    guesses = 0
    for _ in range(6):
        try:
            token = begin(here).token
        except SignInWaits:
            break
        for _ in range(3):
            try:
                half_open.enter_code(here, token, "123", HOME, now=NOW)
            except SignInWaits:
                break
            except SignInRefused:
                guesses += 1
    assert guesses < FAILURES_BEFORE_LOCK
    assert "code of the second factor" in repr(audit.latest(here))


def test_a_recovery_code_stands_once_for_a_code(here: Installation, ada: Person, secret: str) -> None:
    codes = renew_codes(here, ada, code(secret, NOW), now=NOW)
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    given = codes[3].upper().replace("-", " ")
    assert half_open.enter_code(here, begin(here).token, given, HOME, now=NOW).lacks is None
    with pytest.raises(SignInRefused):
        half_open.enter_code(here, begin(here).token, given, HOME, now=NOW)
    assert own_account(here, ada).codes_left == second_factor.RECOVERY_CODES - 1
    assert "recovery_code_used" in [entry.action for entry in audit.latest(here)]


def test_a_role_that_asks_for_a_second_factor_has_it_set_up_at_the_sign_in(strict: Installation) -> None:
    accounts.create_user(strict, "boss", PASSWORD, Role.ADMIN, first_password=True)
    begun = begin(strict, "boss")
    assert begun.lacks is Step.PASSWORD
    begun = half_open.choose_password(strict, begun.token, OWN, HOME, now=NOW)
    assert begun.lacks is Step.ENROL
    offered = half_open.lacking(strict, begun.token, now=NOW)
    assert offered == half_open.lacking(strict, begun.token, now=NOW), (
        "a page that is loaded anew shows the same"
    )
    assert offered is not None
    assert offered.factor is not None
    with pytest.raises(SignInRefused, match="not of what is shown"):
        half_open.enrol(strict, begun.token, "000000", HOME, now=NOW)
    done = half_open.enrol(strict, begun.token, code(offered.factor.secret, NOW), HOME, now=NOW)
    assert len(done.codes) == second_factor.RECOVERY_CODES
    person = sign_ins.who(strict, done.opened.token)
    assert person is not None
    with pytest.raises(ValueError, match="Your role signs in with a second factor"):
        turn_off_factor(strict, person, done.codes[0], now=NOW)
    # The code of the setting up is used up by it.
    with pytest.raises(SignInRefused):
        half_open.enter_code(
            strict, begin(strict, "boss", OWN).token, code(offered.factor.secret, NOW), HOME, now=NOW
        )


def test_steps_are_not_skipped_nor_done_by_another_ones_token(
    here: Installation, ada: Person, secret: str
) -> None:
    token = begin(here).token
    with pytest.raises(SignInRefused, match="open for too long"):
        half_open.choose_password(here, token, OWN, HOME, now=NOW)
    with pytest.raises(SignInRefused, match="open for too long"):
        half_open.enrol(here, token, "000000", HOME, now=NOW)
    later = NOW + sign_ins.HALF_OPEN_FOR + timedelta(seconds=1)
    with pytest.raises(SignInRefused, match="open for too long"):
        half_open.enter_code(here, token, code(secret, later), HOME, now=later)
    for strange in ("", "x" * 5000, "made-up"):
        assert half_open.lacking(here, strange) is None


def test_a_clock_that_was_put_back_keeps_nobody_out(here: Installation, ada: Person, secret: str) -> None:
    ahead = NOW + timedelta(days=30)
    opened = half_open.enter_code(here, begin(here, now=ahead).token, code(secret, ahead), HOME, now=ahead)
    assert sign_ins.who(here, opened.token, now=ahead) == ada
    assert sign_ins.who(here, opened.token, now=NOW) is None, "a sign-in of the future opens nothing"
    assert half_open.enter_code(here, begin(here).token, code(secret, NOW), HOME, now=NOW).lacks is None


def test_what_is_stored_holds_no_secret_in_clear_and_opens_nothing_elsewhere(
    here: Installation, ada: Person, secret: str
) -> None:
    with here.database.read() as session:
        stored = session.get(User, ada.user_id)
        assert stored is not None
        assert secret not in str(stored.totp_secret)
    assert key_path(here).stat().st_mode & 0o077 == 0
    assert secret not in repr(audit.latest(here))
    codes = renew_codes(here, ada, code(secret, NOW), now=NOW)
    key_path(here).unlink()  # as after a restore in another place
    later = NOW + timedelta(minutes=2)
    with pytest.raises(SignInRefused):
        half_open.enter_code(here, begin(here, now=later).token, code(secret, later), HOME, now=later)
    token = begin(here, now=later).token
    assert half_open.enter_code(here, token, codes[0], HOME, now=later).lacks is None


def test_a_key_that_is_damaged_is_named(here: Installation, ada: Person, secret: str) -> None:
    key_path(here).write_text("nonsense")
    with pytest.raises(KeyUnreadable, match="holds no key"):
        half_open.enter_code(here, begin(here).token, code(secret, NOW), HOME, now=NOW)


def test_an_admin_resets_a_second_factor_that_is_lost(here: Installation, ada: Person, secret: str) -> None:
    opened = half_open.enter_code(here, begin(here).token, code(secret, NOW), HOME, now=NOW)
    assert second_factor.reset(here, "ada")
    assert not second_factor.reset(here, "ada")
    assert sign_ins.who(here, opened.token) is None
    assert begin(here).lacks is None
    assert audit.latest(here, action="second_factor_reset")[0].subject == "user:ada"


def test_the_one_who_takes_over_the_demo_has_to_show_all_that_she_needs(
    here: Installation, ada: Person, secret: str
) -> None:
    with pytest.raises(SignInRefused, match="more than a password"):
        sign_ins.sign_in(here, "ada", PASSWORD, takes_over="whatever", now=NOW)
