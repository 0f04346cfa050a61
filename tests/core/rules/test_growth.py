"""Growth of a volume: known courses are found again, and intervals hold what they promise."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules import documents
from core.rules.growth import GrowthRules, has_grown, measurement_sd_mm, volume_growth

START = date(2020, 1, 1)


def course(first_mm: float, doubling_days: float, days: list[int]) -> list[tuple[date, float]]:
    return [(START + timedelta(day), first_mm * 2 ** (day / doubling_days / 3)) for day in days]


@given(
    st.floats(5, 30), st.floats(40, 2000), st.lists(st.integers(1, 2000), min_size=1, max_size=6, unique=True)
)
def test_exponential_growth_is_found_again(first_mm, doubling_days, days):
    found = volume_growth(course(first_mm, doubling_days, [0, *days])[::-1])
    assert found.doubling_days == pytest.approx(doubling_days, rel=1e-6)
    assert found.low < found.rate < found.high
    assert found.visits == len(days) + 1


def test_a_diameter_that_doubles_in_a_year_is_a_volume_that_doubles_three_times():
    found = volume_growth([(START, 10), (START + timedelta(365), 20)])
    assert found.doubling_days == pytest.approx(365 / 3)
    assert found.is_shown
    assert found.fastest_days < found.doubling_days < found.slowest_days


def test_the_interval_says_where_it_may_not_grow_at_all():
    found = volume_growth([(START, 10), (START + timedelta(365), 11)])
    assert found.doubling_days == pytest.approx(365 * np.log(2) / (3 * np.log(1.1)))
    assert found.slowest_days is None
    assert not found.is_shown
    steady = volume_growth([(START, 10), (START + timedelta(365), 10)])
    assert steady.doubling_days is None
    assert steady.fastest_days is not None
    gone = volume_growth([(START, 30), (START + timedelta(365), 10)])
    assert gone.shrinks
    assert gone.fastest_days is gone.doubling_days is None


def test_two_different_days_with_a_size_are_needed():
    assert volume_growth([]) is None
    assert volume_growth([(START, 10)]) is None
    assert volume_growth([(START, 10), (START, 12)]) is None
    assert volume_growth([(START, 10), (START + timedelta(90), 0)]) is None


@pytest.mark.parametrize("days", [[0, 365], [0, 180, 365, 730]])
@pytest.mark.parametrize(("first_mm", "doubling_days"), [(8, 150), (12, 400), (15, 1e9)])
def test_the_interval_covers_the_true_growth_as_often_as_it_says(days, first_mm, doubling_days):
    random = np.random.default_rng(7)
    true = [mm for _, mm in course(first_mm, doubling_days, days)]
    rate, inside, draws = np.log(2) / doubling_days * 365.25, 0, 1500
    for _ in range(draws):
        seen = [random.normal(mm, measurement_sd_mm(mm)) for mm in true]
        found = volume_growth([(START + timedelta(day), mm) for day, mm in zip(days, seen, strict=True)])
        inside += found.low <= rate <= found.high
    # 90 of 100: three standard errors of the simulation below; scatter that is larger may only widen it.
    assert 0.875 <= inside / draws <= 0.97


def test_what_two_measurements_of_one_length_differ_by_is_no_growth():
    random = np.random.default_rng(5)
    first, second = random.normal(12, measurement_sd_mm(12), (2, 4000))
    called = np.mean([has_grown(one, other) for one, other in zip(first, second, strict=True)])
    assert 0.015 <= called <= 0.035  # one side of 95 of 100
    assert not has_grown(10, 12)
    assert has_grown(10, 13)
    assert not has_grown(13, 10)
    assert not has_grown(40, 46)
    assert has_grown(40, 49)


def test_the_error_of_a_diameter_says_where_it_is_from():
    rules = documents.read("growth.toml", GrowthRules)
    assert "Rubio" in rules.diameter.source
    assert "assumption" in rules.diameter.share_source
    assert (measurement_sd_mm(5), measurement_sd_mm(30)) == (1.0, pytest.approx(2.1))
