"""The alarm rule: its false alarms are as few as it says, and a lasting change is noticed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cohorts.cusum import ALLOWANCE, Scale, first_alarm, fit_limit, running

NUMBERS = np.array([False, False, True])


def study(rng: np.random.Generator, n: int, shift: float = 0.0) -> np.ndarray:
    """Skewed, heavy-tailed and yes or no: no measure is normal."""
    return np.column_stack([rng.lognormal(shift, 1, n), rng.standard_t(3, n) + shift, rng.random(n) < 0.03])


def test_false_alarms_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(1)
    found = 0
    for year in range(25):
        reference, new = study(rng, 400), study(rng, 600)
        limit = fit_limit(reference, NUMBERS, studies_a_year=600, seed=year)
        assert limit.false_alarms_a_year <= 0.25
        for column, is_share in enumerate(NUMBERS):
            scale = Scale.of(reference[:, column], is_share=is_share)
            found += first_alarm(scale(new[:, column]), limit.value) is not None
    assert found <= 25  # one a year is promised; 6 are expected


@pytest.mark.parametrize("shift", [-0.6, 0.6])
def test_a_lasting_shift_is_noticed_with_its_direction(shift: float) -> None:
    rng = np.random.default_rng(2)
    reference = study(rng, 500)
    limit = fit_limit(reference, NUMBERS, studies_a_year=1000)
    scale = Scale.of(reference[:, 0], is_share=False)
    late = []
    for _ in range(40):
        alarm = first_alarm(scale(study(rng, 300, shift)[:, 0]), limit.value)
        assert alarm is not None
        assert alarm.direction == np.sign(shift)
        assert 0 <= alarm.since <= alarm.at
        late.append(alarm.at)
    assert np.quantile(late, 0.95) <= 200


def test_the_sums_are_those_of_the_definition() -> None:
    scores = np.random.default_rng(3).normal(size=200)
    scores[50:60] = np.nan
    up = down = 0.0
    expected = []
    for score in np.nan_to_num(scores, nan=0):
        known = score != 0
        up = max(0.0, up + score - ALLOWANCE) if known else up
        down = max(0.0, down - score - ALLOWANCE) if known else down
        expected.append(max(up, down))
    assert running(scores) == pytest.approx(np.array(expected))


def test_one_odd_study_raises_no_alarm() -> None:
    reference = np.random.default_rng(4).normal(size=(300, 1))
    limit = fit_limit(reference, np.array([False]), studies_a_year=300)
    scale = Scale.of(reference[:, 0], is_share=False)
    assert first_alarm(scale(np.array([1e9])), limit.value) is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=30))
def test_any_values_have_scores_that_keep_their_order(values: list[float]) -> None:
    scale = Scale.of(np.array(values, float), is_share=False)
    scores = scale(np.array(sorted(one for one in values if one == one)))
    assert np.all(np.diff(scores) >= 0)


def test_equal_values_are_no_change() -> None:
    reference = np.full((200, 1), 0.4)
    limit = fit_limit(reference, np.array([False]), studies_a_year=200)
    scores = Scale.of(reference[:, 0], is_share=False)(np.full(500, 0.4))
    assert first_alarm(scores, max(limit.value, 1e-9)) is None
