"""Where a prior shows what a current view shows: on simulated women, on known warps, and against readers' landmarks."""

import csv

import cv2
import numpy as np
import pytest

from core.images.registration.mapping import Registration
from core.images.registration.views import register_views


def apart(one, other) -> np.ndarray:
    return np.linalg.norm(one - other, axis=1)


def inside(pixels, every: int = 30) -> np.ndarray:
    """Return points (n, 2) spread over the breast, away from its skin."""
    lit = cv2.erode((pixels > 0.15 * pixels.max()).astype(np.uint8), np.ones((41, 41)))
    y, x = np.nonzero(lit[::every, ::every])
    return np.stack([x, y], axis=1) * float(every)


def never_folds(found: Registration) -> bool:
    down = np.stack([np.diff(one, axis=0)[:, :-1] for one in (found.x, found.y)])
    across = np.stack([np.diff(one, axis=1)[:-1] for one in (found.x, found.y)])
    areas = across[0] * down[1] - across[1] * down[0]
    return bool((areas > 0).all() or (areas < 0).all())


@pytest.fixture(scope="module")
def registered(simulated):
    return {name: register_views(pair.prior, pair.current) for name, pair in simulated.items()}


def test_findings_of_a_woman_are_found_again_in_every_view(simulated, registered):
    left, unregistered = [], []
    for name, pair in simulated.items():
        left += list(apart(registered[name].to_current(pair.in_prior), pair.in_current))
        unregistered += list(apart(pair.in_prior, pair.in_current))
        assert registered[name].is_usable
    assert len(left) >= 4
    assert np.median(left) < min(2.0, 0.3 * np.median(unregistered))


def test_the_way_there_and_back_is_where_one_was(simulated, registered):
    for name, found in registered.items():
        points = inside(simulated[name].current)
        assert apart(found.to_current(found.to_prior(points)), points).max() < 0.01


def test_no_map_folds_the_picture(registered):
    assert all(never_folds(found) for found in registered.values())


def test_a_picture_lies_on_itself(simulated):
    current = simulated["L-MLO"].current
    found = register_views(current, current)
    assert apart(found.to_prior(inside(current)), inside(current)).max() < 1
    assert found.quality > 0.95


def test_the_same_pictures_give_the_same_answer(simulated, registered):
    pair, first = simulated["L-CC"], registered["L-CC"]
    again = register_views(pair.prior, pair.current)
    assert (again.x == first.x).all()
    assert (again.y == first.y).all()
    assert again.quality == first.quality


def test_a_mirrored_prior_shows_the_same_place_mirrored(simulated, registered):
    pair = simulated["L-CC"]
    mirrored = register_views(np.ascontiguousarray(pair.prior[:, ::-1]), pair.current)
    points = inside(pair.current)
    expected = registered["L-CC"].to_prior(points) * [-1, 1] + [pair.prior.shape[1], 0]
    assert apart(mirrored.to_prior(points), expected).max() < 1
    assert mirrored.moved.mirrored
    assert never_folds(mirrored)


def smaller(prior):
    return cv2.resize(prior, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.diag([0.5, 0.5, 1.0])


def turned(prior):
    rows, columns = prior.shape
    turn = cv2.getRotationMatrix2D((0, rows / 2), 5, 1.0)
    there = np.vstack([turn, [0, 0, 1]])
    return cv2.warpAffine(prior, turn, (columns, rows)), there


def other_window(prior):
    return (255 * (prior / prior.max()) ** 1.6).astype(np.uint8), np.eye(3)


def labelled(prior):
    picture = prior.copy()
    rows, columns = picture.shape
    top = int(picture.max())
    cv2.putText(picture, "L CC 2014", (columns - 200, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.2, top, 3)
    picture[rows - 60 : rows - 20, columns - 90 : columns - 30] = top
    return picture, np.eye(3)


@pytest.mark.parametrize("change", [smaller, turned, other_window, labelled])
def test_what_was_done_to_the_prior_does_not_move_the_answer(simulated, registered, change):
    pair = simulated["L-CC"]
    prior, there = change(pair.prior)
    points = inside(pair.current)
    before = registered["L-CC"].to_prior(points)
    expected = (np.c_[before, np.ones(len(before))] @ there.T)[:, :2]
    found = register_views(prior, pair.current)
    off = apart(found.to_prior(points), expected) / np.sqrt(np.linalg.det(there))
    assert np.percentile(off, 90) < 4
    assert found.is_usable


def test_a_known_bend_is_found(simulated):
    current = simulated["R-MLO"].current
    rows, columns = current.shape
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    bent_x = x * 1.05 + 7 * np.sin(y / 90)
    bent_y = (y - 20) * 1.04 + 6 * np.cos(x / 70)
    prior = cv2.remap(current, bent_x, bent_y, cv2.INTER_LINEAR)
    points = inside(prior, 40)
    column, row = points.astype(int).T
    expected = np.stack([bent_x[row, column], bent_y[row, column]], axis=1)
    left = apart(register_views(prior, current).to_current(points), expected)
    assert np.median(left) < 2
    assert np.median(left) < 0.1 * np.median(apart(points, expected))


def test_another_view_or_breast_or_no_breast_is_told(simulated):
    pair, other = simulated["L-CC"], simulated["L-MLO"]
    assert not register_views(pair.prior, other.current).is_usable
    known = register_views(pair.prior, other.current, doubt="the one is CC, the other MLO.")
    assert known.quality == 0
    assert "MLO" in known.said
    nothing = register_views(np.zeros((400, 300), np.uint16), pair.current)
    assert nothing.quality == 0
    assert "breast" in nothing.said
    assert nothing.grid()["columns"] == 33


def test_readers_landmarks_of_real_pairs(shared_data):
    folder = shared_data / "mgreg_pairs"
    with (folder / "landmarks.csv").open() as file:
        rows = list(csv.DictReader(file))
    for pair in sorted({row["pair_id"] for row in rows}):
        marked = {
            visit: {
                row["landmark"]: row
                for row in rows
                if (row["pair_id"], row["visit"], row["reader"]) == (pair, visit, "1")
            }
            for visit in ("prior", "current")
        }
        names = sorted(marked["prior"])
        points, pictures = {}, {}
        for visit, of in marked.items():
            points[visit] = np.array([[float(of[name]["x"]), float(of[name]["y"])] for name in names])
            pictures[visit] = cv2.imread(str(folder / of[names[0]]["path"]), cv2.IMREAD_GRAYSCALE)
        found = register_views(pictures["prior"], pictures["current"])
        left = np.median(apart(found.to_current(points["prior"]), points["current"]))
        assert left < 0.25 * np.median(apart(points["prior"], points["current"])), pair
        assert found.is_usable
        assert never_folds(found)
