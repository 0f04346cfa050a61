"""Few women, long vectors: what is there is found, and what is not there is not."""

import numpy as np
import pytest

from models.sequence.embedded import EmbeddedWoman
from models.sequence.small import cross_validate, fit_small


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
    history = cross_validate(women, "history", folds=4, repeats=1)
    dates = cross_validate(women, "dates", folds=4, repeats=1)
    assert history["auc"] > 0.85
    assert history["n"] == 80
    assert history["events"] == 14
    assert dates["ci"][0] < 0.5 < dates["ci"][1] or dates["auc"] < 0.65


def test_a_level_is_found_in_the_last_visit():
    assert cross_validate(cohort(2, level=5.0), "last", folds=4, repeats=1)["auc"] > 0.8


def test_nothing_is_found_where_nothing_is():
    found = [cross_validate(cohort(seed), "history", folds=4, repeats=1)["auc"] for seed in range(3, 6)]
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


@pytest.mark.slow
def test_the_lstm_reads_a_cohort_that_can_pay_for_it():
    from models.measures.metrics import auc
    from models.sequence.small_lstm import lstm_logits

    women = cohort(4, n=300, ill=100, growth=1.0)
    women = [women[i] for i in np.random.default_rng(0).permutation(300)]
    score = lstm_logits(women[:220], women[220:], 0)
    assert auc([w.label for w in women[220:]], score) > 0.7
