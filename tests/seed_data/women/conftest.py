import csv

import pytest

from seed_data.women import cohort
from seed_data.women.life import CaseMix
from seed_data.women.plan import SetPlan


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Two women's pictures standing for real ones: one visit each, nothing found."""
    folder = tmp_path_factory.mktemp("films")
    healthy = CaseMix(cancer_rate=0.0001, benign_per_woman=0.0, treated_rate=0.0)
    cohort.simulate(folder, SetPlan(patients=2, seed=1, mix=healthy, spacing_mm=0.8), jobs=1)
    rows = list(csv.DictReader((folder / "manifest.csv").open(encoding="utf-8", newline="")))
    with (folder / "mlo.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        first = {row["patient_id"]: row["study_date"] for row in reversed(rows)}
        writer.writerows(
            row for row in rows if row["view"] == "MLO" and row["study_date"] == first[row["patient_id"]]
        )
    return folder / "mlo.csv"
