from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from seed_data.checks import report
from seed_data.women.life import CaseMix, Life, LifeLesion
from seed_data.women.lives import draw_life
from seed_data.women.rates import sensitivity


@pytest.fixture(scope="module")
def women() -> list[Life]:
    return [draw_life(3, number) for number in range(1, 3001)]


def test_the_same_arguments_give_the_same_life():
    assert draw_life(5, 17) == draw_life(5, 17)
    assert draw_life(5, 17) != draw_life(5, 18)
    assert draw_life(5, 17) != draw_life(6, 17)


def test_dates_and_visit_counts_do_not_tell_the_outcome(women):
    auc, n = report.control_auc(women)
    assert n > 2000
    assert auc <= 0.60


def test_the_default_mix_holds_as_many_cancers_as_it_says(women):
    share = np.mean([life.cancer_date is not None for life in women])
    assert 0.27 <= share <= 0.37


def test_an_untreated_woman_has_no_diagnosis_before_her_last_visit(women):
    for life in women:
        if life.cancer_date is not None and not life.treated:
            assert life.visits[-1].on < life.cancer_date <= life.last_followup


def test_visits_are_three_to_eight_in_order_with_some_missed(women):
    counts = {len(life.visits) for life in women}
    assert counts == {3, 4, 5, 6, 7, 8}
    assert sum(bool(life.missed) for life in women) > 500
    for life in women[:300]:
        days = [visit.on for visit in life.visits]
        assert days == sorted(days)
        assert min(np.diff([day.toordinal() for day in days])) >= 150


def test_views_are_missing_now_and_then(women):
    visits = [visit for life in women for visit in life.visits]
    assert {len(visit.views) for visit in visits} == {2, 3, 4}
    assert 0.02 < np.mean([len(visit.views) < 4 for visit in visits]) < 0.10


def test_density_margins_follow_age_and_body_mass():
    margins = [margin for margin in report.margins(3000) if margin.topic.startswith("C or D by")]
    counted = [margin for margin in margins if margin.n >= 300]
    assert len(counted) >= 7
    for margin in counted:
        assert margin.target is not None
        standard_error = 100 * (0.25 / margin.n) ** 0.5
        assert abs(margin.simulated - margin.target) <= 5 + 2 * standard_error, margin


def test_a_tumour_doubles_its_volume_in_its_doubling_time():
    lesion = LifeLesion("M1", "L", "round mass", True, (40, 0, 0), date(2015, 1, 1), 4.0, doubling_days=100)
    later = date(2015, 1, 1) + timedelta(days=100)
    assert (lesion.diameter_mm(later) / 4.0) ** 3 == pytest.approx(2.0)
    assert lesion.diameter_mm(date(2014, 12, 31)) == 0
    assert replace(lesion, gone_on=later).diameter_mm(later) == 0


def test_a_treated_tumour_shrinks_then_comes_back():
    start = date(2015, 1, 1)
    lesion = LifeLesion(
        "M1", "L", "round mass", True, (40, 0, 0), start, 16.0, 100, shrinks_from=start + timedelta(days=1),
        halving_days=100, regrows_from=start + timedelta(days=301),
    )  # fmt: skip
    low = lesion.diameter_mm(start + timedelta(days=301))
    assert low == pytest.approx(8.0, rel=0.02)
    assert lesion.diameter_mm(start + timedelta(days=601)) == pytest.approx(16.0, rel=0.02)


def test_screening_finds_a_quarter_at_5_mm_and_nine_of_ten_at_10_mm():
    at = {size: np.mean([sensitivity(size, letter) for letter in "ABBBBCCCCD"]) for size in (5.0, 10.0)}
    assert at[5.0] == pytest.approx(0.26, abs=0.04)
    assert at[10.0] == pytest.approx(0.91, abs=0.04)
    assert sensitivity(7, "D") < sensitivity(7, "A")


def test_progression_needs_a_fifth_and_five_millimetres_or_a_new_lesion():
    life = next(life for life in (draw_life(8, n) for n in range(1, 99)) if len(life.visits) >= 3)
    first, second = life.visits[0].on, life.visits[1].on
    still = LifeLesion("M1", "L", "round mass", True, (40, 0, 0), first - timedelta(days=900), 12.0)
    growing = replace(still, doubling_days=(second - first).days / 3, start_mm=6.0, since=first)
    new = replace(still, since=first + timedelta(days=10), start_mm=5.5)
    for lesion, expected in ((still, False), (growing, True), (new, True)):
        woman = replace(life, lesions=(lesion,))
        assert woman.progressed(life.visits[0], "L") is None
        assert woman.progressed(life.visits[1], "L") is expected
        assert woman.progressed(life.visits[1], "R") is False


def test_natural_incidence_is_far_below_the_enriched_one():
    natural = [draw_life(3, n, CaseMix(cancer_rate=None, treated_rate=0)) for n in range(1, 3001)]
    assert 0.002 < np.mean([life.cancer_date is not None for life in natural]) < 0.04


def test_moving_the_last_visit_moves_the_whole_life():
    free, moved = draw_life(2, 9), draw_life(2, 9, last_visit=date(2026, 5, 1))
    shift = moved.visits[-1].on - free.visits[-1].on
    assert [visit.on + shift for visit in free.visits] == [visit.on for visit in moved.visits]
    assert moved.birth_date == free.birth_date + shift
