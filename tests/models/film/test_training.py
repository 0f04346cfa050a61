"""A detector learns from boxes, real and drawn; what it says of a film does not hang on how it was asked."""

from dataclasses import replace

import numpy as np
import pytest

from models.film.cells import FilmCells, make_cells
from models.film.detector import Detector
from models.film.heads import HeadRecipe
from models.film.maps import Net, cells_of
from models.film.scores import Peak, film_score, peaks_of
from models.film.training import (
    DetectorRecipe,
    Lessons,
    Origin,
    on_lesion,
    peak_on_lesion,
    train_detector,
)
from models.view import LesionBox

SHAPE = (192, 144)
QUIET = lambda *_: None  # noqa: E731
RECIPE = DetectorRecipe(head=HeadRecipe(normal_cells=500))
MINE = ~np.isin(np.arange(20), (9, 10, 11, 18, 19))


CHANNELS = dict.fromkeys(Net, 4)


def look(films):
    """Stand for the frozen networks: answer with the mean and spread of each cell's shades, twice."""
    high, wide = cells_of(SHAPE)
    cut = films[0, ..., 0].reshape(high, 16, wide, 16)
    both = np.stack([cut.mean(axis=(1, 3)), cut.std(axis=(1, 3))], axis=-1)
    return {net.value: np.concatenate([both, both**2], axis=-1)[None] for net in Net}


def films(count=12):
    """Every third film has a bright square and is malignant."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    breast = (columns / 130) ** 2 + ((rows - 96) / 90) ** 2 < 1
    shown = np.where(breast, random.normal(90, 6, (count, *SHAPE)), 0).clip(0, 255).astype(np.uint8)
    lesions = [[] for _ in range(count)]
    for i in range(0, count, 3):
        x, y = int(random.integers(30, 70)), int(random.integers(60, 110))
        shown[i, y : y + 32, x : x + 32] = 200
        lesions[i] = [LesionBox(x, y, x + 32, y + 32, malignant=True)]
    return shown, lesions


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """Twelve films of as many women, and after them the normal ones with a square drawn in."""
    shown, lesions = films()
    normal = [i for i in range(12) if not lesions[i]]
    drawn = shown[normal].copy()
    drawn[:, 80:104, 40:64] = 190
    boxes = [*lesions, *([LesionBox(40, 80, 64, 104, malignant=False)] for _ in normal)]
    places = np.arange(len(boxes))
    lessons = Lessons(
        boxes, np.array([not one for one in boxes]), np.where(places >= 12, Origin.DRAWN, Origin.REAL)
    )
    shown = np.concatenate([shown, drawn])
    folder = tmp_path_factory.mktemp("cells")
    cells = make_cells(look, CHANNELS, len(boxes), lambda i: shown[i], folder, QUIET)
    return shown, lessons, cells, train_detector(cells, lessons, MINE, RECIPE, QUIET), folder


def test_it_points_at_the_lesion_of_a_film_it_never_met_and_scores_it_above_those_without(taught):
    _, lessons, cells, detector, _ = taught
    said = [detector.of_cells(cells, i) for i in (9, 10, 11)]
    assert film_score(said[0].lesion) > max(film_score(one.lesion) for one in said[1:])
    assert peak_on_lesion(peaks_of(said[0].lesion, 1)[0], lessons.lesions[9][0])
    assert not peak_on_lesion(Peak(11, 0, 0.0), lessons.lesions[9][0])


def test_a_film_gets_the_same_answer_kept_or_looked_at_anew_and_from_a_saved_detector(taught, tmp_path):
    shown, _, cells, detector, _ = taught
    detector.save(tmp_path / "heads.npz")
    again = Detector.load(tmp_path / "heads.npz")
    out = look(shown[9][None, ..., None].astype(np.float32) / 255)
    anew = again.of_answers(shown[9], {Net(name): value[0] for name, value in out.items()})
    assert anew.logits == pytest.approx(detector.of_cells(cells, 9).logits, abs=0.02)
    assert anew.logits[0] == 0


def test_who_is_left_out_teaches_nothing(taught):
    _, lessons, cells, detector, _ = taught
    strange = {net: np.array(answers) for net, answers in cells.answers.items()}
    for answers in strange.values():
        answers[~MINE[cells.film]] = 7
    other = train_detector(FilmCells(cells.inside, cells.place, strange), lessons, MINE, RECIPE, QUIET)
    for net, head in other.heads.items():
        assert (head.weights == detector.heads[net].weights).all()


def test_what_lies_beside_a_drawn_lesion_teaches_nothing_but_beside_a_real_one_that_it_is_normal(taught):
    _, lessons, cells, detector, _ = taught
    beside = [cells.of(film)[-20:] for film in (0, 12)]
    assert not any(
        on_lesion(lessons.lesions[film][0], cells_of(SHAPE))[cells.inside[film]][-20:].any()
        for film in (0, 12)
    )
    for own, teaches in zip(beside, (True, False), strict=True):
        strange = {net: np.array(answers) for net, answers in cells.answers.items()}
        for answers in strange.values():
            answers[own] = 7
        other = train_detector(FilmCells(cells.inside, cells.place, strange), lessons, MINE, RECIPE, QUIET)
        changed = any(
            (head.weights != detector.heads[net].weights).any() for net, head in other.heads.items()
        )
        assert changed is teaches


def with_answers(cells, chosen, channel, value):
    """Return the cells as if at some places the networks had answered otherwise."""
    strange = {net: np.array(answers) for net, answers in cells.answers.items()}
    for answers in strange.values():
        answers[chosen, channel] = value
    return FilmCells(cells.inside, cells.place, strange)


def weight_of(cells, lessons, output, channel, recipe=RECIPE):
    """Return the weight of a channel in what a detector taught by all films says: of a lesion (0), or of malignant (1)."""
    heads = train_detector(cells, lessons, np.ones(len(cells.inside), bool), recipe, QUIET).heads
    return float(np.mean([head.weights[channel, output] for head in heads.values()]))


def test_malignant_is_told_from_benign_by_lesions_that_were_put_in_where_these_are_of_both_kinds(taught):
    """Few are real, and what else differs between their films would be learned with them."""
    _, lessons, cells, *_ = taught
    turned = [
        [replace(box, malignant=film % 2 == 0) for box in boxes] if film >= 12 else boxes
        for film, boxes in enumerate(lessons.lesions)
    ]
    both = replace(lessons, lesions=turned)
    on_real = np.concatenate([cells.of(film) for film in range(0, 12, 3)])
    odd = with_answers(cells, on_real, 2, 9)
    assert weight_of(odd, both, 1, 2) == weight_of(with_answers(cells, on_real, 2, 5), both, 1, 2)
    assert weight_of(odd, lessons, 1, 2) != weight_of(with_answers(cells, on_real, 2, 5), lessons, 1, 2)


def test_what_moved_lesions_share_counts_as_much_as_the_recipe_says(taught):
    _, lessons, cells, *_ = taught
    origin = np.array(lessons.origin)
    origin[16:] = Origin.MOVED
    moved = np.concatenate([cells.of(film) for film in range(16, len(origin))])
    marked = with_answers(with_answers(cells, slice(None), 3, 0), moved, 3, 1)
    known = replace(lessons, origin=origin)
    weights = [weight_of(marked, known, 0, 3, replace(RECIPE, moved=share)) for share in (0.05, 0.15, 0.5)]
    assert weights == sorted(weights)
    assert weights[0] < weights[2]


@pytest.mark.parametrize(
    ("real", "moved"), [(0.7, 0.31), (-0.1, 0.5), (0.5, -0.1), (float("nan"), 0.1), (1.1, 0.0)]
)
def test_shares_that_leave_less_than_nothing_for_drawn_lesions_are_refused(real, moved):
    with pytest.raises(ValueError, match="both together 1 at most"):
        DetectorRecipe(real=real, moved=moved)


def test_a_killed_run_looks_only_at_the_films_that_are_left(taught):
    shown, *_, folder = taught
    asked = []

    def counted(films):
        asked.append(1)
        return look(films)

    (folder / "cells.json").write_text(f'{{"films": {len(shown) - 2}}}')
    make_cells(counted, CHANNELS, len(shown), lambda i: shown[i], folder, QUIET)
    assert len(asked) == 2


def test_heads_of_other_networks_are_refused_by_name(taught, tmp_path):
    detector = taught[3]
    heads = dict(detector.heads)
    heads["lite2-small"] = heads.pop(Net.LITE2)
    np.savez(
        tmp_path / "heads.npz",
        **{
            f"{net}.{part}": getattr(head, part)
            for net, head in heads.items()
            for part in ("weights", "bias")
        },
    )
    with pytest.raises(ValueError, match=r"lite2-small.*Train the detector anew"):
        Detector.load(tmp_path / "heads.npz")


def test_without_a_lesion_or_without_a_normal_film_nothing_is_learned(taught):
    _, lessons, cells, _, _ = taught
    with pytest.raises(ValueError, match="without a lesion"):
        train_detector(cells, lessons, np.arange(20) == 0, RECIPE, QUIET)


def test_a_tiny_lesion_marks_the_cells_it_lies_in():
    assert on_lesion(LesionBox(38, 38, 42, 42, malignant=False), (12, 9)).sum() == 1
    assert on_lesion(LesionBox(16, 16, 80, 80, malignant=False), (12, 9)).sum() >= 12


def test_what_lies_around_a_lesion_teaches_nothing_and_the_rest_of_its_film_teaches_what_is_normal(taught):
    _, lessons, cells, detector, _ = taught
    film = 0
    box = lessons.lesions[film][0]
    rows, columns = (np.mgrid[: SHAPE[0] // 16, : SHAPE[1] // 16] + 0.5) * 16
    far = np.hypot(columns - (box.x0 + box.x1) / 2, rows - (box.y0 + box.y1) / 2)[cells.inside[film]]

    def heads_where(changed):
        strange = {net: answers.copy() for net, answers in cells.answers.items()}
        for answers in strange.values():
            answers[cells.of(film)[changed]] += 50
        return train_detector(FilmCells(cells.inside, cells.place, strange), lessons, MINE, RECIPE, QUIET)

    def same(other):
        return all(np.array_equal(detector.heads[net].weights, other.heads[net].weights) for net in Net)

    assert same(heads_where((far > 17) & (far < 55)))
    assert not same(heads_where(far > 57))
