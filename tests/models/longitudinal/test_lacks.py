"""Intervals of studies that lack something, on a small network and women of whom everything is known."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from models.longitudinal.calibration import Calibration
from models.longitudinal.lacks import coverage, fit_spread, lacking, without
from models.longitudinal.spread import COMPLETE, LACKS, Spread
from models.sequence import History, SequenceConfig, build_ensemble, build_sequence, index_weights

SIZE = 8


def women(n: int, seed: int) -> tuple[list[History], list[History]]:
    """Women with complete studies every second year, and the same with the last study taken again."""
    random = np.random.default_rng(seed)
    first, second = [], []
    for number in range(n):
        count = 4
        hers = random.normal(0, 2, SIZE)
        vectors = (hers + random.normal(0, 1, (count, 2, 3, SIZE))).astype(np.float32)
        present = np.ones((count, 2, 3), bool)
        present[:, :, 2] = False
        one = History(
            patient_id=f"w{number}",
            days=np.cumsum(random.integers(600, 850, count)).astype(float),
            ages=np.linspace(50, 58, count),
            vectors=vectors,
            present=present,
            malignancy=np.full((count, 2), np.nan, np.float32),
            progression=np.full((count, 2), np.nan, np.float32),
            density=np.full((count, 2), number % 4),
            finding=np.full((count, 2), -1),
            years_to_cancer=np.full(count, np.nan),
            cancer_breast=-1,
            years_followed=np.full(count, 6.0),
            weight=index_weights(count),
        )
        again = vectors.copy()
        again[-1] += random.normal(0, 0.5, again[-1].shape).astype(np.float32)
        first.append(one)
        second.append(replace(one, vectors=again))
    return first, second


@pytest.fixture(scope="module")
def ensemble():
    keras.utils.set_random_seed(4)
    config = SequenceConfig(SIZE, fused=12, step=12, state=8)
    return build_ensemble([build_sequence(config, name=f"m{i}") for i in range(4)], SIZE)


@pytest.fixture(scope="module")
def fitted(ensemble):
    return replace(
        Calibration(), spread=fit_spread(ensemble, Calibration(), *women(250, 0), "women of a test")
    )


def test_intervals_hold_what_they_are_to_hold_in_other_women_and_are_wider_where_less_is_seen(
    ensemble, fitted
):
    found = coverage(ensemble, fitted, *women(250, 1))
    assert set(found) == {COMPLETE, *LACKS}
    for lack, one in found.items():
        assert 0.85 <= one["held"] <= 0.95, (lack, one)
        assert one["width"] >= one["width_complete"] * (1 if lack == COMPLETE else 0.999), (lack, one)
    assert found["no view"]["width"] >= found["one view"]["width"]


def test_what_was_measured_is_kept_with_the_calibration(fitted):
    assert fitted.spread.fitted_on == "250 complete studies of women of a test"
    assert fitted.spread.repeated_on == "250 studies taken twice on one day"
    assert Calibration.from_json(fitted.to_json()) == fitted
    for quantity in ("risk", "breast", "progression"):
        known = fitted.spread.smallest_change[quantity]
        assert len(known) == 6
        assert fitted.spread.smallest(quantity, -99.0, dense=False) == known[0]
        assert fitted.spread.smallest(quantity, 99.0, dense=True) == known[5]
    assert set(fitted.spread.reaches["progression"]) == {COMPLETE, "one view"}


def test_too_few_women_leave_the_intervals_as_they_were(ensemble, fitted):
    assert fit_spread(ensemble, fitted, *women(20, 2), "a few") == fitted.spread
    assert fit_spread(ensemble, Calibration(), *women(20, 2), "a few") == Spread()


def test_without_second_takes_no_change_is_called_small(ensemble):
    spread = fit_spread(ensemble, Calibration(), women(100, 3)[0], [], "women seen once")
    assert spread.smallest("risk", 0.0, dense=False) is None
    assert spread.repeated_on == "not measured"
    assert spread.reaches["risk"].keys() == {COMPLETE, *LACKS}


def test_what_is_taken_away_is_what_is_found_lacking():
    one = women(1, 5)[0][0]
    random = np.random.default_rng(0)
    for place, lack in enumerate(LACKS):
        less = without(one, lack, random)
        found = lacking(less.days, less.present)[-1]
        assert found[:, place].any()
        assert found.any(axis=0).sum() == 1, lack
        assert without(less, lack, random) is None, "it lacks that already"
    assert not lacking(one.days, one.present)[1:].any()
