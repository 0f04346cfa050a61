"""What may be shown of a score, and why no more."""

import math
from datetime import date

import pytest

from core.rules.end_of_risk import RiskEnds
from core.rules.trust import (
    Doubt,
    Trust,
    TrustLevel,
    as_read,
    rank_among_reference,
    settle_picture,
    settle_trust,
)

KNOWN = {
    "distance": 1.0,
    "limit": 2.0,
    "age_years": 55.0,
    "ages": (35.0, 80.0),
    "women_alike": True,
    "auc_low": None,
    "is_ranked": True,
}


def test_pictures_as_learned_of_women_like_these_are_trusted():
    trust = settle_trust(**KNOWN)

    assert trust.is_trusted
    assert trust.sentence == ""
    assert trust.to_json() == {"level": "trusted", "reason": None, "distance": 1.0, "limit": 2.0}


@pytest.mark.parametrize(
    ("changed", "doubt"),
    [
        ({"distance": 2.1}, Doubt.UNLIKE_PICTURES),
        ({"distance": math.inf}, Doubt.UNLIKE_PICTURES),
        ({"age_years": 20.0}, Doubt.UNLIKE_AGE),
        ({"age_years": 91.0}, Doubt.UNLIKE_AGE),
        ({"women_alike": False}, Doubt.OTHER_WOMEN),
        ({"women_alike": False, "auc_low": 0.64}, Doubt.OTHER_WOMEN),
        ({"women_alike": False, "auc_low": 0.9, "is_ranked": False}, Doubt.OTHER_WOMEN),
        ({"distance": None}, Doubt.NO_DOMAIN),
        ({"limit": None}, Doubt.NO_DOMAIN),
        # What is unlike is unlike, whatever else is known.
        ({"distance": 9.0, "women_alike": False, "auc_low": 0.9}, Doubt.UNLIKE_PICTURES),
    ],
)
def test_all_else_is_withheld_with_its_reason_and_what_would_be_needed(changed, doubt):
    trust = settle_trust(**KNOWN | changed)

    assert (trust.level, trust.doubt) == (TrustLevel.WITHHELD, doubt)
    assert trust.sentence
    assert doubt.needed


def test_other_women_are_uncalibrated_only_where_discrimination_was_measured_on_such_pictures():
    trust = settle_trust(**KNOWN | {"women_alike": False, "auc_low": 0.65})

    assert trust.level is TrustLevel.UNCALIBRATED
    assert not trust.is_trusted


def test_an_age_that_nobody_knows_is_no_reason():
    assert settle_trust(**KNOWN | {"age_years": None}).is_trusted


TRUSTED = Trust(TrustLevel.TRUSTED, None, 1.0, 2.0)
DIAGNOSED = date(2024, 5, 1)


@pytest.mark.parametrize(
    ("on", "ends", "told"),
    [
        (date(2024, 4, 30), RiskEnds(DIAGNOSED), True),
        (date(2024, 5, 1), RiskEnds(DIAGNOSED), False),
        (date(2026, 1, 1), RiskEnds(DIAGNOSED), False),
        (date(2026, 1, 1), RiskEnds(), True),
    ],
)
def test_risk_ends_at_a_diagnosis_and_growth_does_not(on, ends, told):
    trust = as_read(TRUSTED, on, ends)

    assert trust.is_trusted is told
    assert trust.tells_growth
    assert trust.sentence.startswith("" if told else "The model learned from women before a diagnosis")


@pytest.mark.parametrize(
    ("ends", "doubt"),
    [
        (RiskEnds(died_on=DIAGNOSED), Doubt.AFTER_DEATH),
        (RiskEnds(both_gone_on=DIAGNOSED), Doubt.NO_BREAST_LEFT),
        (RiskEnds(diagnosed_on=date(2020, 1, 1), both_gone_on=DIAGNOSED), Doubt.NO_BREAST_LEFT),
        (
            RiskEnds(diagnosed_on=date(2020, 1, 1), died_on=DIAGNOSED, both_gone_on=DIAGNOSED),
            Doubt.AFTER_DEATH,
        ),
    ],
)
def test_from_her_death_on_or_without_a_breast_nothing_is_told(ends, doubt):
    trust = as_read(TRUSTED, DIAGNOSED, ends)

    assert (trust.level, trust.doubt) == (TrustLevel.WITHHELD, doubt)
    assert not trust.tells_growth
    before = as_read(TRUSTED, date(2024, 4, 30), ends)
    assert before.doubt in (None, Doubt.AFTER_DIAGNOSIS)


@pytest.mark.parametrize("doubt", [doubt for doubt in Doubt if doubt is not Doubt.AFTER_DIAGNOSIS])
@pytest.mark.parametrize("level", [TrustLevel.WITHHELD, TrustLevel.UNCALIBRATED])
def test_what_was_not_trusted_before_a_diagnosis_tells_no_growth_after_it(level, doubt):
    trust = as_read(Trust(level, doubt, 3.0, 2.0), DIAGNOSED, RiskEnds(DIAGNOSED))

    assert (trust.level, trust.doubt) == (TrustLevel.WITHHELD, doubt)
    assert not trust.tells_growth


REFERENCE = {"reference": {"women": "100 women", "risk_5": [n / 1000 for n in range(101)]}}


@pytest.mark.parametrize(
    ("risk", "higher_than"), [(0.0, 0), (0.0005, 0), (0.0835, 83), (0.1, 99), (0.9, 100), (-1.0, 0)]
)
def test_a_rank_is_among_a_hundred_women(risk, higher_than):
    rank = rank_among_reference(REFERENCE, risk)

    assert rank is not None
    assert (rank.higher_than, rank.women) == (higher_than, "100 women")


@pytest.mark.parametrize(
    "reference",
    [
        None,
        {},
        "women",
        {"women": "100 women"},
        {"women": "", "risk_5": [0.0] * 101},
        {"women": "w", "risk_5": [0.1]},
    ],
)
def test_a_card_without_whole_reference_women_ranks_nobody(reference):
    assert rank_among_reference({"reference": reference}, 0.1) is None


@pytest.mark.parametrize(
    ("metrics", "doubt"),
    [
        ({"auc_ci": [0.64, 0.8]}, Doubt.TOO_WEAK),
        ({"auc_ci": [0.65, 0.8]}, None),
        ({"auc": 0.5}, None),
        ({}, None),
    ],
)
def test_a_model_that_tells_too_little_says_nothing_of_pictures_that_it_knows(metrics, doubt):
    trust = settle_picture(0.5, 1.0, metrics)
    assert trust.doubt is doubt
    assert trust.is_trusted == (doubt is None)
    assert settle_picture(2.0, 1.0, metrics).doubt is Doubt.UNLIKE_PICTURE
