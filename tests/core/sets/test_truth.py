"""What the truth table of simulated women says."""

from datetime import date

import pytest

from core.sets.truth import TruthError, by_woman, read_truth, true_breasts, truth_beside

LESION = (
    '[{"name":"M1","kind":"round mass","malignant":true,"diameter_mm":8.0,"since":"2014-01-01",'
    '"position_mm":[1,2,3],"visible":true,"views":{"CC":{"x":5,"y":6,"box":[1,2,9,10],"visible":true,'
    '"contrast_to_clutter":1.4},"MLO":{"x":5,"y":6,"box":[3,4,9,10],"visible":false,"contrast_to_clutter":0.7}}}]'
)


def row(**said):
    """A row of a truth table."""
    return {
        "patient_id": "Sim-1",
        "visit": "2",
        "study_date": "2015-02-16",
        "laterality": "L",
        "age": "58.2",
        "density": "B",
        "gland_share": "0.2",
        "vendor": "Corvane (simulated)",
        "views": "CC MLO",
        "lesions": "[]",
        "months_to_diagnosis": "",
        "months_to_censoring": "24.00",
    } | said


def test_a_breast_is_read_with_its_findings_and_where_they_show():
    (breast,) = true_breasts([row(lesions=LESION, months_to_diagnosis="6.00")])
    assert breast.on == date(2015, 2, 16)
    assert breast.years_to_diagnosis == 0.5
    assert breast.years_followed == 2
    assert breast.largest_malignant_mm == 8
    assert breast.lesions[0].boxes == {"CC": (1, 2, 9, 10)}


def test_a_breast_without_cancer_has_no_date_and_no_size():
    (breast,) = true_breasts([row()])
    assert breast.years_to_diagnosis is None
    assert breast.largest_malignant_mm == 0


def test_breasts_come_by_woman_oldest_visit_first():
    truth = true_breasts([row(visit="2"), row(visit="1", study_date="2013-01-01"), row(patient_id="Sim-2")])
    assert [breast.visit for breast in by_woman(truth)["Sim-1"]] == [1, 2]


def test_another_file_is_refused_in_words(tmp_path):
    (tmp_path / "truth.csv").write_text("patient_id,visit\na,1\n")
    with pytest.raises(TruthError, match="no truth table"):
        read_truth(tmp_path / "truth.csv")
    with pytest.raises(TruthError, match="cannot be read"):
        read_truth(tmp_path / "absent.csv")


def test_the_truth_lies_beside_the_manifest_or_nowhere(tmp_path):
    assert truth_beside(tmp_path / "manifest.csv") is None
    (tmp_path / "truth.csv").touch()
    assert truth_beside(tmp_path / "manifest.csv") == tmp_path / "truth.csv"
