"""Slopes, ages, gaps: values in, values out."""

import calendar
import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.rules import trends
from core.rules.ages import DAYS_PER_YEAR

DAYS = st.lists(st.integers(0, 20_000), min_size=3, max_size=40, unique=True)


def test_a_straight_line_has_its_slope_and_no_uncertainty() -> None:
    first = date(2010, 1, 1)
    dates = [first + timedelta(days=round(DAYS_PER_YEAR * 4 * k)) for k in range(5)]
    found = trends.slope(dates, [0.01 + 0.008 * k * 4 for k in range(5)])
    assert found is not None
    assert found.per_year == pytest.approx(0.008, rel=1e-6)
    assert found.low == pytest.approx(0.008, abs=1e-9)
    assert found.high == pytest.approx(0.008, abs=1e-9)


def by_the_textbook(dates: list[date], values: list[float]) -> tuple[float, float]:
    """The slope and its standard error, summed without rounding."""
    years = [(day - min(dates)).days / 365.25 for day in dates]
    n = len(years)
    x, y = math.fsum(years) / n, math.fsum(values) / n
    spread = math.fsum((one - x) ** 2 for one in years)
    slope = math.fsum((one - x) * (value - y) for one, value in zip(years, values, strict=True)) / spread
    left = math.fsum((value - y - slope * (one - x)) ** 2 for one, value in zip(years, values, strict=True))
    return slope, math.sqrt(left / (n - 2) / spread)


@given(DAYS, st.integers(0, 2**32 - 1), st.sampled_from(["any", "a line", "all the same", "ties"]))
def test_the_slope_and_its_interval_are_those_of_the_formula(days: list[int], seed: int, kind: str) -> None:
    dates = [date(1980, 1, 1) + timedelta(days=day) for day in days]
    values = {
        "any": np.random.default_rng(seed).uniform(0, 1, len(days)).tolist(),
        "a line": [0.01 + 0.9 * day / 20_000 for day in days],
        "all the same": [0.3] * len(days),
        "ties": [float(day % 2) for day in days],
    }[kind]
    if seed % 2:
        dates, values = [*dates, dates[0]], [*values, 0.5]
    found = trends.slope(dates, values)
    slope, error = by_the_textbook(dates, values)
    half_width = stats.t.ppf(0.975, len(dates) - 2) * error
    assert found is not None
    assert found.per_year == pytest.approx(slope, rel=1e-9, abs=1e-9)
    assert (found.low, found.high) == pytest.approx(
        (slope - half_width, slope + half_width), rel=1e-9, abs=1e-9
    )


@given(DAYS, st.integers(0, 2**32 - 1))
def test_the_slope_and_its_interval_are_those_of_scipy(days: list[int], seed: int) -> None:
    dates = [date(1980, 1, 1) + timedelta(days=day) for day in days]
    values = np.random.default_rng(seed).uniform(0, 1, len(days)).tolist()
    found = trends.slope(dates, values)
    expected = stats.linregress([day / DAYS_PER_YEAR for day in days], values)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    half_width = stats.t.ppf(0.975, len(days) - 2) * expected.stderr
    assert found.per_year == pytest.approx(expected.slope, rel=1e-6, abs=1e-12)
    assert (found.high - found.low) / 2 == pytest.approx(half_width, rel=1e-6, abs=1e-9)


@given(DAYS, st.randoms())
def test_the_order_of_visits_does_not_matter(days: list[int], random: object) -> None:
    pairs = [(date(1980, 1, 1) + timedelta(days=day), day / 20_000) for day in days]
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = trends.slope([d for d, _ in pairs], [v for _, v in pairs])
    other = trends.slope([d for d, _ in shuffled], [v for _, v in shuffled])
    assert one is not None
    assert other is not None
    assert one.per_year == pytest.approx(other.per_year, rel=1e-9)


@pytest.mark.parametrize("dates", [[], [date(2020, 1, 1)], [date(2020, 1, 1)] * 3])
def test_less_than_two_days_have_no_slope(dates: list[date]) -> None:
    assert trends.slope(dates, [0.1] * len(dates)) is None


def test_two_visits_have_a_slope_without_interval() -> None:
    found = trends.slope([date(2020, 1, 1), date(2022, 1, 1)], [0.01, 0.03])
    assert found is not None
    assert (found.low, found.high) == (None, None)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="1 dates but 2 values"):
        trends.slope([date(2020, 1, 1)], [0.1, 0.2])


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
        (date(2024, 12, 15), 1, date(2025, 1, 15)),
        (date(2024, 3, 16), 24, date(2026, 3, 16)),
        (date(2024, 11, 30), 3, date(2025, 2, 28)),
    ],
)
def test_months_are_added_by_the_calendar(day: date, months: int, later: date) -> None:
    assert trends.add_months(day, months) == later


def test_months_are_added_as_by_hand_from_every_day_leap_days_and_31sts_included() -> None:
    def by_hand(day: date, months: int) -> date:
        year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
        return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))

    days = [date(2023, 1, 1) + timedelta(days=k) for k in range(800)]
    for months in (*range(-13, 14), 24, 36, 12 * 40, -12 * 40):
        assert [trends.add_months(day, months) for day in days] == [by_hand(day, months) for day in days]


def test_only_steps_of_more_than_three_years_are_long_gaps() -> None:
    dates = [date(2010, 1, 1), date(2012, 12, 31), date(2016, 1, 2), date(2017, 1, 1)]
    assert trends.long_gaps(dates) == [False, True, False]


ERRORS = st.floats(0.0, 0.2)


@given(DAYS, ERRORS, st.integers(0, 2**32 - 1))
def test_errors_of_measurement_never_make_a_slope_surer(days: list[int], error: float, seed: int) -> None:
    dates = [date(1980, 1, 1) + timedelta(days=day) for day in days]
    values = np.random.default_rng(seed).uniform(0, 1, len(days)).tolist()
    without = trends.slope(dates, values)
    found = trends.slope(dates, values, [error] * len(days))
    assert without is not None
    assert found is not None
    assert without.low is not None
    assert found.low is not None
    assert found.per_year == without.per_year
    assert found.low <= without.low
    years = np.array(days) / DAYS_PER_YEAR
    alone = 1.96 * error / math.sqrt(((years - years.mean()) ** 2).sum())
    assert found.per_year - found.low >= alone * (1 - 1e-9)


def test_a_straight_line_is_as_unsure_as_its_measurements() -> None:
    dates = [date(2020 + k, 1, 1) for k in range(4)]
    values = [0.010 + 0.001 * k for k in range(4)]
    found = trends.slope(dates, values, [0.003] * 4)
    assert found is not None
    assert found.holds_nothing
    bare = trends.slope(dates, values)
    assert bare is not None
    assert not bare.holds_nothing
    partly = trends.slope(dates, values, [0.003, None, 0.003, 0.003])
    assert partly == bare, "the error of one visit is not known"


@given(st.floats(0.001, 0.4), st.floats(0.05, 0.5), st.floats(-1.5, 1.5))
def test_two_visits_have_the_interval_of_what_positioning_makes(
    risk: float, smallest: float, times: float
) -> None:
    """It holds 0 about where the change is within noise: to the first order in log-odds, tried with equal errors."""
    error = trends.measurement_error(risk, smallest)
    change = times * 1.96 * math.sqrt(2) * error
    found = trends.slope([date(2020, 1, 1), date(2022, 1, 1)], [risk, risk + change], [error, error])
    assert found is not None
    assert found.low is not None
    if not math.isclose(abs(times), 1, rel_tol=1e-6):
        assert found.holds_nothing is (abs(times) < 1)


def test_errors_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 values but 1 errors"):
        trends.slope([date(2020, 1, 1), date(2021, 1, 1)], [0.1, 0.2], [0.1])


@dataclass(frozen=True)
class Day:
    on: date


@pytest.mark.parametrize(
    ("treated", "left"),
    [
        ([], 4),
        ([date(2021, 6, 1)], 2),
        ([date(2021, 6, 1), date(2022, 6, 1)], 1),
        ([date(2022, 1, 1)], 1),
        ([date(2023, 1, 1)], 4),
        ([date(2030, 1, 1)], 4),
        ([date(2000, 1, 1)], 4),
    ],
    ids=["none", "one", "the later of two", "on a visit's day", "on the last day", "after all", "before all"],
)
def test_visits_after_the_start_of_a_treatment_do_not_join_those_before(
    treated: list[date], left: int
) -> None:
    visits = [Day(date(year, 1, 1)) for year in (2020, 2021, 2022, 2023)]
    assert trends.since_treatment(visits, treated) == visits[-left:]
    assert trends.since_treatment([], treated) == []
