"""What a page asks of a person before her word goes against a file's."""

from datetime import date

import pytest

from core.images import Header
from core.records import Found
from dashboard.statement import disagreements

SHE = Found("17", "Doe, Jane", date(1965, 4, 20), simulated=False, last_study=None)
DAY = date(2024, 3, 15)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (Header(patient_name="Roe, Ann"), "the file is of Roe, Ann, here she is called Doe, Jane."),
        (Header(patient_name="山田, 花子", other_names=["やまだ, はなこ"]), "the file is of 山田, 花子"),
        (Header(patient_id="18"), "the file says patient 18, you say 17."),
        (Header(study_date=date(2023, 1, 1)), "the file says 2023-01-01, you say 2024-03-15."),
    ],
)
def test_a_file_of_another_name_number_or_day_is_asked_about(header, said):
    ((name, words),) = disagreements(SHE, [("a.dcm", header)], DAY)
    assert name == "a.dcm"
    assert said in words


@pytest.mark.parametrize(
    "header",
    [
        None,
        Header(),
        Header(patient_name="JANE DOE"),
        Header(patient_name="Doe-Smith, Jane Mary"),
        Header(patient_name="山田, 花子", other_names=["Doe, Jane"]),
    ],
)
def test_a_name_that_is_written_another_way_is_not_asked_about(header):
    assert disagreements(SHE, [("a.dcm", header)], DAY) == []
