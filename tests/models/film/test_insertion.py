"""Lesions put into films: within the breast, where they are said to be, the same for the same seed."""

import numpy as np
import pytest

from models.film.insertion import insert_lesions


def film(shape=(384, 312), seed=0):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    breast = (columns / (0.9 * shape[1])) ** 2 + ((rows - shape[0] / 2) / (0.48 * shape[0])) ** 2 < 1
    noise = np.random.default_rng(seed).normal(90, 12, shape)
    return np.where(breast, np.clip(noise, 1, 255), 0).astype(np.uint8)


@pytest.mark.parametrize("seed", range(12))
def test_a_lesion_lies_in_the_breast_and_brightens_it_in_its_box_most(seed):
    before = film()
    made = insert_lesions(before, np.random.default_rng(seed))
    assert 1 <= len(made.lesions) <= 2
    assert made.film.dtype == np.uint8
    assert not made.film[before == 0].any()
    change = made.film.astype(int) - before
    near = np.zeros(before.shape, bool)
    for box in made.lesions:
        assert 15 <= box.x1 - box.x0 <= 113  # 5 to 28 mm at a quarter of a millimetre a pixel
        # Spicules and a waving margin reach out of the box; nothing is changed far from it.
        reach = 2 * (box.x1 - box.x0)
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        assert before[int(y), int(x)]
        near[max(0, int(y - reach)) : int(y + reach), max(0, int(x - reach)) : int(x + reach)] = True
    assert change[near].max() > 5
    assert not change[~near].any()


def test_the_seed_decides_everything():
    one, same, other = (insert_lesions(film(), np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert (one.film == same.film).all()
    assert one.lesions == same.lesions
    assert one.lesions != other.lesions


def test_a_breast_that_can_hold_no_lesion_is_left_as_it_is():
    small = np.zeros((384, 312), np.uint8)
    small[180:190, :10] = 100
    made = insert_lesions(small, np.random.default_rng(0))
    assert made.lesions == []
    assert (made.film == small).all()
