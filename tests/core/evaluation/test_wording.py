"""How figures are said: one way for an interval, a share, the seeds."""

import jinja2
import pytest

from core.evaluation import wording
from core.evaluation.page import drawn, filled


@pytest.mark.parametrize(
    ("value", "ends", "form", "said"),
    [
        (0.85, (0.8, 0.9), {}, "0.850 (0.800 to 0.900)"),
        (0.85, None, {}, "0.850"),
        (1.1013, (0.9, 1.2), {"digits": 2}, "1.10 (0.90 to 1.20)"),
        (0.02, (-0.01, 0.05), {"sign": True}, "+0.020 (-0.010 to +0.050)"),
        (0.0, (0.0, 0.0), {"sign": True, "digits": 1}, "+0.0 (+0.0 to +0.0)"),
    ],
)
def test_a_value_is_said_with_its_bounds(value, ends, form, said):
    assert wording.with_bounds(value, ends, **form) == said


def test_a_measure_that_does_not_exist_is_said_to_be_that():
    assert wording.said_interval({"auc": None, "auc_ci": None}, "auc") == "cannot be said"
    assert wording.said_interval({}, "auc") == "cannot be said"
    assert wording.said_interval({"auc": 0.5, "auc_ci": None}, "auc") == "0.500"


@pytest.mark.parametrize(
    ("share", "ends", "said"),
    [
        (0.9, (0.6, 0.98), "90% (60% to 98%)"),
        (0.9, None, "90%"),
        (0.9, (None, 0.98), "90% (no bound to 98%)"),
        (3.0, (None, None), "300% (no bound)"),
        (None, (None, None), "no share (no bound)"),
        (42.0, (-31.0, 90.0), "over 1000% (under -1000% to over 1000%)"),
    ],
)
def test_a_share_is_said_in_per_cent_and_one_of_next_to_nothing_without_digits(share, ends, said):
    assert wording.percent_with_bounds(share, ends) == said


def test_seeds_are_said_in_order_and_once():
    assert wording.said_seeds([9, 7, 9]) == "7, 9"
    assert wording.known_seeds({"seeds": [9, 7], "model_learned_from_seeds": [8, 9]}) == "9"
    assert wording.known_seeds({"seeds": [9]}) == ""


def test_a_blank_that_nothing_fills_is_an_error_and_no_empty_place():
    with pytest.raises(jinja2.UndefinedError):
        filled("classifier_report.html.j2", figures=[])


def test_a_figure_that_is_not_there_leaves_its_place_empty():
    assert drawn([None, None]) == [None, None]
