"""What is seen of a cohort: told of five women and more, true to the rows, in words where there is nothing."""

import itertools
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.stats.mstats import hdquantiles

from core.cohorts import Definition, Frame, Population, Selection, quantiles, select, who
from core.cohorts.seeing import alerts, attendance, density, flow, risks, slopes
from core.cohorts.seeing.courses import Anchor, Group, courses, single_courses
from core.cohorts.who import joined_words
from tests.cohort_frames import synthetic

SIMULATED = Definition(kind=Population.SIMULATED)


@pytest.fixture(scope="module")
def frame() -> Frame:
    return synthetic(1200)


@pytest.fixture(scope="module")
def chosen(frame: Frame) -> Selection:
    return select(frame, SIMULATED)


def tables(selection: Selection) -> dict[str, pl.DataFrame]:
    return {
        "ages": who.ages(selection),
        "densities": who.densities(selection),
        "described": who.described(selection),
        "entry": risks.distribution(selection, risks.When.ENTRY)[0],
        "last": risks.distribution(selection, risks.When.LAST)[0],
        "by density": risks.by_density(selection, risks.When.ENTRY),
        "by year": risks.by_year(selection),
        **{
            f"course {anchor} {same}": courses(selection, anchor, same_women=same).table
            for anchor in Anchor
            for same in (True, False)
        },
        "slopes": slopes.slopes(selection)[0],
        "density by age": density.density_by_age(selection)[0],
        "gaps": attendance.gaps(selection),
        "due": attendance.due(selection)[0],
        "flow": flow.flow(selection),
        "alerts": alerts.alerts_by_year(selection),
    }


@pytest.mark.parametrize("women", [0, 6, 25, 90])
def test_every_table_tells_counts_in_fives_and_of_no_few(women: int) -> None:
    for table in tables(select(synthetic(women, seed=women), SIMULATED)).values():
        assert all(count % 5 == 0 and count >= 0 for count in table["women"])


def changed(frame: Frame, **visits: pl.Expr) -> Selection:
    return select(replace(frame, visits=frame.visits.with_columns(**visits), basis=str(visits)), SIMULATED)


def test_what_has_no_scores_one_visit_or_equal_values_has_tables_all_the_same(frame: Frame) -> None:
    no_score = pl.lit(None, dtype=pl.Float32)
    one_each = frame.visits.unique("woman", keep="first", maintain_order=True)
    cases = [
        changed(frame, risk_5=no_score, malignancy=no_score),
        changed(frame, risk_5=pl.lit(0.02, dtype=pl.Float32)),
        changed(frame, density=pl.lit(None, dtype=pl.Categorical())),
        select(replace(frame, visits=one_each, basis="one each"), SIMULATED),
        select(frame, SIMULATED.but(outcome=["later"])),
        select(frame, SIMULATED.but(outcome=["none"])),
    ]
    for selection in cases:
        for table in tables(selection).values():
            numbers = table.select(pl.selectors.float())
            assert not any(numbers[column].is_nan().any() for column in numbers.columns)
    equal = risks.by_year(cases[1])
    assert equal["median"].to_list() == pytest.approx([0.02] * len(equal), rel=1e-6)


def test_quantiles_are_harrells_and_davis_and_no_womans_value() -> None:
    values = np.array([0.01, 0.02, 0.05, 0.9, 0.03])
    told = quantiles(values, (0.25, 0.5, 0.75))
    assert told == pytest.approx(hdquantiles(values, (0.25, 0.5, 0.75)).data)
    assert not set(np.round(told, 6)) & set(values)


def test_the_same_women_stand_behind_every_point_or_it_is_said_who_joins_and_leaves(
    chosen: Selection,
) -> None:
    same = courses(chosen, Anchor.ENTRY, same_women=True).table
    for (_,), of in same.group_by(["group"]):
        assert of["women"].n_unique() == 1
        assert set(of["joined"].to_list()[1:]) | set(of["left"].to_list()[1:]) <= {"0"}
    every = courses(chosen, Anchor.ENTRY, same_women=False).table.filter(pl.col("group") == Group.NONE.value)
    points = every.select("women", "joined", "left").rows()
    for (before, _, _), (now, joined, left) in itertools.pairwise(points):
        moved = int(joined.replace(",", "")) - int(left.replace(",", ""))
        assert now == pytest.approx(before + moved, abs=10)


def test_nobody_is_after_her_diagnosis_in_a_course(chosen: Selection) -> None:
    to_diagnosis = courses(chosen, Anchor.DIAGNOSIS, same_women=False).table
    assert to_diagnosis["years"].max() <= 0
    assert to_diagnosis.filter(pl.col("group") == Group.CANCER.value).height > 0


def test_a_few_with_a_diagnosis_are_not_told_apart(frame: Frame) -> None:
    women = frame.women.with_columns(
        diagnosed_on=pl.when(pl.col("diagnosed_on").is_not_null().cum_sum() <= 3).then(pl.col("diagnosed_on"))
    )
    selection = select(replace(frame, women=women, basis="three diagnosed"), SIMULATED)
    assert set(courses(selection, Anchor.ENTRY, same_women=False).table["group"]) == {Group.ALL.value}
    assert slopes.slopes(selection)[0]["group"].to_list() == [Group.ALL.value]


def test_single_courses_are_a_sample_without_numbers_of_women(chosen: Selection) -> None:
    sample = single_courses(chosen, Anchor.ENTRY, most=20)
    assert sample.columns == ["course", "group", "years", "risk_5"]
    assert sample["course"].n_unique() == 20
    assert ((sample["years"] * 4) % 1 == 0).all()


def test_density_by_age_is_that_of_the_rows(chosen: Selection) -> None:
    table, _ = density.density_by_age(chosen)
    entry = chosen.entry.with_columns(years=pl.Series(chosen.ages))
    at = entry.filter(pl.col("years").is_between(50, 54))
    dense = at["density"].cast(pl.String).is_in(["C", "D"]).mean()
    told = table.filter(pl.col("age_group") == "50–54").row(0, named=True)
    assert told["share_dense"] == pytest.approx(dense, abs=0.05)
    assert told["share_low"] < told["share_dense"] < told["share_high"]
    assert told["share_published"] == 0.46


def test_a_woman_of_whom_a_model_says_c_or_d_is_dense(chosen: Selection) -> None:
    before, _ = density.density_by_age(chosen)
    said = pl.col("density").cast(pl.String).replace({"C": "C+D", "D": "C+D"})
    frame = chosen.frame
    untold = replace(frame, visits=frame.visits.with_columns(said))
    again = select(untold, chosen.definition)
    assert density.density_by_age(again)[0].equals(before)
    named = risks.by_density(again, risks.When.ENTRY)["density"].to_list()
    assert named == ["A", "B", "C or D"]


def test_flows_out_of_a_band_are_the_women_in_it(chosen: Selection) -> None:
    table = flow.flow(chosen)
    first = table.filter(pl.col("step") == 1)
    assert first["women"].sum() == pytest.approx(chosen.n, abs=60)
    ends = {flow.DIAGNOSED, flow.NO_MORE}
    assert not set(table["from"]) & ends


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["40–44", "45–49"], "40–49"),
        (["under 40", "40–44"], "under 45"),
        (["70–74", "75 and older"], "70 and older"),
        (["under 40", "75 and older"], "any"),
        (["75 and older", "not known"], "75 and older or not known"),
        (["1", "2", "3–4"], "1–4"),
        (["A", "B"], "A or B"),
        (["below 1.7 %", "1.7–3.0 %"], "below 1.7 % or 1.7–3.0 %"),
    ],
)
def test_joined_groups_are_said_as_one(words: list[str], said: str) -> None:
    assert joined_words(words) == said
