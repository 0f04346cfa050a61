import numpy as np
import pytest
from scipy.special import expit, logit

from models.longitudinal.calibration import Calibration, fit_calibration
from models.measures.censoring import safe_logit
from models.measures.platt import Logistic

MEMBERS = np.array([[[0.1, 0.15, 0.2, 0.25, 0.3]], [[0.12, 0.16, 0.22, 0.26, 0.34]]])
ENRICHED, NATURAL = (0.1, 0.14, 0.18, 0.22, 0.3), (0.004, 0.006, 0.008, 0.011, 0.014)
FITTED = Calibration(risk=(Logistic(0.2, 0.9),) * 5, baseline_5y=0.3)


def test_moving_to_rarer_cancer_divides_the_odds_as_bayes_says():
    before, _, _ = FITTED.risks(MEMBERS)
    after, low, high = FITTED.moved(ENRICHED, NATURAL).risks(MEMBERS)
    expected = expit(logit(before[0, 4]) + logit(0.014) - logit(0.3))
    assert after[0, 4] == pytest.approx(expected)
    assert (low <= after).all()
    assert (after <= high).all()
    assert (np.diff(after) >= 0).all()


def test_moving_keeps_the_order_of_women_and_can_be_undone():
    moved = FITTED.moved(ENRICHED, NATURAL)
    assert moved.malignancies([-1.0, 2.0]).argmax() == 1
    assert moved.malignancies(0.0) < FITTED.malignancies(0.0)
    assert moved.progressions(0.0) < FITTED.progressions(0.0)
    assert moved.baseline == pytest.approx(0.014)
    assert moved.as_fitted() == FITTED


def test_a_card_written_before_still_reads_and_a_moved_one_comes_back():
    values = FITTED.to_json()
    del values["prior_shift"]
    assert Calibration.from_json(values) == FITTED
    moved = FITTED.moved(ENRICHED, NATURAL)
    assert Calibration.from_json(moved.to_json()) == moved


@pytest.mark.parametrize("rates", [(0.1,) * 4, (0.0, 0.1, 0.2, 0.3, 0.4), (0.2, 0.1, 0.3, 0.4, 0.5)])
def test_impossible_rates_are_refused(rates):
    with pytest.raises(ValueError, match="cancer"):
        FITTED.moved(ENRICHED, rates)


def test_a_horizon_of_which_too_few_women_tell_does_not_lift_all_that_come_after():
    random = np.random.default_rng(0)
    years = np.where(random.random(3000) < 0.014, random.uniform(1.0, 5.0, 3000), np.nan)
    years[np.flatnonzero(np.isfinite(years))[:4]] = 0.5
    raw = expit(np.where(np.isfinite(years), 0.5, -1.0)[None, :, None] + random.normal(0, 1, (2, 3000, 5)))
    breasts = np.zeros(40), np.repeat([0.0, 1.0], 20)
    nothing = np.zeros(4), np.zeros(4)
    kept = Calibration(progression=Logistic(0.7, 1.1))
    made = fit_calibration(raw, years, np.full(3000, 6.0), breasts, nothing, "fitted on some", kept)
    assert made.risks(raw)[0].mean(axis=0).max() < 0.05 < raw.mean()
    assert made.risk[0] == made.risk[1]
    assert made.progression == kept.progression
    assert made.fitted_on == (
        "fitted on some; too few women for year 1: by the line of year 2; too few breasts for progression: as before"
    )
    raw_still = fit_calibration(raw[:, :9], years[:9], np.full(9, 6.0), nothing, nothing, "fitted on few")
    assert raw_still.risk[4].of_logit(safe_logit(0.3)) == pytest.approx(safe_logit(0.3))
    assert raw_still.fitted_on.count("not calibrated") == 7
