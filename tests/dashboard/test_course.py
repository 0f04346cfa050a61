"""What a woman's course shows always, whatever was said of her."""

import itertools
import json
import math
import re
from dataclasses import replace
from datetime import date, timedelta

import plotly.graph_objects as go
import pytest
from plotly.io import to_json
from sqlalchemy import select

from core.installation import Installation
from core.records import cards
from core.records.patient_record import PatientRecord
from core.records.record import record_of
from core.rules import QuantilesAtAge, ReferenceCourses, ReferencePoint, thresholds
from dashboard import drawing, look
from dashboard.charts import course, happenings, horizons
from dashboard.charts.beside import OtherWomen
from dashboard.charts.course_lines import Drawing
from dashboard.charts.scale import TICKS, Scale
from dashboard.patient import course_more
from db.tables import EventKind, Score
from tests import factories
from tests.factories import VisitPlan

OTHERS = OtherWomen(
    [QuantilesAtAge(40.0, 0.005, 0.008, 0.012), QuantilesAtAge(60.0, 0.007, 0.010, 0.015)],
    ReferenceCourses(
        "simulated women",
        tuple(ReferencePoint(float(years), 60, 0.03 / (1 + years)) for years in range(8, -1, -1)),
        tuple(ReferencePoint(float(years), 90, 0.01) for years in range(8, -1, -1)),
    ),
)
WAYS = [Drawing(OTHERS, linear, short) for linear in (False, True) for short in (False, True)]


def record(here: Installation, visits: list[VisitPlan], **more: object) -> PatientRecord:
    factories.woman(here, "1", visits, **more)  # type: ignore[arg-type]
    found = record_of(here, "1")
    assert found is not None
    return found


def yearly(n: int, risk: float = 0.008, since: int = 2005) -> list[VisitPlan]:
    return [
        VisitPlan(date(since + k, 3, 1), risk * 1.1**k, malignancy_left=0.0004, smallest_change=0.3)
        for k in range(n)
    ]


def named(figure: dict, name: str) -> list[dict]:
    return [trace for trace in figure["data"] if trace.get("name") == name]


def words(figure: dict) -> list[str]:
    return [str(note["text"]) for note in figure["layout"].get("annotations", ())]


@pytest.mark.parametrize("n", [1, 2, 7, 20])
def test_every_course_is_drawn_and_plotly_takes_it_as_it_is(here: Installation, n: int) -> None:
    found = record(here, yearly(n), events=[(EventKind.THERAPY, date(2008, 1, 1), None, "")])
    for way in WAYS:
        figure = course.trend(found, chosen=found.visits[-1].study_uid, drawing=way)
        sent = json.loads(to_json(drawing._Drawn(figure).to_dict(), validate=False))
        known = json.loads(go.Figure(figure).to_json())
        known["layout"].pop("template", None)
        assert sent == known
        assert "0.0" not in re.sub(r"[^0-9.% <]", "", " ".join(words(figure))).split("%")
        if way.short:
            assert 160 <= figure["layout"]["height"] <= 220
        (risk,) = named(figure, "5-year risk")
        assert len(risk["x"]) == n


def test_the_axis_is_logarithmic_unless_asked_so_that_a_threshold_is_crossed_to_be_seen(
    here: Installation,
) -> None:
    found = record(here, [VisitPlan(date(2020, 1, 1), 0.008), VisitPlan(date(2022, 1, 1), 0.021)])
    axis = course.trend(found)["layout"]["yaxis"]
    assert axis["type"] == "log"
    assert set(axis["tickvals"]) <= set(TICKS)
    low, high = axis["range"]
    assert (math.log10(0.021) - math.log10(0.008)) / (high - low) > 0.12
    linear = course.trend(found, drawing=Drawing(linear=True))["layout"]["yaxis"]
    assert linear.get("type") is None
    assert linear["range"][0] == 0


def test_what_is_below_a_thousandth_stands_at_the_axis_beginning_and_is_said_to_be_less() -> None:
    scale = Scale.over([0.00002, 0.02], linear=False, px=100)
    assert scale.height(0.00002) == 0
    assert scale.height(0.02) < 100
    assert scale.value(scale.height(0.01)) == pytest.approx(0.01)
    assert look.percent(0.00002) == f"<{look.NBSP}0.1{look.NBSP}%"


@pytest.mark.parametrize(
    ("birth", "diagnosed", "until"),
    [
        (date(1940, 6, 1), None, date(2015, 6, 1)),
        (date(1970, 6, 1), date(2017, 2, 1), date(2017, 2, 1)),
        (date(1930, 6, 1), None, None),
        (date(1990, 6, 1), None, None),
    ],
    ids=["until she is 75", "until the diagnosis", "older from the first", "younger to the last"],
)
def test_thresholds_end_with_their_ages_and_at_a_diagnosis(
    here: Installation, birth: date, diagnosed: date | None, until: date | None
) -> None:
    events = [(EventKind.DIAGNOSIS, diagnosed, None, "")] if diagnosed else []
    found = record(here, yearly(14, since=2006), birth_date=birth, events=events)
    shapes = course.trend(found)["layout"].get("shapes", [])
    dashed = [shape for shape in shapes if shape.get("line", {}).get("dash") == "dash"]
    assert {shape["x1"] for shape in dashed} == ({until} if until else set())


def test_a_diagnosis_ends_risk_and_names_what_follows(here: Installation) -> None:
    plans = yearly(4, since=2018)
    found = record(here, plans, events=[(EventKind.DIAGNOSIS, date(2020, 1, 1), None, "")])
    for way in WAYS:
        figure = course.trend(found, drawing=way)
        assert any("growth since prior" in text and "ends at the diagnosis" in text for text in words(figure))
        for name in ("5-year risk", "malignancy left", "malignancy right"):
            assert all(day < date(2020, 1, 1) for trace in named(figure, name) for day in trace["x"])
        after = [day for one in named(figure, "growth since prior") for day in one["x"]]
        assert {day for day in after if day >= date(2020, 1, 1)} == {date(2020, 3, 1), date(2021, 3, 1)}


@pytest.mark.parametrize("kind", [EventKind.SURGERY, EventKind.THERAPY])
def test_neither_line_nor_band_nor_slope_goes_through_the_start_of_a_treatment(
    here: Installation, kind: EventKind
) -> None:
    began = date(2009, 6, 1)
    found = record(here, yearly(9), events=[(kind, began, None, "")])
    for trace in course.trend(found, drawing=Drawing(OTHERS))["data"]:
        if trace.get("name") in ("", "interval", look.WITHIN_NOISE):
            days = list(trace["x"])
            steps = [(a, b) for a, b in itertools.pairwise(days) if a and b]
            assert not any(min(step) <= began < max(step) for step in steps), trace["name"]
    slope = found.standing.slope
    assert slope is not None
    assert slope.visits == 4


def test_no_words_of_events_lie_on_one_another(here: Installation) -> None:
    close = [
        (kind, date(2012, 1, 1) + timedelta(days=25 * n), None, "")
        for n, kind in enumerate((EventKind.BIOPSY, EventKind.DIAGNOSIS, EventKind.SURGERY, EventKind.BIOPSY))
    ]
    bar = (EventKind.THERAPY, date(2012, 4, 20), date(2017, 1, 1), "")
    found = record(here, yearly(12), events=[*close, bar, (EventKind.BIOPSY, date(2016, 1, 1), None, "")])
    span = (date(2004, 6, 1), date(2017, 6, 1))
    placed = happenings.stagger(found.events, span, 6)
    assert all(one.side for one in placed), "each has its words"
    days = (span[1] - span[0]).days / happenings.NARROWEST_PX
    for lane in range(6):
        reaches = []
        for one in (one for one in placed if one.lane == lane):
            room = timedelta(days=6 * len(happenings.words_of(one.event)) * days)
            reaches.append(
                (one.event.on - room * (one.side == "left"), one.until + room * (one.side == "right"))
            )
        reaches.sort()
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(reaches))


def test_a_therapy_is_a_bar_to_its_end(here: Installation) -> None:
    found = record(here, yearly(3), events=[(EventKind.THERAPY, date(2005, 6, 1), date(2006, 6, 1), "")])
    (bar,) = named(course.trend(found), "therapy")
    assert bar["x"] == [date(2005, 6, 1), date(2006, 6, 1)]


def test_other_women_stand_behind_her_on_the_same_axis_and_end_where_her_course_does(
    here: Installation,
) -> None:
    found = record(here, yearly(9))
    figure = course.trend(found, drawing=Drawing(OTHERS))
    for name in ("cancer found", "none found"):
        (line,) = named(figure, f"median of women, {name}")
        assert line["x"][-1] == found.scored[-1].on
        assert any(name in text for text in words(figure))
    order = [trace.get("name") for trace in figure["data"]]
    assert order.index("median of women, none found") < order.index("5-year risk"), "behind her"
    (band,) = named(figure, "women of her age, middle half")
    assert min(band["y"]) >= 0.005
    assert not named(course.trend(found), "median of women, none found")
    unknown = replace(found, birth_date=None)
    assert not named(course.trend(unknown, drawing=Drawing(OTHERS)), "women of her age, middle half")


def test_a_covered_visit_is_marked_to_read_without_a_value(here: Installation) -> None:
    found = record(here, yearly(3))
    covered = replace(found.visits[-1], score=None, covered=True, progression=None, model_density=None)
    unread = replace(found, visits=(*found.visits[:-1], covered))
    figure = course.trend(unread, drawing=Drawing(OTHERS))
    (mark,) = named(figure, "to read")
    assert (mark["x"], mark["text"]) == ([covered.on], ["to read"])
    assert covered.on not in named(figure, "5-year risk")[0]["x"]
    told = found.visits[-1].score
    assert told is not None
    assert str(told.risk_5y.value) not in to_json(figure, validate=False)
    shown = course_more.table(unread, covered)
    assert "to read" in shown
    assert look.percent(told.risk_5y.value) not in shown


def test_the_table_says_every_visit_and_nothing_that_is_withheld(here: Installation) -> None:
    plans = [
        *yearly(2),
        VisitPlan(date(2009, 1, 1), 0.0812, trust=("withheld", "unlike_pictures"), bi_rads="4A"),
    ]
    found = record(here, plans)
    shown = course_more.table(found, found.visits[0])
    assert shown.count('<th scope="row">') == 3
    assert "8.1" not in shown
    assert "BI-RADS 4A" in shown
    assert shown.count('aria-current="true"') == 1
    assert "0.0 %" not in shown


def test_risk_over_the_years_never_falls(here: Installation) -> None:
    factories.cohort(here, 8)
    for n in range(1, 9):
        found = record_of(here, f"{n:05d}")
        assert found is not None
        for visit in found.scored:
            assert visit.score is not None
            figure = horizons.curve(visit.score)
            (line,) = named(figure, "cancer within")
            assert line["y"] == sorted(line["y"])
            assert line["x"] == [1, 2, 3, 4, 5]
            (band,) = named(figure, "interval")
            assert band["y"][:5] == sorted(band["y"][:5])
            go.Figure(figure)


def test_women_scored_by_other_weights_are_set_beside_nobody(here: Installation) -> None:
    found = record(here, yearly(3))
    with here.database.write() as session:
        for score in session.scalars(select(Score)):
            assert score.weights_sha256 == factories.WEIGHTS_SHA256
    newest = found.scored[-1].score
    assert newest is not None
    assert cards.settings_behind(here, newest) == {}
    card = cards.card_of(here, newest.model)
    assert card is not None
    same = replace(newest, weights_sha256=card.weights_sha256, calibration=card.calibration)
    assert cards.settings_behind(here, same) == card.settings


def test_every_threshold_says_for_whom_it_holds() -> None:
    for band in thresholds.risk_bands()[1:]:
        since, until = band.days(date(1960, 2, 29))
        assert (since, until) == (date(1995, 2, 28), date(2035, 2, 28))
        assert str(band.to_age) in band.holds_for
