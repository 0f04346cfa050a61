"""What is read from two visits' coarse maps."""

import numpy as np
import pytest

from models.sequence.change import PlaceChange
from models.view.coarse_map import KINDS, CoarseMap, coarse_grid

GRID = (6, 5)


def maps(spots, visits=2):
    """Coarse maps of one woman's left CC: quiet but for the given (visit, row, column, malignant logit, log size)."""
    made = np.full((1, visits, 2, 3, *GRID, KINDS), -6.0, np.float32)
    made[..., 2] = 2.5
    for visit, row, column, logit, size in spots:
        made[0, visit, 0, 0, row, column, 1:] = logit, size
    return made.reshape(1, visits, 2, 3, -1)


def read(spots, present=None, visits=2):
    """Return what is said of the left CC at the last visit, by name."""
    there = np.ones((1, visits, 2, 3), np.float32) if present is None else present
    said = np.asarray(PlaceChange(GRID)([maps(spots, visits), there]))[0, -1, 0, 0]
    names = ("now", "size", "was", "was_malignant", "was_size", "growth", "had", "fresh")
    return dict(zip(names, said[:8].tolist(), strict=True))


def test_a_lesion_that_was_not_there_is_new():
    new, old = read([(1, 2, 2, 4, 3.0)]), read([(0, 2, 2, 4, 3.0), (1, 2, 2, 4, 3.0)])
    assert new["fresh"] > 0.9
    assert new["was"] < -5
    assert old["fresh"] < 0.1
    assert old["was"] == pytest.approx(4, abs=0.1)


def test_growth_is_the_gain_of_log_size_even_where_positioning_moved_a_cell():
    still = read([(0, 2, 2, 4, 3.0), (1, 2, 3, 4, 3.0)])
    grown = read([(0, 2, 2, 4, 3.0), (1, 2, 3, 4, 3.7)])
    assert still["growth"] == pytest.approx(0, abs=0.05)
    assert grown["growth"] == pytest.approx(0.7, abs=0.05)


def test_a_view_that_was_not_taken_last_time_is_compared_with_the_time_before():
    present = np.ones((1, 3, 2, 3), np.float32)
    present[0, 1] = 0
    said = read([(0, 2, 2, 4, 3.0), (2, 2, 2, 4, 3.5)], present, visits=3)
    assert said["had"] == 1
    assert said["growth"] == pytest.approx(0.5, abs=0.05)


def test_without_a_prior_nothing_is_said_of_change():
    said = read([(0, 2, 2, 4, 3.0)], visits=1)
    assert said["now"] == pytest.approx(4, abs=0.1)
    assert [said[name] for name in ("was", "growth", "had", "fresh")] == [0, 0, 0, 0]


def test_the_coarse_map_keeps_the_highest_logit_and_its_size():
    lesion = np.full((1, 32, 26, 2), -8.0, np.float32)
    size = np.full((1, 32, 26, 1), 2.0, np.float32)
    lesion[0, 10, 7, 1], size[0, 10, 7] = 5, 3.5
    coarse = np.asarray(CoarseMap()([lesion, size])).reshape(*coarse_grid(), KINDS)
    assert coarse_grid() == (11, 9)
    row, column = np.unravel_index(coarse[..., 1].argmax(), coarse_grid())
    assert abs(row - 10 // 3) <= 1
    assert abs(column - 7 // 3) <= 1
    assert coarse[row, column, 1] == 5
    assert coarse[row, column, 2] == pytest.approx(3.5, abs=0.01)
    assert coarse[0, 0, 2] == pytest.approx(2.0, abs=0.01)
