import numpy as np
import pytest

from models.film.lessons import FilmLessons, ViewCells, fit_film_heads
from models.view import LesionBox

VIEWS, HIGH, WIDE, CHANNELS = 24, 8, 6, 12


def lessons_of(random, normal, real):
    """Views in which cells under a box answer in channel 0, and malignant ones in channel 1 too."""
    inside = np.zeros((VIEWS, HIGH, WIDE), bool)
    inside[:, :, :5] = True
    answers = random.normal(0, 0.3, (VIEWS, HIGH, WIDE, CHANNELS))
    boxes = []
    for view in range(VIEWS):
        if normal[view]:
            boxes.append([])
            continue
        malignant = view % 2 == 0
        boxes.append([LesionBox(16, 32, 64, 80, malignant)])
        answers[view, 2:5, 1:4, 0] += 2
        answers[view, 2:5, 1:4, 1] += 2 * malignant
    density = np.where(np.arange(VIEWS) % 3 == 0, 0, 1)
    answers[..., 2] += 2 * density[:, None, None]
    cells = ViewCells(inside, answers[inside].astype(np.float16))
    return cells, FilmLessons(boxes, normal, real, density)


@pytest.fixture(scope="module")
def known():
    normal = np.arange(VIEWS) >= 12
    return lessons_of(np.random.default_rng(0), normal, np.arange(VIEWS) % 4 != 1)


def test_heads_find_lesions_and_tell_malignant_ones(known):
    cells, lessons = known
    heads = fit_film_heads(cells, lessons, np.arange(VIEWS) % 5 != 0)
    said = np.asarray(cells.laid_out(10) @ heads.lesion[0] + heads.lesion[1])
    assert said[2:5, 1:4, 0].min() > said[6:, :5, 0].max()
    benign = np.asarray(cells.laid_out(5) @ heads.lesion[0] + heads.lesion[1])
    assert said[2:5, 1:4, 1].mean() > benign[2:5, 1:4, 1].mean() + 1
    assert said[2:5, 1:4, 2].mean() == pytest.approx(np.log(48), abs=0.1)
    told = cells.means @ heads.density[0] + heads.density[1]
    denser = told[:, 1] - told[:, 0]
    assert denser[lessons.density == 1].mean() > denser[lessons.density == 0].mean() + 0.1


def test_views_that_may_not_teach_change_nothing(known):
    cells, lessons = known
    mine = np.arange(VIEWS) % 3 != 0
    other = np.array(cells.answers)
    for view in np.flatnonzero(~mine):
        other[cells.of(int(view))] = 9
    boxes = [boxes if mine[view] else [] for view, boxes in enumerate(lessons.lesions)]
    changed = FilmLessons(boxes, lessons.normal, lessons.real, lessons.density)
    one = fit_film_heads(cells, lessons, mine)
    same = fit_film_heads(ViewCells(cells.inside, other), changed, mine)
    for name in ("lesion", "tissue", "density"):
        for before, after in zip(getattr(one, name), getattr(same, name), strict=True):
            np.testing.assert_array_equal(before, after)


def test_without_boxes_or_without_normal_views_nothing_is_learned(known):
    cells, lessons = known
    with pytest.raises(ValueError, match="boxes around lesions"):
        fit_film_heads(cells, lessons, lessons.normal)
