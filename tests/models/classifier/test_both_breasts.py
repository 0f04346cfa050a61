"""One view beside the same view of the other breast."""

import numpy as np
import pytest

from models.classifier.both_breasts import BothBreasts, fit_both_breasts


def shares(random, odds):
    """Return probabilities of two classes from log-odds."""
    malignant = 1 / (1 + np.exp(-odds))
    return np.stack([1 - malignant, malignant], axis=1)


def test_what_both_breasts_show_counts_less_and_what_one_alone_shows_counts_more():
    both = BothBreasts(1.0, -0.5)
    alike = both(np.array([0.2, 0.8]), np.array([0.2, 0.8]))
    alone = both(np.array([0.2, 0.8]), np.array([0.8, 0.2]))
    assert alike[1] < 0.8 < alone[1]
    assert alike.sum() == pytest.approx(1)
    density = BothBreasts(0.5, 0.5, mean=True)
    left, right = np.array([0.1, 0.5, 0.4, 0.0]), np.array([0.1, 0.3, 0.0, 0.6])
    np.testing.assert_allclose(density(left, right), [0.1, 0.4, 0.2, 0.3])
    np.testing.assert_allclose(density(left, right), density(right, left))
    assert fit_both_breasts(left[None], right[None], np.ones((1, 4), bool), density) == density


def test_it_is_scaled_on_what_was_said_and_keeps_what_it_learned():
    random = np.random.default_rng(0)
    build, bad = random.normal(0, 2, 400), random.random(400) < 0.3
    own, other = shares(random, build + 2 * bad), shares(random, build + random.normal(0, 0.3, 400))
    both = fit_both_breasts(own, other, np.stack([~bad, bad], axis=1), BothBreasts(1.0, -0.5))
    said = both(own, other)
    assert said[:, 1].mean() == pytest.approx(bad.mean(), abs=0.05)
    again = BothBreasts.from_json(both.to_json())
    np.testing.assert_allclose(again(own, other), said)
    assert np.isfinite(both(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]))).all()
