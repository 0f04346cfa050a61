"""Density of women, said of all their films together."""

from pathlib import Path

import numpy as np
import pytest

from core.evaluation.density import measure_density_of_women
from core.sets import ImageCase

CLASSES = ("A", "B", "C", "D")


def case(woman, label, side="L"):
    return ImageCase(Path(f"{woman}{side}.png"), woman, label, "line", laterality=side, view="MLO")


def test_a_womans_films_say_one_density_together_and_it_is_held_against_always_saying_b():
    cases = [case("a", "C"), case("a", "C", "R"), case("b", "B"), case("c", "C+D"), case("d", "A")]
    said = np.array(
        [
            [0.0, 0.6, 0.4, 0.0],  # alone B, with the other breast C
            [0.0, 0.1, 0.8, 0.1],
            [0.1, 0.7, 0.2, 0.0],
            [0.0, 0.1, 0.2, 0.7],
            [0.1, 0.1, 0.7, 0.1],
        ]
    )
    measured = measure_density_of_women(cases, said, CLASSES, times=50)
    assert (measured["n"], measured["women"]) == (4, 4)
    assert measured["exact"] == pytest.approx(0.75)
    assert measured["within_one"] == pytest.approx(0.75)
    assert (measured["always"]["class"], measured["always"]["exact"]) == ("B", pytest.approx(0.25))
    assert measured["gain"] == pytest.approx(0.5)


def test_other_classes_are_no_densities():
    assert (
        measure_density_of_women([case("a", "benign")], np.ones((1, 2)) / 2, ("benign", "malignant")) is None
    )
