from dataclasses import replace

import numpy as np
import pytest

from models.film.cells import FilmCells
from models.film.heads import HeadRecipe
from models.film.lessons import FilmLessons, fit_film_heads
from models.film.maps import Net
from models.film.places import PLACES
from models.film.training import DetectorRecipe, Lessons, Origin, train_detector
from models.view import LesionBox

VIEWS, HIGH, WIDE, CHANNELS = 24, 8, 6, 12
RECIPE = DetectorRecipe(head=HeadRecipe(normal_cells=500))
QUIET = lambda *_: None  # noqa: E731


def cells_of(inside, answers):
    """Cells of which each network answers the same, and of whose places nothing is known."""
    kept = answers.astype(np.float16)
    return FilmCells(inside, np.zeros((len(kept), PLACES), np.float16), {net: kept.copy() for net in Net})


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
    return cells_of(inside, answers[inside]), FilmLessons(
        Lessons(boxes, normal, np.where(real, Origin.REAL, Origin.DRAWN)), density
    )


@pytest.fixture(scope="module")
def known():
    normal = np.arange(VIEWS) >= 12
    return lessons_of(np.random.default_rng(0), normal, np.arange(VIEWS) % 4 != 1)


def test_heads_find_lesions_and_tell_malignant_ones(known):
    cells, lessons = known
    heads = fit_film_heads(cells, lessons, np.arange(VIEWS) % 5 != 0, RECIPE, QUIET)
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
    other = np.array(cells.answers[Net.LITE2])
    for view in np.flatnonzero(~mine):
        other[cells.of(int(view))] = 9
    known_of = lessons.boxes
    boxes = [boxes if mine[view] else [] for view, boxes in enumerate(known_of.lesions)]
    changed = FilmLessons(Lessons(boxes, known_of.normal, known_of.origin), lessons.density)
    one = fit_film_heads(cells, lessons, mine, RECIPE, QUIET)
    same = fit_film_heads(cells_of(cells.inside, other), changed, mine, RECIPE, QUIET)
    for name in ("lesion", "tissue", "density"):
        for before, after in zip(getattr(one, name), getattr(same, name), strict=True):
            np.testing.assert_array_equal(before, after)


def test_without_boxes_or_without_normal_views_nothing_is_learned(known):
    cells, lessons = known
    with pytest.raises(ValueError, match="boxes around theirs"):
        fit_film_heads(cells, lessons, lessons.boxes.normal, RECIPE, QUIET)


def test_what_is_read_of_a_cell_is_the_mean_of_what_each_networks_head_says(known):
    cells, lessons = known
    mine = np.arange(VIEWS) % 5 != 0
    heads = fit_film_heads(cells, lessons, mine, RECIPE, QUIET)
    detector = train_detector(cells, lessons.boxes, mine, RECIPE, QUIET)
    places = cells.of(3)
    each = [head.logits(cells.features(net)(places)) for net, head in detector.heads.items()]
    said = cells.joined(places) @ heads.lesion[0][:, :2] + heads.lesion[1][:2]
    np.testing.assert_allclose(said, np.mean(each, axis=0), atol=1e-3)


def test_of_many_films_some_are_searched_for_cells_that_look_like_a_lesion(known):
    cells, lessons = known
    mine = np.ones(VIEWS, bool)
    few, more, all_ = (
        train_detector(cells, lessons.boxes, mine, replace(RECIPE, searched=count), QUIET)
        for count in (3, VIEWS, 10 * VIEWS)
    )
    assert not np.array_equal(few.heads[Net.LITE2].weights, more.heads[Net.LITE2].weights)
    assert np.array_equal(more.heads[Net.LITE2].weights, all_.heads[Net.LITE2].weights)
