"""What maps say of a film: its highest cells, its peaks and how far they reach, and the other breast."""

import numpy as np
import pytest

from models.film.scores import (
    NOWHERE,
    beside_other,
    extent_of,
    film_score,
    joined_map,
    peaks_of,
)

INSIDE = np.ones((12, 10), bool)
INSIDE[:, 8:] = False


def test_nets_speak_as_their_mean_within_the_breast_only():
    maps = np.stack([np.full((12, 10), -1.0), np.full((12, 10), -3.0)])
    maps[:, :, 8:] = 50
    joined = joined_map(maps, INSIDE)
    assert joined[INSIDE] == pytest.approx(-2)
    assert (joined[~INSIDE] == NOWHERE).all()


def test_a_film_scores_by_its_highest_cells():
    joined = np.full((12, 10), -8.0)
    joined[3, 3:8] = np.log([1, 2, 3, 4, 5])
    assert film_score(joined) == pytest.approx(np.log(3))
    assert film_score(joined, highest=1) == pytest.approx(np.log(5))


def test_peaks_stand_apart_the_highest_first():
    joined = np.full((12, 10), -5.0)
    joined[2, 2], joined[2, 3], joined[9, 6] = 3.0, 2.9, 1.0
    first, second = peaks_of(joined, 2)
    assert (first.row, first.column, first.value) == (2, 2, 3.0)
    assert (second.row, second.column) == (9, 6)
    assert peaks_of(np.full((4, 4), NOWHERE)) == []


def test_a_peak_reaches_over_the_cells_with_half_its_odds_around_it():
    joined = np.full((12, 10), -5.0)
    joined[4:6, 3:7] = 2.0 - np.log(1.9)
    joined[4, 4] = 2.0
    joined[10, 4] = 2.0
    assert extent_of(joined, peaks_of(joined, 1)[0]) == (4, 3, 6, 7)


def test_half_of_the_other_breast_is_taken_and_of_an_unknown_one_half_of_the_usual():
    said = beside_other([2.0, 1.0, 0.0], [1.0, 3.0, np.nan])
    assert said == pytest.approx([1.5, -0.5, -1.0])
    assert beside_other([2.0], [np.nan]) == pytest.approx([2.0])
