"""The rules that hold for any weights: causal, as of, masked, never falling, the same after loading."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from models.longitudinal.model import (
    LONGEST,
    LongitudinalModel,
    SeenView,
    ViewReading,
    VisitInput,
    untrained,
)
from models.measures.censoring import safe_logit
from models.sequence.study import visit_arrays
from models.view.preprocess import NETWORK_SHAPE, StandardView, ViewTransform

FOUR = (("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"))


@pytest.fixture(scope="module")
def model():
    return untrained(1, width=0.25, members=2)


def readings(model, seed, count=4):
    random = np.random.default_rng(seed)
    blank = np.full((2, 2), 0, np.float16)
    return [
        ViewReading(
            vector=random.normal(size=model.vector_size).astype(np.float32) * 2,
            density=np.full(4, 0.25, np.float32),
            finding=np.full(3, 1 / 3, np.float32),
            heat_map=blank,
        )
        for _ in range(count)
    ]


def history(model, n, seed=0, gap_days=400):
    random = np.random.default_rng(seed)
    on, visits = date(2001, 3, 4), []
    for k in range(n):
        views = tuple(
            SeenView(side, view, reading)
            for (side, view), reading in zip(FOUR, readings(model, 100 * seed + k), strict=True)
        )
        visits.append(VisitInput(on, 50.0 + k, views))
        on += timedelta(days=int(random.integers(20, 2 * gap_days)))
    return visits


def same(one, other):
    assert one.malignancy == other.malignancy
    assert one.progression == other.progression
    for name in ("risk", "risk_low", "risk_high", "density"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_later_visit_never_changes_what_is_said_of_an_earlier_one(model):
    random = np.random.default_rng(5)
    vectors = random.normal(size=(1, 6, 2, 3, model.vector_size)).astype(np.float32)
    present = (random.random((1, 6, 2, 3)) > 0.3).astype(np.float32)
    facts = random.normal(size=(1, 6, 6)).astype(np.float32)
    before = model.predict({"vectors": vectors, "present": present, "facts": facts})
    vectors[:, 4:], present[:, 4:], facts[:, 4:] = 9, 1, -3
    after = model.predict({"vectors": vectors, "present": present, "facts": facts})
    for key, values in before.items():
        np.testing.assert_array_equal(values[:, :, :4], after[key][:, :, :4])
        assert not np.array_equal(values[:, :, 4:], after[key][:, :, 4:]), "the test must be able to fail"


def test_risk_never_falls_with_the_horizon_and_lies_in_its_interval(model):
    for seed in range(5):
        score = model.score(history(model, 1 + seed, seed))
        assert (np.diff(score.risk) >= 0).all()
        assert (np.diff(score.risk_low) >= 0).all()
        assert (np.diff(score.risk_high) >= 0).all()
        assert (score.risk_low <= score.risk).all()
        assert (score.risk <= score.risk_high).all()
        assert score.risk[0] > 0
        assert score.risk[4] < 1
        np.testing.assert_allclose(score.density.sum(), 1)


def test_contributions_add_up_to_the_score(model):
    for n in (1, 2, 7, LONGEST):
        score = model.score(history(model, n))
        assert score.contributions.shape == (n,)
        change = safe_logit(score.risk[4]) - safe_logit(score.baseline)
        np.testing.assert_allclose(score.contributions.sum(), change, atol=1e-9)


def test_the_order_of_views_does_not_matter(model):
    visits = history(model, 3)
    turned = [replace(visit, views=visit.views[::-1]) for visit in visits]
    same(model.score(visits), model.score(turned))


def test_two_views_of_one_kind_are_averaged_in_any_order(model):
    (visit,) = history(model, 1)
    extra = tuple(SeenView("L", "CC", reading) for reading in readings(model, 77, 3))
    same(
        model.score([replace(visit, views=visit.views + extra)]),
        model.score([replace(visit, views=extra[::-1] + visit.views)]),
    )


@pytest.mark.parametrize("kept", [(), (0,), (1, 2), (0, 1), (0, 1, 2, 3)])
def test_any_subset_of_views_is_scored(model, kept):
    visits = [replace(v, views=tuple(v.views[i] for i in kept)) for v in history(model, 3)]
    score = model.score(visits)
    assert np.isfinite(score.risk).all()
    for side in ("L", "R"):
        seen = any(FOUR[i][0] == side for i in kept)
        assert (score.malignancy[side] is not None) == seen
    assert (score.progression is None) == (not kept)


def test_what_stands_in_an_empty_place_is_never_read(model):
    random = np.random.default_rng(0)
    days, ages = np.array([0.0, 300.0]), np.array([50.0, 51.0])
    vectors = random.normal(size=(2, 2, 3, model.vector_size)).astype(np.float32)
    present = random.random((2, 2, 3)) > 0.5
    arrays = visit_arrays(days, ages, vectors, present, 4)
    vectors[~present] = 1e9
    other = visit_arrays(days, ages, vectors, present, 4)
    for key in arrays:
        np.testing.assert_array_equal(arrays[key], other[key])


def test_a_missing_age_is_allowed_and_matters(model):
    visits = history(model, 2)
    unknown = [replace(visit, age_years=None) for visit in visits]
    assert not np.array_equal(model.score(visits).risk, model.score(unknown).risk)


def test_progression_needs_a_prior(model):
    visits = history(model, 2)
    assert model.score(visits[:1]).progression is None
    said = model.score(visits)
    for value, low, high in (said.progression, said.progression_after):
        assert 0 < low <= value <= high < 1


def test_more_than_twenty_visits_are_read_from_the_latest_back(model):
    visits = history(model, LONGEST + 5)
    score = model.score(visits)
    assert score.contributions.shape == (LONGEST + 5,)
    assert (score.contributions[:5] == 0).all()
    same(score, model.score(visits[5:]))


@pytest.mark.parametrize("days", [0, 3, 3650])
def test_gaps_from_none_to_ten_years_are_scored(model, days):
    first, second = history(model, 2)
    score = model.score([first, replace(second, on=first.on + timedelta(days=days))])
    assert np.isfinite(score.risk).all()


def test_wrong_use_is_answered_in_words(model):
    with pytest.raises(ValueError, match="no visit"):
        model.score([])
    with pytest.raises(ValueError, match="oldest first"):
        model.score(history(model, 3)[::-1])
    short = replace(readings(model, 1, 1)[0], vector=np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="encode the view again"):
        model.score([VisitInput(date(2020, 1, 1), None, (SeenView("L", "CC", short),))])


def test_a_view_reads_the_same_in_any_company(model):
    random = np.random.default_rng(2)
    transform = ViewTransform(False, 0, 0, 416, 512, 1.0, 416)
    views = [StandardView(random.random((*NETWORK_SHAPE, 1), np.float32), transform) for _ in range(6)]
    together = model.encode(views)
    alone = [model.encode([view])[0] for view in views]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.vector, other.vector)
        np.testing.assert_array_equal(one.heat_map, other.heat_map)
    assert together[0].heat_map.shape == (32, 26)
    assert together[0].heat_map.dtype == np.float16
    np.testing.assert_allclose(together[0].finding.sum(), 1, rtol=1e-5)


def test_saved_and_loaded_it_says_the_same_to_the_last_bit(model, tmp_path):
    model.save(tmp_path / "m")
    loaded = LongitudinalModel.load(tmp_path / "m")
    visits = history(model, 4)
    same(model.score(visits), loaded.score(visits))
    view = StandardView(
        np.random.default_rng(3).random((*NETWORK_SHAPE, 1), np.float32),
        ViewTransform(False, 0, 0, 416, 512, 1.0, 416),
    )
    np.testing.assert_array_equal(model.encode([view])[0].vector, loaded.encode([view])[0].vector)
    assert loaded.card == model.card


def test_two_calibrations_never_pass_for_the_same_one(model, tmp_path):
    one = model.save(tmp_path / "m").calibration
    other = LongitudinalModel(
        model.card, model.encoder, model.sequence, replace(model.calibration, baseline_5y=0.02)
    )
    assert other.save(tmp_path / "n").calibration != one
    assert model.save(tmp_path / "m").calibration == one


def test_weights_that_the_card_does_not_vouch_for_are_not_used(model, tmp_path):
    model.save(tmp_path / "m")
    with (tmp_path / "m" / "sequence.keras").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match="sha256"):
        LongitudinalModel.load(tmp_path / "m")
