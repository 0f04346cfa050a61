"""Why a score moved: from the prior's score, as known then, to this one, in parts that sum to the change."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.longitudinal.model import LONGEST, SeenView, ViewReading, VisitInput, untrained
from models.longitudinal.movement import COALITIONS, PLAYERS, shapley, without_each
from models.measures.censoring import safe_logit

VIEWS = (("L", "CC"), ("L", "MLO"), ("L", "XCCL"), ("R", "CC"), ("R", "MLO"))


@pytest.fixture(scope="module")
def model():
    return untrained(1, width=0.25, members=2)


def reading(model, seed):
    vector = np.random.default_rng(seed).normal(size=model.vector_size).astype(np.float32) * 2
    return ViewReading(
        vector, np.full(4, 0.25, np.float32), np.full(3, 1 / 3, np.float32), np.zeros((2, 2), np.float16)
    )


def visits_of(model, plan):
    """Make visits from (days since the one before, age or None, which of `VIEWS` there are)."""
    on, visits = date(2010, 1, 1), []
    for n, (gap, age, views) in enumerate(plan):
        on += timedelta(days=gap)
        seen = tuple(SeenView(*VIEWS[k], reading(model, 10 * n + k)) for k in sorted(views))
        visits.append(VisitInput(on, age, seen))
    return visits


one_visit = st.tuples(
    st.integers(0, 1500),
    st.none() | st.floats(30, 90),
    st.sets(st.integers(0, len(VIEWS) - 1)),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(one_visit, min_size=2, max_size=LONGEST + 3))
def test_nobody_is_the_priors_score_all_is_this_one_and_the_parts_sum_to_the_change(model, plan):
    visits = visits_of(model, plan)
    moved = model.movement(visits)
    assert moved is not None
    assert moved.before == pytest.approx(model.score(visits[:-1]).risk[4], rel=1e-6)
    assert moved.now == pytest.approx(model.score(visits).risk[4], rel=1e-6)
    change = safe_logit(moved.now) - safe_logit(moved.before)
    assert sum(moved.parts.values()) == pytest.approx(change, abs=1e-12)
    assert list(moved.parts) == list(PLAYERS)


def test_a_first_visit_has_nothing_to_have_moved_from(model):
    assert model.movement(visits_of(model, [(0, 50.0, {0, 3})])) is None
    assert model.movement([]) is None


@pytest.mark.parametrize(("side", "own"), [("L", "left breast"), ("R", "right breast")])
def test_a_breast_that_shows_the_same_as_before_brings_nothing(model, side, own):
    first, prior, now = visits_of(
        model, [(0, 50.0, {0, 1, 3, 4}), (400, 51.1, {0, 1, 3, 4}), (400, 52.2, {0, 1, 3, 4})]
    )
    same = [view for view in prior.views if view.laterality == side]
    others = [view for view in now.views if view.laterality != side]
    moved = model.movement([first, prior, replace(now, views=(*same, *others))])
    assert moved.parts[own] == 0
    assert all(part != 0 for name, part in moved.parts.items() if name != own)


def test_no_time_since_the_prior_brings_nothing(model):
    first, prior, now = visits_of(model, [(0, 50.0, {0, 3}), (400, 51.1, {0, 3}), (0, 51.1, {0, 3})])
    assert model.movement([first, prior, now]).parts["time and age"] == 0


def test_a_breast_that_neither_visit_shows_brings_nothing(model):
    moved = model.movement(visits_of(model, [(0, 50.0, {0, 1, 3}), (400, 51.0, {0, 1}), (400, 52.0, {1})]))
    assert moved.parts["right breast"] == 0
    assert moved.parts["left breast"] != 0


def test_a_breast_seen_only_now_has_its_part(model):
    moved = model.movement(visits_of(model, [(0, 50.0, {0, 1}), (400, 51.0, {0, 1, 3, 4})]))
    assert moved.parts["right breast"] != 0


def test_without_ages_the_parts_still_sum(model):
    visits = visits_of(model, [(0, None, {0, 3}), (400, None, {0, 3})])
    moved = model.movement(visits)
    change = safe_logit(model.score(visits).risk[4]) - safe_logit(model.score(visits[:1]).risk[4])
    assert sum(moved.parts.values()) == pytest.approx(change, abs=1e-12)


def test_shapley_by_hand():
    """Of players who only add, each gets what she adds; what two bring together is halved."""
    adds = np.array([0.5, -1.0, 2.0, 0.0])
    plays = np.array([[coalition >> player & 1 for player in range(4)] for coalition in range(COALITIONS)])
    values = 3.0 + plays @ adds
    assert shapley(values) == pytest.approx(adds)
    assert without_each(values) == pytest.approx(adds)
    together = values + plays[:, 0] * plays[:, 3]
    assert shapley(together) == pytest.approx([1.0, -1.0, 2.0, 0.5])
    assert without_each(together) == pytest.approx([1.5, -1.0, 2.0, 1.0])


def test_visits_out_of_order_are_answered_in_words(model):
    with pytest.raises(ValueError, match="oldest first"):
        model.movement(visits_of(model, [(0, 50.0, {0}), (400, 51.0, {0})])[::-1])
