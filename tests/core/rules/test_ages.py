"""Ages and years: one reckoning for every page, whoever asks."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules import ages

BIRTHDAYS = [
    (date(1968, 3, 2), date(2026, 3, 1), 57),
    (date(1968, 3, 2), date(2026, 3, 2), 58),
    (date(1968, 3, 2), date(2026, 3, 3), 58),
    (date(1968, 2, 29), date(2026, 2, 28), 57),
    (date(1968, 2, 29), date(2026, 3, 1), 58),
    (date(1968, 2, 29), date(2028, 2, 28), 59),
    (date(1968, 2, 29), date(2028, 2, 29), 60),
    (date(1969, 12, 31), date(2026, 1, 1), 56),
]
DAYS = st.dates(date(1900, 1, 1), date(2030, 12, 31))


@pytest.mark.parametrize(("born", "on", "age"), [*BIRTHDAYS, (None, date(2026, 1, 1), None)])
def test_age_rises_on_the_birthday(born: date | None, on: date, age: int | None) -> None:
    assert ages.age_years(born, on) == age


@given(born=DAYS, days=st.integers(0, 40_000))
def test_whole_years_are_the_birthdays_there_were(born: date, days: int) -> None:
    on = born + timedelta(days=days)
    birthdays = 0
    while (born.year + birthdays + 1, born.month, born.day) <= (on.year, on.month, on.day):
        birthdays += 1
    assert ages.age_years(born, on) == birthdays


def test_exact_ages_are_years_of_365_and_a_quarter_days() -> None:
    assert ages.exact_age_years(date(2000, 1, 1), date(2004, 1, 1)) == 4.0
    assert ages.exact_age_years(None, date(2004, 1, 1)) is None
    assert ages.years_between(date(2004, 1, 1), date(2000, 1, 1)) == -4.0
