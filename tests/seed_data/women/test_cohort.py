import csv
import hashlib
import io
import json
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from core.sets import read_visible_from
from core.sets.manifest import read_manifest
from seed_data.women import cohort, machines
from seed_data.women.bodies import BreastView
from seed_data.women.life import CaseMix
from seed_data.women.lives import draw_life
from seed_data.women.plan import SetPlan

RICH = CaseMix(cancer_rate=0.6, benign_per_woman=1.5, treated_rate=0.2, detection_delay_mm=6)


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    cohort.simulate(folder, SetPlan(patients=6, seed=7, mix=RICH, spacing_mm=0.7), jobs=1)
    return folder


@pytest.fixture(scope="module")
def manifest(made) -> list[dict[str, str]]:
    with (made / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def truth(made) -> list[dict[str, str]]:
    with (made / "truth.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_processes(made, tmp_path):
    cohort.simulate(tmp_path, SetPlan(patients=6, seed=7, mix=RICH, spacing_mm=0.7), jobs=2)
    assert _hashes(tmp_path) == _hashes(made)


def test_women_who_are_picked_are_as_they_would_be_among_all(made, truth, tmp_path):
    two = ["Sim-7-0002", "Sim-7-0005", "Sim-70-0003"]
    told = cohort.simulate(tmp_path, SetPlan(patients=6, seed=7, mix=RICH, spacing_mm=0.7, only=two), jobs=1)
    assert (told["patients"], told["drawn_from"]) == (2, 6)
    assert "2 of 6 women" in told["statement"]
    pictures = {name: hash for name, hash in _hashes(tmp_path).items() if name.endswith(".png")}
    assert pictures
    assert pictures.items() <= _hashes(made).items()
    with (tmp_path / "truth.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [row for row in truth if row["patient_id"] in two]


@pytest.mark.parametrize(
    ("only", "says"),
    [
        (["Sim-7-0007", "Sim-7-0001"], "1 women .* such as Sim-7-0007, are not among the 6 of seed 7"),
        (["Ann"], "Ann"),
        (["Sim-8-0001"], "No woman"),
    ],
)
def test_a_woman_who_is_not_of_the_set_cannot_be_picked(only, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        cohort.simulate(tmp_path / "set", SetPlan(patients=6, seed=7, only=only))
    assert not (tmp_path / "set").exists()


def test_the_truth_says_from_when_a_cancer_could_be_seen(made, truth, manifest):
    seen = read_visible_from(made / "truth.csv")
    found = {row["patient_id"]: row["cancer_date"] for row in manifest if row["cancer_date"]}
    assert seen
    assert set(seen) <= set(found)
    assert all(day <= date.fromisoformat(found[woman]) for woman, day in seen.items())


def test_a_study_taken_again_shows_the_same_woman_otherwise_positioned_and_leaves_the_rest_as_it_is(
    made, tmp_path
):
    cohort.simulate(tmp_path, SetPlan(patients=2, seed=7, mix=RICH, spacing_mm=0.7, repeats=2), jobs=1)
    before, after = _hashes(made), _hashes(tmp_path)
    assert {name: after[name] for name in before if name in after and name.endswith(".png")} == {
        name: sha for name, sha in before.items() if name in after and name.endswith(".png")
    }
    first, *again = (
        [vars(row) for row in read_manifest(tmp_path / name).rows]
        for name in ("manifest.csv", "repeat_1.csv", "repeat_2.csv")
    )
    for number, rows in enumerate(again, start=1):
        assert len(rows) == len(first)
        for one, other in zip(first, rows, strict=True):
            taken_again = one["study_date"] == max(
                row["study_date"] for row in first if row["patient_id"] == one["patient_id"]
            )
            assert (one["path"] != other["path"]) == taken_again
            if taken_again:
                assert other["path"].stem == f"{one['path'].stem}_again{number}"
                pair = [cv2.imread(str(row["path"]), cv2.IMREAD_UNCHANGED) for row in (one, other)]
                assert pair[0].shape == pair[1].shape
                assert 0.5 < np.corrcoef(pair[0].ravel(), pair[1].ravel())[0, 1] < 0.9999
            same = ("patient_id", "study_date", "laterality", "view", "density", "cancer_date")
            assert {name: one[name] for name in same} == {name: other[name] for name in same}


def test_every_image_of_the_manifest_is_there_and_readable(made, manifest):
    assert len(manifest) > 60
    for row in manifest:
        pixels = cv2.imread(str(made / row["path"]), cv2.IMREAD_UNCHANGED)
        assert pixels.ndim == 2
        assert 0.05 < np.mean(pixels > 40) < 0.95
        assert row["laterality"] in "LR"
        assert row["view"] in ("CC", "MLO")
        assert row["density"] in "ABCD"
        assert date.fromisoformat(row["birth_date"]) < date.fromisoformat(row["study_date"])


def test_the_manifest_is_one_that_the_product_reads(made, manifest):
    read = read_manifest(made / "manifest.csv")
    assert not read.refused
    assert len(read.rows) == len(manifest)


def test_the_chest_wall_is_left_in_the_left_breast_and_right_in_the_right(made, manifest):
    for row in manifest:
        pixels = cv2.imread(str(made / row["path"]), cv2.IMREAD_UNCHANGED).astype(float)
        third = pixels.shape[1] // 3
        left, right = pixels[:, :third].mean(), pixels[:, -third:].mean()
        assert (left > right) == (row["laterality"] == "L")


def test_boxes_lie_in_the_image_and_belong_to_a_finding(made, manifest):
    boxed = [row for row in manifest if row["roi_x0"]]
    assert len(boxed) > 5
    for row in manifest:
        assert bool(row["roi_x0"]) == (row["finding"] != "normal") == bool(row["lesion_mm"])
    for row in boxed:
        rows, columns = cv2.imread(str(made / row["path"]), cv2.IMREAD_UNCHANGED).shape
        x0, y0, x1, y1 = (int(row[f"roi_{name}"]) for name in ("x0", "y0", "x1", "y1"))
        assert 0 <= x0 < x1 <= columns
        assert 0 <= y0 < y1 <= rows


def test_truth_tells_every_visit_and_breast_and_agrees_with_the_manifest(manifest, truth):
    by_breast = {(row["patient_id"], row["study_date"], row["laterality"]): row for row in truth}
    assert len(by_breast) == len(truth)
    for row in manifest:
        told = by_breast[row["patient_id"], row["study_date"], row["laterality"]]
        assert row["view"] in told["views"].split()
        assert row["progression"] == told["progression"]
        lesions = json.loads(told["lesions"])
        seen = [lesion for lesion in lesions if lesion["views"].get(row["view"], {}).get("visible")]
        expected = "malignant" if any(le["malignant"] for le in seen) else "benign" if seen else "normal"
        assert row["finding"] == expected
        if told["months_to_diagnosis"]:
            assert row["cancer_laterality"] == row["laterality"]


def test_the_set_says_that_it_is_simulated_and_enriched(made):
    description = json.loads((made / "simulation.json").read_text())
    assert description["simulated"] is True
    assert "Enriched" in description["statement"]
    assert description["case_mix"]["cancer_rate"] == 0.6


def test_impossible_numbers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="patient"):
        cohort.simulate(tmp_path, SetPlan(patients=0, seed=1))
    with pytest.raises(ValueError, match="spacing"):
        cohort.simulate(tmp_path, SetPlan(patients=1, seed=1, spacing_mm=5))


def _a_film(name: str):
    """A view by a named machine."""
    life = draw_life(7, 1)
    breast = BreastView(life, "R", "MLO", 0.7)
    machine = machines.MACHINES[name]
    spacing = 0.7 * machine.spacing
    picture = breast.picture(life.visits[0], spacing, machines.film_shape(machine, 0.7))
    return life, machines.expose(picture, machine, spacing, "R", "MLO", np.random.default_rng(1))


@pytest.mark.parametrize("name", list(machines.MACHINES))
def test_dicom_files_are_valid_for_presentation_mammograms(name):
    life, film = _a_film(name)
    data = pydicom.dcmread(
        io.BytesIO(machines.to_dicom(film, life, life.visits[0], "R", "MLO", mrn="SIM0001"))
    )
    assert data.file_meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.1.2"
    assert data.SOPInstanceUID == data.file_meta.MediaStorageSOPInstanceUID
    # Type 1 attributes of the modules of the Digital Mammography X-Ray Image IOD that a reader relies on.
    for keyword in (
        "StudyInstanceUID", "SeriesInstanceUID", "Modality", "PresentationIntentType", "ImageLaterality",
        "PatientOrientation", "ImagerPixelSpacing", "PixelIntensityRelationship", "PresentationLUTShape", "BodyPartExamined",
        "RescaleSlope", "WindowCenter", "WindowWidth", "LossyImageCompression", "PositionerType", "OrganExposed",
    ):  # fmt: skip
        assert data[keyword].value not in (None, ""), keyword
    assert (data.Modality, data.ImageLaterality, data.ViewPosition) == ("MG", "R", "MLO")
    assert data.ViewCodeSequence[0].CodeValue == "399368009"
    assert data.PatientID == "SIM0001"
    assert "SIMULATED" in data.PatientComments
    assert data.BitsStored == film.machine.bits
    pixels = data.pixel_array
    top = 2**film.machine.bits - 1
    brighter = top - pixels if data.PhotometricInterpretation == "MONOCHROME1" else pixels
    np.testing.assert_array_equal(brighter, film.pixels)


def test_machines_differ_and_stay_inside_their_depth():
    films = {name: _a_film(name)[1] for name in machines.MACHINES}
    assert len({film.pixels.shape for film in films.values()}) >= 3
    for film in films.values():
        assert film.pixels.max() < 2**film.machine.bits
    assert len({film.machine.bits for film in films.values()}) >= 3


def test_a_uid_is_lasting_and_short_enough():
    assert machines.uid("a", 1) == machines.uid("a", 1) != machines.uid("a", 2)
    assert len(machines.uid("a", 1)) <= 64
