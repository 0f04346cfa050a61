"""What is open of a woman by what was said and done: a table."""

from datetime import UTC, date, datetime

import pytest

from core.rules.followup import Happened, Reading, explains, is_under_treatment, open_assessment
from db.tables import EventKind, EventResult

DAY = date(2026, 1, 10)
BENIGN, MALIGNANT, INCONCLUSIVE = EventResult.BENIGN, EventResult.MALIGNANT, EventResult.INCONCLUSIVE


def biopsy(on: date, result: EventResult | None = None) -> Happened:
    return Happened(EventKind.BIOPSY, on, result)


def said(category: str | None, on: date = DAY) -> Reading:
    return Reading(on, category)


@pytest.mark.parametrize(
    ("visits", "happened", "waits_for"),
    [
        ([], [], None),
        ([said(None)], [], None),
        ([said("1")], [], None),
        ([said("2")], [], None),
        ([said("6")], [], None),
        # 0: a further study
        ([said("0")], [], "further pictures"),
        ([said("0")], [biopsy(date(2026, 1, 20), BENIGN)], "further pictures"),
        ([said("0"), said(None, date(2026, 1, 20))], [], None),
        ([said("0"), said("4A", date(2026, 1, 20))], [], "biopsy"),
        # 3: a study six months on, or a result; one of before that, or by a month less, is no follow-up
        ([said("3")], [], "6-month follow-up"),
        ([said("3"), said(None, date(2026, 3, 1))], [], "6-month follow-up"),
        ([said("3"), said(None, date(2026, 6, 9))], [], "6-month follow-up"),
        ([said("3"), said(None, date(2026, 6, 10))], [], None),
        ([said(None, date(2025, 1, 1)), said("3")], [], "6-month follow-up"),
        ([said("3")], [biopsy(date(2026, 2, 1), BENIGN)], None),
        ([said("3")], [biopsy(date(2026, 2, 1))], "6-month follow-up"),
        # 4 and 5: a result, nothing less
        *(([said(category)], [], "biopsy") for category in ("4", "4A", "4B", "4C", "5")),
        ([said("4B"), said(None, date(2027, 1, 10))], [], "biopsy"),
        ([said("4B"), said("1", date(2027, 1, 10))], [], None),
        ([said("4B")], [biopsy(date(2026, 1, 9), BENIGN)], "biopsy"),
        ([said("4B")], [biopsy(date(2026, 1, 20))], "biopsy result"),
        ([said("4B")], [biopsy(date(2026, 1, 20), INCONCLUSIVE)], "biopsy result"),
        *(([said("5")], [biopsy(date(2026, 1, 20), result)], None) for result in (BENIGN, MALIGNANT, EventResult.HIGH_RISK)),
        # a diagnosis answers what was said before it
        ([said("5")], [Happened(EventKind.DIAGNOSIS, date(2026, 2, 1))], None),
        ([said("4A")], [Happened(EventKind.DIAGNOSIS, date(2020, 2, 1))], "biopsy"),
        # what was said last stands
        ([said("0"), said("2", date(2026, 1, 20))], [], None),
        ([said("2", date(2025, 1, 1)), said("0")], [], "further pictures"),
    ],
)  # fmt: skip
def test_an_assessment_stays_until_it_is_answered(
    visits: list[Reading], happened: list[Happened], waits_for: str | None
) -> None:
    found = open_assessment(visits, happened)
    assert (found.waits_for if found else None) == waits_for


def test_a_follow_up_is_due_six_months_on_and_a_biopsy_has_its_day() -> None:
    found = open_assessment([said("3")], [])
    assert found is not None
    assert (found.due, found.of) == (date(2026, 7, 10), DAY)
    found = open_assessment([said("4A")], [biopsy(date(2026, 1, 20)), biopsy(date(2026, 2, 3))])
    assert found is not None
    assert (found.due, found.biopsied_on) == (None, date(2026, 2, 3))


@pytest.mark.parametrize(
    ("visits", "happened", "known"),
    [
        ([said("5")], [], False),
        ([said("6")], [], True),
        ([], [biopsy(DAY, MALIGNANT)], True),
        ([], [biopsy(DAY, BENIGN), biopsy(DAY)], False),
        ([], [Happened(EventKind.DIAGNOSIS, DAY)], True),
        ([], [Happened(EventKind.SURGERY, DAY)], False),
    ],
)
def test_a_known_cancer_is_under_treatment(
    visits: list[Reading], happened: list[Happened], known: bool
) -> None:
    assert is_under_treatment(visits, happened) is known


RAISED = datetime(2026, 1, 12, 12, tzinfo=UTC)
BEFORE, AFTER = datetime(2026, 1, 11, tzinfo=UTC), datetime(2026, 1, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reading", "explained"),
    [
        (Reading(DAY), False),
        (Reading(DAY, "1", AFTER), True),
        (Reading(DAY, "2", RAISED), True),
        (Reading(DAY, "2", BEFORE), False),
        (Reading(DAY, "2", AFTER, blind=True), False),
        (Reading(DAY, "2", None), False),
        *((Reading(DAY, category, BEFORE, blind=True), True) for category in ("0", "3", "4A", "5", "6")),
        (Reading(date(2026, 1, 9), "4A", AFTER), False),
        (Reading(date(2026, 2, 9), "1", AFTER), True),
    ],
)
def test_an_alert_is_explained_by_who_could_have_seen_it_or_asks_for_more(
    reading: Reading, explained: bool
) -> None:
    assert explains(reading, study_on=DAY, raised_at=RAISED) is explained
