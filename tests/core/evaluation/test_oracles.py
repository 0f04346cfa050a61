"""What perfect readers of simulated women see, and what they make of it."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from core.evaluation.oracles import HISTORY, LAST_VISIT, LOOKS, gain_of_history, oracle_scores, reader_table
from core.sets.truth import TrueBreast, TrueLesion
from seed_data.women.rates import BENIGN_KINDS, MALIGNANT_KINDS


def lesion(size, *, name="M1", kind="round mass", visible=True, malignant=True):
    return TrueLesion(name, kind, malignant, size, visible, {})


def woman(*visits, name="a", cancer=None, followed=5.0, views=("CC", "MLO")):
    """A woman whose left breast holds, at each visit a year apart, the lesions given."""
    first = date(2010, 1, 1)
    last = len(visits) - 1
    return [
        TrueBreast(
            name, k + 1, first + timedelta(days=round(365.25 * k)), side, 50.0 + k, "B", 0.2, "Corvane", views,
            tuple(held) if side == "L" else (),
            None if cancer is None or side == "R" else cancer + last - k, followed + last - k,
        )
        for k, held in enumerate(visits)
        for side in ("L", "R")
    ]  # fmt: skip


def seen(*visits, **said):
    return reader_table(woman(*visits, **said)).iloc[0]


def test_doubling_of_diameter_in_a_year_is_three_doublings_of_volume():
    row = seen([lesion(5.0)], [lesion(10.0)])
    assert row["growth since first seen, round"] == pytest.approx(3, abs=0.01)
    assert row["largest mm, round"] == 10
    assert row["years known, round"] == pytest.approx(1, abs=0.01)
    assert np.isnan(row["new mm, round"])


def test_what_was_hidden_before_is_new():
    row = seen([lesion(5.0, visible=False)], [lesion(10.0)])
    assert row["new mm, round"] == 10
    assert np.isnan(row["growth since first seen, round"])


def test_nothing_is_new_at_a_first_visit_or_where_the_breast_was_never_seen():
    assert np.isnan(seen([lesion(10.0)])["new mm, round"])
    before = woman([], [lesion(10.0)], views=())
    now = [breast for breast in woman([], [lesion(10.0)]) if breast.visit == 2]
    table = reader_table([breast for breast in before if breast.visit == 1] + now)
    assert np.isnan(table.iloc[0]["new mm, round"])


def test_a_finding_that_went_is_counted_as_gone():
    assert seen([lesion(8.0, name="B1", kind="cyst", malignant=False)], [])["gone"] == 1


def test_readers_never_see_what_is_hidden_nor_whether_it_is_malignant():
    hidden = seen([lesion(9.0, visible=False)])
    assert hidden[list(HISTORY)].equals(seen([])[list(HISTORY)])
    ill, well = seen([lesion(9.0)]), seen([lesion(9.0, name="B7", kind="cyst", malignant=False)])
    assert ill[list(HISTORY)].equals(well[list(HISTORY)])


def test_the_last_visit_reader_sees_nothing_of_earlier_visits():
    now = [lesion(10.0)]
    alone, before = seen(now), seen([lesion(2.0, name="B3", kind="cyst")], [lesion(4.0)], now)
    columns = [name for name in LAST_VISIT if name != "age_years"]
    assert alone[columns].equals(before[columns])


def test_every_kind_of_finding_has_a_look():
    assert set(MALIGNANT_KINDS) | set(BENIGN_KINDS) | {"scar"} == set(LOOKS)


def test_women_with_cancer_before_the_last_visit_are_left_out():
    assert len(reader_table(woman([], [], cancer=-0.5))) == 0


def many(count, seed):
    """Women with a round lesion each; it grew in those who have cancer and stayed in the others."""
    random = np.random.default_rng(seed)
    truth = []
    for k in range(count):
        ill, size = k % 3 == 0, float(random.uniform(8, 12))
        before = size / 2 if ill else size
        truth += woman([lesion(before)], [lesion(size)], name=f"w{k}", cancer=0.5 if ill else None)
    return reader_table(truth)


def test_history_tells_growing_from_staying_where_one_look_cannot():
    gain = gain_of_history(many(300, 1), 1, many(300, 2), times=50)
    assert gain.auc_history > 0.98
    assert 0.35 < gain.auc_last < 0.65
    assert gain.gain_ci[0] > 0.2
    assert (gain.events, gain.known) == (100, 300)


def test_out_of_fold_scores_never_come_from_a_womans_own_outcome():
    random = np.random.default_rng(0)
    table = many(300, 1)
    table["years_to_cancer"] = np.where(random.random(300) < 0.3, 0.5, np.nan)
    said = oracle_scores(table, HISTORY, 1, repeats=1)
    label = table["years_to_cancer"].notna().to_numpy()
    assert abs(said[label].mean() - said[~label].mean()) < 0.08


def test_too_few_cancers_are_said_so():
    table = many(12, 1)
    with pytest.raises(ValueError, match="fewer than ten"):
        oracle_scores(table, HISTORY, 1, table)


def test_a_reader_of_all_visits_sees_how_far_a_sign_has_risen_above_what_it_was():
    breasts = [
        replace(breast, texture=0.4, sign={"L": (0.5, 0.7, 1.6), "R": (-0.2, 0.0, 0.1)}[breast.laterality][breast.visit - 1])
        for breast in woman([], [], [])
    ]  # fmt: skip
    row = reader_table(breasts).iloc[0]
    assert (row["higher sign"], row["lower sign"]) == (1.6, 0.1)
    assert row["higher rise of sign"] == pytest.approx(1.0)
    assert row["lower rise of sign"] == pytest.approx(0.2)
    assert row["higher slope of sign"] == pytest.approx(0.55, abs=0.01)
    assert row["mean texture"] == pytest.approx(0.4)


def test_women_without_texture_and_signs_are_read_as_before():
    row = seen([], [])
    assert np.isnan(
        row[["texture", "mean texture", "higher sign", "higher rise of sign"]].to_numpy(float)
    ).all()
