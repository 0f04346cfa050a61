"""How simulated cancer grows and announces itself: editions, and what each mechanism takes from the literature."""

import csv
import hashlib
from dataclasses import replace

import numpy as np
import pytest

from core.rules.ages import DAYS_PER_YEAR
from seed_data.checks import report
from seed_data.checks.sensitivity import write_lives
from seed_data.women import mechanisms
from seed_data.women.life import CaseMix
from seed_data.women.lives import draw_life
from seed_data.women.mechanisms import OF_2025, OF_2026, sign_rise
from seed_data.women.persons import natural_weight
from seed_data.women.tables import TRUTH_COLUMNS

MIX = CaseMix(0.6, treated_rate=0.1)
OF_BEFORE = "78ad0d9c1a401a0b7241b8a204bd46bc67e3dc77e4a11ef7ad79a9f402ae4f8f"


@pytest.fixture(scope="module")
def women():
    return [draw_life(31, number, MIX, mechanisms=OF_2026) for number in range(1, 601)]


def test_the_usual_edition_gives_the_bytes_that_weights_were_proved_on(tmp_path):
    write_lives(tmp_path / "lives.csv", women=60, seed=11, mix=CaseMix())
    assert hashlib.sha256((tmp_path / "lives.csv").read_bytes()).hexdigest() == OF_BEFORE
    assert draw_life(11, 3) == draw_life(11, 3, mechanisms=OF_2025)


def test_only_an_edition_that_is_asked_for_tells_of_texture_and_signs(tmp_path):
    write_lives(tmp_path / "new.csv", women=5, seed=11, mix=CaseMix(), mechanisms=OF_2026)
    rows = list(csv.DictReader((tmp_path / "new.csv").open(encoding="utf-8")))
    assert set(rows[0]) == {*TRUTH_COLUMNS, "texture", "sign", "grade", "in_situ"}
    assert all(row["texture"] and row["sign"] for row in rows)
    assert draw_life(11, 3).visits[0].signs == {}
    alone = draw_life(11, 3, mechanisms=replace(OF_2026, early_signs=False)).visits[0]
    assert alone.signs == {}
    assert alone.texture is not None


def test_the_same_woman_of_2026_is_drawn_again(women):
    assert women[41] == draw_life(31, 42, MIX, mechanisms=OF_2026)


def test_calendars_tell_nothing_of_the_outcome_in_2026_either(women):
    auc, n = report.control_auc(women)
    assert n > 350
    assert auc <= 0.62


def test_growth_is_that_of_a_population():
    rng = np.random.default_rng(0)
    years = 3 * np.array(
        [mechanisms.draw_doubling_days(rng, mechanisms.draw_grade(rng), 157.0) for _ in range(8000)]
    ) / DAYS_PER_YEAR  # fmt: skip
    assert years.mean() == pytest.approx(1.7, rel=0.12)
    assert np.quantile(years, 0.05) == pytest.approx(0.1, rel=0.15)
    assert np.quantile(years, 0.95) == pytest.approx(6.3, rel=0.15)


def test_higher_grades_grow_faster_as_their_medians_stand_to_each_other():
    one, three = (
        np.median(
            [mechanisms.draw_doubling_days(np.random.default_rng(k), grade, 157.0) for k in range(3000)]
        )
        for grade in (1, 3)
    )
    assert one / three == pytest.approx(317 / 195, rel=0.05)


def test_texture_moves_risk_between_women_and_not_the_number_of_cancers():
    risks = [mechanisms.texture_risk(mechanisms.texture_of((1, number))) for number in range(4000)]
    assert np.mean(risks) == pytest.approx(1.0, abs=0.01)
    assert mechanisms.texture_risk(1.0) / mechanisms.texture_risk(0.0) == pytest.approx(1.15)


@pytest.mark.parametrize(("years", "share"), [(4.0, 122 / 531), (2.0, 389 / 1016)])
def test_a_perfect_reader_of_one_study_sees_early_signs_as_often_as_an_ai_did(years, share):
    rng, rise = np.random.default_rng(0), sign_rise(years)
    healthy, affected = rng.standard_normal((2, 100_000, 2))
    affected[:, 0] += rise
    well, ill = (np.logaddexp(*(rise * breasts.T)) for breasts in (healthy, affected))
    assert np.mean(ill > np.quantile(well, 0.9)) == pytest.approx(share, abs=0.01)


def test_signs_rise_towards_the_diagnosis_and_not_after_it():
    assert sign_rise(8.0) == 0
    assert 0 < sign_rise(5.0) < sign_rise(1.0)
    assert sign_rise(-0.1) == 0


def test_signs_rise_in_the_breast_that_will_have_the_cancer_only(women):
    with_cancer = [life for life in women if life.true_cancer_date is not None and not life.treated]
    sides = [next(one.side for one in life.lesions if one.malignant) for life in with_cancer]
    own = [life.visits[-1].signs[side] for life, side in zip(with_cancer, sides, strict=True)]
    other = [
        life.visits[-1].signs["R" if side == "L" else "L"]
        for life, side in zip(with_cancer, sides, strict=True)
    ]
    assert np.mean(own) > 0.4
    assert abs(np.mean(other)) < 0.2


def test_cancers_that_never_progress_are_in_situ_and_found_by_screening_alone(women):
    still = [life for life in women if life.true_cancer_date is not None and life.felt_on is None]
    assert still
    for life in still:
        cancer = next(one for one in life.lesions if one.malignant)
        assert (life.true_found_by, cancer.kind, cancer.in_situ) == ("screening", "calcifications", True)
        assert cancer.grade is None
    for life in women:
        if life.true_found_by == "symptoms":
            assert life.felt_on == life.true_cancer_date
            assert not any(one.in_situ for one in life.lesions)


def test_look_alikes_stay_as_they_are_or_show_once_and_are_never_cancer(women):
    seen = [(life, one) for life in women for one in life.lesions if one.name.startswith("A")]
    staying = [one for _, one in seen if one.gone_on is None]
    assert len(staying) / len(women) == pytest.approx(0.06, abs=0.03)
    for life, one in seen:
        assert not one.malignant
        days = [visit.on for visit in life.visits if one.diameter_mm(visit.on) > 0]
        assert len(days) in (1, len(life.visits))
    assert not any(one.name.startswith("A") for one in draw_life(31, 4, MIX).lesions)


def test_without_cancer_on_its_way_women_of_a_mix_weigh_more_than_those_with():
    drawn = [draw_life(32, number, CaseMix(treated_rate=0.0)) for number in range(1, 801)]
    weight = np.array([natural_weight(life, CaseMix(treated_rate=0.0)) for life in drawn])
    cancer = np.array([life.true_cancer_date is not None for life in drawn])
    # Within eight years some 2 to 3 of 100 women of these ages in life; of the mix 45.
    assert 0.35 < cancer.mean() < 0.55
    assert 0.012 < np.average(cancer, weights=weight) < 0.04
