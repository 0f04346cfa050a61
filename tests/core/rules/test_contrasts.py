"""Classes of a picture: only those that a card states to be told apart are said."""

import pytest

from core.rules.contrasts import classes_told, only_told, what_is_not_told
from models.store import registry

SHARES = {"normal": 0.5, "benign": 0.3, "malignant": 0.2}
WELL, WEAK, HARDLY, NONE = (
    {"auc": auc, "auc_ci": [low, 0.9]} for auc, low in ((0.8, 0.7), (0.75, 0.6), (0.64, 0.52), (0.6, 0.47))
)


def card(*by_class, pairs=(WELL, WELL, WELL)):
    names = [
        f"{one} – {other}"
        for one, other in (("normal", "benign"), ("normal", "malignant"), ("benign", "malignant"))
    ]
    return {
        "by_class": dict(zip(SHARES, by_class, strict=True)),
        "pairs": dict(zip(names, pairs, strict=True)),
    }


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({}, SHARES),
        ({"auc_ci": [0.7, 0.9]}, SHARES),
        (card(WELL, WELL, WELL), SHARES),
        # One alone that is not told is left out, and what the rest says of it is not made a number.
        (card(WELL, WEAK, WELL), {"normal": 0.5, "benign": None, "malignant": 0.2}),
        (card(WELL, WEAK, WEAK), {"normal": 0.5, "benign": None, "malignant": None, "benign+malignant": 0.5}),
        # Malignant is told from the rest, but only as what is abnormal is: that is no word on malignancy.
        (
            card(WELL, WEAK, WELL, pairs=(WELL, WELL, NONE)),
            {"normal": 0.5, "benign": None, "malignant": None, "benign+malignant": 0.5},
        ),
        # An interval that just leaves chance out holds what choosing a recipe on the same pictures adds.
        (
            card(WELL, WELL, WELL, pairs=(WELL, WELL, HARDLY)),
            {"normal": 0.5, "benign": None, "malignant": None, "benign+malignant": 0.5},
        ),
        (card(WELL, WELL, WELL, pairs=(WELL, WELL, WEAK)), SHARES),
        (card(WEAK, WEAK, WEAK), dict.fromkeys(SHARES)),
        (card(WELL, {"auc": None, "auc_ci": None}, WELL), {"normal": 0.5, "benign": None, "malignant": 0.2}),
        ({"by_class": {"normal": WELL, "benign+malignant": WELL}}, {"normal": 0.5, "benign": None, "malignant": None, "benign+malignant": 0.5}),
        ({"by_class": {"fatty": WELL, "cystic": WELL}}, dict.fromkeys(SHARES)),
    ],
)  # fmt: skip
def test_a_class_is_said_where_the_card_states_that_it_is_told(metrics, said):
    told = only_told(SHARES, metrics)
    assert told == pytest.approx(said) if None not in said.values() else told == said


def test_what_is_not_told_is_said_in_words_with_what_was_measured():
    words = what_is_not_told(list(SHARES), card(WELL, WEAK, WEAK, pairs=(WELL, WELL, NONE)))
    assert "does not tell benign from malignant: it was right in 60% of pairs (47% to 90%" in words
    hardly = what_is_not_told(list(SHARES), card(WELL, WELL, WELL, pairs=(WELL, WELL, HARDLY)))
    assert "hardly tells benign from malignant: it was right in 64% of pairs (52% to 90%" in hardly
    weak = what_is_not_told(list(SHARES), card(WELL, WELL, WELL, pairs=(WELL, WELL, WEAK)))
    assert weak == "It told benign from malignant in 75% of pairs (60% to 90%; chance is 50%)."
    assert what_is_not_told(list(SHARES), card(WELL, WELL, WELL)) is None
    assert "benign alone" in what_is_not_told(list(SHARES), card(WELL, WEAK, WELL))


@pytest.mark.parametrize(
    ("name", "beside", "told"),
    [
        ("tumour-mg-film", False, ["normal"]),
        ("tumour-mg-film", True, ["normal"]),
        ("tumour-mg", False, ["normal", "benign", "malignant"]),
        ("tumour-us", False, ["normal", "benign", "malignant"]),
        ("density-mg", True, ["A", "B", "C+D"]),
    ],
)
def test_what_the_shipped_models_may_say(name, beside, told):
    metrics = registry.card(name).metrics
    assert classes_told(metrics["both_breasts"] if beside else metrics) == told
