"""Outlines in ultrasound: what is found, and what is said of it."""

import cv2
import numpy as np
import pytest

from models.classifier.outline import OUTLINE_FEATURES, find_outline, outline_features

AREA, ASPECT, SOLID, BEHIND = 1, 2, 7, 24


def scan(axes=(40, 22), middle=(120, 100), shadow=None, side=256):
    """Speckle with a dark ellipse; `shadow` is the shade behind it."""
    random = np.random.default_rng(0)
    image = cv2.GaussianBlur(random.normal(110, 40, (256, 256)).astype(np.float32), (0, 0), 2)
    if shadow is not None:
        image[middle[1] :, middle[0] - axes[0] : middle[0] + axes[0]] = shadow
    cv2.ellipse(image, middle, axes, 0, 0, 360, 25, -1)
    return cv2.resize(np.clip(image, 0, 255).astype(np.uint8), (side, side), interpolation=cv2.INTER_AREA)


def test_a_dark_lesion_is_outlined():
    _, line = find_outline(scan())
    x, y, wide, high = cv2.boundingRect(line)
    assert (x + wide / 2, y + high / 2) == (pytest.approx(120, abs=5), pytest.approx(100, abs=5))
    assert (wide, high) == (pytest.approx(80, abs=12), pytest.approx(44, abs=12))


def test_shape_and_what_lies_behind_are_told():
    lying, upright = outline_features(scan()), outline_features(scan((22, 40)))
    assert lying[ASPECT] > 0.3 > -0.3 > upright[ASPECT]
    assert lying[SOLID] > 0.85
    darker, brighter = outline_features(scan(shadow=50)), outline_features(scan(shadow=190))
    assert darker[BEHIND] < -0.3 < 0.3 < brighter[BEHIND]


def test_an_enlargement_gives_about_the_same():
    small, large = outline_features(scan(side=192)), outline_features(scan(side=384))
    for place in (AREA, ASPECT, SOLID):
        assert small[place] == pytest.approx(large[place], abs=0.15)


def test_where_nothing_is_dark_nothing_is_said():
    assert find_outline(np.full((64, 64), 90, np.uint8)) is None
    assert outline_features(np.zeros((32, 32), np.uint8)).tolist() == [0] * OUTLINE_FEATURES
