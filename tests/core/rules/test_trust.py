"""What may be shown of a score, and why no more."""

import math

import pytest

from core.rules.trust import Doubt, TrustLevel, settle_trust

KNOWN = {
    "distance": 1.0,
    "limit": 2.0,
    "age_years": 55.0,
    "ages": (35.0, 80.0),
    "women_alike": True,
    "auc_low": None,
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
