import csv
import json

import cv2
import numpy as np
import pytest

from core.sets.manifest import read_manifest
from seed_data.women import backgrounds, cohort
from seed_data.women.life import CaseMix
from seed_data.women.plan import SetPlan

RICH = CaseMix(cancer_rate=0.6, benign_per_woman=2.0, treated_rate=0.0, detection_delay_mm=8)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Three women's pictures standing for real ones: one visit each, nothing found."""
    folder = tmp_path_factory.mktemp("pictures")
    healthy = CaseMix(cancer_rate=0.0001, benign_per_woman=0.0, treated_rate=0.0)
    cohort.simulate(folder, SetPlan(patients=3, seed=1, mix=healthy, spacing_mm=0.6), jobs=1)
    return folder / "manifest.csv"


def test_findings_grow_in_real_pictures_and_the_rows_say_so(manifest, tmp_path):
    found = backgrounds.backgrounds(read_manifest(manifest))
    told = cohort.simulate(
        tmp_path, SetPlan(patients=3, seed=4, mix=RICH, spacing_mm=0.6, on_real=found), jobs=1
    )
    assert told["real_backgrounds"] is True
    assert "no course is real" in told["statement"]
    with (tmp_path / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["background"] for row in rows} == {background.patient_id for background in found}
    assert {row["vendor"] for row in rows} == {backgrounds.REAL.name}
    assert any(row["finding"] != "normal" for row in rows)
    assert not read_manifest(tmp_path / "manifest.csv").refused


def test_a_visit_shows_the_picture_with_the_finding_added_where_truth_says(manifest, tmp_path):
    found = backgrounds.backgrounds(read_manifest(manifest))
    cohort.simulate(tmp_path, SetPlan(patients=3, seed=4, mix=RICH, spacing_mm=0.6, on_real=found), jobs=1)
    plain = tmp_path / "plain"
    none = CaseMix(cancer_rate=0.0001, benign_per_woman=0.0, treated_rate=0.0)
    cohort.simulate(plain, SetPlan(patients=3, seed=4, mix=none, spacing_mm=0.6, on_real=found), jobs=1)
    checked = 0
    with (tmp_path / "truth.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            lesions = json.loads(row["lesions"])
            for view in row["views"].split():
                boxes = [
                    lesion["views"][view]["box"]
                    for lesion in lesions
                    if lesion["views"].get(view, {}).get("visible")
                ]
                name = f"images/{row['patient_id']}/{row['visit']}_{row['study_date']}_{row['laterality']}_{view}.png"
                with_it, without = (cv2.imread(str(f / name), -1).astype(float) for f in (tmp_path, plain))
                for x0, y0, x1, y1 in boxes:
                    added = (with_it - without)[y0:y1, x0:x1]
                    assert np.abs(added).max() >= 5
                    checked += 1
                if not lesions:
                    np.testing.assert_array_equal(with_it, without)
    assert checked > 5


def test_women_with_a_finding_are_no_background(manifest, tmp_path):
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["finding"] = "malignant"
        row["path"] = str((manifest.parent / row["path"]).resolve())
    marked = tmp_path / "marked.csv"
    with marked.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(ValueError, match="without finding"):
        backgrounds.backgrounds(read_manifest(marked))


def test_real_films_can_carry_findings(shared_data, tmp_path):
    found = backgrounds.backgrounds(read_manifest(shared_data / "mini_mias" / "manifest.csv"))[:2]
    told = cohort.simulate(tmp_path, SetPlan(patients=2, seed=2, mix=RICH, on_real=found), jobs=1)
    assert told["images"] >= 6
    with (tmp_path / "manifest.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            pixels = cv2.imread(str(tmp_path / row["path"]), -1)
            assert 0.1 < np.mean(pixels > 30) < 0.95


def test_the_same_seed_gives_the_same_pictures(manifest, tmp_path):
    found = backgrounds.backgrounds(read_manifest(manifest))
    for name in ("a", "b"):
        cohort.simulate(
            tmp_path / name, SetPlan(patients=2, seed=4, mix=RICH, spacing_mm=0.6, on_real=found), jobs=1
        )
    for path in sorted((tmp_path / "a").rglob("*.png")):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
