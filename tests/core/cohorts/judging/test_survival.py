"""Survival and cumulative incidence: as R's survival and cmprsk, scikit-survival and lifelines have them.

Values of R 4.2.2 (survival 3.5-3, cmprsk 2.2-11) and scikit-survival 0.28.0 are of the same data.
"""

import numpy as np
import pytest
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test

from core.cohorts.judging.survival import aalen_johansen, gray_test, kaplan_meier, log_rank, still_followed
from tests.core.cohorts.judging.made import cohort, tied, untied

AT = [1, 2, 3, 5]


def test_survival_and_its_interval_are_those_of_survfit():
    time, cause, _ = tied()
    value, low, high = kaplan_meier(time, cause > 0).at(AT)
    assert value == pytest.approx(
        [0.815416666666667, 0.668691653511808, 0.597096385635529, 0.324546506059067]
    )
    assert low == pytest.approx([0.733291091728722, 0.571720211271390, 0.494591852173630, 0.220843979019171])
    assert high == pytest.approx([0.874391629727793, 0.748516430072845, 0.685423221126554, 0.432366006078125])


def test_survival_is_that_of_lifelines_at_every_time():
    time, cause, *_ = untied()
    mine, theirs = kaplan_meier(time, cause > 0), KaplanMeierFitter().fit(time, cause > 0)
    assert mine.value == pytest.approx(theirs.survival_function_at_times(mine.times).to_numpy(), abs=1e-9)
    interval = theirs.confidence_interval_survival_function_.loc[mine.times].to_numpy()
    inner = mine.value > 0
    assert np.column_stack([mine.low, mine.high])[inner] == pytest.approx(interval[inner], abs=1e-6)


def test_incidence_and_its_interval_are_those_of_scikit_survival():
    time, cause, *_ = untied()
    value, low, high = aalen_johansen(time, cause).at(AT)
    assert value == pytest.approx([0.08888888888889, 0.13492943548387, 0.22703025123111, 0.31664585118240])
    assert low == pytest.approx([0.04131230917169, 0.07351385066351, 0.14303070986654, 0.21481080668089])
    assert high == pytest.approx([0.15907443135325, 0.21502358046935, 0.32289875404435, 0.42322919640941])


def test_incidence_is_that_of_lifelines_and_of_cmprsk():
    time, cause, group, _ = untied()
    theirs = AalenJohansenFitter(calculate_variance=False).fit(time, cause, 1).cumulative_density_["CIF_1"]
    mine = aalen_johansen(time, cause)
    assert mine.value == pytest.approx(theirs.loc[mine.times].to_numpy(), abs=1e-9)
    own = aalen_johansen(time[group == 0], cause[group == 0])
    place = np.searchsorted(own.times, AT, side="right") - 1
    assert own.value[place] == pytest.approx(
        [0.1132075471698113, 0.132075471698113, 0.182080102540108, 0.246284654683924]
    )
    assert own.variance[place] == pytest.approx(
        [0.00193765393495541, 0.00221441425046408, 0.00320726274293744, 0.00481308821446242]
    )


def test_all_that_can_come_adds_up():
    time, cause, _ = tied()
    parts = aalen_johansen(time, cause, 1).value + aalen_johansen(time, cause, 2).value
    assert parts == pytest.approx(1 - kaplan_meier(time, cause > 0).value)


def test_log_rank_is_that_of_survdiff_and_of_lifelines():
    time, cause, group = tied()
    assert log_rank(time, cause == 1, group).statistic == pytest.approx(3.54501003883528)
    time, cause, group, _ = untied()
    mine = log_rank(time, cause == 1, group)
    theirs = multivariate_logrank_test(time, group, cause == 1)
    assert (mine.statistic, mine.p) == pytest.approx((theirs.test_statistic, theirs.p_value))
    assert mine.statistic == pytest.approx(0.717406891730893)


def test_grays_test_is_that_of_cmprsk_with_ties_and_without():
    time, cause, group = tied()
    first, second = gray_test(time, cause, group, 1), gray_test(time, cause, group, 2)
    assert (first.statistic, first.df, first.p) == pytest.approx((1.79397872486969, 2, 0.4077955380427598))
    assert (second.statistic, second.df, second.p) == pytest.approx((6.23277247932202, 2, 0.0443170305212979))
    time, cause, group, _ = untied()
    first, second = gray_test(time, cause, group, 1), gray_test(time, cause, group, 2)
    assert (first.statistic, first.p) == pytest.approx((1.88626753783165, 0.1696235077217509))
    assert (second.statistic, second.p) == pytest.approx((3.55570268749766, 0.0593411778470266))


def test_grays_test_finds_no_difference_where_there_is_none_as_often_as_it_says():
    found = []
    for seed in range(300):
        time, cause, _ = cohort(200, seed)
        found.append(gray_test(time, cause, np.arange(200) % 2).p)
    assert 0.02 <= np.mean(np.array(found) < 0.05) <= 0.09
    assert 0.42 <= np.mean(np.array(found) < 0.5) <= 0.58


def test_intervals_of_incidence_hold_the_truth_at_their_rate():
    truth = cohort(400_000, 10_000)[2].mean()
    held = []
    for seed in range(300):
        time, cause, _ = cohort(400, seed)
        _, low, high = aalen_johansen(time, cause).at(5)
        held.append(low <= truth <= high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_numbers_at_risk_count_who_is_followed_up_to_a_time():
    assert still_followed([1, 2, 2, 3], [0, 1, 2, 2.5, 4]).tolist() == [4, 4, 3, 1, 0]


@pytest.mark.parametrize(
    ("time", "cause", "says"),
    [([], [], "nobody"), ([1.0, np.nan], [0, 1], "number"), ([-1.0, 1.0], [0, 1], "dates"), ([1.0], [0, 1], "one time")],
)  # fmt: skip
def test_what_cannot_be_followed_is_said(time, cause, says):
    with pytest.raises(ValueError, match=says):
        aalen_johansen(time, cause)


def test_nothing_is_compared_where_there_is_nothing_to_compare():
    for test in (log_rank, gray_test):
        with pytest.raises(ValueError, match="one group alone"):
            test([1, 2], [1, 0], ["a", "a"])
        with pytest.raises(ValueError, match="No event"):
            test([1, 2, 3, 4], [0, 0, 0, 0], [0, 1, 0, 1])


def test_nobody_has_an_event_and_everybody_has_one_at_once():
    assert kaplan_meier([1, 2], [0, 0]).at([0, 5])[0].tolist() == [1, 1]
    value, low, high = kaplan_meier([1, 1], [1, 1]).at([0, 2])
    assert (value.tolist(), low.tolist(), high.tolist()) == ([1, 0], [1, 0], [1, 0])
