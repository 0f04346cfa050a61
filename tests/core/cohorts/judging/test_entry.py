"""Who enters when, how long she is followed and what ended it; screens and the cancers they found or missed."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from core.cohorts import VISITS, WOMEN
from core.cohorts.judging.entry import entered
from core.cohorts.judging.outcomes import CANCER, DEATH, LEFT, NO_BREAST
from core.cohorts.judging.screening import Fate, auc_of_fate, screening_figures, screens_of, share_above

ON = date(2015, 3, 1)
BY = "weights-a"


def table(columns, rows):
    names = {name for row in rows for name in row}
    data = {name: [row.get(name) for row in rows] for name in names}
    made = pl.DataFrame(data, schema={name: columns[name].kind for name in names})
    return made.with_columns(
        pl.lit(None, dtype=column.kind).alias(name) for name, column in columns.items() if name not in names
    )


def visit(woman=0, on=ON, risk=0.02, **more):
    told = {f"risk_{year}": risk * year / 5 for year in (1, 2, 3, 4, 5)}
    return {"woman": woman, "visit": 0, "on": on, "trust": "trusted", "said_by": BY, **told, **more}


def woman(number=0, **days):
    dates = {"last_on": ON, **days}
    last = max(day for day in dates.values() if day is not None)
    return {"woman": number, "last_contact": last, **dates}


def one(end, **more):
    return entered(table(VISITS, [visit(**more)]), table(WOMEN, [woman(**end)]), BY)


def after(years):
    return ON + timedelta(days=round(365.25 * years))


@pytest.mark.parametrize(
    ("end", "years", "cause"),
    [
        ({"last_on": after(2)}, 2, LEFT),
        ({"last_contact": after(3)}, 3, LEFT),
        ({"last_on": after(2), "diagnosed_on": after(1)}, 1, CANCER),
        ({"died_on": after(4)}, 4, DEATH),
        ({"mastectomy_on": after(1), "died_on": after(4)}, 1, NO_BREAST),
        ({"diagnosed_on": after(3), "mastectomy_on": after(3)}, 3, CANCER),
    ],
)
def test_a_woman_is_followed_to_what_comes_first(end, years, cause):
    of = one(end)
    assert (of.time[0], of.cause[0]) == (pytest.approx(years, abs=0.01), cause)
    assert of.risk_of(5)[0] == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("end", "more", "why"),
    [
        ({}, {}, "not_followed"),
        ({"last_on": after(2)}, {"trust": "withheld"}, "not_told"),
        ({"last_on": after(2)}, {"said_by": "weights-b"}, "otherwise"),
        ({"last_on": after(2), "died_on": after(1)}, {}, "contradicting"),
        ({"last_on": after(2), "mastectomy_on": ON}, {}, "contradicting"),
        ({"diagnosed_on": after(3), "died_on": after(1)}, {}, "contradicting"),
    ],
)
def test_who_cannot_be_followed_is_counted_by_why(end, more, why):
    of = one(end, **more)
    assert len(of) == 0
    reasons = ("not_followed", "not_told", "otherwise", "contradicting")
    assert [getattr(of, reason) for reason in reasons] == [int(reason == why) for reason in reasons]


def test_without_the_first_months_nobodys_time_begins_later():
    visits = table(VISITS, [visit(0), visit(1), visit(2)])
    women = table(
        WOMEN,
        [woman(0, diagnosed_on=after(0.2)), woman(1, diagnosed_on=after(2)), woman(2, last_on=after(0.4))],
    )
    of = entered(visits, women, BY).without_first_months()
    assert (of.time.round(2).tolist(), of.early) == ([2.0], 2)


def screens(*rows, women):
    return screens_of(table(VISITS, rows), table(WOMEN, women), interval_months=24)


@pytest.mark.parametrize(
    ("recall", "found_after", "fate"),
    [
        (True, 0.2, Fate.SCREEN_DETECTED),
        (True, 1.0, Fate.SCREEN_DETECTED),
        (True, 1.5, Fate.OTHERWISE),
        (False, 0.2, Fate.INTERVAL),
        (False, 1.9, Fate.INTERVAL),
        (False, 2.1, Fate.OTHERWISE),
    ],
)
def test_a_cancer_is_found_by_the_screen_or_comes_between(recall, found_after, fate):
    found = screens(visit(recall=recall), women=[woman(diagnosed_on=after(found_after))])
    assert found.fate.tolist() == [fate]


def test_a_cancer_belongs_to_the_last_screen_before_it():
    found = screens(
        visit(on=ON, recall=False),
        visit(on=after(1), recall=True),
        women=[woman(last_on=after(1), diagnosed_on=after(1.2))],
    )
    assert found.fate.tolist() == [Fate.NO_CANCER, Fate.SCREEN_DETECTED]


def test_a_screen_without_cancer_is_known_only_where_she_was_followed():
    found = screens(
        visit(0, recall=False), visit(1, recall=False), visit(2, recall=False), visit(3, recall=None),
        women=[woman(0, last_contact=after(1)), woman(1, last_contact=after(2.1)), woman(2, died_on=after(1)), woman(3)],
    )  # fmt: skip
    assert found.fate.tolist() == [Fate.NOT_FOLLOWED, Fate.NO_CANCER, Fate.NO_CANCER]
    assert found.not_read == 1


def test_what_screening_found_is_a_share_of_its_screens():
    rows = [
        visit(number, recall=number < 10, risk=0.5 if number < 5 or number > 97 else 0.1)
        for number in range(100)
    ]
    women = [woman(n, diagnosed_on=after(0.3)) for n in range(4)] + [
        woman(n, diagnosed_on=after(1)) if n > 97 else woman(n, last_contact=after(3)) for n in range(4, 100)
    ]
    of = screens(*rows, women=women)
    found = screening_figures(of)
    assert {name: one.value for name, one in found.items()} == pytest.approx(
        {"recalled": 0.1, "found": 0.04, "interval": 0.02, "sensitivity": 4 / 6, "precision": 0.4}
    )
    assert all(one.low < one.value < one.high for one in found.values())
    assert auc_of_fate(of, Fate.INTERVAL).value == pytest.approx((93 + 0.5) / 94)
    assert share_above(of, Fate.SCREEN_DETECTED, 0.05).value == 1
    with pytest.raises(ValueError, match="no such screen"):
        share_above(of, Fate.OTHERWISE, 0.05)


def test_screens_of_one_woman_are_one_draw():
    """Her screens go together: told as if they were of as many women, the interval would be too narrow."""
    rows = [visit(number // 4, on=after(number % 4 / 10), recall=number // 4 < 5) for number in range(160)]
    women = [woman(number, last_on=after(0.3), last_contact=after(4)) for number in range(40)]
    clustered = screening_figures(screens(*rows, women=women))["recalled"]
    apart = screening_figures(
        screens(*[row | {"woman": n, "on": ON} for n, row in enumerate(rows)], women=[woman(n, last_contact=after(4)) for n in range(160)])
    )["recalled"]  # fmt: skip
    assert clustered.error == pytest.approx(2 * apart.error, rel=0.05)
    assert np.isclose(clustered.value, apart.value)
