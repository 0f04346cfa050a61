"""What other plans would ask for: right where it can be worked out by hand, and never of a few women."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from core.cohorts import VISITS, WOMEN, earlier, missing, schema_of, what_if
from core.cohorts.courses import Courses, courses_of
from core.rules import thresholds
from tests.cohort_frames import synthetic

TODAY = date(2026, 11, 21)
COLUMNS = ["woman", "on", "age", "risk_5", "malignancy"]
AT = what_if.Thresholds(0.02, 0.03)


def made(courses: list[dict[str, object]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return told visits and women from a few words on each: age, risks by year of visit, until, and what else."""
    visits, women = [], []
    for number, one in enumerate(courses):
        first = date(2010, 1, 1)
        for year, risk in one["risks"].items():  # type: ignore[attr-defined]
            on = first + timedelta(days=round(365.25 * year))
            visits.append((number, on, one.get("age", 50) + year, risk, risk / 2))  # type: ignore[operator]
        until = first + timedelta(days=round(365.25 * one["until"]))  # type: ignore[operator]
        women.append(
            {
                "woman": number,
                "patient_id": number + 1,
                "simulated": True,
                "last_contact": until,
                **one.get("more", {}),
            }
        )  # type: ignore[dict-item]
    table = pl.DataFrame(visits, schema=schema_of(VISITS, COLUMNS), orient="row")
    return table, pl.DataFrame(women, schema=schema_of(WOMEN))


def of(courses: list[dict[str, object]]) -> Courses:
    return courses_of(*made(courses), TODAY)


def rate(table: pl.DataFrame, plan: str, what: str, column: str = "a_year") -> float | None:
    return table.filter((pl.col("plan") == plan) & (pl.col("what") == what))[column][0]


def test_rates_are_those_worked_out_by_hand() -> None:
    half = {
        "risks": {0: 0.01, 2: 0.04},
        "until": 6,
    }  # two years low, four high; one further visit in six years
    low = {"risks": {0: 0.01, 2: 0.01}, "until": 6}
    courses = of([half] * 6 + [low] * 6)
    plan = what_if.by_risk({"average": 36, "raised": 24, "high": 12})
    found = what_if.rates(courses, [*what_if.REGULAR, plan], AT)
    assert rate(found, "as they came", "visits") == pytest.approx(1000 / 6, rel=1e-3)
    assert rate(found, "as they came", "MRIs") == pytest.approx(500 / 6, rel=1e-3)
    assert rate(found, "every year", "visits") == pytest.approx(1000, rel=1e-6)
    assert rate(found, "every 2 years", "recalls") == pytest.approx(500 * 4 / 12, rel=1e-3)
    by_risk = (6 * (2 / 3 + 4) + 6 * 2) / (12 * 6)
    assert rate(found, "by risk", "visits") == pytest.approx(1000 * by_risk, rel=1e-3)
    assert rate(found, "by risk", "visits", "more") == pytest.approx(1000 * (by_risk - 1 / 6), rel=2e-3)
    low_end, high_end = rate(found, "by risk", "visits", "low"), rate(found, "by risk", "visits", "high")
    assert low_end is not None
    assert high_end is not None
    assert low_end < 1000 * by_risk < high_end


def test_intervals_cover_the_truth_and_agree_with_those_of_very_many_women(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = synthetic(1500)
    told = frame.visits.filter(pl.col("trust").cast(pl.String) == "trusted").select(COLUMNS)
    courses = courses_of(told, frame.women, TODAY)
    drawn = what_if.rates(courses, what_if.REGULAR, AT)
    monkeypatch.setattr("core.cohorts.sums.MOST_DRAWN", 10)
    normal = what_if.rates(courses, what_if.REGULAR, AT)
    for name in ("low", "high", "more_low", "more_high"):
        one, other = (table.filter(pl.col("what") == "MRIs")[name].to_numpy() for table in (drawn, normal))
        assert one == pytest.approx(other, abs=0.12 * drawn["a_year"].max() / 10)


def test_a_course_ends_with_a_diagnosis_death_or_the_screening_ages() -> None:
    base = {"risks": {0: 0.01}, "until": 10}
    assert of([base]).years.sum() == pytest.approx(10, abs=0.01)
    for column in ("diagnosed_on", "died_on", "mastectomy_on"):
        assert of([{**base, "more": {column: date(2013, 1, 1)}}]).years.sum() == pytest.approx(3, abs=0.01)
    assert of([{**base, "age": 38}]).years.sum() == pytest.approx(8, abs=0.01)
    assert of([{**base, "age": 70}]).years.sum() == pytest.approx(5, abs=0.01)
    assert of([{**base, "until": 0}]).women == 0


def test_nobody_few_and_no_time_after_are_sentences() -> None:
    for courses in (of([]), of([{"risks": {0: 0.01}, "until": 0}] * 9)):
        with pytest.raises(what_if.CannotAsk, match="no woman"):
            what_if.rates(courses, what_if.REGULAR, AT)
    with pytest.raises(what_if.CannotAsk, match="so few"):
        what_if.rates(of([{"risks": {0: 0.01}, "until": 2}] * 4), what_if.REGULAR, AT)


def test_what_few_women_would_tell_of_is_not_told() -> None:
    few_high = of([{"risks": {0: 0.05}, "until": 4}] * 3 + [{"risks": {0: 0.01}, "until": 4}] * 20)
    plan = what_if.by_risk({"average": 36, "raised": 24, "high": 12})
    found = what_if.rates(few_high, [what_if.REGULAR[0], plan], AT)
    assert rate(found, "every year", "visits") is not None
    assert rate(found, "every year", "MRIs") is None
    assert rate(found, "by risk", "visits") is None
    told = what_if.thresholds_told(few_high, few_high.risk_5y, what_if.RISK_THRESHOLDS)
    counts = [int((few_high.risk_5y >= one).sum()) for one in told]
    assert all(step == 0 or step >= 5 for step in np.abs(np.diff([23, *counts, 0])))


def test_the_thresholds_today_can_be_chosen() -> None:
    assert what_if.recall_threshold_now() in what_if.RECALL_THRESHOLDS
    assert 0.03 in what_if.RISK_THRESHOLDS
    for band in thresholds.risk_bands():
        assert band.lower == 0 or band.lower in what_if.RISK_THRESHOLDS


def test_cancers_are_found_at_the_first_visit_from_the_day_on_that_they_can_be_seen() -> None:
    more = {"diagnosed_on": date(2015, 12, 31), "truth_onset": date(2012, 6, 1)}
    table, women = made([{"risks": {0: 0.01, 3: 0.01}, "until": 8, "more": more}] * 6)
    found = earlier.found_earlier(courses_of(table, women, TODAY), women, what_if.REGULAR)
    months = dict(zip(found["plan"], found["months"], strict=True))
    # Seen from mid-2012: a year's plan comes at the third, three years' and what came at the start of 2013.
    assert months["every year"] == pytest.approx(36, abs=0.2)
    assert months["as they came"] == pytest.approx(36, abs=0.2)
    assert months["every 2 years"] == pytest.approx(24, abs=0.2)
    assert found["cancers"].to_list() == [5] * 4


def test_of_real_women_nothing_is_said_to_be_found_earlier() -> None:
    more = {"diagnosed_on": date(2015, 12, 31)}
    table, women = made([{"risks": {0: 0.01}, "until": 8, "more": more}] * 6)
    real = earlier.with_truth(women.with_columns(simulated=False), {1: date(2012, 1, 1)})
    assert real["truth_onset"].null_count() == len(real)
    with pytest.raises(what_if.CannotAsk, match="simulated women alone"):
        earlier.found_earlier(courses_of(table, real, TODAY), real, what_if.REGULAR)


def test_what_is_missing_is_counted_and_never_of_a_few() -> None:
    frame = synthetic(1500)
    at = datetime(2026, 11, 21, tzinfo=UTC)
    found = missing.missing_by_month(frame.visits, frame.women, read_at=at)
    assert found["women"].filter(found["women"] > 0).min() >= 5
    by_reader = found.filter(pl.col("missing") == "a density by a reader")
    assert (by_reader["share"] == 1).all()
    late = found.filter(
        (pl.col("missing") == "word of her a year later") & (pl.col("begin") > date(2026, 1, 1))
    )
    assert late["share"].drop_nulls().is_empty()
    few = missing.missing_by_month(frame.visits.head(3), frame.women, read_at=at)
    assert not len(few.filter(pl.col("share").is_not_null() & (pl.col("women") < 5)))
    assert not len(missing.missing_by_month(frame.visits.clear(), frame.women, read_at=at))
