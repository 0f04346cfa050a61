"""Years between two days: a woman's age, in whole years and exactly, and the time from visit to visit."""

from __future__ import annotations

from datetime import date

DAYS_PER_YEAR = 365.25
DAYS_PER_MONTH = DAYS_PER_YEAR / 12


def years_between(earlier: date, later: date) -> float:
    """Return the years from one date to another, negative if `later` comes first."""
    return (later - earlier).days / DAYS_PER_YEAR


def age_years(birth_date: date | None, on: date) -> int | None:
    """Return the age in whole years on a day, or None if the birth date is unknown.

    It rises on the birthday; for a woman born on 29 February on 1 March where the year has no such day.
    """
    return None if birth_date is None else _whole_years(birth_date, on)


def exact_age_years(birth_date: date | None, on: date) -> float | None:
    """Return the age in years and their fractions, as the models read it; None if the birth date is unknown."""
    return None if birth_date is None else years_between(birth_date, on)


def _whole_years(born: date, on: date) -> int:
    """Return the whole years between two days."""
    return on.year - born.year - (100 * on.month + on.day < 100 * born.month + born.day)
