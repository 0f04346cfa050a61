"""Rules for alerts, each on made courses: what fires, and what never does."""

import csv
import hashlib
import itertools
import json
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from core.rules import Dated, Held, Measure, Trust, TrustLevel, is_within_noise, judge, rule_of, score_rules
from core.rules.alerts import AlertRule, rules_in_force

REFERENCE = rules_in_force().reference
TRUSTED = Trust(TrustLevel.TRUSTED)
WEIGHTS = Path(__file__).parents[3] / "models" / "weights" / "longitudinal-sim"


@dataclass
class Score:
    risk_5y: float
    smallest_change: float | None = 0.3
    model: str = REFERENCE.model
    weights_sha256: str = REFERENCE.weights_sha256
    calibration: str = f"by hand; {REFERENCE.calibration}"
    malignancy_left: float | None = 0.001
    malignancy_right: float | None = 0.001
    progression: float | None = 0.01
    progression_low: float | None = None
    progression_high: float | None = None
    progression_after: float | None = None
    progression_after_low: float | None = None
    progression_after_high: float | None = None


def held(*risks: float, **of_score: object) -> Held:
    """Return a course of a visit every two years, the last one now."""
    scores = [Score(risk, **of_score) for risk in risks]  # type: ignore[arg-type]
    visits = [Dated(date(2010 + 2 * number, 1, 1), score) for number, score in enumerate(scores)]
    return Held(visits[-1], TRUSTED, visits[-2] if len(visits) > 1 else None, visits[:-1])


def rule(measure: Measure) -> AlertRule:
    found = rule_of(measure)
    assert found is not None
    return found


def fires(measure: Measure, course: Held) -> bool:
    judged = judge(rule(measure), course)
    return judged is not None and judged.raised


OTHER = {"weights_sha256": "0" * 64}


@pytest.mark.parametrize(
    ("risks", "of_score", "fired"),
    [
        ((0.01,), {}, False),
        ((0.01, 0.027), {}, False),
        ((0.01, 0.028), {}, True),
        ((0.028, 0.01), {}, False),
        ((0.001, 0.0049), {}, False),  # four times, and not half a point
        ((0.001, 0.0061), {}, True),
        ((0.01, 0.028), {"smallest_change": 1.2}, False),  # within what positioning makes
        ((0.01, 0.028), {"smallest_change": None}, True),  # of before that was measured
        ((0.01, 0.029), OTHER, False),  # what was not measured must triple
        ((0.01, 0.031), OTHER, True),
        ((0.01, 0.029), {"calibration": "another"}, False),
    ],
)
def test_a_change_fires_beyond_those_of_women_without_cancer(
    risks: tuple[float, ...], of_score: dict[str, object], fired: bool
) -> None:
    assert fires(Measure.CHANGE, held(*risks, **of_score)) is fired


@pytest.mark.parametrize(
    ("risks", "of_score", "fired"),
    [
        ((0.01, 0.08), {}, False),  # two visits have a change, and no slope
        ((0.01, 0.012, 0.014), {}, False),
        ((0.01, 0.024, 0.038), {}, True),
        ((0.038, 0.024, 0.01), {}, False),
        ((0.01, 0.09, 0.02, 0.06), {}, False),  # its interval holds 0
        ((0.01, 0.024, 0.038), OTHER, False),  # points a year of another score are another scale
    ],
)
def test_a_slope_fires_beyond_those_of_women_without_cancer(
    risks: tuple[float, ...], of_score: dict[str, object], fired: bool
) -> None:
    assert fires(Measure.SLOPE, held(*risks, **of_score)) is fired


def test_a_slope_through_the_start_of_a_treatment_is_none() -> None:
    rising = held(0.01, 0.024, 0.038)
    assert fires(Measure.SLOPE, rising)
    assert not fires(Measure.SLOPE, replace(rising, treated_on=(date(2013, 1, 1),)))
    assert fires(Measure.SLOPE, replace(rising, treated_on=(date(2009, 1, 1),)))


@pytest.mark.parametrize(
    ("risks", "smallest_change", "fired"),
    [
        ((0.04,), 0.3, True),  # above at the first score
        ((0.03,), 0.3, False),
        ((0.01, 0.031), 0.3, True),
        ((0.04, 0.05), 0.3, False),  # above before: no crossing
        ((0.04, 0.02, 0.05), 0.3, True),  # below in between
        ((0.028, 0.032), 0.3, False),  # positioning may make that
        ((0.028, 0.032, 0.034), 0.3, False),
        ((0.028, 0.032, 0.040), 0.3, True),  # a creeping rise, once it is more than that
        ((0.028, 0.032, 0.040, 0.045), 0.3, False),
        ((0.028, 0.032), None, True),
    ],
)
def test_a_level_fires_once_when_it_is_crossed(
    risks: tuple[float, ...], smallest_change: float | None, fired: bool
) -> None:
    assert fires(Measure.RISK_5Y, held(*risks, smallest_change=smallest_change)) is fired


def test_a_level_is_not_set_beside_scores_by_other_weights() -> None:
    course = held(0.05, 0.05)
    course.earlier[0].score.weights_sha256 = "0" * 64  # type: ignore[misc]
    assert fires(Measure.RISK_5Y, course)
    assert judge(rule(Measure.CHANGE), course) is None
    assert judge(rule(Measure.SLOPE), course) is None


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        ((0.02, 0.02), None),
        ((0.021, 0.001), "Suspicious breast: left 2.1 %"),
        ((None, 0.31), "Suspicious breast: right 31 %"),
        ((None, None), None),
    ],
)
def test_malignancy_fires_above_two_per_cent_and_is_no_bi_rads_category(
    sides: tuple[float | None, float | None], said: str | None
) -> None:
    course = held(0.01, malignancy_left=sides[0], malignancy_right=sides[1])
    judged = judge(rule(Measure.MALIGNANCY_MAX), course)
    assert (judged.sentence(rule(Measure.MALIGNANCY_MAX)) if judged and judged.raised else None) == said
    assert "no BI-RADS category" in rule(Measure.MALIGNANCY_MAX).why


def test_a_change_says_factor_time_and_points() -> None:
    change = judge(rule(Measure.CHANGE), held(0.0004, 0.021))
    assert change is not None
    assert change.sentence(rule(Measure.CHANGE)) == "Risk ×52 in 24 months: < 0.1 % to 2.1 %, +2.1 points"


def test_no_course_that_more_than_triples_to_one_per_cent_passes_unless_it_is_noise() -> None:
    """Whatever the course, the noise that was measured, and who scored it."""
    random = np.random.default_rng(7)
    seen = 0
    for _ in range(3000):
        risks = np.clip(np.exp(random.normal(-4.6, 1.2, random.integers(1, 7))), 1e-4, 0.9)
        noise = None if random.random() < 0.2 else float(random.uniform(0.1, 1.5))
        course = held(*map(float, risks), smallest_change=noise, **(OTHER if random.random() < 0.3 else {}))
        any_fires = any(fires(one.measure, course) for one in score_rules())
        if course.prior is None:
            assert any_fires == (risks[-1] > 0.03)
            continue
        is_noise = is_within_noise(course.prior.score, course.now.score)
        if risks[-1] > 3 * risks[-2] and risks[-1] >= 0.01 and not is_noise:
            seen += 1
            assert any_fires, risks
        assert not (is_noise and fires(Measure.CHANGE, course))
    assert seen > 200


def demo_women() -> dict[str, list[dict[str, str]]]:
    """The demo's women with what the shipped model says of each visit, as `core score --all` stored it."""
    women: dict[str, list[dict[str, str]]] = {}
    with Path(__file__).with_name("demo_courses.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            women.setdefault(row["mrn"], []).append(row)
    return women


def demo_held(visits: list[dict[str, str]]) -> list[Held]:
    """Return what the rules are held against at each visit before a diagnosis whose score may be told."""
    found: list[Held] = []
    told: list[Dated] = []
    for number, row in enumerate(visits):
        on = date.fromisoformat(row["study_date"])
        if row["diagnosed_on"] and on >= date.fromisoformat(row["diagnosed_on"]):
            break
        prior = told[-1] if told and number and visits[number - 1]["trust_level"] == "trusted" else None
        if row["trust_level"] != "trusted":
            continue
        numbers = {
            key: float(row[key]) if row[key] else None
            for key in ("smallest_change", "malignancy_left", "malignancy_right", "progression")
        }
        now = Dated(on, Score(float(row["risk_5y"]), **numbers))
        found.append(Held(now, TRUSTED, prior, tuple(told)))
        told.append(now)
    return found


def test_no_woman_of_the_demo_whose_risk_more_than_tripled_before_a_diagnosis_passes_without_an_alert() -> (
    None
):
    tripled = quiet = 0
    for visits in demo_women().values():
        for course in demo_held(visits):
            any_fires = any(fires(one.measure, course) for one in score_rules())
            quiet += not any_fires
            now = float(course.now.score.risk_5y)
            lowest = min((float(visit.score.risk_5y) for visit in course.earlier[-1:]), default=now)
            if now > 3 * lowest and now >= 0.01:
                tripled += 1
                assert any_fires, (visits[0]["mrn"], course.now.on)
    assert tripled >= 5
    assert quiet > 100, "most visits ask for nothing"


def test_the_reference_is_of_the_shipped_weights_and_calibration() -> None:
    """Whoever ships others measures the women without cancer anew, and writes what came of it into alerts.toml."""
    card = json.loads((WEIGHTS / "card.json").read_text("utf-8"))
    calibration = hashlib.sha256((WEIGHTS / "calibration.json").read_bytes()).hexdigest()
    assert REFERENCE.weights_sha256 == card["weights_sha256"]
    assert calibration.startswith(REFERENCE.calibration.removeprefix("figures "))
    score = Score(0.01)
    assert REFERENCE.knows(score)
    assert not any(
        REFERENCE.knows(replace(score, **{key: "x"})) for key in ("model", "calibration", "weights_sha256")
    )


def test_most_changes_among_women_without_cancer_raise_nothing() -> None:
    thresholds = [rules_in_force().threshold(one, Score(0.01)) for one in score_rules() if one.is_of_change]
    assert thresholds == [2.73, 0.0067]
    assert all(after > before for before, after in itertools.pairwise(REFERENCE.ratio))
