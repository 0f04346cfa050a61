"""A risk among those of reference women of the same age."""

import pytest

from core.rules.reference import place_at_age, quantiles_by_age, reference_courses
from models.store import registry

SETTINGS = {
    "reference_by_age": {
        "women": "women",
        "bins": [
            {"age": age, "around": 5.0, "n": 40, "median_5y": 0.01, "quantiles_5y": [0.005, 0.01, 0.02]}
            for age in (50, 55)
        ],
    }
}


@pytest.mark.parametrize(
    ("risk", "higher_than"), [(0.001, 0), (0.005, 0), (0.0075, 25), (0.01, 50), (0.015, 75), (0.5, 100)]
)
def test_a_risk_is_higher_than_those_below_it(risk, higher_than):
    place = place_at_age(SETTINGS, 51.0, risk)
    assert place is not None
    assert (place.higher_than, place.ages, place.n, place.median) == (higher_than, (45, 55), 40, 0.01)


@pytest.mark.parametrize(("age", "ages"), [(45.0, (45, 55)), (53.0, (50, 60)), (60.0, (50, 60))])
def test_the_nearest_ages_are_taken(age, ages):
    place = place_at_age(SETTINGS, age, 0.01)
    assert place is not None
    assert place.ages == ages


@pytest.mark.parametrize(
    ("settings", "age"),
    [
        (SETTINGS, None),
        (SETTINGS, 44.9),
        (SETTINGS, 60.1),
        ({}, 50.0),
        ({"reference_by_age": {"women": "", "bins": []}}, 50.0),
    ],
)
def test_nothing_is_said_where_her_age_or_theirs_is_not_known(settings, age):
    assert place_at_age(settings, age, 0.01) is None


def test_the_shipped_card_tells_how_risk_ran_in_women_with_and_without_a_cancer() -> None:
    courses = reference_courses(registry.card("longitudinal-sim").settings)
    assert courses is not None
    for course in (courses.cancer, courses.none):
        years = [point.years for point in course]
        assert years == sorted(years, reverse=True)
        assert all(point.n >= 20 for point in course)
    assert courses.cancer[-1].median > 3 * courses.none[-1].median, "it rises before a diagnosis"


def test_a_card_that_tells_of_no_women_draws_none() -> None:
    assert reference_courses({}) is None
    assert quantiles_by_age({}) == []


def test_the_middle_half_lies_about_the_median() -> None:
    (one, *_) = quantiles_by_age(SETTINGS)
    assert one.low <= one.median <= one.high
