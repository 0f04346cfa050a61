"""Why a score moved, kept with it: from the prior's score to this one, or nothing where the two are not alike."""

from dataclasses import replace
from datetime import date
from itertools import pairwise
from math import log

import pytest
from sqlalchemy import select, update

from core.worker.scoring import score_pending
from db.tables import Score, Study
from models.longitudinal.model import LongitudinalModel
from tests.core.worker.test_scoring import FOUR_VIEWS, add_visit

DAYS = (date(2019, 5, 1), date(2021, 6, 1), date(2023, 7, 1))


@pytest.fixture(scope="module")
def model(tiny_model):
    return LongitudinalModel.load(tiny_model)


def newest(here) -> dict[date, Score]:
    """Each study's newest score, by its date."""
    with here.database.read() as session:
        rows = session.execute(select(Score, Study.study_date).join(Study).order_by(Score.id))
        return {day: score for score, day in rows}


def logit(p: float) -> float:
    return log(p / (1 - p))


def tells(scores: dict[date, Score], prior: date, now: date) -> None:
    """Hold what a score says of its move against the two scores."""
    moved = scores[now].moved
    assert moved["from"] == pytest.approx(scores[prior].risk_5y, rel=1e-6)
    assert moved["to"] == pytest.approx(scores[now].risk_5y, rel=1e-6)
    change = logit(scores[now].risk_5y) - logit(scores[prior].risk_5y)
    assert sum(part["log_odds"] for part in moved["parts"]) == pytest.approx(change, abs=1e-6)


def test_each_score_says_why_it_is_another_than_the_priors(here, model):
    uids = [add_visit(here, day, views=FOUR_VIEWS) for day in DAYS]
    report = score_pending(here, model=model).to_json()
    scores = newest(here)
    assert scores[DAYS[0]].moved is None
    for place, (prior, now) in enumerate(pairwise(DAYS)):
        tells(scores, prior, now)
        assert scores[now].moved["from_study"] == uids[place]
    said = {item["study_date"]: item["moved"] for item in report["scored"]}
    assert said[DAYS[0].isoformat()] is None
    assert [part["what"] for part in said[DAYS[2].isoformat()]["parts"]] == [
        "history",
        "time and age",
        "left breast",
        "right breast",
    ]


def test_a_late_prior_moves_what_follows_from_itself(here, model):
    add_visit(here, DAYS[0])
    add_visit(here, DAYS[2])
    score_pending(here, model=model)
    tells(newest(here), DAYS[0], DAYS[2])
    late = add_visit(here, DAYS[1])
    score_pending(here, model=model)
    scores = newest(here)
    tells(scores, DAYS[0], DAYS[1])
    tells(scores, DAYS[1], DAYS[2])
    assert scores[DAYS[2]].moved["from_study"] == late


@pytest.mark.parametrize(
    "other",
    [
        {"weights_sha256": "other"},
        {"calibration": "other"},
        {"model": "other"},
        {"trust_level": "withheld"},
        {"risk_5y": 0.4321},
    ],
    ids=lambda other: next(iter(other)),
)
def test_scores_that_are_not_alike_are_not_set_beside_each_other(here, model, other):
    """By other weights, calibration or model, withheld, or made from other inputs than are known today."""
    add_visit(here, DAYS[0])
    score_pending(here, model=model)
    with here.database.write() as session:
        session.execute(update(Score).values(other))
    add_visit(here, DAYS[1])
    (item,) = score_pending(here, model=model).to_json()["scored"]
    assert item["moved"] is None
    assert newest(here)[DAYS[1]].moved is None


def test_a_score_that_may_not_be_shown_says_nothing_of_a_move(here, model):
    add_visit(here, DAYS[0])
    score_pending(here, model=model)
    add_visit(here, DAYS[1])
    blind = LongitudinalModel(
        model.card, model.encoder, model.sequence, model.calibration, replace(model.domain, limit=-1.0)
    )
    (item,) = score_pending(here, model=blind).to_json()["scored"]
    assert item["moved"] is None
    assert "moved" not in item["untrusted"]


def test_two_studies_of_one_day_are_one_visit_that_moved_from_the_day_before(here, model):
    add_visit(here, DAYS[0])
    add_visit(here, DAYS[1], views=("L-CC", "R-CC"))
    add_visit(here, DAYS[1], views=("L-MLO",), StudyInstanceUID="1.2.3")
    score_pending(here, model=model)
    with here.database.read() as session:
        moved = [score.moved for score in session.scalars(select(Score).order_by(Score.id))]
    assert moved[0] is None
    assert [one["from"] for one in moved[1:]] == pytest.approx([newest(here)[DAYS[0]].risk_5y] * 2)
