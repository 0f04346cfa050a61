"""Reference women: whoever stands among them is told her own place, and each counts once at an age."""

import numpy as np
import pytest

from core.rules import rank_among_reference
from core.training.reference import FEWEST_WOMEN, reference_by_age, reference_courses, reference_women
from models.longitudinal.model import untrained
from models.sequence.training import History

RISKS = np.random.default_rng(1).lognormal(-4, 0.8, 2000)


@pytest.fixture(scope="module")
def model():
    return untrained(1, width=0.25, members=2)


def woman(model, number, ages, years_to_cancer=np.nan):
    n = len(ages)
    vectors = np.random.default_rng(number).normal(size=(n, 2, 3, model.vector_size)).astype(np.float32)
    days = (np.asarray(ages) - ages[0]) * 365.25
    return History(
        patient_id=f"w{number}",
        days=days,
        ages=np.asarray(ages, float),
        vectors=vectors,
        present=np.ones((n, 2, 3), bool),
        malignancy=np.zeros((n, 2), np.float32),
        progression=np.zeros((n, 2), np.float32),
        density=np.zeros((n, 2), int),
        finding=np.zeros((n, 2), int),
        years_to_cancer=np.full(n, years_to_cancer) - days / 365.25,
        cancer_breast=-1,
        years_followed=np.full(n, 9.0),
        weight=np.ones(n, np.float32),
    )


def test_a_woman_counts_once_at_an_age_and_not_with_a_cancer_to_come(model):
    well = [woman(model, n, [52.0, 53.0, 54.0]) for n in range(FEWEST_WOMEN)]
    ill = [woman(model, 100 + n, [52.0, 53.0], years_to_cancer=3.0) for n in range(5)]
    unknown = [woman(model, 200 + n, [np.nan]) for n in range(3)]
    said = reference_by_age(model.sequence, model.calibration, [*well, *ill, *unknown], "women")
    assert said["women"] == "women"
    assert {one["age"]: one["n"] for one in said["bins"]} == {50: FEWEST_WOMEN, 55: FEWEST_WOMEN}
    for one in said["bins"]:
        assert len(one["quantiles_5y"]) == 21
        assert (np.diff(one["quantiles_5y"]) >= 0).all()
        assert one["quantiles_5y"][10] == pytest.approx(one["median_5y"])


def test_of_few_women_nothing_is_said(model):
    few = [woman(model, n, [52.0]) for n in range(FEWEST_WOMEN - 1)]
    assert reference_by_age(model.sequence, model.calibration, few, "women")["bins"] == []


def test_courses_end_with_the_diagnosis_or_the_last_visit_and_count_a_woman_once_a_year(model):
    ages = [50.0, 50.2, 52.0, 54.0]
    well = [woman(model, n, ages) for n in range(FEWEST_WOMEN + 1)]
    ill = [woman(model, 100 + n, ages, years_to_cancer=2.0) for n in range(FEWEST_WOMEN)]  # found at 52
    said = reference_courses(model.sequence, model.calibration, [*well, *ill], "women")
    assert [(one["years"], one["n"]) for one in said["none"]] == [
        (4, FEWEST_WOMEN + 1),
        (2, FEWEST_WOMEN + 1),
        (0, FEWEST_WOMEN + 1),
    ]
    assert [(one["years"], one["n"]) for one in said["cancer"]] == [(2, FEWEST_WOMEN), (0, FEWEST_WOMEN)]
    assert all(0 < one["median_5y"] < 1 for one in said["none"] + said["cancer"])
    few = reference_courses(model.sequence, model.calibration, ill[:-1], "women")
    assert few["cancer"] == []


@pytest.mark.parametrize("share", [0.02, 0.35, 0.5, 0.83, 0.99])
def test_a_rank_is_the_share_of_women_with_a_lower_risk(share):
    settings = {"reference": reference_women(RISKS, "simulated women")}
    rank = rank_among_reference(settings, float(np.quantile(RISKS, share)))
    assert rank is not None
    assert abs(rank.higher_than - 100 * share) <= 1
    assert rank.women == "2,000 simulated women"


def test_too_few_women_are_no_reference():
    assert reference_women(RISKS[:99], "women") is None
