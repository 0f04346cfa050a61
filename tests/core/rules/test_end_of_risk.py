"""From when on a woman has no breast at risk."""

from datetime import date

import pytest

from core.rules.end_of_risk import both_breasts_gone_on, risk_ended_on
from core.rules.followup import Happened
from db.tables import EventKind

EARLY, LATE = date(2020, 1, 1), date(2022, 1, 1)


def gone(on: date, side: str | None) -> Happened:
    return Happened(EventKind.MASTECTOMY, on, laterality=side)


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        ([], None),
        ([gone(EARLY, "L")], None),
        ([gone(EARLY, "L"), gone(LATE, "L")], None),
        ([gone(EARLY, None)], EARLY),
        ([gone(LATE, "L"), gone(EARLY, "R")], LATE),
        ([gone(LATE, None), gone(EARLY, "R")], LATE),
    ],
)
def test_both_breasts_are_gone_from_the_later_side_on(happened, expected):
    assert both_breasts_gone_on(happened) == expected


def test_death_ends_risk_with_a_breast_left_too():
    assert risk_ended_on([gone(EARLY, "L"), Happened(EventKind.DEATH, LATE)]) == LATE
    assert risk_ended_on([gone(EARLY, None), Happened(EventKind.DEATH, LATE)]) == EARLY
    assert risk_ended_on([Happened(EventKind.CONTACT, LATE), Happened(EventKind.SURGERY, LATE)]) is None
