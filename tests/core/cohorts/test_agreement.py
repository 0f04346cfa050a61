"""How readers and model agree: counted once a woman, told of five or more."""

from collections import Counter
from datetime import date

import pytest
from sklearn.metrics import cohen_kappa_score

from core.cohorts import Definition, Population, frame_of, select
from core.cohorts.seeing.agreement import ReadersAndModel, Told, cohens_kappa, readers_and_model, told_of
from core.installation import Installation
from core.people import Role
from core.people.accounts import create_user
from core.records import record_assessment, record_of
from core.rules import Agreement
from tests import factories
from tests.factories import VisitPlan

LAST = date(2026, 3, 1)
PLANS = {
    Agreement.BOTH_POSITIVE: ("4A", 0.3),
    Agreement.READER_ONLY: ("0", 0.001),
    Agreement.MODEL_ONLY: ("2", 0.05),
    Agreement.BOTH_NEGATIVE: ("1", 0.001),
}


@pytest.mark.parametrize("counts", [(5, 3, 2, 40), (10, 0, 0, 10), (0, 5, 5, 0), (1, 2, 3, 4)])
def test_kappa_is_that_of_scikit_learn_and_lies_in_its_interval(counts: tuple[int, ...]) -> None:
    told = cohens_kappa(dict(zip(Agreement, _in_order(counts), strict=True)))
    both, reader, model, neither = counts
    by_reader = [1] * (both + reader) + [0] * (model + neither)
    by_model = [1] * both + [0] * reader + [1] * model + [0] * neither
    assert told is not None
    kappa, low, high = told
    assert kappa == pytest.approx(cohen_kappa_score(by_reader, by_model))
    assert -1 <= low <= kappa <= high <= 1


def _in_order(counts: tuple[int, ...]) -> list[int]:
    both, reader, model, neither = counts
    said = {
        Agreement.BOTH_POSITIVE: both,
        Agreement.READER_ONLY: reader,
        Agreement.MODEL_ONLY: model,
        Agreement.BOTH_NEGATIVE: neither,
    }
    return [said[one] for one in Agreement]


def test_the_interval_of_kappa_is_that_of_the_published_formula() -> None:
    # 100 cases, 40 and 35 alike: observed 0.75, expected 0.5, kappa 0.5. Both answers are as frequent for either rater,
    # so that the formula comes to sqrt(observed * (1 - observed) / n) / (1 - expected).
    told = cohens_kappa(dict(zip(Agreement, _in_order((38, 12, 13, 37)), strict=True)))
    assert told is not None
    kappa, low, high = told
    assert kappa == pytest.approx(0.5, abs=0.01)
    assert (high - low) / 2 / 1.96 == pytest.approx((0.75 * 0.25 / 100) ** 0.5 / 0.5, rel=0.01)


def test_one_answer_alone_has_no_kappa() -> None:
    assert cohens_kappa({one: 9 if one is Agreement.BOTH_NEGATIVE else 0 for one in Agreement}) is None
    assert cohens_kappa(dict.fromkeys(Agreement, 0)) is None


def read(here: Installation, counts: dict[Agreement, int], *, simulated: bool = True) -> None:
    """Store women, and have them read before their scores are shown."""
    here.settings.read_first = True
    kind = "s" if simulated else "r"
    reader = create_user(here, f"reader-{kind}", "a long password", Role.ONCOLOGIST)
    for found, women in counts.items():
        category, malignancy = PLANS[found]
        for number in range(women):
            mrn = f"{kind} {found} {number}"
            plan = VisitPlan(
                LAST, 0.02, malignancy_left=malignancy, malignancy_right=0.001, views=(("L", "CC"),)
            )
            factories.woman(here, mrn, [plan], simulated=simulated)
            record = record_of(here, mrn)
            assert record is not None
            uid = record.visits[0].study_uid
            record_assessment(here, reader, uid, right=None, left=category, density="B")


@pytest.mark.parametrize(
    ("counts", "told", "rows"),
    [
        ((5, 0, 6, 0), Told.EVERY_CELL, 4),
        ((4, 6, 0, 5), Told.WHETHER_THEY_AGREE, 2),
        ((1, 3, 0, 5), Told.HOW_MANY, 0),
        ((1, 1, 1, 1), Told.NOTHING, 0),
        ((0, 0, 0, 0), Told.NOTHING, 0),
    ],
    ids=["each of none or five", "sums of five", "one sum small", "few", "nobody"],
)
def test_nothing_is_told_of_fewer_than_five(counts: tuple[int, ...], told: Told, rows: int) -> None:
    women = Counter(dict(zip(Agreement, _in_order(counts), strict=True)))
    found = ReadersAndModel(women, told_of(women))
    assert (found.told, len(found.table)) == (told, rows)
    assert all(number % 5 == 0 for number in found.table["women"])
    assert (found.kappa is not None) is (told is Told.EVERY_CELL)


def found_of(here: Installation, kind: Population) -> ReadersAndModel:
    return readers_and_model(select(frame_of(here), Definition(kind=kind)))


def test_two_kinds_together_tell_no_more_than_the_one_of_which_less_is_told(here: Installation) -> None:
    read(here, {Agreement.BOTH_POSITIVE: 6, Agreement.BOTH_NEGATIVE: 5})
    read(here, {Agreement.MODEL_ONLY: 2}, simulated=False)
    assert found_of(here, Population.SIMULATED).told is Told.EVERY_CELL
    assert found_of(here, Population.REAL).told is Told.NOTHING
    assert found_of(here, Population.BOTH).told is Told.NOTHING


def test_what_was_changed_after_the_score_was_shown_does_not_count(here: Installation) -> None:
    read(here, {Agreement.BOTH_NEGATIVE: 5})
    reader = create_user(here, "late", "a long password", Role.ONCOLOGIST)
    record = record_of(here, f"s {Agreement.BOTH_NEGATIVE} 0")
    assert record is not None
    visit = record.visits[0]
    record_assessment(
        here,
        reader,
        visit.study_uid,
        right=None,
        left="5",
        density="B",
        reason="score",
        instead_of=visit.assessed_at,
    )
    here.settings.read_first = False
    factories.woman(here, "seen", [VisitPlan(LAST, 0.02, views=())])
    seen = record_of(here, "seen")
    assert seen is not None
    record_assessment(here, reader, seen.visits[0].study_uid, right="5", left="5", density="B")
    found = found_of(here, Population.SIMULATED)
    assert (found.n, found.agree) == (5, 5)
