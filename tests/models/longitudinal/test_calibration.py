from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, logit

from models.longitudinal.calibration import Calibration, Outcomes, fit_calibration
from models.measures import censoring_weights, horizon_labels
from models.measures.platt import Logistic

ENRICHED, NATURAL = (0.1, 0.14, 0.18, 0.22, 0.3), (0.004, 0.006, 0.008, 0.011, 0.014)
FITTED = Calibration(risk=(Logistic(0.2, 0.9),) * 5, baseline_5y=0.3)
NOTHING = np.zeros(4), np.zeros(4), np.ones(4)
HAZARDS = arrays(np.float64, (3, 4, 2, 5), elements=st.floats(0, 3))


def women(n: int, seed: int = 0, *, named: float = 1.0) -> tuple[np.ndarray, Outcomes]:
    """Women whose raw hazards are wrong by a factor of three, and what became of them."""
    random = np.random.default_rng(seed)
    true = np.exp(random.normal(-3.6, 1.2, (n, 2, 1))) * np.ones(5)
    when = random.exponential(1 / true[..., 0])
    breast = when.argmin(axis=1)
    years = when.min(axis=1)
    followed = random.uniform(2, 9, n)
    seen = years <= np.minimum(followed, 8)
    known = random.random(n) < named
    outcomes = Outcomes(
        np.where(seen, years, np.nan), followed, np.where(seen & known, breast, -1).astype(np.int64)
    )
    return np.stack([true * 3 * np.exp(random.normal(0, 0.1, true.shape)) for _ in range(3)]), outcomes


@given(
    HAZARDS,
    st.lists(st.tuples(st.floats(-4, 4), st.floats(0.05, 4)), min_size=5, max_size=5),
    st.lists(st.tuples(st.floats(-4, 4), st.floats(0.05, 4), st.floats(-6, 3)), min_size=5, max_size=5),
)
def test_what_is_said_of_breasts_and_woman_always_agrees(hazards, breast, lines):
    calibration = Calibration(
        risk=tuple(Logistic(a, b) for a, b, _ in lines),
        breast=tuple(Logistic(a, b) for a, b in breast),
        prior_shift=tuple(shift for *_, shift in lines),
    )
    said = calibration.risks(hazards)
    left, right = said.breast[:, 0], said.breast[:, 1]
    assert (said.value >= np.maximum(left, right)).all()
    assert (said.value <= left + right).all()
    assert said.value == pytest.approx(1 - (1 - left) * (1 - right))
    for low, value, high in (
        (said.low, said.value, said.high),
        (said.breast_low, said.breast, said.breast_high),
    ):
        assert (np.diff(value) >= 0).all()
        assert (low <= value).all()
        assert (value <= high).all()
        assert (low >= 0).all()
        assert (high <= 1).all()


@pytest.mark.parametrize("named", [1.0, 0.5, 0.0])
def test_fitted_risks_come_true_for_women_and_for_breasts(named):
    hazards, outcomes = women(6000, named=named)
    made = fit_calibration(hazards, outcomes, NOTHING, NOTHING, "fitted on some")
    others, later = women(6000, seed=1)
    said = made.risks(others)
    for k in range(5):
        label, _ = horizon_labels(later.years_to_cancer, later.years_followed, k + 1)
        weight = censoring_weights(later.years_to_cancer, later.years_followed, k + 1)
        assert np.average(label, weights=weight) / np.average(
            said.value[:, k], weights=weight
        ) == pytest.approx(1, abs=0.12)
        left = label * (later.cancer_breast == 0)
        assert np.average(left, weights=weight) / np.average(
            said.breast[:, 0, k], weights=weight
        ) == pytest.approx(1, abs=0.16)


def test_moving_to_rarer_cancer_divides_the_odds_as_bayes_says():
    hazards, _ = women(200)
    before = FITTED.risks(hazards)
    moved = FITTED.moved(ENRICHED, NATURAL)
    after = moved.risks(hazards)
    single = logit(before.value[:, 0]) + logit(0.004) - logit(0.1)
    assert logit(after.value[:, 0]) == pytest.approx(single, abs=1e-6)
    assert moved.baseline == pytest.approx(0.014)
    assert moved.as_fitted() == FITTED
    order = np.argsort(before.value[:, 4])
    assert (np.diff(after.value[order, 4]) >= 0).all()


def test_a_breast_is_not_reassured_by_what_the_other_shows():
    calibration = Calibration(risk=(Logistic(0.1, 1.0),) * 5, breast=(Logistic(0.1, 1.0),) * 5)
    hazards = np.full((1, 1, 2, 5), 0.003)
    quiet = calibration.risks(hazards)
    hazards[..., 0, :] = 0.8
    loud = calibration.risks(hazards)
    assert loud.breast[0, 0, 0] > 0.5
    assert loud.breast[0, 1] == pytest.approx(quiet.breast[0, 1], rel=0.2)


def test_progression_after_a_diagnosis_is_not_moved_to_where_cancer_is_rare():
    fitted = replace(FITTED, progression=Logistic(0.3, 1.1), progression_after=Logistic(0.9, 0.8))
    moved = fitted.moved(ENRICHED, NATURAL)
    zero, half = np.zeros((1, 2)), np.full((1, 2), 0.5)
    assert (moved.progressions(zero)[0] < fitted.progressions(zero)[0]).all()
    assert moved.progressions(half, after=True)[0] == pytest.approx(expit(0.9 + 0.4))


def test_what_was_written_comes_back_and_what_an_earlier_release_wrote_still_reads():
    moved = replace(FITTED, breast=(Logistic(0.4, 1.2),) * 5).moved(ENRICHED, NATURAL)
    assert Calibration.from_json(moved.to_json()) == moved
    values = moved.to_json() | {"malignancy": {"intercept": 0, "slope": 1}, "widen": 1.0}
    for name in ("breast", "progression_after", "spread"):
        del values[name]
    assert Calibration.from_json(values) == replace(moved, breast=(Logistic(),) * 5)


@pytest.mark.parametrize("rates", [(0.1,) * 4, (0.0, 0.1, 0.2, 0.3, 0.4), (0.2, 0.1, 0.3, 0.4, 0.5)])
def test_impossible_rates_are_refused(rates):
    with pytest.raises(ValueError, match="cancer"):
        FITTED.moved(ENRICHED, rates)


def test_a_horizon_of_which_too_few_women_tell_does_not_lift_all_that_come_after():
    random = np.random.default_rng(0)
    years = np.where(random.random(3000) < 0.014, random.uniform(1.0, 5.0, 3000), np.nan)
    ill = np.isfinite(years)
    years[np.flatnonzero(ill)[:4]] = 0.5
    hazards = np.exp(np.where(ill, -1.0, -2.0)[None, :, None, None] + random.normal(0, 0.5, (2, 3000, 2, 5)))
    outcomes = Outcomes(years, np.full(3000, 6.0), np.where(ill, 0, -1))
    kept = Calibration(progression=Logistic(0.7, 1.1), progression_after=Logistic(0.1, 1.2))
    made = fit_calibration(hazards, outcomes, NOTHING, NOTHING, "fitted on some", kept)
    raw = Calibration().risks(hazards).value
    assert made.risks(hazards).value.mean(axis=0).max() < 0.05 < raw.mean()
    assert made.risk[0] == made.risk[1]
    assert (made.progression, made.progression_after) == (kept.progression, kept.progression_after)
    assert made.fitted_on == (
        "fitted on some; too few women for year 1: by the line of year 2; "
        "too few breasts for year 1: by the line of year 2; too few breasts for progression: as before; "
        "too few breasts for progression after a diagnosis: as before"
    )
    few = Outcomes(years[:9], np.full(9, 6.0), outcomes.cancer_breast[:9])
    still = fit_calibration(hazards[:, :9], few, NOTHING, NOTHING, "fitted on few")
    assert still.risk == (Logistic(),) * 5
    assert still.fitted_on.count("not calibrated") == 12


def test_women_drawn_by_their_outcome_calibrate_as_all_of_them_do_where_it_is_said_what_each_stands_for():
    hazards, everyone = women(6_000, seed=5)
    ill = np.isfinite(everyone.years_to_cancer)
    drawn = ill | (np.random.default_rng(0).random(len(ill)) < 0.1)
    fields = (everyone.years_to_cancer, everyone.years_followed, everyone.cancer_breast)
    sample = Outcomes(*(values[drawn] for values in fields), np.where(ill, 1.0, 10.0)[drawn])
    whole = fit_calibration(hazards, everyone, NOTHING, NOTHING, "all")
    weighed = fit_calibration(hazards[:, drawn], sample, NOTHING, NOTHING, "drawn")
    unweighed = fit_calibration(
        hazards[:, drawn], replace(sample, stands_for=None), NOTHING, NOTHING, "drawn"
    )
    mean = whole.risks(hazards).value.mean(axis=0)
    assert weighed.risks(hazards).value.mean(axis=0) == pytest.approx(mean, rel=0.08)
    assert (unweighed.risks(hazards).value.mean(axis=0) > 1.3 * mean).all()
    assert weighed.baseline_5y == pytest.approx(whole.baseline_5y, rel=0.05)
    for line, of_all in zip(weighed.risk, whole.risk, strict=True):
        assert line.slope == pytest.approx(of_all.slope, abs=0.06)
