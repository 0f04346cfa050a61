"""The part of the cohort page that judges the model: every view draws, explains itself, and says why where it cannot."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import plotly.graph_objects as go
import pytest
from plotly.io import to_json
from streamlit.testing.v1 import AppTest

from core.cohorts import Definition, Population, select
from core.cohorts import over_time as years
from core.cohorts.judge import Asking, Judged
from core.installation import Installation
from core.people import Person, Role
from dashboard import drawing, look
from dashboard.charts import judging as charts
from tests.cohort_frames import synthetic
from tests.core.cohorts.judging.made import stored_women

pytestmark = pytest.mark.usefixtures("an_analyst")

VIEWS = ("Telling apart", "Calibration", "Threshold", "Over time", "Screening", "Groups")


def judge_part(women: int) -> None:
    """A script: the part by itself, of women made up."""
    from core.cohorts import Definition, Population, select
    from dashboard.cohort import judge
    from tests.cohort_frames import synthetic

    judge.show(select(synthetic(women, seed=2), Definition(kind=Population.SIMULATED)))


def words(at: AppTest) -> str:
    return "\n".join(
        one.value for one in (*at.markdown, *at.get("html")) if hasattr(one, "value")
    ) + "\n".join(one.proto.body for one in at.get("html"))


@pytest.fixture(scope="module")
def page(an_analyst: Person) -> AppTest:
    return AppTest.from_function(judge_part, args=(3000,), default_timeout=60).run()


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_draws_and_explains_itself(page: AppTest, view: str) -> None:
    page.session_state["judge_view"] = view
    page.run()
    assert not page.exception
    said = words(page)
    assert "What it does not mean" in said
    assert "95 %" in said
    assert "women followed" in said


def test_a_threshold_and_a_horizon_are_chosen_and_said(page: AppTest) -> None:
    page.session_state["judge_view"] = "Threshold"
    page.session_state["judge_horizon"] = 3
    page.run()
    page.select_slider(key="judge_threshold").set_value(0.02).run()
    assert not page.exception
    said = words(page)
    assert f"What follows from recalling above 2.0{look.NBSP}%?" in said
    assert "within 3 years" in said
    page.session_state["judge_horizon"] = 5


def test_how_many_looks_were_taken_is_said(page: AppTest) -> None:
    page.session_state["judge_view"] = "Groups"
    page.run()
    assert "comparisons were made" in words(page)


def test_of_a_few_women_it_says_why_there_is_nothing() -> None:
    few = AppTest.from_function(judge_part, args=(60,), default_timeout=60).run()
    assert not few.exception
    said = words(few)
    assert "fewer than 5 women have a cancer" in said.lower() or "No cancer is on record" in said
    assert "AUC and C-index" not in said


def test_the_rules_are_held_against_both_of_two_versions_and_the_view_is_in_the_address(
    here: Installation, pages: Callable[..., AppTest]
) -> None:
    stored_women(here, 60, ill=12)
    app = pages(Role.ANALYST, "cohort", part="Judge", judge_view="Two models")
    assert not app.exception
    assert "Does another model, or another version, do better on the same women?" in words(app)
    app.button(key="judge_alerts").click().run()
    until = time.monotonic() + 20
    while "more a thousand" not in words(app) and time.monotonic() < until:
        app.run()
    assert not app.exception
    assert "60 women, each at the last visit that both have scored" in words(app)


def test_plotly_takes_every_figure_as_it_is() -> None:
    of = Judged(select(synthetic(3000, seed=2), Definition(kind=Population.SIMULATED)), Asking())
    groups, _ = of.subgroups()
    figures = [
        charts.roc(of.roc()),
        charts.precision(of.precision(), 0.02),
        charts.by_horizon(of.by_horizon(), "auc", y_title="AUC", right=0.5),
        charts.by_horizon(of.by_horizon(), "o_e", y_title="O/E", right=1.0),
        charts.calibration(of.tenths()),
        charts.decision(of.decision()),
        charts.over_time(years.incidence(of).table, y_title="diagnosed", falls=False),
        charts.over_time(years.survival(of).table, y_title="free", falls=True),
        charts.forest(groups, "auc", x_title="AUC", right=0.5),
        charts.forest(groups, "o_e", x_title="O/E", right=1.0, log=True),
    ]
    for figure in figures:
        sent = json.loads(to_json(drawing._Drawn(figure).to_dict(), validate=False))
        known = json.loads(go.Figure(figure).to_json())
        known["layout"].pop("template", None)
        assert sent == known
