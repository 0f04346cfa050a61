"""Two versions of a model on the same women of a cohort, as both are stored."""

from __future__ import annotations

import polars as pl
import pytest
from sqlalchemy import select as sql
from sqlalchemy import update

from core.cohorts import Definition, Population, frame_of, select
from core.cohorts.disclosure import count_said
from core.cohorts.judge import Asking, Judged, NothingToTell
from core.cohorts.judge_alerts import alerts_beside
from core.cohorts.judge_models import set_beside, versions
from core.installation import Installation
from core.records import raised_by
from core.rules import score_rules
from db.tables import Patient, Score
from tests.core.cohorts.judging.made import stored_women

WOMEN = 60


@pytest.fixture
def both(here: Installation) -> Installation:
    stored_women(here, WOMEN, ill=12)
    return here


def judged(here: Installation) -> Judged:
    return Judged(select(frame_of(here), Definition(kind=Population.SIMULATED)), Asking())


def test_the_version_that_knows_is_told_to_be_better_on_the_same_women(both: Installation) -> None:
    newer, older = versions(both)
    assert (newer.studies, older.studies) == (WOMEN, WOMEN)
    found = set_beside(both, judged(both), older, newer, 0.03)
    rows = {row["figure"]: row for row in found.figures.iter_rows(named=True)}
    assert rows["AUC"]["second"] == 1
    assert rows["AUC"]["low"] > 0
    assert rows["AUC"]["p_adjusted"] >= rows["AUC"]["p"]
    assert found.counted.startswith("60 women scored by both at entry, 10 with a cancer")
    swapped = set_beside(both, judged(both), newer, older, 0.03)
    back = {row["figure"]: row for row in swapped.figures.iter_rows(named=True)}
    assert back["AUC"]["difference"] == pytest.approx(-rows["AUC"]["difference"])


def test_what_one_of_them_may_not_tell_is_compared_with_nothing(both: Installation) -> None:
    newer, older = versions(both)
    with both.database.write() as session:
        session.execute(
            update(Score).where(Score.weights_sha256 == older.weights_sha256).values(trust_level="withheld")
        )
    with pytest.raises(NothingToTell, match="No woman of this cohort was scored by both"):
        set_beside(both, judged(both), older, newer, 0.03)


def test_the_alert_rules_are_held_against_both(both: Installation) -> None:
    newer, older = versions(both)
    found = alerts_beside(both, judged(both), older, newer)
    assert found.counted.startswith("60 women, each at the last visit that both have scored")
    rules = {row["alert"]: row for row in found.by_rule.iter_rows(named=True)}
    assert set(rules) == {rule.label for rule in score_rules()}
    raised = dict.fromkeys(("first", "second"), 0)
    with both.database.read() as session:
        ids = list(session.scalars(sql(Patient.id)))
    for one in raised_by(both, ids, older, newer):
        for version in raised:
            raised[version] += "risk_high" in getattr(one, version)
    high = next(rule.label for rule in score_rules() if rule.rule == "risk_high")
    assert [rules[high][version] for version in raised] == [count_said(many) for many in raised.values()]
    swapped = alerts_beside(both, judged(both), newer, older).by_rule.filter(pl.col("alert") == high)
    assert swapped["only_first"].to_list() == [rules[high]["only_second"]]
    with both.database.write() as session:
        session.execute(
            update(Score).where(Score.weights_sha256 == older.weights_sha256).values(trust_level="withheld")
        )
    with pytest.raises(NothingToTell, match="No woman of this cohort"):
        alerts_beside(both, judged(both), older, newer)


def test_a_contact_says_until_when_she_is_known_to_be_well(both: Installation) -> None:
    of = judged(both)
    assert of.at.cases == 12
    assert of.entered.time.max() == pytest.approx(7, abs=0.01)
