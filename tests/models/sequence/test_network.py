"""What the LSTM is shown of a breast's past."""

import numpy as np
import pytest
from keras import ops

from models.sequence.network import BreastSteps
from models.sequence.small.features import trend
from models.sequence.study import visit_arrays

WIDTH = 3
DAYS = np.array([0.0, 400.0, 730.0, 1900.0])


@pytest.fixture
def seen():
    """Two breasts at four visits, one view each: (4, 2, WIDTH)."""
    return np.random.default_rng(5).normal(size=(4, 2, WIDTH)).astype(np.float32)


def moved(fused, present):
    """What the layer adds with `trend`: (visits, 2, WIDTH) beyond the mean before, and slope."""
    facts = visit_arrays(DAYS, np.full(4, 60.0), np.zeros((4, 2, 3, 1), np.float32), present, 4)["facts"]
    shown = BreastSteps(trend=True)([fused[None], present[None].astype(np.float32), facts[None]])
    without = BreastSteps()([fused[None], present[None].astype(np.float32), facts[None]])
    assert shown.shape[-1] == without.shape[-1] + 2 * WIDTH
    both = ops.convert_to_numpy(shown)[..., 4 * WIDTH : 6 * WIDTH]
    return both[:, :, :WIDTH].swapaxes(0, 1), both[:, :, WIDTH:].swapaxes(0, 1)


def test_it_is_how_she_moved_over_all_visits_until_each(seen):
    present = np.zeros((4, 2, 3), bool)
    present[:, :, 0] = True
    beyond, slope = moved(seen, present)
    years = np.tile(DAYS / 365.25, (2, 1))
    told = trend(seen.swapaxes(0, 1).astype(np.float64), years)
    np.testing.assert_allclose(beyond, told[0].swapaxes(0, 1), atol=1e-5)
    np.testing.assert_allclose(slope, told[1].swapaxes(0, 1), atol=1e-5)


def test_a_visit_without_a_breast_is_passed_over(seen):
    present = np.zeros((4, 2, 3), bool)
    present[:, :, 1] = True
    present[1, 0] = False
    seen[1, 0] = 0  # as `ViewFusion` gives it
    beyond, slope = moved(seen, present)
    others = [0, 2, 3]
    told = trend(seen[others, 0][None].astype(np.float64), DAYS[others][None] / 365.25)
    np.testing.assert_allclose(beyond[others, 0], told[0][0], atol=1e-5)
    np.testing.assert_allclose(slope[others, 0], told[1][0], atol=1e-5)
    np.testing.assert_array_equal(beyond[1, 0], 0)
    np.testing.assert_allclose(slope[1, 0], slope[0, 0], atol=1e-6)
