"""When a change of a score is one: not within what positioning and exposure make, and only between scores said alike."""

import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules import Doubt, Trust, TrustLevel, is_within_noise, likeliest_density
from core.rules.vocabulary import density_words

PROBABILITY = st.floats(1e-4, 1 - 1e-4)
SMALLEST = st.floats(0.01, 2.0)


@dataclass(frozen=True)
class Said:
    risk_5y: float
    smallest_change: float | None = 0.3
    model: str = "m"
    weights_sha256: str = "w"
    calibration: str = "c"


def odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


@given(PROBABILITY, PROBABILITY, SMALLEST, SMALLEST)
def test_the_larger_noise_of_the_two_decides_in_either_direction(
    before: float, after: float, one: float, other: float
) -> None:
    moved = abs(odds(after) - odds(before))
    pair = Said(before, one), Said(after, other)
    said = is_within_noise(*pair)
    assert said is is_within_noise(*reversed(pair))
    if not math.isclose(moved, max(one, other), rel_tol=1e-6):
        assert said is (moved < max(one, other))


@given(PROBABILITY, SMALLEST)
def test_the_same_risk_twice_is_no_change(risk: float, smallest: float) -> None:
    assert is_within_noise(Said(risk, smallest), Said(risk, smallest)) is True


@pytest.mark.parametrize(
    "changed",
    [{"smallest_change": None}, {"weights_sha256": "x"}, {"calibration": "x"}, {"model": "x"}],
    ids=str,
)
def test_it_is_not_known_where_it_was_not_measured_or_the_scores_are_not_compared(
    changed: dict[str, str | None],
) -> None:
    before = Said(0.01)
    after = replace(before, **changed)  # type: ignore[arg-type]
    assert is_within_noise(before, after) is None
    assert is_within_noise(after, before) is None


@pytest.mark.parametrize("risk", [0.0, 1.0])
def test_a_certain_risk_is_a_number_too(risk: float) -> None:
    assert is_within_noise(Said(risk), Said(risk)) is True
    assert is_within_noise(Said(0.01), Said(risk)) is False


WITHHELD = Trust(TrustLevel.WITHHELD, Doubt.UNLIKE_PICTURES)


@dataclass(frozen=True)
class OfDensity:
    """A score that may not be told; what a model of single views says of it."""

    density_of_views: dict[str, object] | None
    density_a: float = 0.0
    density_b: float = 0.0
    density_c: float = 0.0
    density_d: float = 1.0


def of_views(told: dict[str, float | None] | None) -> OfDensity:
    stored: dict[str, object] = {"model": "m", "shares": {"A": 0.05, "B": 0.35, "C": 0.32, "D": 0.28}}
    return OfDensity(stored | ({"told": told} if told else {}))


def test_a_model_that_was_not_measured_to_tell_c_from_d_says_neither_of_them_alone() -> None:
    told = {"A": 0.05, "B": 0.35, "C": None, "D": None, "C+D": 0.6}
    assert likeliest_density(of_views(told), WITHHELD) == "C+D"
    assert likeliest_density(of_views(told | {"B": 0.61, "C+D": 0.34}), WITHHELD) == "B"
    assert density_words("C+D").startswith("C or D")


def test_of_a_score_of_before_that_was_kept_neither_is_said_alone() -> None:
    assert likeliest_density(of_views(None), WITHHELD) == "C+D"


def test_no_density_is_said_where_one_that_may_not_be_said_is_likelier() -> None:
    told = {"A": 0.05, "B": 0.35, "C": None, "D": None}
    assert likeliest_density(of_views(told), WITHHELD) is None
    assert likeliest_density(OfDensity(None), WITHHELD) is None
