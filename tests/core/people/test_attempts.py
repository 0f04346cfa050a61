"""Guessing: counted before it is answered, by name and by address, and the same for names that do not exist."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from core.installation import Installation
from core.people import accounts, attempts, audit, passwords, sign_ins
from core.people.accounts import Role
from core.people.roles import Person
from core.people.sign_ins import SignInBusy, SignInRefused, SignInWaits
from db.tables import SignInAttempt, User, utc_now
from tests.core.people.conftest import Hasher

PASSWORD = "correct horse battery"
CLINIC, ELSEWHERE = "192.0.2.10", "203.0.113.9"


@pytest.fixture
def ada(here: Installation) -> Person:
    return accounts.create_user(here, "ada", PASSWORD, Role.ONCOLOGIST)


def guess(here: Installation, name: str, *, times: int = 1, address: str = ELSEWHERE, **also) -> list[str]:
    """Guess wrongly, one guess after the other, and return what was answered."""
    said = []
    for number in range(times):
        with pytest.raises(SignInRefused) as refused:
            sign_ins.sign_in(here, name, f"wrong guess {number}", address=address, **also)
        said.append(f"{refused.type.__name__}: {refused.value}")
    return said


def test_guesses_at_once_are_counted_like_those_made_one_by_one(
    here: Installation, ada: Person, hasher: Hasher
) -> None:
    def one(number: int) -> None:
        with pytest.raises(SignInRefused):
            sign_ins.sign_in(here, "ada", f"wrong guess {number}", address=ELSEWHERE)

    with ThreadPoolExecutor(20) as pool:
        for done in [pool.submit(one, number) for number in range(60)]:
            done.result()
    assert hasher.looked_at == attempts.FAILURES_BEFORE_LOCK
    with pytest.raises(SignInWaits, match="locked"):
        sign_ins.sign_in(here, "ada", PASSWORD, address=ELSEWHERE)


def test_a_try_counts_as_failed_even_if_its_process_dies_over_it(
    here: Installation, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(sign_ins, "matches", dies)
    for _ in range(attempts.FAILURES_BEFORE_LOCK):
        with pytest.raises(KeyboardInterrupt):
            sign_ins.sign_in(here, "ada", PASSWORD, address=ELSEWHERE)
    with pytest.raises(SignInWaits):
        sign_ins.sign_in(here, "ada", PASSWORD, address=ELSEWHERE)


def test_a_name_that_does_not_exist_is_answered_like_one_that_does(
    here: Installation, ada: Person, hasher: Hasher
) -> None:
    accounts.create_user(here, "closed", PASSWORD, Role.STAFF)
    accounts.set_active(here, "closed", False)
    now = utc_now()
    answers, work = [], []
    for name in ("ada", "nobody", "closed", "x" * 500):
        before = hasher.looked_at
        said = guess(here, name, times=8, now=now)
        said += guess(here, name, times=2, now=now + timedelta(seconds=61))
        answers.append(said)
        work.append(hasher.looked_at - before)
    assert answers[0][0].startswith("SignInRefused: User name or password is wrong")
    assert answers[0][5].startswith("SignInWaits")
    assert answers == [answers[0]] * 4
    assert work == [attempts.FAILURES_BEFORE_LOCK + 1] * 4


def test_each_further_failure_locks_twice_as_long_up_to_an_hour() -> None:
    last = utc_now()
    minutes = [
        (until - last).total_seconds() / 60 if until else 0
        for until in (attempts.locked_until(failures, last) for failures in (4, 5, 6, 7, 11, 500))
    ]
    assert minutes == [0, 1, 2, 4, 60, 60]


def test_guesses_from_elsewhere_do_not_lock_the_owner_out_where_she_works(
    here: Installation, ada: Person
) -> None:
    sign_ins.sign_in(here, "ada", PASSWORD, address=CLINIC)
    guess(here, "ada", times=8, address=ELSEWHERE)
    assert sign_ins.sign_in(here, "ada", PASSWORD, address=CLINIC).person == ada
    with pytest.raises(SignInWaits):
        sign_ins.sign_in(here, "ada", PASSWORD, address=ELSEWHERE)
    assert sign_ins.sign_in(here, "ada", PASSWORD, address="198.51.100.7").person == ada


def test_who_guesses_where_the_owner_works_is_locked_there_as_anywhere(
    here: Installation, ada: Person, hasher: Hasher
) -> None:
    sign_ins.sign_in(here, "ada", PASSWORD, address=CLINIC)
    before = hasher.looked_at
    guess(here, "ada", times=8, address=CLINIC)
    assert hasher.looked_at - before == attempts.FAILURES_BEFORE_LOCK
    with pytest.raises(SignInWaits):
        sign_ins.sign_in(here, "ada", PASSWORD, address=CLINIC)


def test_an_address_that_guesses_many_names_is_slowed_and_its_neighbours_are_not(
    here: Installation, ada: Person, hasher: Hasher
) -> None:
    now = utc_now()
    sign_ins.sign_in(here, "ada", PASSWORD, address=CLINIC, now=now)
    accounts.create_user(here, "bo", PASSWORD, Role.STAFF)
    before = hasher.looked_at
    for number in range(attempts.FAILURES_PER_ADDRESS + 10):
        (said,) = guess(here, f"name-{number}", address=CLINIC, now=now)
    assert "from this computer or network" in said
    assert hasher.looked_at - before == attempts.FAILURES_PER_ADDRESS
    assert sign_ins.sign_in(here, "ada", PASSWORD, address=CLINIC, now=now).person == ada
    assert sign_ins.sign_in(here, "bo", PASSWORD, address=ELSEWHERE, now=now).person.username == "bo"
    later = now + attempts.ADDRESS_WINDOW + timedelta(seconds=1)
    assert "User name or password is wrong" in guess(here, "name-99", address=CLINIC, now=later)[0]


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", None),
        (None, None),
        ("not an address", "not an address"),
    ],
)
def test_addresses_of_one_customer_count_together(address: str | None, counted_as: str | None) -> None:
    assert attempts.network_of(address) == counted_as


def test_while_others_are_looked_at_a_sign_in_is_told_so_soon_and_not_counted(
    here: Installation, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_ins, "WAIT_TO_HASH_SECONDS", 0.01)
    places = [passwords.room_to_hash(1) for _ in range(passwords.HASHES_AT_ONCE)]
    for place in places:
        place.__enter__()
    try:
        for _ in range(attempts.FAILURES_BEFORE_LOCK + 1):
            with pytest.raises(SignInBusy, match="Try again in a few seconds"):
                sign_ins.sign_in(here, "ada", PASSWORD, address=ELSEWHERE)
    finally:
        for place in places:
            place.__exit__(None, None, None)
    assert sign_ins.sign_in(here, "ada", PASSWORD, address=ELSEWHERE).person == ada


def test_what_is_too_old_to_count_is_swept_and_what_was_typed_is_not_kept(
    here: Installation, ada: Person
) -> None:
    now = utc_now()
    sign_ins.sign_in(here, "ada", PASSWORD, address=CLINIC, now=now)
    guess(here, "my secret passphrase", times=3, now=now)
    guess(here, "ada", times=2, now=now)
    with here.database.read() as session:
        kept = session.scalars(select(SignInAttempt)).all()
    assert len(kept) == 6
    assert "secret" not in repr([vars(row) for row in kept])
    guess(here, "nobody", now=now + attempts.FAILURES_KEPT + timedelta(seconds=1))
    with here.database.read() as session:
        assert session.scalar(select(func.count()).select_from(SignInAttempt)) == 2
    guess(here, "nobody", now=now + attempts.FAMILIAR_FOR + timedelta(seconds=1))
    with here.database.read() as session:
        assert not session.scalars(select(SignInAttempt).where(SignInAttempt.succeeded.is_(True))).all()


def test_tries_that_are_not_let_through_leave_no_row_and_the_lock_is_in_the_trail(
    here: Installation, ada: Person
) -> None:
    guess(here, "ada", times=50)
    with here.database.read() as session:
        assert session.scalar(select(func.count()).select_from(SignInAttempt)) == 5
    failed = [entry for entry in audit.latest(here) if entry.action == "sign_in_failed"]
    assert len(failed) == 6, "five that were looked at, and one for all that were not"
    assert "too many" in failed[0].detail
    assert "locked" in failed[1].detail
    (told,) = [account.guessed for account in accounts.list_accounts(here)]
    assert told is not None
    assert (told.failures, told.addresses, told.locked_until) == (5, 1, None)


def test_a_new_password_or_an_opened_account_starts_without_a_count(here: Installation, ada: Person) -> None:
    guess(here, "ada", times=6)
    accounts.set_password(here, "ada", "another horse battery")
    assert sign_ins.sign_in(here, "ada", "another horse battery", address=ELSEWHERE).person == ada
    guess(here, "bo", times=6)
    accounts.create_user(here, "bo", PASSWORD, Role.STAFF)
    assert sign_ins.sign_in(here, "bo", PASSWORD, address=ELSEWHERE).person.username == "bo"


@pytest.mark.parametrize("typed", ["ÉLISE", "élise", "E\u0301lise", " e\u0301LISE "])
def test_a_name_is_one_name_however_it_is_typed(here: Installation, typed: str) -> None:
    accounts.create_user(here, "Élise", PASSWORD, Role.STAFF)
    assert sign_ins.sign_in(here, typed, PASSWORD).person.username == "élise"
    with pytest.raises(ValueError, match="taken"):
        accounts.create_user(here, typed, PASSWORD, Role.STAFF)


def test_a_longer_name_is_another_name(here: Installation) -> None:
    accounts.create_user(here, "x" * 64, PASSWORD, Role.STAFF)
    with pytest.raises(SignInRefused):
        sign_ins.sign_in(here, "x" * 65, PASSWORD)


def test_signing_out_twice_is_written_down_once(here: Installation, ada: Person) -> None:
    token = sign_ins.sign_in(here, "ada", PASSWORD).token
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(sign_ins.sign_out, here, token) for _ in range(4)]:
            done.result()
    assert [entry.action for entry in audit.latest(here)].count("signed_out") == 1


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("password1234", "easy to guess"),
        ("qwertyuiop12", "easy to guess"),
        ("aaaaaaaaaaaaaaaa", "easy to guess"),
        ("ada.lovelace", "easy to guess"),
        ("longview-demo-admin", "published"),
        ("short", "too short"),
        ("x" * 1025, "too long"),
    ],
)
def test_a_password_is_refused_with_what_is_asked_of_one(
    here: Installation, ada: Person, password: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        accounts.create_user(here, "lovelace", password, Role.STAFF, display_name="Ada Lovelace")
    with pytest.raises(ValueError, match=says):
        accounts.set_password(here, "ada", password)
    with here.database.read() as session:
        assert session.scalars(select(User.username)).all() == ["ada"]
