"""Which findings show, without a picture."""

import csv
import json

import numpy as np
import pytest

from seed_data.women import lives, tables
from seed_data.women.life import CaseMix
from seed_data.women.rates import BENIGN_KINDS, MALIGNANT_KINDS
from seed_data.women.visibility import MEASURED, SPECKS, fitted, truth_without_pictures


def findings(women=200, seed=5):
    """Every finding at every visit of some lives, with the row it stands in."""
    return [
        (row, finding)
        for number in range(1, women + 1)
        for row in truth_without_pictures(lives.draw_life(seed, number), MEASURED)
        for finding in json.loads(row["lesions"])
    ]


def test_the_same_life_always_shows_the_same():
    life = lives.draw_life(5, 3)
    assert truth_without_pictures(life, MEASURED) == truth_without_pictures(life, MEASURED)


def test_nothing_small_shows_and_specks_always_do():
    for row, finding in findings():
        if finding["diameter_mm"] < 3 or not row["views"]:
            assert not finding["visible"]
        elif finding["kind"] in SPECKS:
            assert finding["visible"]


def test_larger_masses_show_more_often():
    shown = {True: [], False: []}
    for row, finding in findings(400):
        if finding["kind"] not in SPECKS and finding["diameter_mm"] >= 3 and row["views"]:
            shown[finding["diameter_mm"] > 12].append(finding["visible"])
    assert np.mean(shown[True]) > np.mean(shown[False]) + 0.1


def test_there_are_constants_for_every_mass():
    masses = (set(MALIGNANT_KINDS) | set(BENIGN_KINDS) | {"scar"}) - set(SPECKS)
    assert masses == set(MEASURED.kinds)


def test_the_columns_are_those_of_a_drawn_truth_table():
    (row, *_) = truth_without_pictures(lives.draw_life(5, 1), MEASURED)
    assert set(row) == set(tables.TRUTH_COLUMNS)


def test_known_constants_are_found_again(tmp_path):
    """A truth table whose contrasts were computed from known constants gives them back."""
    mix = CaseMix(benign_per_woman=4.0)
    known = {"level": 0.2, "slope": 0.6}
    random = np.random.default_rng(0)
    rows = []
    for number in range(1, 201):
        life = lives.draw_life(7, number, mix)
        conspicuity = {lesion.name: lesion.conspicuity for lesion in life.lesions}
        for row in tables.truth_rows(life, ()):
            held = json.loads(row["lesions"])
            for finding in held:
                mean = known["level"] + known["slope"] * np.log(max(finding["diameter_mm"], 0.1) / 10)
                mean += 1.5 * np.log(conspicuity[finding["name"]]) + (0.3 if row["density"] == "A" else 0.0)
                finding["views"] = {
                    view: {"contrast_to_clutter": float(np.exp(mean + random.normal(0, 0.05)))}
                    for view in ("CC", "MLO")
                }
            rows.append(row | {"lesions": json.dumps(held)})
    with (tmp_path / "truth.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, tables.TRUTH_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "simulation.json").write_text(
        json.dumps({"seed": 7, "patients": 200, "case_mix": {"benign_per_woman": 4.0}})
    )
    found = fitted([tmp_path])
    assert found.kinds["cyst"][:2] == pytest.approx((0.2, 0.6), abs=0.05)
    assert found.of_conspicuity == pytest.approx(1.5, abs=0.05)
    assert found.by_density["A"] == pytest.approx(0.3, abs=0.05)
    assert found.spread_by_visit == pytest.approx(0.05, abs=0.01)
