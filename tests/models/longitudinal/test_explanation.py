"""Heat maps, their peaks, and whether they come from what was learned."""

import keras
import numpy as np
import pytest

from models.longitudinal.explanation import contributions, heat_map, heat_peak, map_agreement, randomised
from models.longitudinal.model import untrained


def test_the_peak_is_the_centre_of_the_hottest_cell():
    heat = np.zeros((4, 2))
    heat[1, 0] = 1
    assert heat_peak(heat, (400, 100)) == (25, 150)


def test_a_malignant_finding_is_hotter_than_a_benign_one():
    lesion = np.full((1, 2, 2), -9.0)
    lesion[0, 0, 1], lesion[0, 1, 0] = 5, 5
    heat = heat_map(lesion)
    assert heat[0, 0] > heat[0, 1] > 0.3


def test_contributions_add_up_by_hand():
    said = contributions(np.array([0.5, 0.2]), 0.1)
    odds = np.log([1.0, 0.25, 1 / 9])
    assert said == pytest.approx([odds[0] - odds[1], odds[1] - odds[2]])


def test_shuffled_weights_are_the_same_numbers_elsewhere_and_leave_the_encoder_alone():
    encoder = untrained(3, width=0.25, members=1).encoder
    before = [weight.copy() for weight in encoder.get_weights()]
    other = randomised(encoder, 0)
    for one, two, still in zip(before, other.get_weights(), encoder.get_weights(), strict=True):
        assert np.array_equal(np.sort(one.ravel()), np.sort(two.ravel()))
        assert np.array_equal(one, still)
    kernels = [(a, b) for a, b in zip(before, other.get_weights(), strict=True) if a.ndim == 4]
    assert all(not np.array_equal(a, b) for a, b in kernels)


def test_maps_change_when_weights_are_shuffled():
    keras.utils.set_random_seed(0)
    encoder = untrained(3, width=0.25, members=1).encoder
    view = np.random.default_rng(0).random((1, *encoder.input.shape[1:])).astype(np.float32)
    one, two = (heat_map(np.asarray(net(view)["lesion"]))[0] for net in (encoder, randomised(encoder, 1)))
    assert not np.array_equal(one, two)
    assert map_agreement(one, two, np.ones(one.shape, bool)) < 0.9


def test_agreement_is_one_with_itself_and_minus_one_with_its_reverse():
    heat = np.arange(12.0).reshape(3, 4)
    breast = np.ones((3, 4), bool)
    assert map_agreement(heat, heat**3, breast) == pytest.approx(1)
    assert map_agreement(heat, -heat, breast) == pytest.approx(-1)


def test_agreement_outside_the_breast_does_not_count():
    one, two = np.array([[0.0, 0, 1, 2, 3]]), np.array([[0.0, 0, 3, 2, 1]])
    breast = np.array([[False, False, True, True, True]])
    assert map_agreement(one, two, breast) == pytest.approx(-1)
    with pytest.raises(ValueError, match="vary"):
        map_agreement(one, np.zeros_like(one), breast)
