"""What a cohort's figures show: every woman once, and of fewer than five women nothing."""

from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.installation import Installation
from core.records import cohort, figures
from core.records.cohort import Cohort, Counted, Definition, Population
from db.tables import EventKind
from tests import factories
from tests.factories import VisitPlan


def of_women(rows: list[tuple[float | None, str, float]]) -> Cohort:
    """Return a cohort of women of an age, a density and a risk, each with one visit."""
    women = pd.DataFrame(rows, columns=["age_years", "density", "risk_5y"]).assign(diagnosed=False)
    visits = women.assign(woman=range(len(women)), year=2020, years_to_last=0.0)
    counted = {Population.REAL: Counted(len(rows), len(rows))}
    return Cohort(Definition(Population.REAL), women.astype({"age_years": float}), visits, counted)


WOMEN = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(20, 100)), st.sampled_from("ABCD"), st.floats(0.0, 1.0)),
    min_size=5,
    max_size=60,
)


@settings(deadline=None)
@given(WOMEN)
def test_no_row_of_any_table_is_of_few_women(rows: list[tuple[float | None, str, float]]) -> None:
    chosen = of_women(rows)
    for table in (
        figures.ages(chosen)[0],
        figures.densities(chosen),
        figures.risks(chosen),
        figures.risks_by_density(chosen),
        figures.calendar(chosen),
        figures.course_to_last(chosen),
    ):
        assert not ((table["women"] > 0) & (table["women"] < 5)).any()
    for table in (figures.densities(chosen), figures.risks(chosen), figures.risks_by_density(chosen)):
        assert table["women"].sum() == len(rows), "everybody is in one row: nothing is left to subtract"


def test_ages_stand_in_groups_of_five_years_wider_where_few_women_are() -> None:
    ages = [40] * 5 + [44] + [45] * 3 + [52] * 2 + [60] * 7
    table, counted = figures.ages(of_women([(age, "B", 0.01) for age in ages]))
    assert table.to_dict("split")["data"] == [["40–44", 6], ["45–54", 5], ["60–64", 7]]
    assert counted == "n = 18 real women, with a scored visit"


def test_women_without_a_birth_date_are_left_out_and_said_unless_they_are_few() -> None:
    known: list[tuple[float | None, str, float]] = [(50, "B", 0.01)] * 6
    table, counted = figures.ages(of_women(known + [(None, "B", 0.01)] * 5))
    assert table["women"].to_list() == [6]
    assert counted == "n = 6 real women, with a scored visit; 5 more without a birth date are left out"
    table, counted = figures.ages(of_women([*known, (None, "B", 0.01)]))
    assert table.to_dict("split")["data"] == [["50–54 or not known", 7]]
    assert counted == "n = 7 real women, with a scored visit"
    table, _ = figures.ages(of_women([(None, "B", 0.01)] * 6))
    assert table.empty


def test_a_density_of_few_women_is_told_together_with_its_neighbour() -> None:
    densities = "A" * 2 + "B" * 6 + "C" * 7 + "D"
    chosen = of_women([(50, letter, 0.01 * (place + 1)) for place, letter in enumerate(densities)])
    assert figures.densities(chosen).to_dict("split")["data"] == [["A–B", 8], ["C–D", 8]]
    boxes = figures.risks_by_density(chosen)
    assert boxes["density"].to_list() == ["A–B", "C–D"]
    assert boxes["median"].to_list() == pytest.approx([0.045, 0.125])


def test_risks_from_a_tenth_of_a_percent_to_nearly_all_are_counted_by_their_logarithm() -> None:
    risks = [0.001, 0.004, 0.006, 0.02, 0.04, 0.44, 0.88, 1.0, 0.0] * 5
    table = figures.risks(of_women([(50, "B", risk) for risk in risks]))
    assert table["women"].sum() == len(risks)
    assert table["women"].max() == 5
    assert len(table) < 40
    assert (table["risk_from"].iloc[0], table["risk_to"].iloc[-1]) == (pytest.approx(1e-4), 1.0)


def test_a_woman_counts_once_a_group_and_small_groups_are_left_out() -> None:
    table = pd.DataFrame(
        {
            "woman": [1, 1, 2, 3, 4, 5, 6, 7, 8, 9],
            "year": [2020] * 6 + [2021] * 4,
            "risk_5y": [0.01, 0.03, 0.04, 0.05, 0.06, 0.07, 0.9, 0.9, 0.9, 0.9],
        }
    )
    found = figures.medians_by(table, "year")
    assert found["year"].to_list() == [2020]
    assert found["women"].to_list() == [5]
    assert found["median"].to_list() == pytest.approx([0.05])


def test_the_course_before_a_diagnosis_leaves_later_visits_out(here: Installation) -> None:
    risks = [0.01, 0.02, 0.03, 0.04]
    for number in range(5):
        diagnosis = (EventKind.DIAGNOSIS, date(2020, 1, 1), None, "left")
        plans = [VisitPlan(date(2018 + k, 6, 1), risk) for k, risk in enumerate(risks)]
        factories.woman(here, str(number), plans, events=[diagnosis])
    found = cohort.cohort(cohort.everyone(here), Definition(Population.SIMULATED))
    assert found.may_tell_diagnosed
    table = figures.course_to_diagnosis(found)
    assert table["years"].to_list() == [-2, -1]
    assert table["median"].to_list() == pytest.approx([0.01, 0.02])


def test_a_few_women_with_or_without_a_diagnosis_are_not_told_apart(here: Installation) -> None:
    diagnosis = (EventKind.DIAGNOSIS, date(2020, 1, 1), None, "left")
    for number in range(9):
        factories.woman(here, str(number), [VisitPlan(date(2018, 6, 1))], events=[diagnosis] * (number < 5))
    found = cohort.cohort(cohort.everyone(here), Definition(Population.SIMULATED))
    assert found.diagnosed == 5
    assert not found.may_tell_diagnosed, "four are without"
    factories.woman(here, "one more", [VisitPlan(date(2018, 6, 1))])
    assert cohort.cohort(cohort.everyone(here), Definition(Population.SIMULATED)).may_tell_diagnosed
