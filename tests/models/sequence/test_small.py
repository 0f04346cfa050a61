"""Few women, long vectors: what is there is found, and what is not there is not."""

import numpy as np
import pytest

from models.measures import metrics
from models.sequence.embedded import EmbeddedWoman
from models.sequence.small import model as small
from models.sequence.small import readout
from models.sequence.small.features import SLOPE_PRIOR_YEARS2, Prefixes, prefixes_of, project, trend
from models.sequence.small.model import cross_validate, fit_small, gain_of


def cohort(seed, *, n=80, ill=14, width=64, growth=0.0, level=0.0):
    """Women with correlated vectors; in those who fall ill one axis grows (or stands higher)."""
    random = np.random.default_rng(seed)
    basis = np.linalg.qr(random.normal(size=(width, 20)))[0]
    women = []
    for i in range(n):
        visits = int(random.integers(2, 6))
        months = np.arange(visits) * 12.0
        base = basis @ (random.normal(size=20) * 2)
        vectors = base + random.normal(size=(visits, 20)) * 0.3 @ basis.T
        to_cancer = np.full(visits, np.nan)
        if i < ill:
            to_cancer = (months[-1] - months) / 12 + random.uniform(0.2, 4.5)
            vectors += np.outer(np.arange(visits) * growth + level, basis[:, 7])
        followed = (months[-1] - months) / 12 + 6.0
        women.append(EmbeddedWoman(f"w{i:03d}", months, vectors, to_cancer, followed))
    return women


def test_growth_is_found_in_the_history_only():
    women = cohort(1, growth=1.0)
    history = cross_validate(women, "history", folds=3, repeats=1)
    dates = cross_validate(women, "dates", folds=3, repeats=1)
    assert history["auc"] > 0.85
    assert history["n"] == 80
    assert history["events"] == 14
    assert dates["ci"][0] < 0.5 < dates["ci"][1] or dates["auc"] < 0.65


def test_a_level_is_found_in_the_last_visit():
    assert cross_validate(cohort(2, level=5.0), "last", folds=3, repeats=1)["auc"] > 0.8


def test_nothing_is_found_where_nothing_is():
    found = [cross_validate(cohort(seed), "history", folds=3, repeats=1)["auc"] for seed in range(3, 6)]
    assert 0.35 < np.mean(found) < 0.65


def test_a_dozen_cancers_and_512_numbers_are_not_learned_by_heart():
    """A hundred women: where nothing is, what is said stays near what is said of everybody; where something is, not."""
    said = {}
    for growth in (0.0, 1.5):
        women = cohort(6, n=100, ill=12, width=512, growth=growth)
        said[growth] = fit_small(women, "history").logit(women)
    assert np.std(said[0.0]) < 0.5
    assert np.std(said[1.5]) > 2 * np.std(said[0.0])


def test_scores_do_not_depend_on_the_scale_or_place_of_the_vectors():
    women = cohort(1, growth=1.0)
    moved = [
        EmbeddedWoman(w.patient_id, w.months, w.vectors * 1000 + 5, w.years_to_cancer, w.years_followed)
        for w in women
    ]
    one, other = fit_small(women, "history").logit(women), fit_small(moved, "history").logit(moved)
    np.testing.assert_allclose(one, other, atol=0.05)


def test_women_with_one_visit_each_have_no_dates_to_tell_them_apart():
    women = [
        EmbeddedWoman(
            w.patient_id, w.months[:1], w.vectors[-1:], w.years_to_cancer[-1:], w.years_followed[-1:]
        )
        for w in cohort(2, level=5.0)
    ]
    assert np.ptp(fit_small(women, "dates").logit(women)) == pytest.approx(0, abs=1e-9)


def test_a_cancer_after_more_than_five_years_is_neither():
    women = cohort(1)
    late = women[0]
    late = EmbeddedWoman("late", late.months, late.vectors, late.years_to_cancer + 6, late.years_followed)
    assert np.isnan(late.label)
    assert cross_validate([*women[1:], late], "dates", folds=3, repeats=1)["n"] == 79


def test_too_few_cancers_are_refused():
    with pytest.raises(ValueError, match="too few"):
        fit_small(cohort(1, ill=2), "last")


def test_history_does_not_hurt_where_only_the_last_visit_tells():
    """What was chosen on a dozen cancers used to cost 0.09 of AUC here."""
    lost = []
    for seed in range(4):
        random = np.random.default_rng(seed)
        basis = np.linalg.qr(random.normal(size=(64, 6)))[0] * np.sqrt([35, 21, 6, 2, 0.2, 0.1])
        women = [last_only(f"w{i}", i < 12 or 100 <= i < 180, basis, random) for i in range(500)]
        taught, judged = women[:100], women[100:]
        label = [woman.label for woman in judged]
        scores = {mode: fit_small(taught, mode).logit(judged) for mode in ("history", "last")}
        lost.append(metrics.auc(label, scores["last"]) - metrics.auc(label, scores["history"]))
    assert np.mean(lost) < 0.03
    assert max(lost) < 0.08


def last_only(name, ill, basis, random):
    """A woman whose visits have nothing in common; where she falls ill the last one stands apart."""
    visits = int(random.integers(2, 6))
    latent = random.normal(size=(visits, 6))
    if ill:
        latent[-1, :3] += 1.0
    months = np.arange(visits) * 12.0
    to_cancer = (months[-1] - months) / 12 + 1.0 if ill else np.full(visits, np.nan)
    return EmbeddedWoman(name, months, latent @ basis.T, to_cancer, (months[-1] - months) / 12 + 3.0)


def test_a_model_is_one_formula_and_its_lstm():
    women = cohort(1, growth=1.0)
    model = fit_small(women, "history", lstm=False)
    rows = np.stack([model.projection.of(woman) for woman in women])
    line = model.line.intercept + model.line.slope * (
        rows @ model.readout.coefficients + model.readout.intercept
    )
    np.testing.assert_allclose(model.logit(women), line)
    assert sum(model.readout.shares) == pytest.approx(1)


def test_a_later_visit_never_changes_what_was_said_at_an_earlier_one():
    women = cohort(1, growth=1.0)
    model = fit_small(women, "history")
    woman = max(women, key=lambda one: len(one.months))
    cut = EmbeddedWoman(
        woman.patient_id,
        woman.months[:2],
        woman.vectors[:2],
        woman.years_to_cancer[:2],
        woman.years_followed[:2],
    )
    np.testing.assert_allclose(
        model.projection.of(woman, upto=2), model.projection.of(cut), rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(model.logit([cut, woman])[0], model.logit([cut])[0], atol=1e-5)


def test_how_a_woman_moved_until_each_visit_is_her_distance_from_all_before_and_her_shrunk_slope():
    random = np.random.default_rng(4)
    years = np.array([2.0, 3.1, 4.0, 7.5])
    seen = random.normal(size=(4, 3)) + np.outer(years, [1.0, 0.0, -2.0])
    beyond, slope = trend(seen[None], years[None])
    np.testing.assert_array_equal([beyond[0, 0], slope[0, 0]], 0)
    for visit in range(1, 4):
        until, when = seen[: visit + 1], years[: visit + 1]
        np.testing.assert_allclose(beyond[0, visit], until[-1] - until[:-1].mean(axis=0))
        spread = ((when - when.mean()) ** 2).sum()
        steepest = np.polyfit(when, until, 1)[0]
        np.testing.assert_allclose(slope[0, visit], steepest * spread / (spread + SLOPE_PRIOR_YEARS2))


def test_women_left_out_are_foretold_about_as_by_a_fit_without_them():
    """One step of Newton's stands for a fit of its own: compared with leaving women out for real."""
    women = cohort(1, n=40, ill=10, growth=0.5, width=24)
    projection = project(women, "history")
    prefixes = prefixes_of(women, projection)
    width = projection.width
    design = prefixes.rows[:, :width]
    line = readout._fit(design, prefixes, 1.0)
    approximate = readout._loss_of_women_left_out(line, design, prefixes, 1.0)
    exact = 0.0
    for place, woman in enumerate(women):
        kept = Prefixes(*(part[prefixes.whose != place] for part in vars(prefixes).values()))
        other = readout._fit(kept.rows[:, :width], kept, 1.0)
        z = float(np.append(projection.of(woman)[:width], 1) @ other)
        exact += float(np.logaddexp(0, z) - woman.label * z)
    assert approximate == pytest.approx(exact, rel=0.03)


def test_the_gain_says_when_it_cannot_be_told():
    random = np.random.default_rng(0)
    ill = {f"w{i}": i < 20 for i in range(100)}
    sure = {name: float(sick) * 3 + random.normal() for name, sick in ill.items()}
    blind = {name: float(random.normal()) for name in ill}
    assert gain_of(sure, blind, ill)["said"] == "history tells more than the last visit"
    assert gain_of(blind, sure, ill)["said"] == "history tells less than the last visit"
    same = gain_of(sure, sure, ill)
    assert same["value"] == 0
    assert "cannot be told" in same["said"]


@pytest.mark.slow
def test_the_lstm_reads_a_cohort_that_can_pay_for_it():
    women = cohort(4, n=300, ill=100, growth=1.0)
    women = [women[i] for i in np.random.default_rng(0).permutation(300)]
    taught, judged = women[:220], women[220:]
    model = fit_small(taught, "history")
    assert model.share > 0
    score = model.member.logit(judged, model.projection)
    assert metrics.auc([woman.label for woman in judged], score) > 0.7


def turning(name, ill, random):
    """A woman who carries something on one side or the other; where she falls ill it changes sides at her last visit."""
    visits = int(random.integers(2, 6))
    side = random.choice([-1.0, 1.0])
    vectors = random.normal(size=(visits, 4)) * 0.3
    vectors[:, 0] += 2 * side
    if ill:
        vectors[-1, 0] -= 4 * side
    months = np.arange(visits) * 12.0
    to_cancer = (months[-1] - months) / 12 + 1.0 if ill else np.full(visits, np.nan)
    return EmbeddedWoman(name, months, vectors, to_cancer, (months[-1] - months) / 12 + 6.0)


@pytest.fixture(scope="module")
def many():
    """Women with more cancers than the larger LSTM asks for, and others."""
    random = np.random.default_rng(3)
    women = [turning(f"w{i:04d}", i % 2 == 0, random) for i in range(1000)]
    return women[: 2 * small.MANY_CANCERS + 100], women[2 * small.MANY_CANCERS + 100 :]


def test_with_hundreds_of_cancers_a_change_in_either_direction_is_read_and_only_from_the_history(many):
    taught, judged = many
    label = [woman.label for woman in judged]
    models = {mode: fit_small(taught, mode) for mode in ("history", "last")}
    found = {mode: metrics.auc(label, model.logit(judged)) for mode, model in models.items()}
    line = fit_small(taught, "history", lstm=False).logit(judged)
    assert found["history"] > 0.85
    assert metrics.auc(label, line) < 0.6
    assert found["last"] < 0.6
    # Both are read by a network of one size, so that what history adds is not what a freer network adds.
    assert models["last"].member.size == models["history"].member.size
    other_priors = [
        EmbeddedWoman(
            w.patient_id,
            w.months,
            np.vstack([-3 * w.vectors[:-1], w.vectors[-1:]]),
            w.years_to_cancer,
            w.years_followed,
        )
        for w in judged
    ]
    np.testing.assert_allclose(models["last"].logit(other_priors), models["last"].logit(judged), atol=1e-5)
    assert not np.allclose(models["history"].logit(other_priors), models["history"].logit(judged), atol=0.1)
