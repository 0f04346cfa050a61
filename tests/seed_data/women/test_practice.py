import csv
import json
from pathlib import Path

import pytest

from core.sets.exams import gather
from core.sets.manifest import read_manifest
from seed_data.women import cohort, practice
from seed_data.women.life import CaseMix
from seed_data.women.lives import draw_life
from seed_data.women.plan import SetPlan

MIX = CaseMix(findings_per_breast=1.6)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("practice")
    cohort.simulate(folder, SetPlan(patients=4, seed=5, mix=MIX, spacing_mm=0.7), jobs=1)
    return folder


def test_every_visit_has_findings_of_its_own_and_no_woman_an_outcome():
    life = practice.strewn(draw_life(5, 1), 1.6)
    seen = [{lesion.name for lesion, _ in life.lesions_on(visit.on)} for visit in life.visits]
    assert sum(map(len, seen)) == len(set().union(*seen)) > len(life.visits)
    assert (life.cancer_date, life.cancer_side, life.events) == (None, None, ())


def test_a_set_holds_a_row_for_every_visible_finding(made):
    with (made / "truth.csv").open(encoding="utf-8", newline="") as file:
        visible = sum(
            view["visible"]
            for row in csv.DictReader(file)
            for lesion in json.loads(row["lesions"])
            for view in lesion["views"].values()
        )
    manifest = read_manifest(made / "manifest.csv")
    assert not manifest.refused
    assert sum(row.roi is not None for row in manifest.rows) == visible
    exams = gather([manifest])
    assert any(len(image.boxes) > 1 for image in exams.images)
    assert sum(len(image.boxes) for image in exams.images) == visible


def test_the_set_says_what_it_is(made):
    description = json.loads((made / "simulation.json").read_text())
    assert "practise" in description["statement"]
    assert description["images"] == len(list((made / "images").rglob("*.png")))


def test_no_findings_are_refused():
    with pytest.raises(ValueError, match="above 0"):
        practice.strewn(draw_life(5, 1), 0)
