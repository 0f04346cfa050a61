"""Groups of women: who is counted, what comes out."""

from datetime import date

import pandas as pd
import pytest
from sqlalchemy import select

from core.installation import Installation
from core.records import cohort, csv, worklist
from core.records.cohort import Definition, Population
from db.tables import Score, Study
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


@pytest.mark.parametrize(
    ("birth_date", "age"),
    [
        (date(1968, 6, 2), 49),
        (date(1968, 6, 1), 50),
        (date(1968, 5, 31), 50),
        (date(1968, 2, 29), 50),
        (date(1967, 6, 1), 51),
    ],
)
def test_a_cohorts_ages_are_those_of_the_record_on_the_day_before_and_after_a_birthday(
    here: Installation, birth_date: date, age: int
) -> None:
    on = date(2018, 6, 1)
    factories.woman(here, "1", [VisitPlan(on)], birth_date=birth_date)
    (row,) = worklist.rows(here, today=on)
    assert chosen(here).women["age_years"].to_list() == [age] == [row.age_years]
    assert (chosen(here, age_from=age, age_to=age).n, chosen(here, age_from=age + 1).n) == (1, 0)


def test_on_29_february_a_cohort_and_the_record_agree(here: Installation) -> None:
    born = date(1968, 2, 29)
    for on in (date(2018, 2, 28), date(2018, 3, 1), date(2020, 2, 29)):
        factories.woman(here, on.isoformat(), [VisitPlan(on)], birth_date=born)
        (row,) = (row for row in worklist.rows(here, today=on) if row.mrn == on.isoformat())
        assert chosen(here).women["age_years"].to_list()[-1] == row.age_years


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
    assert found.withheld
    assert cohort.told_kinds(cohort.kinds(here)) == dict.fromkeys(Population, "0")


@pytest.mark.parametrize("women", [0, 1, 4])
def test_of_fewer_than_five_women_nothing_is_told(here: Installation, women: int) -> None:
    for number in range(women):
        factories.woman(here, str(number), visits([0.01, 0.02]))
    assert chosen(here).withheld.startswith("Fewer than 5 women fit this definition.")
    factories.woman(here, "more", visits([0.01]))
    if women == 4:
        assert chosen(here).withheld == ""


def test_all_but_a_few_women_are_not_told_of_either(here: Installation) -> None:
    for number in range(12):
        density = "A" if number < 5 else "B" if number < 10 else "C" if number < 11 else "D"
        factories.woman(here, str(number), visits([0.01], density=density))
    assert chosen(here).withheld == ""
    assert chosen(here, densities=("A",)).withheld == ""
    assert "leaves out fewer than 5 of the simulated women" in chosen(here, densities=("A", "B")).withheld
    assert "leaves out fewer than 5" in chosen(here, densities=("A", "B", "C")).withheld


def test_a_few_real_women_are_not_worked_out_from_the_simulated_and_all_together(here: Installation) -> None:
    for number in range(6):
        factories.woman(here, f"s{number}", visits([0.01]))
    factories.woman(here, "r", visits([0.5]), simulated=False)
    assert chosen(here).withheld == ""
    assert chosen(here, kind=Population.REAL).withheld
    assert "Fewer than 5 real women" in chosen(here, kind=Population.BOTH).withheld
    told = cohort.told_kinds(cohort.kinds(here))
    assert told == {Population.SIMULATED: "6", Population.REAL: "fewer than 5", Population.BOTH: ""}


def test_no_cell_of_a_download_is_a_formula() -> None:
    table = pd.DataFrame({"=name": ["=1+1", "+1", "-x", "@sum", "\tx", "\rx", "plain"], "value": [-1.5] * 7})
    lines = csv.csv_of(table, note="=how many").decode().split("\n")
    assert lines[0] == "# '=how many"
    assert lines[1] == "'=name,value"
    assert lines[2] == "'=1+1,-1.5"
    cells = [line.split(",")[0].strip('"') for line in lines[2:8]]
    assert all(cell.startswith("'") for cell in cells)


def test_a_course_never_joins_visits_scored_by_different_weights(here: Installation) -> None:
    for number in range(5):
        factories.woman(here, f"{number}", visits([0.01, 0.02, 0.03]))
    with here.database.write() as session:
        for score in session.scalars(select(Score).join(Study).where(Study.study_date < date(2019, 1, 1))):
            score.weights_sha256 = "0" * 64
    found = chosen(here)
    assert sorted(found.visits["risk_5y"].unique()) == [0.02, 0.03]
    assert (found.n, set(found.women["visits"])) == (5, {3})
