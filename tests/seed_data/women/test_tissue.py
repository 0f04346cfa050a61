"""Texture and early signs in pictures: where they lie, how they look, and on whom."""

import json

import numpy as np
import pytest

from core.sets.truth import read_truth
from seed_data.women import cohort, tissue
from seed_data.women.life import CaseMix
from seed_data.women.lives import draw_life
from seed_data.women.mechanisms import OF_2026
from seed_data.women.plan import SetPlan


def view():
    rng = np.random.default_rng(0)
    return rng.normal(0.4, 0.02, (300, 220)).astype(np.float32), np.full((300, 220), 30.0, np.float32)


def test_a_sign_stands_out_as_far_as_it_is_high_and_only_at_its_place():
    signal, skin = view()
    added = {}
    for sign in (1.2816, 2.5632, -1.2816, 0.0):
        drawn = signal.copy()
        tissue.draw_sign(drawn, skin, (40.0, 60.0), 0.4, sign)
        added[sign] = drawn - signal
    at = (149, 99)
    assert added[1.2816][at] == pytest.approx(0.02, rel=0.15)
    assert added[2.5632][at] == pytest.approx(2 * added[1.2816][at], rel=0.01)
    assert added[-1.2816][at] == pytest.approx(-added[1.2816][at], rel=0.01)
    assert not added[0.0].any()
    assert not added[2.5632][:, 170:].any()


def test_a_sign_off_the_film_or_outside_the_breast_is_not_drawn():
    signal, skin = view()
    for place, over in (((-90.0, 40.0), skin), ((40.0, 60.0), np.zeros_like(skin))):
        drawn = signal.copy()
        tissue.draw_sign(drawn, over, place, 0.4, 3.0)
        assert np.array_equal(drawn, signal)


def test_a_sign_lies_where_the_cancer_will_be_and_elsewhere_in_a_place_of_its_own():
    life = next(
        life
        for number in range(1, 50)
        if (life := draw_life(6, number, CaseMix(0.6, treated_rate=0.0), mechanisms=OF_2026)).true_cancer_date
    )
    cancer = next(one for one in life.lesions if one.malignant)
    other = "R" if cancer.side == "L" else "L"
    assert tissue.sign_place(life, cancer.side) == cancer.position_mm
    assert tissue.sign_place(life, other) == tissue.sign_place(life, other) != cancer.position_mm


def test_strands_follow_texture():
    detail = np.ones((2, 2), np.float32)
    assert tissue.strands(detail, 1.0)[0, 0] == pytest.approx(1.25)
    assert tissue.strands(detail, -9.0)[0, 0] == pytest.approx(0.3)


def test_a_set_of_another_edition_says_so_and_keeps_what_it_drew(tmp_path):
    said = cohort.simulate(
        tmp_path, SetPlan(patients=1, seed=5, mix=CaseMix(0.6), spacing_mm=1.0, mechanisms=OF_2026), jobs=1
    )
    assert said["mechanisms"]["edition"] == "2026"
    assert json.loads((tmp_path / "simulation.json").read_text())["mechanisms"]["early_signs"] is True
    assert all(one.sign is not None and one.texture is not None for one in read_truth(tmp_path / "truth.csv"))


def test_other_mechanisms_and_findings_to_practise_on_do_not_go_together(tmp_path):
    with pytest.raises(ValueError, match="with a course only"):
        cohort.simulate(
            tmp_path, SetPlan(patients=1, seed=5, mix=CaseMix(findings_per_breast=1.0), mechanisms=OF_2026)
        )
