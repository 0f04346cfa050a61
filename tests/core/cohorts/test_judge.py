"""What is told of how good the model is: nothing of a few women, and a sentence where there is no figure."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from core.cohorts import Definition, Frame, Population, select
from core.cohorts import over_time as years
from core.cohorts.background import Jobs
from core.cohorts.disclosure import smallest_group
from core.cohorts.judge import THRESHOLDS, Asking, Judged, NothingToTell, judged
from core.cohorts.judge_screens import screened
from core.cohorts.judging.outcomes import CANCER
from tests.cohort_frames import synthetic

FRAME = synthetic(6000, seed=2)
EVERYBODY = Definition(kind=Population.SIMULATED)
FIGURES = ("headline", "by_horizon", "roc", "precision", "tenths", "decision", "subgroups")


def of(frame: Frame = FRAME, asking: Asking = Asking(), **definition) -> Judged:  # noqa: B008 - it is frozen
    return Judged(select(frame, EVERYBODY.but(**definition) if definition else EVERYBODY), asking)


def women(frame: Frame, *changes: pl.Expr) -> Frame:
    return replace(frame, women=frame.women.with_columns(*changes))


def test_right_risks_are_told_to_be_right():
    told = {figure: (value, low, high) for figure, value, low, high in of().headline().rows()}
    value, low, high = told["observed over expected"]
    assert low < 1 < high
    assert 0.65 < told["AUC"][0] < 0.8
    assert told["calibration slope"][1] < 1 < told["calibration slope"][2]
    assert value == pytest.approx(of().by_horizon().filter(pl.col("years") == 5)["o_e"][0])


def test_no_step_of_a_curve_and_no_group_is_of_a_few_women():
    judging = of()
    at, risk = judging.at, judging.risk
    cases = at.weight[at.cancer].sum()
    least = smallest_group() * at.weight[at.cancer].min() / cases
    steps = np.diff(judging.roc()["found"])
    assert ((steps == 0) | (steps >= least - 1e-9)).all()
    assert len(steps) >= judging.at.cases // smallest_group() - 3
    told = judging.told_thresholds(THRESHOLDS)
    edges = [0, *told, 1.01]
    for low, high in itertools.pairwise(edges):
        between = (risk >= low) & (risk < high)
        for many in ((between & at.cancer).sum(), (between & at.known & ~at.cancer).sum()):
            assert many == 0 or many >= smallest_group()
    table, looks = judging.subgroups()
    assert looks == table["p"].is_not_null().sum() > 5
    assert (table["women"].drop_nulls() % 5 == 0).all()
    assert (table["p_adjusted"].drop_nulls() >= table["p"].drop_nulls()).all()


def test_each_step_over_the_years_is_of_nobody_or_not_of_a_few():
    judging = of()
    found = years.incidence(judging)
    labels = found.table["band"].unique().to_list()
    everyone = judging.entered
    for label, hers in years._by_band(judging):
        assert label in labels
        own = found.table.filter(pl.col("band") == label)
        steps = [(hers.cause == CANCER) & (hers.time <= one) for one in own["years"]]
        counts = np.diff([int(step.sum()) for step in steps])
        assert all(many == 0 or many >= smallest_group() for many in counts)
    assert found.tested is not None
    assert found.tested.p < 1e-6
    assert years.survival(judging).table.filter(pl.col("years") == 0)["value"].to_list() == [1.0] * len(
        labels
    )
    at_risk = years.at_risk_table(judging)
    assert at_risk["0 years"].sum() == pytest.approx(len(everyone), abs=10)


def test_recalls_are_those_found_and_those_without_cancer():
    told = dict(of().at_threshold(0.03).select("figure", "value").rows())
    assert told["recalled"] == pytest.approx(told["found"] + told["recalled without cancer"], rel=0.02)
    assert told["sensitivity"] == pytest.approx(100 * told["found"] / (told["found"] + told["missed"]))


def test_screens_find_cancers_and_some_come_between():
    found = screened(of())
    told = dict(found.figures.select("figure", "value").rows())
    assert 40 < told["recalled"] < 100
    assert told["screen-detected"] > 0 < told["interval cancers"]
    assert found.scores["cancers"].to_list() == ["screen-detected", "interval"]
    assert (found.scores["auc"] > 0.55).all()


def test_the_first_months_can_be_left_out():
    all_, late = of(), of(asking=Asking(5, without_first_months=True))
    assert 0 < len(late.entered) < len(all_.entered)
    assert late.entered.time.min() > 0.5
    assert "without the first 6 months" in late.counted


def nobody_followed(frame: Frame) -> Frame:
    return women(frame, pl.col("first_on").alias("last_on"), pl.col("first_on").alias("last_contact"),
                 *(pl.lit(None, pl.Date).alias(day) for day in ("diagnosed_on", "died_on", "mastectomy_on")))  # fmt: skip


def nobody_ill(frame: Frame) -> Frame:
    return women(frame, pl.lit(None, pl.Date).alias("diagnosed_on"))


def all_lost(frame: Frame) -> Frame:
    soon = pl.col("first_on") + timedelta(days=400)
    return women(frame, soon.alias("last_on"), soon.alias("last_contact"),
                 *(pl.lit(None, pl.Date).alias(day) for day in ("diagnosed_on", "died_on", "mastectomy_on")))  # fmt: skip


def all_ill(frame: Frame) -> Frame:
    return women(frame, (pl.col("first_on") + timedelta(days=300)).alias("diagnosed_on"),
                 pl.lit(None, pl.Date).alias("died_on"), pl.lit(None, pl.Date).alias("mastectomy_on"))  # fmt: skip


def all_equal(frame: Frame) -> Frame:
    risks = (
        pl.when(pl.col(f"risk_{year}").is_not_null()).then(0.01 * year).alias(f"risk_{year}")
        for year in (1, 2, 3, 4, 5)
    )
    return replace(frame, visits=frame.visits.with_columns(*(one.cast(pl.Float32) for one in risks)))


def out_of_order(frame: Frame) -> Frame:
    return women(frame, (pl.col("first_on") - timedelta(days=9)).alias("died_on"))


def none_told(frame: Frame) -> Frame:
    return replace(
        frame,
        visits=frame.visits.with_columns(
            pl.lit("withheld").cast(frame.visits.schema["trust"]).alias("trust")
        ),
    )


SENTENCES = {
    nobody_followed: "no follow-up",
    nobody_ill: "No cancer is on record",
    all_lost: "Nobody was followed for 5 years",
    all_ill: "Nobody was followed",
    all_equal: "same risk",
    out_of_order: "contradict",
}


@pytest.mark.parametrize("change", SENTENCES, ids=lambda change: change.__name__)
def test_where_there_is_no_figure_there_is_a_sentence(change):
    broken = of(change(FRAME))
    for name in ("headline", "roc", "precision", "tenths", "decision", "subgroups"):
        with pytest.raises(NothingToTell, match=SENTENCES[change]):
            getattr(broken, name)()
    with pytest.raises(NothingToTell):
        broken.at_threshold(0.03)
    for curve in (years.incidence, years.survival):
        try:
            told = curve(broken)
        except NothingToTell:
            continue
        assert told.table["value"].is_between(0, 1).all()


def test_women_without_a_risk_that_may_be_told_are_not_judged():
    with pytest.raises(NothingToTell, match="No women fit"):
        of(none_told(FRAME)).followed()
    with pytest.raises(NothingToTell, match="Of no woman"):
        of(domain="withheld").followed()


def test_one_study_each_can_be_judged_by_what_came_later():
    single = replace(FRAME, visits=FRAME.visits.filter(pl.col("visit") == 0))
    assert of(single).headline()["value"].is_not_null().all()
    with pytest.raises(NothingToTell, match="No women fit"):
        of(FRAME, vendor=["nobody"]).followed()


def test_a_question_is_computed_once():
    selection = select(FRAME, EVERYBODY)
    assert judged(selection, Asking(5)) is judged(select(FRAME, EVERYBODY), Asking(5))
    assert judged(selection, Asking(4)) is not judged(selection, Asking(5))
    assert judged(selection, Asking(5)).roc() is judged(selection, Asking(5)).roc()
    assert years.incidence(judged(selection, Asking(5))) is years.incidence(judged(selection, Asking(5)))


def test_work_beside_the_page_tells_how_far_it_is_and_what_went_wrong():
    jobs = Jobs(kept=1)
    told = []

    def work(tell):
        tell(0.5)
        told.append(jobs.find("a").done)
        return 7

    assert jobs.start("a", work).result() == 7
    assert told == [0.5]
    assert jobs.start("a", work).result() == 7
    assert told == [0.5], "it is not done twice"

    def wrong(tell):
        raise ValueError("too few")

    with pytest.raises(ValueError, match="too few"):
        jobs.start("b", wrong).result()
    jobs.start("c", lambda tell: 1).result()
    assert jobs.find("a") is None, "the oldest is forgotten"
