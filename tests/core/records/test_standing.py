"""Where a woman stands: worked out in one place, so that the worklist and her own page say the same."""

from dataclasses import dataclass
from datetime import date, datetime

import pytest

from core.installation import Installation
from core.records import worklist
from core.records.record import record_of
from core.records.standing import Interval, Standing
from core.rules import Trust
from db.tables import EventKind
from tests import factories
from tests.factories import VisitPlan

TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 12)


@dataclass(frozen=True)
class Score:
    risk_5y: Interval
    model: str = "m"
    weights_sha256: str = "w"
    calibration: str = "c"
    computed_at: datetime = NOW
    smallest_change: float | None = None


@dataclass(frozen=True)
class Study:
    on: date
    score: Score | None = None
    covered: bool = False
    reader_density: str | None = None
    assessed_at: datetime | None = None
    doubt: Trust | None = None
    model_density: str | None = "B"


def score(risk: float, **more: object) -> Score:
    return Score(Interval(risk, risk / 2, risk * 2), **more)  # type: ignore[arg-type]


def standing(*studies: Study, diagnosed: bool = False) -> Standing[Study]:
    return Standing(studies, date(1966, 1, 1), diagnosed)


def test_the_worklist_and_her_own_page_say_the_same_of_every_woman(here: Installation) -> None:
    factories.cohort(here, 16)
    for row in worklist.rows(here, today=TODAY):
        record = record_of(here, row.mrn)
        assert record is not None
        stands = record.standing
        newest = stands.newest
        assert newest is not None
        assert newest.score is not None
        assert row.risk_5y == newest.score.risk_5y.value
        assert (row.scored_on, row.studies) == (newest.on, len(record.visits))
        assert row.prior_on == (stands.prior.on if stands.prior else None)
        assert (row.change_since_prior, row.density) == (stands.change_since_prior, stands.density)
        assert (row.next_due, row.overdue) == (stands.next_due(TODAY), stands.is_overdue(TODAY))
        assert (row.diagnosed, row.age_years is None) == (stands.diagnosed, record.birth_date is None)


def test_the_change_is_between_the_last_two_days_where_both_were_scored_alike() -> None:
    first, second = Study(date(2024, 1, 1), score(0.01)), Study(date(2026, 1, 1), score(0.03))
    assert standing(first, second).change_since_prior == pytest.approx(0.02)
    later = Study(date(2026, 1, 1), score(0.05))
    assert standing(first, second, later).change_since_prior == pytest.approx(0.04), "one day is one visit"
    other = Study(date(2026, 6, 1), score(0.05, weights_sha256="others"))
    assert (standing(first, other).change_since_prior, standing(first, other).slope) == (None, None)
    assert standing(first, Study(date(2026, 6, 1))).change_since_prior is None, "the last one has no score"


def test_what_a_reader_said_on_the_day_goes_before_the_model() -> None:
    read = Study(date(2026, 1, 1), reader_density="D", assessed_at=NOW)
    scored = Study(date(2026, 1, 1), score(0.01))
    assert (standing(scored).density, standing(scored).reader_density) == ("B", None)
    assert standing(read, scored).density == "D"


def test_nothing_is_due_without_a_study_or_after_a_diagnosis() -> None:
    assert standing().next_due(TODAY) is None
    assert (standing().last, standing().newest, standing().density) == (None, None, None)
    last = Study(date(2020, 1, 1))
    assert standing(last).is_overdue(TODAY)
    assert not standing(last, diagnosed=True).is_overdue(TODAY)
    assert standing(last, diagnosed=True).next_due(TODAY) is None


def test_a_change_within_noise_is_told_and_a_slope_carries_the_error_of_measurement() -> None:
    days = [date(2020, 1, 1), date(2022, 1, 1), date(2024, 1, 1)]
    noisy = [
        Study(on, score(risk, smallest_change=0.5))
        for on, risk in zip(days, (0.01, 0.011, 0.012), strict=True)
    ]
    stands = standing(*noisy)
    assert stands.change_is_noise is True
    assert stands.slope is not None
    assert stands.slope.holds_nothing
    real = standing(*noisy[:2], Study(days[2], score(0.03, smallest_change=0.5)))
    assert real.change_is_noise is False
    old = standing(*noisy[:2], Study(days[2], score(0.012)))
    assert (old.change_is_noise, old.change_since_prior) == (None, pytest.approx(0.001))
    other = standing(*noisy[:2], Study(days[2], score(0.012, smallest_change=0.5, calibration="other")))
    assert (other.change_is_noise, other.change_since_prior, other.slope) == (None, None, None)
    assert standing(noisy[0]).change_is_noise is None


def test_a_slope_begins_anew_with_a_treatment_in_the_worklist_too(here: Installation) -> None:
    visits = [VisitPlan(date(2018 + n, 1, 1), 0.01 * (n + 1)) for n in range(6)]
    factories.woman(here, "1", visits, events=[(EventKind.SURGERY, date(2020, 6, 1), None, "")])
    found = record_of(here, "1")
    assert found is not None
    slope = found.standing.slope
    assert slope is not None
    assert slope.visits == 3
    (row,) = worklist.rows(here, today=TODAY)
    assert row.slope == slope
