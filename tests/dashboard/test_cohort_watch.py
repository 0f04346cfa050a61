"""What the cohort page says of drift, of missing data and of what another plan would ask for."""

from datetime import date

import polars as pl
import pytest
from plotly import graph_objects
from streamlit.testing.v1 import AppTest

from core.cohorts import Definition, Frame, Population, Selection, drift, earlier, missing, select, what_if
from core.cohorts.courses import courses_of
from dashboard.charts import watch as watch_charts
from dashboard.charts import what_if as what_if_charts
from tests.cohort_frames import synthetic

pytestmark = pytest.mark.usefixtures("an_analyst")

SIMULATED = Definition(kind=Population.SIMULATED)


@pytest.fixture(scope="module")
def frame() -> Frame:
    """A cohort whose pictures became brighter, on another maker's detectors."""
    made = synthetic(1200)
    late = pl.col("on") >= date(2026, 1, 15)
    visits = made.visits.with_columns(
        pl.when(late).then(pl.col("brightness") + 0.05).otherwise(pl.col("brightness")).cast(pl.Float32).alias("brightness"),
        pl.when(late).then(pl.lit("Dunmere")).otherwise(pl.col("vendor").cast(pl.String)).cast(pl.Categorical()).alias("vendor"),
    )  # fmt: skip
    return Frame(made.women, visits, f"{made.basis} brighter", made.read_at)


def part(name: str, selection: Selection, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    def script(name, selection):  # type: ignore[no-untyped-def]  # read as a file of its own, without imports
        import importlib

        importlib.import_module(f"dashboard.cohort.{name}").show(selection)

    monkeypatch.setattr("dashboard.cohort.what_if.here", lambda: None)
    monkeypatch.setattr("core.cohorts.truth.visible_from", lambda here: {})
    return AppTest.from_function(script, args=(name, selection), default_timeout=60).run()


def words(app: AppTest) -> str:
    return " ".join(found.proto.body for found in app.get("html"))


def of(frame: Frame, women: int) -> Selection:
    few = Frame(
        frame.women.filter(pl.col("woman") < women),
        frame.visits.filter(pl.col("woman") < women),
        f"{frame.basis} {women}",
        frame.read_at,
    )
    return select(few, SIMULATED)


def test_what_changed_is_named_with_its_false_alarms(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    app = part("watch", select(frame, SIMULATED), monkeypatch)
    assert not app.exception
    said = words(app)
    assert "Noticed since" in said
    assert "Brightness of the pictures: brighter (2026-0" in said
    assert "A detector not seen before: more" in said
    assert "false alarms a year are expected" in said
    assert "95 of 100 within" in said
    assert "How do the pictures look to the model?" in said
    assert len(app.get("plotly_chart")) == 8
    app.selectbox(key="cohort_watched_from").set_value(app.selectbox(key="cohort_watched_from").options[-1])


def test_another_plan_is_shown_with_what_it_takes_for_granted(
    frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = part("what_if", select(frame, SIMULATED), monkeypatch)
    assert not app.exception
    said = words(app)
    for one in what_if.ASSUMPTIONS:
        assert one in said.replace("&#x27;", "'").replace("&rsquo;", "’")
    assert len(app.get("plotly_chart")) == 4
    app.selectbox(key="cohort_months_high").set_value(6).run()
    assert not app.exception
    assert "more or fewer than came" in words(app)


@pytest.mark.parametrize("women", [5, 12, 40])
def test_of_few_women_each_part_has_a_sentence_in_place_of_a_figure(
    frame: Frame, monkeypatch: pytest.MonkeyPatch, women: int
) -> None:
    for name in ("watch", "what_if"):
        app = part(name, of(frame, women), monkeypatch)
        assert not app.exception
    assert "lv-empty" in words(part("what_if", of(frame, 5), monkeypatch))
    if women < 20:
        assert "An alarm rule needs 100 studies" in words(part("watch", of(frame, women), monkeypatch))


def test_no_time_after_a_score_is_said(frame: Frame, monkeypatch: pytest.MonkeyPatch) -> None:
    once = Frame(
        frame.women.with_columns(pl.col("first_on").alias("last_contact")),
        frame.visits.filter(pl.col("visit") == 0), "once", frame.read_at,
    )  # fmt: skip
    app = part("what_if", select(once, SIMULATED), monkeypatch)
    assert not app.exception
    assert "nothing can be asked of courses" in words(app)


def test_the_figures_are_such_as_plotly_knows(frame: Frame) -> None:
    selection = select(frame, SIMULATED)
    found = drift.watch(selection.visits, date(2025, 7, 1))
    looks = [one for one in found.courses if one.measure.unit == "deviations"]
    own = [one for one in found.courses if one not in looks and not one.measure.key.startswith("vendor")]
    makers = [one for one in found.courses if one.measure.key.startswith("vendor")]
    courses = courses_of(
        selection.told_visits("woman", "on", "age", "risk_5", "malignancy"),
        selection.women,
        date(2026, 11, 21),
    )
    table = missing.missing_by_month(selection.visits, selection.women, read_at=frame.read_at)
    at = what_if.Thresholds(0.02, 0.03)
    drawn = [
        watch_charts.nearness(found),
        *(watch_charts.course(found, one) for one in own),
        watch_charts.looks(found, looks),
        watch_charts.makers(found, makers),
        watch_charts.missing(table),
        what_if_charts.plans(what_if.rates(courses, what_if.REGULAR, at)),
        what_if_charts.earlier(earlier.found_earlier(courses, selection.women, what_if.REGULAR)),
        what_if_charts.by_threshold(
            what_if.by_threshold(courses, courses.risk_5y, what_if.RISK_THRESHOLDS), 0.03, x_title="x", y_title="y"
        ),
    ]  # fmt: skip
    for one in drawn:
        assert graph_objects.Figure(one).data
