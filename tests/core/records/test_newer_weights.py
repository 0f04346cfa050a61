"""What newer weights changed: alerts by the one and by the other, never a course of both."""

from datetime import date

import pytest

from core.installation import Installation
from core.records import changed_alerts
from db.tables import EventKind
from tests import factories
from tests.factories import VisitPlan

NEWER = {"weights_sha256": "6f" * 32}
BEFORE, LAST = date(2023, 1, 1), date(2025, 1, 1)


def woman(
    here: Installation, mrn: str, prior: float = 0.01, last: float = 0.012, **more: object
) -> list[str]:
    """Store a woman with two visits; return their UIDs."""
    number = factories.woman(here, mrn, [VisitPlan(BEFORE, prior), VisitPlan(LAST, last)], **more)  # type: ignore[arg-type]
    return [f"2.25.{number}.{visit}" for visit in (1, 2)]


def told(here: Installation) -> list[tuple[str, str, bool]]:
    return [(one.mrn, one.rule.rule, one.is_new) for one in changed_alerts(here)]


def test_nothing_changes_while_all_are_scored_alike(here: Installation) -> None:
    woman(here, "1", last=0.09)
    assert changed_alerts(here) == []


def test_what_is_gone_and_what_is_new_is_listed_beside_what_each_said(here: Installation) -> None:
    _, gone = woman(here, "gone", last=0.041)
    factories.another_score(here, gone, **NEWER, risk_5y=0.02)
    _, new = woman(here, "new")
    factories.another_score(here, new, **NEWER, malignancy_right=0.14)
    _, same = woman(here, "same", last=0.05)
    factories.another_score(here, same, **NEWER, risk_5y=0.06)
    first, second = changed_alerts(here)
    assert (first.mrn, first.rule.rule, first.is_new) == ("gone", "risk_high", False)
    assert (first.before, first.now, first.on) == (0.041, 0.02, LAST)
    assert (second.mrn, second.rule.rule, second.is_new) == ("new", "malignancy", True)
    assert (second.before, second.now) == (0.02, 0.14)


def test_only_the_newest_study_and_the_newest_scores_count(here: Installation) -> None:
    prior, last = woman(here, "1", prior=0.05, last=0.041)
    factories.another_score(here, prior, **NEWER, risk_5y=0.03)
    factories.another_score(here, last, **NEWER, risk_5y=0.01)
    factories.another_score(here, last, **NEWER, risk_5y=0.05)
    assert told(here) == []


def test_a_score_that_may_not_be_told_says_so_and_no_number(here: Installation) -> None:
    _, last = woman(here, "1", last=0.041)
    factories.another_score(here, last, **NEWER, trust_level="withheld", trust_doubt="unlike_pictures")
    (one,) = changed_alerts(here)
    assert (one.is_new, one.before, one.now) == (False, 0.041, None)
    assert (one.before_withheld, one.now_withheld) == (False, True)


def test_after_a_diagnosis_no_alert_of_risk_is_listed(here: Installation) -> None:
    events = [(EventKind.DIAGNOSIS, date(2024, 1, 1), None, "left")]
    _, last = woman(here, "1", last=0.041, events=events)
    factories.another_score(here, last, **NEWER, risk_5y=0.01, progression=0.8)
    assert told(here) == [("1", "progression", True)]


@pytest.mark.parametrize("prior_too", [True, False])
def test_a_jump_is_one_only_from_a_prior_scored_alike(here: Installation, prior_too: bool) -> None:
    """Until the prior is scored by the newer weights too, the alert on a change is left as it is."""
    prior, last = woman(here, "1", prior=0.05, last=0.70)
    if prior_too:
        factories.another_score(here, prior, **NEWER)
    factories.another_score(here, last, **NEWER, risk_5y=0.06)
    assert told(here) == ([("1", "change", False)] if prior_too else [])


def test_the_list_comes_in_pages(here: Installation) -> None:
    for number in range(7):
        _, last = woman(here, f"{number:02d}", last=0.041)
        factories.another_score(here, last, **NEWER, risk_5y=0.01)
    pages = [[one.mrn for one in changed_alerts(here, start=start, count=3)] for start in (0, 3, 6, 9)]
    assert pages == [["00", "01", "02"], ["03", "04", "05"], ["06"], []]
