"""Telling apart, calibration and usefulness: as scikit-learn, scikit-survival and lifelines have them; intervals hold."""

import numpy as np
import pytest
from lifelines.utils import concordance_index
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score
from sklearn.metrics import roc_curve as their_roc

from core.cohorts.bootstrap import draw_figures
from core.cohorts.judging.calibration import by_tenth, calibration, observed_over_expected
from core.cohorts.judging.comparing import changed_above, compared
from core.cohorts.judging.discrimination import auc_at, average_precision, c_index, precision_curve, roc_curve
from core.cohorts.judging.outcomes import AtHorizon, outcomes_at
from core.cohorts.judging.shares import Scale, holm, paired, ratio, unpaired
from core.cohorts.judging.survival import aalen_johansen
from core.cohorts.judging.usefulness import above_threshold, decision_curve
from models.measures import auc_delong, wilson
from models.measures.metrics import delong_difference
from tests.core.cohorts.judging.made import cohort, tied, untied

TIME, CAUSE, RISK = cohort(3000, 1)
AT = outcomes_at(TIME, CAUSE, 5)


def everyone_followed(label, score):
    return AtHorizon(np.asarray(label, bool), np.ones(len(score)))


def test_weighted_share_with_cancer_is_aalen_and_johansens_with_equal_times_too():
    for time, cause, _ in (tied(), untied()[:3], (TIME, CAUSE, RISK)):
        for horizon in (1, 2, 4.25):
            at = outcomes_at(time, cause, horizon)
            assert (at.weight * at.cancer).mean() == pytest.approx(
                float(aalen_johansen(time, cause).at(horizon)[0])
            )
            assert at.weight.sum() == pytest.approx(len(time))


def test_who_died_first_is_known_to_get_no_cancer_and_who_is_lost_is_not_known():
    at = outcomes_at([1, 1, 1, 9], [1, 2, 0, 0], 5)
    assert (at.cancer.tolist(), at.known.tolist()) == ([True, False, False, False], [True, True, False, True])


def test_auc_is_that_of_scikit_survival_with_women_lost():
    time, cause, _, score = untied()
    only = np.where(cause == 1, 1, 0)
    mine = [auc_at(outcomes_at(time, only, years), score).value for years in (2, 3, 5)]
    assert mine == pytest.approx([0.694245881431879, 0.8738082669272575, 0.721819403922362], abs=1e-6)


def test_curves_are_those_of_scikit_learn():
    known = AT.known
    label, weight, score = AT.cancer[known], AT.weight[known], RISK[known]
    assert auc_at(AT, RISK).value == pytest.approx(roc_auc_score(label, score, sample_weight=weight))
    assert average_precision(AT, RISK) == pytest.approx(
        average_precision_score(label, score, sample_weight=weight)
    )
    alarmed, found, _ = their_roc(label, score, sample_weight=weight, drop_intermediate=False)
    mine = roc_curve(AT, RISK)
    assert np.append(0, mine.alarmed) == pytest.approx(alarmed, abs=1e-9)
    assert np.append(0, mine.found) == pytest.approx(found, abs=1e-9)
    precise, found, _ = precision_recall_curve(label, score, sample_weight=weight)
    curve = precision_curve(AT, RISK)
    assert (curve.precision[::-1], curve.found[::-1]) == (
        pytest.approx(precise[:-1], abs=1e-9),
        pytest.approx(found[:-1], abs=1e-9),
    )


def test_interval_of_the_auc_is_delongs_where_nobody_is_lost():
    _, cause, _, score = untied()
    label = cause == 1
    mine = auc_at(everyone_followed(label, score), score)
    assert (mine.value, mine.low, mine.high) == pytest.approx(auc_delong(label, score))
    other = np.roll(score, 7)
    at = everyone_followed(label, score)
    change = paired(auc_at(at, score), auc_at(at, other))
    theirs = delong_difference(label, score, other)
    assert (change.difference, change.low, change.high, change.p) == pytest.approx(theirs)


def test_concordance_is_that_of_lifelines_and_scikit_survival_with_ties():
    time, cause, _, score = untied()
    assert c_index(time, cause, score).value == pytest.approx(0.6997716894977168)
    time, cause, group = tied()
    assert c_index(time, cause, group).value == pytest.approx(concordance_index(time, -group, cause == 1))


def test_calibration_is_that_of_scikit_learn():
    intercept, slope = calibration(AT, RISK)
    x = np.log(RISK / (1 - RISK))[:, None]
    fit = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, AT.cancer, sample_weight=AT.weight)
    assert slope.value == pytest.approx(fit.coef_[0, 0], abs=1e-5)
    assert slope.low < slope.value < slope.high
    assert intercept.low < 0 < intercept.high


def test_intervals_hold_the_truth_at_their_rate():
    """Risks are right by the way the women are made: observed over expected and the slope are 1."""
    wide = cohort(200_000, 99)
    true_auc = auc_at(outcomes_at(*wide[:2], 5), wide[2]).value
    held = []
    for seed in range(300):
        time, cause, risk = cohort(800, seed)
        at = outcomes_at(time, cause, 5)
        auc, o_e = auc_at(at, risk), observed_over_expected(at, risk)
        held.append((auc.low <= true_auc <= auc.high, o_e.low <= 1 <= o_e.high))
    assert (np.mean(held, axis=0) >= 0.92).all()
    assert (np.mean(held, axis=0) <= 0.985).all()


def test_a_slope_below_one_is_found_where_risks_are_too_far_apart():
    spread = 1 / (1 + np.exp(-2 * (np.log(RISK / (1 - RISK)) - np.log(RISK / (1 - RISK)).mean())))
    assert calibration(AT, spread)[1].high < 1


def test_tenths_hold_every_woman_once_and_no_few_cancers():
    tenths = by_tenth(TIME, CAUSE, RISK, 5, fewest=5)
    assert sum(one.women for one in tenths) == len(TIME)
    assert all(one.cases == 0 or one.cases >= 5 for one in tenths)
    assert [one.expected for one in tenths] == sorted(one.expected for one in tenths)
    assert all(one.low <= one.observed <= one.high for one in tenths)


def test_a_threshold_splits_the_women_and_a_curve_of_nobody_called_is_nothing():
    one = above_threshold(AT, RISK, 0.1)
    assert sum(one.numbers) == len(RISK)
    assert one.found.value + one.missed.value == pytest.approx(
        1000 * float(aalen_johansen(TIME, CAUSE).at(5)[0])
    )
    assert one.recalled.value == pytest.approx(1000 * (RISK >= 0.1).mean())
    low, high = decision_curve(AT, RISK, [0.001, 0.999])
    assert low.value.value == pytest.approx(low.everybody, abs=1e-3)
    assert high.value.value == 0
    best = decision_curve(AT, RISK, [0.1])[0]
    assert best.value.value > max(0, best.everybody), "right risks are of use"


def test_shares_of_none_and_of_all_have_wilsons_interval():
    for value in (0.0, 1.0):
        found = ratio(np.full(20, value), np.ones(20))
        assert (found.value, found.low, found.high) == pytest.approx((value, *wilson(value, 20)))
    assert np.isnan(ratio([0, 0], [1, 1], Scale.LOG).low)


def test_many_looks_are_allowed_for():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_two_scores_alike_do_not_differ_and_a_worse_one_does():
    same = compared(AT, TIME, CAUSE, RISK, RISK)
    assert [(pair.change.difference, pair.change.p) for pair in same] == [(0, 1)] * 3
    noisy = RISK * np.exp(np.random.default_rng(5).normal(0, 1.5, len(RISK))).clip(max=1 / RISK.max())
    worse = {pair.name: pair for pair in compared(AT, TIME, CAUSE, RISK, noisy)}
    assert worse["auc"].change.high < 0
    assert worse["auc"].p_adjusted < 0.01
    gained, lost = changed_above(AT, RISK, noisy, 0.1)
    called = (noisy >= 0.1).sum() - (RISK >= 0.1).sum()
    assert gained.women - lost.women == called
    other = unpaired(auc_at(AT, RISK), auc_at(AT, noisy))
    assert other.high - other.low > worse["auc"].change.high - worse["auc"].change.low


def test_cohorts_drawn_anew_agree_with_the_intervals_by_formula():
    told = []
    drawn = draw_figures(AT, RISK, times=1000, progress=told.append)
    auc, o_e = auc_at(AT, RISK), observed_over_expected(AT, RISK)
    for name, one in (("auc", auc), ("o_e", o_e)):
        assert drawn[name].value == pytest.approx(one.value)
        assert np.mean(drawn[name].draws) == pytest.approx(one.value, rel=0.02)
        assert drawn[name].high - drawn[name].low == pytest.approx(one.high - one.low, rel=0.12)
    assert drawn["average_precision"].value == pytest.approx(average_precision(AT, RISK))
    assert told[-1] == 1
    again = draw_figures(AT, RISK, times=1000)
    assert again["auc"].low == drawn["auc"].low


def test_a_draw_of_every_woman_once_is_the_figure_itself():
    from core.cohorts import bootstrap

    rounded = np.round(RISK, 2)  # with many ties between women with and without a cancer
    order = np.argsort(rounded, kind="stable")
    draws = bootstrap._Draws(rounded[order], AT.cancer[order], AT.weight[order], 0)
    draws.table = np.ones_like(draws.table)
    auc, precise, o_e = draws.figures(1)[0]
    assert auc == pytest.approx(auc_at(AT, rounded).value, abs=1e-5)
    assert precise == pytest.approx(average_precision(AT, rounded), abs=1e-5)
    assert o_e == pytest.approx(observed_over_expected(AT, rounded).value, abs=1e-5)


def test_equal_scores_tell_nothing_apart():
    equal = np.full(len(RISK), 0.05)
    found = auc_at(AT, equal)
    assert found.value == pytest.approx(0.5)
    assert c_index(TIME, CAUSE, equal).value == pytest.approx(0.5)
    with pytest.raises(ValueError, match="equal"):
        calibration(AT, equal)
    assert len(by_tenth(TIME, CAUSE, equal, 5)) == 1
    assert draw_figures(AT, equal, times=20)["auc"].value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("cause", "says"),
    [(np.zeros(4), "No woman is known to have cancer"), (np.ones(4), "no cancer by then")],
)
def test_one_outcome_alone_is_said(cause, says):
    at = outcomes_at([1, 2, 3, 9], np.append(cause[:3], 0) if cause[0] == 0 else cause, 9)
    with pytest.raises(ValueError, match=says):
        auc_at(at, [0.1, 0.2, 0.3, 0.4])


def test_a_horizon_that_nobody_was_followed_to_is_said():
    with pytest.raises(ValueError, match="Nobody was followed for 5 years"):
        outcomes_at([1, 2], [0, 0], 5)
    with pytest.raises(ValueError, match="Every score must be a number"):
        auc_at(AT, np.full(len(RISK), np.nan))
    with pytest.raises(ValueError, match="between 0 and 1"):
        observed_over_expected(AT, RISK + 1)
