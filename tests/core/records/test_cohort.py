"""Groups of women: who is counted, what comes out."""

from datetime import date

import pandas as pd
import pytest
from sqlalchemy import select

from core.installation import Installation
from core.records import cohort, csv
from core.records.cohort import Definition, Population
from db.tables import EventKind, Study
from tests import factories
from tests.factories import VisitPlan


def visits(risks: list[float], *, density: str = "B") -> list[VisitPlan]:
    return [VisitPlan(date(2018 + k, 6, 1), risk, density=density) for k, risk in enumerate(risks)]


@pytest.fixture
def mixed(here: Installation) -> Installation:
    factories.woman(here, "s1", visits([0.01, 0.02]), birth_date=date(1960, 1, 1))
    factories.woman(here, "s2", visits([0.02, 0.04, 0.05], density="D"), birth_date=date(1980, 1, 1))
    factories.woman(here, "r1", visits([0.01]), simulated=False)
    return here


def chosen(here: Installation, **wanted: object) -> cohort.Cohort:
    return cohort.cohort(cohort.everyone(here), Definition(**{"kind": Population.SIMULATED, **wanted}))  # type: ignore[arg-type]


def test_simulated_and_real_women_are_never_counted_together_unasked(mixed: Installation) -> None:
    assert (
        chosen(mixed).n,
        chosen(mixed, kind=Population.REAL).n,
        chosen(mixed, kind=Population.BOTH).n,
    ) == (2, 1, 3)
    assert cohort.kinds(mixed) == {Population.SIMULATED: 2, Population.REAL: 1, Population.BOTH: 3}
    assert "simulated and real together" in chosen(mixed, kind=Population.BOTH).sentence


def test_the_definition_narrows_and_says_so(mixed: Installation) -> None:
    assert chosen(mixed, age_from=50).n == 1
    assert chosen(mixed, densities=("D",)).n == 1
    assert chosen(mixed, bands=("high",)).n == 1
    assert chosen(mixed, visits_from=3).n == 1
    narrow = chosen(mixed, age_from=30, age_to=50, densities=("D",))
    assert narrow.sentence == "n = 1 simulated women, aged 30–50, density D, with a scored visit"


@pytest.mark.parametrize(
    ("ages", "said"),
    [
        ({"age_from": 30}, "aged 30 and older"),
        ({"age_to": 60}, "aged 60 and younger"),
        ({"age_from": 30, "age_to": 60}, "aged 30–60"),
        ({}, ""),
    ],
)
def test_the_sentence_names_only_the_ends_of_age_that_were_chosen(ages: dict[str, int], said: str) -> None:
    sentence = Definition(Population.REAL, **ages).sentence(3)
    assert ", ".join(part for part in ("n = 3 real women", said, "with a scored visit") if part) == sentence


def test_women_of_whom_a_figure_knows_nothing_are_not_in_its_n(mixed: Installation) -> None:
    assert chosen(mixed).sentence_where_known("age_years", "a birth date") == chosen(mixed).sentence
    for mrn in ("s3", "s4"):
        factories.woman(mixed, mrn, visits([0.01]), birth_date=None)
    assert chosen(mixed).n == 4
    assert chosen(mixed).sentence_where_known("age_years", "a birth date") == (
        "n = 2 simulated women, with a scored visit; 2 more without a birth date are left out"
    )


def test_studies_of_one_day_are_one_visit(here: Installation) -> None:
    work_up = VisitPlan(date(2019, 6, 1), 0.05)
    factories.woman(here, "1", [*visits([0.01, 0.02]), work_up])
    factories.woman(here, "2", visits([0.01]))
    found = chosen(here)
    assert found.women["visits"].to_list() == [2, 1]
    assert found.visits["risk_5y"].to_list() == [0.01, 0.05, 0.01]
    assert chosen(here, visits_from=3).n == 0
    with here.database.write() as session:
        studies = session.scalars(select(Study).where(Study.study_date == work_up.on).order_by(Study.id))
        next(iter(studies)).reader_density = "D"
    assert chosen(here, densities=("D",)).n == 1, "recorded in the other study of that day"


def test_no_identity_comes_out(mixed: Installation) -> None:
    found = chosen(mixed)
    columns = {*found.women.columns, *found.visits.columns}
    assert not columns & {"mrn", "name", "patient_id", "birth_date"}


def test_an_empty_installation_gives_an_empty_cohort(here: Installation) -> None:
    found = chosen(here, densities=("A",), bands=("high",), age_from=40)
    assert found.n == 0
    assert cohort.course(found.visits, "years_to_last").empty
    assert cohort.medians_by(found.visits, "year").empty


def test_a_woman_counts_once_a_group_and_small_groups_are_left_out() -> None:
    table = pd.DataFrame(
        {
            "woman": [1, 1, 2, 3, 4],
            "year": [2020, 2020, 2020, 2020, 2021],
            "risk_5y": [0.01, 0.03, 0.04, 0.06, 0.9],
        }
    )
    found = cohort.medians_by(table, "year")
    assert found["year"].to_list() == [2020]
    assert found["women"].to_list() == [3]
    assert found["median"].to_list() == pytest.approx([0.04])


def test_the_course_before_a_diagnosis_leaves_later_visits_out(here: Installation) -> None:
    for number in range(3):
        diagnosis = (EventKind.DIAGNOSIS, date(2020, 1, 1), None, "left")
        factories.woman(here, str(number), visits([0.01, 0.02, 0.03, 0.04]), events=[diagnosis])
    found = cohort.course(chosen(here).visits, "years_to_diagnosis")
    assert found["years"].to_list() == [-2, -1]
    assert found["median"].to_list() == pytest.approx([0.01, 0.02])


def test_no_cell_of_a_download_is_a_formula() -> None:
    table = pd.DataFrame({"=name": ["=1+1", "+1", "-x", "@sum", "\tx", "\rx", "plain"], "value": [-1.5] * 7})
    lines = csv.csv_of(table, note="=how many").decode().split("\n")
    assert lines[0] == "# =how many"
    assert lines[1] == "'=name,value"
    assert lines[2] == "'=1+1,-1.5"
    cells = [line.split(",")[0].strip('"') for line in lines[2:8]]
    assert all(cell.startswith("'") for cell in cells)


def test_ages_fall_into_groups_of_five_years() -> None:
    assert cohort.age_groups(pd.Series([40.0, 44.0, 45.0])).to_list() == ["40–44", "40–44", "45–49"]
