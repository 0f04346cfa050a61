"""Metrics against scikit-learn, lifelines and cases worked by hand."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lifelines.utils import concordance_index
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, cohen_kappa_score, roc_auc_score

from models.measures import intervals, metrics


def drawn(seed, n=300, digits=2):
    random = np.random.default_rng(seed)
    label = (random.random(n) < 0.3).astype(int)
    score = np.clip(np.round(0.3 + 0.2 * label + random.normal(0, 0.2, n), digits), 0.01, 0.99)
    return label, score


@pytest.mark.parametrize("seed", range(5))
def test_agreement_with_scikit_learn(seed):
    label, score = drawn(seed)
    assert metrics.auc(label, score) == pytest.approx(roc_auc_score(label, score), abs=1e-9)
    assert metrics.average_precision(label, score) == pytest.approx(
        average_precision_score(label, score), abs=1e-9
    )
    assert metrics.brier(label, score) == pytest.approx(brier_score_loss(label, score), abs=1e-9)
    said = (score * 4).astype(int)
    truth = np.clip(said + label, 0, 3)
    assert metrics.cohen_kappa(truth, said) == pytest.approx(cohen_kappa_score(truth, said), abs=1e-9)
    assert metrics.cohen_kappa(truth, said, linear=True) == pytest.approx(
        cohen_kappa_score(truth, said, weights="linear"), abs=1e-9
    )
    x = np.log(score / (1 - score))[:, None]
    fit = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, label)
    assert metrics.calibration_line(label, score)[1] == pytest.approx(fit.coef_[0, 0], abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_agreement_with_lifelines(seed):
    random = np.random.default_rng(seed)
    time, event = random.exponential(size=200).round(2), random.random(200) < 0.4
    score = -time + random.normal(size=200)
    assert metrics.c_index(time, event, score) == pytest.approx(
        concordance_index(time, -score, event), abs=1e-9
    )


def test_auc_at_a_time_is_the_auc_where_nobody_is_censored():
    random = np.random.default_rng(5)
    time, score = random.exponential(3, 200), random.normal(size=200).round(1)
    for horizon in (1, 3):
        plain = metrics.auc((time <= horizon).astype(int), score)
        assert metrics.auc_at(time, np.ones(200), score, horizon) == pytest.approx(plain, abs=1e-12)


def test_auc_at_a_time_worked_by_hand():
    # Censored at 1: half are followed on. The case at 2 then counts twice the case at 0.5.
    time, event, score = [0.5, 1, 2, 4], [1, 0, 1, 0], [3, 9, 1, 2]
    share = (1 * 1 + 1.5 * 0) / (1 + 1.5)
    assert metrics.auc_at(time, event, score, 3) == pytest.approx(share, abs=1e-12)


def test_auc_at_a_time_agrees_with_pairs_weighted_by_lifelines():
    from lifelines import KaplanMeierFitter

    random = np.random.default_rng(8)
    time, event = random.exponential(3, 150).round(1) + 0.1, random.integers(0, 2, 150)
    score = random.normal(size=150).round(1) - time
    followed = KaplanMeierFitter().fit(time, 1 - event)
    over, under = 0.0, 0.0
    for i in np.flatnonzero((time <= 2) & (event == 1)):
        weight = 1 / float(followed.predict(time[i] - 1e-6))
        for j in np.flatnonzero((time > 2) | ((time == 2) & (event == 0))):
            over += weight * ((score[i] > score[j]) + 0.5 * (score[i] == score[j]))
            under += weight
    assert metrics.auc_at(time, event, score, 2) == pytest.approx(over / under, abs=1e-6)


@pytest.mark.parametrize("horizon", [0.1, 9])
def test_auc_at_a_time_needs_both_kinds(horizon):
    with pytest.raises(ValueError, match="Both must occur"):
        metrics.auc_at([1, 2, 3], [1, 0, 1], [1, 2, 3], horizon)


def test_auc_worked_by_hand():
    # Pairs: (0.8 > 0.5), (0.8 > 0.5), (0.5 = 0.5) half, (0.5 = 0.5) half: 3 of 4.
    assert metrics.auc([1, 1, 0, 0], [0.8, 0.5, 0.5, 0.5]) == 0.75


def test_delong_variance_worked_by_hand():
    # Cases 3 and 1 against others 0 and 2: placements of cases 1, 1/2, of others 1, 1/2; AUC 3/4;
    # variance = var(1, 1/2)/2 + var(1, 1/2)/2 = 1/8, standard error on the logit = sqrt(1/8) / (3/16).
    value, low, high = metrics.auc_delong([1, 1, 0, 0], [3, 1, 0, 2])
    half = 1.959963984540054 * np.sqrt(1 / 8) / (3 / 16)
    assert value == 0.75
    assert low == pytest.approx(1 / (1 + np.exp(half) / 3), abs=1e-9)
    assert high == pytest.approx(1 / (1 + np.exp(-half) / 3), abs=1e-9)


def test_delong_covers_what_it_promises():
    truth = 0.7602  # Phi(1 / sqrt(2)): AUC of two normal scores one standard deviation apart
    inside = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        label = np.r_[np.ones(25), np.zeros(75)]
        _, low, high = metrics.auc_delong(label, random.normal(size=100) + label)
        inside += low <= truth <= high
    assert 0.91 <= inside / 300 <= 0.985


def test_rows_of_one_woman_widen_the_interval():
    label, score = drawn(1, 100)
    whose = np.arange(100)
    once = metrics.auc_delong(label, score, whose)
    twice = metrics.auc_delong(np.tile(label, 2), np.tile(score, 2), np.tile(whose, 2))
    naive = metrics.auc_delong(np.tile(label, 2), np.tile(score, 2))
    assert twice == pytest.approx(once, abs=0.003)
    assert naive[1] > twice[1]


def test_clustered_variance_of_single_rows_is_delong():
    label, score = drawn(2, 200)
    np.testing.assert_allclose(
        metrics.auc_delong(label, score, np.arange(200)), metrics.auc_delong(label, score), atol=2e-3
    )


def test_a_perfect_auc_is_not_sold_as_certain():
    value, low, high = metrics.auc_delong([1, 1, 1, 0, 0, 0, 0], [9, 8, 7, 1, 2, 3, 4])
    assert (value, high) == (1, 1)
    assert low < 0.5


def test_calibration_of_right_and_doubled_probabilities():
    random = np.random.default_rng(0)
    p = random.beta(1, 8, 200_000)
    label = (random.random(p.size) < p).astype(int)
    intercept, slope = metrics.calibration_line(label, p)
    assert abs(intercept) < 0.03
    assert abs(slope - 1) < 0.03
    assert metrics.observed_over_expected(label, p) == pytest.approx(1, abs=0.02)
    assert metrics.observed_over_expected(label, np.minimum(2 * p, 1)) < 0.6


def test_the_bootstrap_draws_women_not_rows():
    label, score = drawn(3, 120)
    once = intervals.bootstrap(metrics.auc, label, score, times=300)
    many = intervals.bootstrap(
        metrics.auc, np.repeat(label, 4), np.repeat(score, 4), cluster=np.repeat(np.arange(120), 4), times=300
    )
    assert many == pytest.approx(once, abs=1e-9)
    assert once == intervals.bootstrap(metrics.auc, label, score, times=300), (
        "the same seed, the same interval"
    )


def test_a_score_does_not_differ_from_itself_and_noise_makes_it_worse():
    label, score = drawn(4, 400)
    assert intervals.paired_bootstrap(metrics.auc, label, score, score, times=50) == (0, 0, 0)
    worse = score + np.random.default_rng(0).normal(0, 0.6, 400)
    difference, low, _ = intervals.paired_bootstrap(metrics.auc, label, score, worse, times=300)
    assert difference > 0
    assert low > 0


@pytest.mark.parametrize(
    ("label", "score"),
    [([1, 1], [0.1, 0.2]), ([], []), ([0, 1], [0.1]), ([0, 2], [0.1, 0.2]), ([0, 1], [0, np.nan])],
)
def test_what_cannot_be_measured_is_refused(label, score):
    with pytest.raises(ValueError):
        metrics.auc(label, score)


def test_wilson_interval_by_hand():
    # 8 of 10: Newcombe 1998 gives 0.490 to 0.943 for Wilson's score interval.
    assert intervals.wilson(0.8, 10) == pytest.approx((0.490, 0.943), abs=5e-4)
    assert intervals.wilson(0.0, 5)[0] == 0
    with pytest.raises(ValueError, match="one case"):
        intervals.wilson(0.5, 0)


def test_a_share_goes_with_its_whole_from_draw_to_draw():
    part = np.random.default_rng(0).normal(1, 0.3, 200)
    share, ends = intervals.share_of(lambda a, _b: a.mean(), lambda _a, b: b.mean(), part, 2 * part, times=50)
    assert share == pytest.approx(0.5)
    assert ends == pytest.approx([0.5, 0.5])


def test_a_share_of_nothing_has_no_bound():
    noise = np.random.default_rng(0).normal(0, 1, 50)
    share, ends = intervals.share_of(
        lambda a, _b: a.mean(), lambda _a, b: b.mean(), noise + 1, noise - noise.mean() - 0.01, times=100
    )
    assert share is None
    assert ends[1] is None


def test_a_share_draws_whole_women():
    value = np.repeat([0.0, 1.0], 50)
    _, narrow = intervals.share_of(lambda a: a.mean(), lambda a: 1.0, value, times=200)
    _, wide = intervals.share_of(lambda a: a.mean(), lambda a: 1.0, value, cluster=value, times=200)
    assert wide == [0.0, 1.0]
    assert 0.3 < narrow[0] < narrow[1] < 0.7


LABELS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 12)), min_size=1, max_size=40)


@given(LABELS, st.sampled_from([1.0, 1e-13]))
def test_average_precision_is_that_of_scikit_learn_and_brier_that_of_the_formula(rows, step):
    """Ties, scores a hair apart, one label only."""
    label = np.array([one for one, _ in rows])
    score = 0.5 + step * np.array([place for _, place in rows]) / 24
    assert metrics.brier(label, score) == pytest.approx(np.mean((score - label) ** 2), abs=1e-9)
    if label.any():
        expected = average_precision_score(label, score)
        assert metrics.average_precision(label, score) == pytest.approx(expected, abs=1e-9)
    else:
        with pytest.raises(ValueError, match="no case"):
            metrics.average_precision(label, score)


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 3]), st.sampled_from([0, 3, 4])), min_size=1, max_size=30),
    st.booleans(),
)
def test_kappa_is_that_of_scikit_learn_told_of_all_classes(rows, linear):
    true, said = (list(column) for column in zip(*rows, strict=True))
    assume(len({*true, *said}) > 1)
    expected = cohen_kappa_score(true, said, labels=range(5), weights="linear" if linear else None)
    assert metrics.cohen_kappa(true, said, linear=linear) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("linear", [False, True])
def test_full_agreement_on_one_class_is_full_agreement(linear):
    assert metrics.cohen_kappa([2, 2], [2, 2], linear=linear) == 1
    assert metrics.cohen_kappa([0], [0], linear=linear) == 1
    assert metrics.cohen_kappa([1, 1], [0, 0], linear=linear) == 0


def test_brier_of_what_is_no_probability_is_refused_in_words():
    with pytest.raises(ValueError, match="between 0 and 1"):
        metrics.brier([0, 1], [0.5, 1.5])


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("n", [1, 2, 10, 1000])
def test_wilson_of_whole_numbers_is_that_of_scipy(n, level):
    for k in {0, 1, n // 3, n - 1, n}:
        expected = binomtest(k, n).proportion_ci(level, method="wilson")
        found = intervals.wilson(k / n, n, level)
        assert found == pytest.approx((expected.low, expected.high), abs=1e-9)
