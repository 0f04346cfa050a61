"""Drift month by month: what changed is named, what did not is not, and few women are never told of."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from core.cohorts import drift
from core.cohorts.drift import clustered_interval
from core.cohorts.looks import AXIS_NAMES
from core.cohorts.months import months_of, share_cells
from tests.cohort_frames import synthetic

BEGINS = date(2025, 7, 1)


@pytest.fixture(scope="module")
def visits() -> pl.DataFrame:
    return synthetic(2000).visits


def test_nothing_is_noticed_where_nothing_changed(visits: pl.DataFrame) -> None:
    assert drift.watch(visits, BEGINS).noticed == ()


def test_brighter_pictures_are_noticed_as_that(visits: pl.DataFrame) -> None:
    late = pl.col("on") >= date(2026, 1, 15)
    brighter = visits.with_columns(
        pl.when(late).then(pl.col("brightness") + 0.04).otherwise(pl.col("brightness")).cast(pl.Float32)
    )
    found = drift.watch(brighter, BEGINS).noticed
    assert [(one.measure.key, one.direction) for one in found] == [("brightness", "brighter")]
    assert found[0].months[:7] >= "2026-01"


def test_pictures_that_look_otherwise_to_the_model_are_noticed_though_they_stay_familiar(
    visits: pl.DataFrame,
) -> None:
    late = pl.col("on") >= date(2026, 1, 15)
    shifted = visits.with_columns(
        pl.when(late).then(pl.col("look_2") - 0.9).otherwise(pl.col("look_2")).cast(pl.Float32)
    )
    watched = drift.watch(shifted, BEGINS)
    assert [(one.measure.key, one.direction) for one in watched.noticed] == [("look_2", "shifted down")]
    course = next(one for one in watched.courses if one.measure.key == "look_2")
    assert course.now < course.usual - 0.3
    told = course.table.drop_nulls("value")
    assert (told["low"] < told["value"]).all()
    assert (told["value"] < told["high"]).all()


def test_an_interval_is_that_of_women_not_of_their_visits() -> None:
    """A hundred women, each twice with the same value: as wide as of a hundred values, not of two hundred."""
    values = np.random.default_rng(1).normal(0, 1, 100)
    found = clustered_interval(np.repeat(values, 2), np.repeat(np.arange(100), 2))
    assert found == pytest.approx(
        (values.mean() - 1.96 * values.std(ddof=1) / 10, values.mean() + 1.96 * values.std(ddof=1) / 10)
    )


def test_a_new_maker_is_noticed(visits: pl.DataFrame) -> None:
    late = pl.col("on") >= date(2026, 1, 15)
    other = visits.with_columns(
        pl.when(late).then(pl.lit("Dunmere")).otherwise(pl.col("vendor").cast(pl.String)).alias("vendor")
    )
    keys = [one.measure.key for one in drift.watch(other, BEGINS).noticed]
    assert keys[0] == "vendor:new"


def test_women_who_grow_older_are_no_drift_of_the_score() -> None:
    rng = np.random.default_rng(5)
    n = 3000
    age = np.linspace(50, 60, n)
    made = synthetic(400).visits.sample(n, with_replacement=True, seed=1)
    logit = -4 + 0.15 * (age - 50) + rng.normal(0, 0.5, n)
    older = made.with_columns(
        pl.Series("on", [date(2020, 1, 1) + timedelta(days=round(d)) for d in np.linspace(0, 1095, n)]),
        pl.Series("age", age, pl.Float32), pl.Series("risk_5", 1 / (1 + np.exp(-logit)), pl.Float32),
        pl.lit("trusted").alias("trust"), pl.lit(1).cast(pl.UInt16).alias("visit"), pl.int_range(n).cast(pl.UInt32).alias("woman"),
    )  # fmt: skip
    keys = [one.measure.key for one in drift.watch(older, date(2022, 1, 1)).noticed]
    assert "score" not in keys


def test_every_month_that_is_told_has_no_few_women(visits: pl.DataFrame) -> None:
    for few in (60, 300, 2000):
        some = visits.filter(pl.col("woman") < few)
        starts = drift.starts_offered(some)
        if not starts:
            continue
        for course in drift.watch(some, starts[-1]).courses:
            assert course.table["women"].min() >= 5
            if course.measure.is_share:
                assert course.table["value"].drop_nulls().is_between(0, 1).all()


@pytest.mark.parametrize("women", [0, 3, 12])
def test_of_few_studies_a_sentence_says_why_there_is_no_alarm_rule(women: int) -> None:
    some = synthetic(max(women, 1)).visits.filter(pl.col("woman") < women)
    assert drift.starts_offered(some) == []
    with pytest.raises(drift.CannotWatch, match="widen the definition"):
        drift.watch(some, BEGINS)


def test_nothing_known_is_nothing_watched(visits: pl.DataFrame) -> None:
    empty = visits.with_columns(
        pl.lit(None, pl.Float32).alias("brightness"), pl.lit(None, pl.Float32).alias("distance"),
        pl.lit(False).alias("scored"), pl.lit("none").alias("trust"), pl.lit(None, pl.String).alias("vendor"),
        pl.lit(None, pl.Float32).alias("risk_5"), *(pl.lit(None, pl.Float32).alias(name) for name in AXIS_NAMES),
    )  # fmt: skip
    with pytest.raises(drift.CannotWatch, match="Nothing is known"):
        drift.watch(empty, BEGINS)


def test_equal_values_raise_no_alarm(visits: pl.DataFrame) -> None:
    same = visits.with_columns(pl.lit(0.3, pl.Float32).alias("brightness"))
    assert all(one.measure.key != "brightness" for one in drift.watch(same, BEGINS).noticed)


def test_months_hold_nobody_or_not_few_even_where_one_woman_comes_often() -> None:
    visits = pl.DataFrame(
        {"woman": [1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7], "on": [date(2025, 1, day) for day in range(1, 6)] + [date(2025, 1 + n, 9) for n in range(6)]}
    )  # fmt: skip
    months = months_of(visits)
    assert months is not None
    assert months.women.min() >= 5
    assert len(months.of_visit) == len(visits)


def test_shares_are_told_where_neither_those_meant_nor_the_others_are_few() -> None:
    yes, no = [1, 0, 4, 9, 0, 2], [9, 9, 9, 1, 9, 9]
    cells = share_cells(yes, no)
    assert [place for cell in cells for place in cell] == list(range(6))
    for cell in cells:
        for counts in (yes, no):
            held = sum(counts[cell.start : cell.stop])
            assert held == 0 or held >= 5
    assert share_cells([1, 1], [9, 9]) == []
