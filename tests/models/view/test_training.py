"""Training: targets, tiny sets that must be learned by heart, and going on after a kill."""

from dataclasses import replace

import numpy as np
import pytest

from models.longitudinal.calibration import Calibration
from models.longitudinal.explanation import heat_map, heat_peak
from models.measures.censoring import censoring_weights, horizon_labels
from models.measures.platt import Logistic, fit_logistic
from models.sequence.network import SequenceConfig, build_ensemble, risk_from_hazards
from models.sequence.training import (
    History,
    SequenceRecipe,
    as_mode,
    fit_sequence,
    hazard_target,
    index_weights,
    predict_histories,
)
from models.view.batches import LabelledViews, LesionBox, lesion_targets
from models.view.encoder import EncoderConfig, build_encoder
from models.view.training import EncoderRecipe, embed, train_encoder

SMALL = EncoderConfig(shape=(128, 96), width=0.25)


def silent(_stage, _done, _figures):
    return None


def spotted_views(n=24, seed=0):
    """Noise with a bright square in every second view: malignant in the first half, benign (dark) in the other."""
    random = np.random.default_rng(seed)
    pixels = random.integers(60, 110, (n, 128, 96)).astype(np.uint8)
    lesions = []
    for i in range(n):
        if i % 2:
            lesions.append([])
            continue
        x, y = int(random.integers(16, 60)), int(random.integers(16, 90))
        malignant = i < n // 2
        pixels[i, y : y + 20, x : x + 20] = 240 if malignant else 5
        lesions.append([LesionBox(x, y, x + 20, y + 20, malignant)])
    finding = np.array([0 if not one else 2 if one[0].malignant else 1 for one in lesions])
    return LabelledViews(pixels, lesions, finding, np.full(n, -1), np.ones(n, bool))


def test_a_lesion_is_drawn_where_it_is_and_as_large_as_it_is():
    heat, size = lesion_targets([LesionBox(32, 48, 48, 80, True)], (128, 96))
    assert heat.shape == (8, 6, 3)
    assert (heat[..., 0] == 0).all()
    assert np.unravel_index(heat[..., 1].argmax(), (8, 6)) == (4, 2)
    assert heat[4, 2, 1] == 1
    assert size[4, 2, 0] == pytest.approx(np.log(32))
    assert size[..., 1].sum() < 10


def test_a_view_of_unknown_lesions_counts_nowhere():
    heat, _ = lesion_targets([], (128, 96), boxed=False)
    assert (heat[..., 2] == 0).all()


def test_a_tiny_set_is_learned_by_heart(tmp_path):
    views = spotted_views()
    recipe = EncoderRecipe(seconds=600, steps=150, batch=12, rate=4e-3)
    trained = train_encoder(SMALL, views, spotted_views(8, 1), recipe, tmp_path, silent)
    out = embed(trained.model, views.pixels, silent)
    assert (out["finding"].argmax(axis=1) == views.finding).mean() > 0.9
    hits = 0
    for i, several in enumerate(views.lesions):
        if several:
            x, y = heat_peak(heat_map(out["lesion"][i].astype(np.float32)), SMALL.shape)
            hits += (
                several[0].x0 - 8 <= x <= several[0].x1 + 8 and several[0].y0 - 8 <= y <= several[0].y1 + 8
            )
    assert hits >= 10, f"{hits} of 12 peaks lie on the lesion"


def test_a_killed_training_goes_on_where_it_stopped(tmp_path):
    views = spotted_views(8)
    recipe = EncoderRecipe(seconds=600, steps=40, batch=4, save_every=0.0)

    def kill(_stage, done, _figures):
        if done > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_encoder(SMALL, views, views, recipe, tmp_path, kill)
    seen = []
    finished = train_encoder(SMALL, views, views, recipe, tmp_path, lambda _s, done, _f: seen.append(done))
    assert seen[0] > 0.4, "the second run does not begin anew"
    again = train_encoder(SMALL, views, views, recipe, tmp_path, kill)
    for one, other in zip(finished.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.curve == finished.curve


def test_the_heat_map_changes_when_the_weights_are_randomised():
    view = spotted_views(1).pixels
    one, other = (embed(build_encoder(SMALL), view, silent)["lesion"] for _ in range(2))
    assert not np.allclose(one, other)


@pytest.mark.parametrize("backbone", ["vgg16", "mobilenetv3", "efficientnet"])
def test_other_backbones_give_the_same_outputs(backbone):
    model = build_encoder(EncoderConfig(backbone=backbone, shape=(64, 64)))
    out = model.predict_on_batch(np.zeros((1, 64, 64, 1), np.float32))
    assert out["lesion"].shape == (1, 4, 4, 2)
    assert out["vector"].shape == (1, 133 + 2 * 2 * 3), "with a coarse map of 2 by 2 cells"


def test_an_unknown_backbone_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="compact"):
        build_encoder(EncoderConfig(backbone="resnext"))


def woman(name, seed, *, ill, n=3, size=6):
    """A woman whose vectors say little at any one visit, but grow in the left breast if she falls ill."""
    random = np.random.default_rng(seed)
    vectors = random.normal(0, 0.1, (n, 2, 3, size)).astype(np.float32)
    vectors[..., 0] += random.uniform(-2, 2)
    if ill:
        vectors[:, 0, :, 0] += np.arange(n)[:, None] * 1.5
    known = np.full((n, 2), 0.0, np.float32)
    known[-1, 0] = float(ill)
    days = np.arange(n) * 365.25
    last = (n - 1) * 365.25
    return History(
        patient_id=name,
        days=days,
        ages=np.full(n, 55.0),
        vectors=vectors,
        present=np.ones((n, 2, 3), bool),
        malignancy=known,
        progression=known.copy(),
        density=np.full((n, 2), 1),
        finding=np.where(known == 1, 2, 0),
        years_to_cancer=(last + 200 - days) / 365.25 if ill else np.full(n, np.nan),
        cancer_breast=0 if ill else -1,
        years_followed=(last + 6 * 365.25 - days) / 365.25,
        weight=index_weights(n),
    )


def test_hazard_targets_worked_by_hand():
    history = woman("w", 0, ill=True, n=2)
    target = hazard_target(history)
    # From the first visit: 565.25 days to cancer, in the second year of the left breast.
    np.testing.assert_allclose(target[0, 0, :, 0], [0, 1, 0, 0, 0])
    np.testing.assert_allclose(target[0, 0, :, 1], [1, 0, 0, 0, 0])
    np.testing.assert_allclose(target[0, 1, :, 1], [1, 565.25 / 365.25 - 1, 0, 0, 0], atol=1e-6)
    healthy = replace(woman("w", 0, ill=False, n=1), years_followed=np.array([2.5]))
    np.testing.assert_allclose(hazard_target(healthy)[0, :, :, 1], [[1, 1, 0.5, 0, 0]] * 2)
    treated = replace(history, years_to_cancer=np.array([-1.0, -2.0]))
    assert (hazard_target(treated) == 0).all()


@pytest.mark.slow
def test_growth_is_learned_from_the_history_and_not_from_dates():
    women = [woman(str(i), i, ill=i % 3 == 0) for i in range(180)]
    training, held, test = women[:100], women[100:140], women[140:]
    recipe = SequenceRecipe(members=1, epochs=15, patience=15, batch=25, drop_visits=0.0)
    label = np.array([history.cancer_breast == 0 for history in test])
    from models.measures.metrics import auc

    reached = {}
    for mode in ("history", "dates"):
        shown = [[one for h in some for one in as_mode(h, mode)] for some in (training, held, test)]
        size = shown[0][0].vectors.shape[-1]
        members, _ = fit_sequence(SequenceConfig(size), shown[0], shown[1], recipe, silent)
        said = predict_histories(build_ensemble(members, size), shown[2])
        risk = [float(risk_from_hazards(one["hazard"])[0, -1, 0]) for one in said]
        reached[mode] = auc(label, risk)
    assert reached["history"] > 0.9
    assert 0.2 < reached["dates"] < 0.8


def test_controls_are_shown_what_their_names_say():
    history = woman("w", 1, ill=True)
    assert [len(one) for one in as_mode(history, "last")] == [1, 1, 1]
    (dates,) = as_mode(history, "dates")
    assert not dates.present.any()
    assert np.isnan(dates.ages).all()
    (no_pixels,) = as_mode(history, "no_pixels")
    np.testing.assert_array_equal(no_pixels.vectors[0, 0, 2], [0, 1, 0, 0])


def test_calibration_puts_doubled_odds_right_and_keeps_the_order_of_horizons():
    random = np.random.default_rng(0)
    raw = random.normal(-1, 1, 20_000)
    label = (random.random(raw.size) < 1 / (1 + np.exp(-(0.5 + 0.6 * raw)))).astype(float)
    line = fit_logistic(raw, label)
    assert line.intercept == pytest.approx(0.5, abs=0.06)
    assert line.slope == pytest.approx(0.6, abs=0.05)
    crossing = Calibration(risk=(Logistic(2.0), Logistic(), Logistic(), Logistic(), Logistic(-1.0)))
    said = crossing.risks(random.random((4, 10, 2, 5)))
    assert (np.diff(said.value, axis=-1) >= 0).all()
    assert ((said.low <= said.value) & (said.value <= said.high)).all()
    assert Calibration.from_json(crossing.to_json()) == crossing


def test_too_few_cases_leave_the_scores_as_they_are():
    with pytest.raises(ValueError, match="too few"):
        fit_logistic(np.zeros(10), np.zeros(10))


def test_censoring_weights_stand_in_for_those_who_were_lost():
    # Ten women, four of them lost after a year; nobody falls ill: the six others count for all ten.
    followed = np.array([1.0] * 4 + [6.0] * 6)
    weight = censoring_weights(np.full(10, np.nan), followed, 5)
    np.testing.assert_allclose(weight, [0] * 4 + [10 / 6] * 6)
    label, known = horizon_labels(np.array([0.5, np.nan]), np.array([0.5, 2.0]), 1)
    assert label.tolist() == [1, 0]
    assert known.all()
