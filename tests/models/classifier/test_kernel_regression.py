"""A regression on frozen features: what it learns, how it chooses, and that it survives a file."""

import numpy as np
import pytest
from scipy.special import softmax

from models.classifier.kernel_regression import KernelRegression, fit_regression
from models.measures.metrics import auc

BLOCKS = (12, 4)


def data(n, seed, *, ring=False):
    random = np.random.default_rng(seed)
    label = np.arange(n) % 2
    rows = random.normal(0, 1, (n, 1, 16))
    if ring:
        rows[:, 0, :10] *= np.where(label, 2.5, 0.5)[:, None]
    else:
        rows[:, 0, 3] += 2.0 * label
    mirrored = rows + random.normal(0, 0.1, rows.shape)
    return np.concatenate([rows, mirrored], axis=1).astype(np.float32), label


def fitted(features, label, classes=2):
    return fit_regression(features, label, np.arange(len(label)) // 2 % 4, BLOCKS, classes)


@pytest.mark.parametrize("ring", [False, True])
def test_what_is_near_and_what_is_beyond_a_line_are_both_learned(ring):
    regression = fitted(*data(160, 0, ring=ring)).regression
    features, label = data(200, 1, ring=ring)
    logits = regression.logits(features)
    assert auc(label, logits[:, 1] - logits[:, 0]) > 0.85


def test_of_noise_little_is_claimed():
    features, label = data(80, 0)
    random = np.random.default_rng(5).permutation(label)
    logits = fitted(features, random).regression.logits(data(100, 1)[0])
    assert np.abs(logits[:, 1] - logits[:, 0]).max() < 1.0


def test_held_out_logits_are_not_those_of_images_learned_from():
    features, label = data(80, 0)
    made = fitted(features, label)
    assert made.inner_logits.shape == (80, 2)
    own = made.regression.logits(features)
    assert auc(label, made.inner_logits[:, 1] - made.inner_logits[:, 0]) <= auc(label, own[:, 1] - own[:, 0])


def test_blocks_weigh_the_same_whatever_their_size_and_unit():
    features, label = data(80, 0)
    larger = features.copy()
    larger[..., 12:] *= 1000
    one, other = (fitted(some, label).regression for some in (features, larger))
    np.testing.assert_allclose(one.logits(features), other.logits(larger), atol=1e-2)


def test_slope_is_that_of_the_logits():
    features, label = data(80, 0, ring=True)
    regression = fitted(features, label).regression
    towards, at = np.array([-1.0, 1.0]), features[7, 0]
    slope = regression.slope(at, towards)
    for place in (0, 3, 15):
        step = np.zeros(16, np.float32)
        step[place] = 0.01
        rise = (regression.logits((at + step)[None, None]) - regression.logits((at - step)[None, None]))[
            0
        ] @ towards
        assert slope[place] == pytest.approx(rise / 0.02, abs=2e-3)


def test_a_regression_says_the_same_after_it_was_kept(tmp_path):
    features, label = data(80, 0)
    regression = fitted(features, label).regression
    regression.save(tmp_path / "regression.npz")
    np.testing.assert_array_equal(
        KernelRegression.load(tmp_path / "regression.npz").logits(features), regression.logits(features)
    )
    np.savez(tmp_path / "half.npz", centre=regression.centre)
    with pytest.raises(ValueError, match=r"half\.npz lacks spread"):
        KernelRegression.load(tmp_path / "half.npz")


def test_a_class_that_is_in_one_fold_only_is_refused():
    features, label = data(40, 0)
    three = label.copy()
    three[:2] = 2
    with pytest.raises(ValueError, match="too few"):
        fitted(features, three, 3)


def test_labels_that_leave_two_classes_open_are_learned_from():
    features, label = data(160, 0)
    three = np.eye(3, dtype=bool)[label]
    three[label == 1, 2] = True
    three[1:40:2, 1] = False
    fold = np.arange(160) // 2 % 4
    fold[:40] = -1
    made = fit_regression(features, three, fold, BLOCKS, 3)
    held, truth = data(200, 1)
    logits = made.regression.logits(held)
    assert auc(truth, logits[:, 1:].max(axis=1) - logits[:, 0]) > 0.85
    assert not made.inner_logits[:40].any()
    assert made.inner_logits[40:].any(axis=1).all()


def test_an_image_teaches_nothing_of_classes_it_is_not_among():
    features, label = data(160, 0)
    truth = np.eye(3, dtype=bool)[label]
    truth[:80] = [False, True, True]
    truth[:80:2] = [True, False, False]
    among = np.ones_like(truth)
    truth[80:], among[80:] = [False, False, True], [False, True, True]
    made = fit_regression(
        features, truth, np.where(np.arange(160) < 80, np.arange(160) // 2 % 4, -1), BLOCKS, 3, among
    )
    logits = made.regression.logits(data(100, 1)[0])
    assert (logits[:, 2] > logits[:, 1]).all()
    first = softmax(logits, axis=1)[:, 0]
    assert auc(np.arange(100) % 2, -first) > 0.7
    # Of the 80 images that could be the first class half are. Had the 80 others spoken too, it would be a quarter.
    assert 0.35 < first.mean() < 0.65
