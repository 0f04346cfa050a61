"""Who stands in a woman's place: the same in every run of one key, never found without it."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID

from core.deidentification.identity import Identity, pseudonym_of, uid_for

KEY, OTHER = b"a" * 32, b"b" * 32
numbers = st.text(min_size=1, max_size=64).filter(str.strip)


@given(numbers)
def test_a_pseudonym_is_the_same_every_time_another_by_another_key_and_stands_for_itself(mrn: str) -> None:
    hers = pseudonym_of(KEY, mrn)
    assert hers == pseudonym_of(KEY, f" {mrn} ")
    assert hers != pseudonym_of(OTHER, mrn)
    assert pseudonym_of(KEY, hers) == hers
    assert Identity.of(KEY, hers) == Identity.of(KEY, mrn)


@given(numbers, st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 9000))
def test_days_move_and_intervals_stay(mrn: str, first: date, between: int) -> None:
    hers = Identity.of(KEY, mrn)
    assert 1 <= abs(hers.shift_days) <= 365
    second = first + timedelta(days=between)
    assert hers.day(second) - hers.day(first) == second - first
    assert hers.day(first) != first


def test_women_move_by_different_days_either_way_and_never_by_none() -> None:
    days = [Identity.of(KEY, f"{number:05d}").shift_days for number in range(3000)]
    assert 0 not in days
    assert min(days) < -340
    assert max(days) > 340
    assert len(set(days)) > 650


@given(st.from_regex(r"1\.2(\.[1-9][0-9]{0,8}){2,5}", fullmatch=True))
def test_a_uid_gets_a_valid_one_of_its_own(uid: str) -> None:
    new = uid_for(KEY, uid)
    assert UID(new).is_valid
    assert new.startswith("2.25.")
    assert new == uid_for(KEY, uid)
    assert new not in (uid, uid_for(OTHER, uid))


def test_words_tell_two_women_under_one_number_apart_as_their_names_would() -> None:
    hers, others = Identity.of(KEY, "1"), Identity.of(KEY, "2")
    assert hers.words("Doe^Jané") == hers.words("JANE DOE")
    assert hers.words("Doe^Jane") != hers.words("Smith^Jane")
    assert hers.words("Doe^Jane") != others.words("Doe^Jane")
    assert set(hers.words("Doe^Jane").split()) < set(hers.words("Doe^Jane", "19610203").split())
