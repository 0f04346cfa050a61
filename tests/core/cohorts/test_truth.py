"""What the simulator knows of its women: kept beside the database, read of simulated women alone."""

from datetime import date
from pathlib import Path

from core.cohorts import keep_truth, keep_truth_beside, truth
from core.installation import Installation
from db.tables import Patient
from seed_data.women import lives
from seed_data.women.life import CaseMix
from seed_data.women.truth import visible_from
from tests import factories


def test_the_truth_is_kept_added_to_and_never_read_of_a_real_woman(here: Installation) -> None:
    for mrn, simulated in (("SIM1", True), ("SIM2", True), ("REAL", False)):
        factories.woman(here, mrn, [], simulated=simulated)
    assert truth.visible_from(here) == {}
    keep_truth(here, {"SIM1": date(2020, 1, 2), "REAL": date(2020, 1, 3)})
    keep_truth(here, {"SIM2": date(2021, 1, 2), "GONE": date(2021, 1, 3)})
    with here.database.read() as session:
        ids = {patient.mrn: patient.id for patient in session.query(Patient)}
    assert truth.visible_from(here) == {ids["SIM1"]: date(2020, 1, 2), ids["SIM2"]: date(2021, 1, 2)}


def test_the_truth_that_came_with_an_imported_set_is_kept_of_its_simulated_women(
    here: Installation, tmp_path: Path
) -> None:
    for mrn, simulated in (("SIM1", True), ("SIM2", True), ("REAL", False)):
        factories.woman(here, mrn, [], simulated=simulated)
    (tmp_path / "manifest.csv").write_text("patient_id\n")
    truth_csv = tmp_path / "truth.csv"
    truth_csv.write_text(
        "patient_id,visible_from\nSIM1,2020-01-02\nSIM1,2020-01-02\nSIM2,\nREAL,2020-01-03\nGONE,2020-01-04\n"
    )
    (said,) = keep_truth_beside(here, [tmp_path, tmp_path / "elsewhere"])
    assert said.startswith("Of 1 simulated women")
    with here.database.read() as session:
        ids = {patient.mrn: patient.id for patient in session.query(Patient)}
    assert truth.visible_from(here) == {ids["SIM1"]: date(2020, 1, 2)}
    for wrong in ("patient_id,visit\nSIM1,1\n", "patient_id,visible_from\nSIM1,soon\n"):
        truth_csv.write_text(wrong)
        (said,) = keep_truth_beside(here, [tmp_path])
        assert "does not say from when" in said
    assert truth.visible_from(here) == {ids["SIM1"]: date(2020, 1, 2)}, "what is known stays known"


def test_a_damaged_line_is_not_known(here: Installation) -> None:
    factories.woman(here, "SIM1", [])
    (here.home / truth.FILE).write_text("mrn,visible_from\nSIM1,soon\n,\nSIM1\n")
    assert truth.visible_from(here) == {}


def test_a_cancer_can_be_seen_before_it_is_diagnosed_and_has_that_size() -> None:
    found = 0
    for number in range(1, 80):
        life = lives.draw_life(7, number, CaseMix(cancer_rate=0.5))
        day = visible_from(life)
        assert (day is None) == (life.cancer_date is None or life.treated)
        if day is None:
            continue
        assert life.cancer_date is not None
        assert day <= life.cancer_date
        if day < life.cancer_date:
            found += 1
            largest = max(size for lesion, size in life.lesions_on(day, life.cancer_side) if lesion.malignant)
            assert abs(largest - truth.VISIBLE_MM) < 0.5 or largest > truth.VISIBLE_MM
    assert found > 5
