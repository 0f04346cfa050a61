"""What follows from a BI-RADS assessment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules import Agreement, agreement, assessment_rules, highest_concern, managements, usual_management
from core.rules.vocabulary import BI_RADS

CATEGORIES = st.sampled_from(list(BI_RADS))


@pytest.mark.parametrize(
    ("right", "left", "stands"),
    [
        ("1", "2", "2"),
        ("2", "3", "3"),
        ("3", "0", "0"),
        ("6", "0", "0"),
        ("6", "3", "6"),
        ("0", "4A", "4A"),
        ("4B", "4C", "4C"),
        ("5", "6", "5"),
        (None, "2", "2"),
        (None, None, None),
    ],
)
def test_the_breast_of_highest_concern_stands_for_the_study(right, left, stands) -> None:
    assert highest_concern((right, left)) == highest_concern((left, right)) == stands


@given(CATEGORIES, CATEGORIES, CATEGORIES)
def test_concern_is_one_order(a: str, b: str, c: str) -> None:
    assert highest_concern((a, b)) in (a, b)
    assert highest_concern((highest_concern((a, b)), c)) == highest_concern((a, b, c))


@pytest.mark.parametrize("category", BI_RADS)
def test_every_category_is_followed_by_a_management(category: str) -> None:
    assert usual_management(category) in managements()
    assert usual_management(None) is None


@pytest.mark.parametrize(
    ("category", "malignancy", "found"),
    [
        ("4A", (0.02, 0.001), Agreement.BOTH_POSITIVE),
        ("0", (0.0199, None), Agreement.READER_ONLY),
        ("2", (0.001, 0.3), Agreement.MODEL_ONLY),
        ("3", (0.001, 0.0), Agreement.BOTH_NEGATIVE),
        ("6", (0.9, 0.9), None),
        ("2", (None, None), None),
        (None, (0.5, 0.5), None),
    ],
)
def test_reader_and_model_agree_where_both_or_neither_ask_for_more(category, malignancy, found) -> None:
    assert agreement(category, malignancy) is found
    assert found is None or found.agrees is (found in (Agreement.BOTH_POSITIVE, Agreement.BOTH_NEGATIVE))


def test_every_rule_says_where_it_is_from() -> None:
    rules = assessment_rules()
    assert rules.edition
    assert rules.concern.source.startswith("ACR BI-RADS")
    assert "2 %" in rules.agreement.source
