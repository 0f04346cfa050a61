"""Why a score moved, as the page tells it: from the prior's number to this one, and nothing where they are not alike."""

import math
import re
import time
from dataclasses import replace
from datetime import date

import plotly.graph_objects as go
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select, update

from core.installation import Installation
from core.people.accounts import Role
from core.records import cards
from core.records.patient_record import PatientRecord
from core.records.record import record_of
from dashboard import look
from dashboard.charts import movement
from db.tables import Score
from tests import factories
from tests.core.records.test_changes import FAINT, HOT, see
from tests.dashboard.conftest import Served
from tests.dashboard.page_runs import COURSE, OpenPage, no_error, words
from tests.dashboard.test_browser import browser, page, sign_in
from tests.dashboard.test_browser import pytestmark as in_browser
from tests.factories import VisitPlan

__all__ = ["browser", "page"]


def record(here: Installation, visits: list[VisitPlan] = COURSE) -> PatientRecord:
    factories.woman(here, "00017", visits)
    found = record_of(here, "00017")
    assert found is not None
    return found


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def test_the_way_begins_at_the_priors_risk_and_ends_at_this_ones(here: Installation) -> None:
    *_, prior, visit = record(here).visits
    assert prior.score is not None
    assert visit.score is not None
    assert visit.score.moved is not None
    figure = go.Figure(movement.waterfall(visit.score.moved, "then", "now"))
    bars, ends = figure.data
    assert ends.x[0] == pytest.approx(logit(prior.score.risk_5y.value))
    assert ends.x[1] == pytest.approx(logit(visit.score.risk_5y.value))
    for start, part, following in zip(bars.base, bars.x, [*bars.base[1:], ends.x[1]], strict=True):
        assert start + part == pytest.approx(following)
    texts = [annotation.text for annotation in figure.layout.annotations]
    assert (texts[0], texts[-1]) == (f"<b>{look.percent(0.018)}</b>", f"<b>{look.percent(0.034)}</b>")
    for part, text in zip(bars.x, texts[1:-1], strict=True):
        assert (part > 0) == (float(text.removeprefix("×")) > 1)


def test_left_and_right_have_their_colour_and_their_shape(here: Installation) -> None:
    visit = record(here).visits[-1]
    assert visit.score is not None
    assert visit.score.moved is not None
    figure = go.Figure(movement.waterfall(visit.score.moved, "then", "now"))
    assert list(figure.data[0].marker.color)[2:] == [look.LEFT, look.RIGHT]
    assert list(figure.layout.yaxis.ticktext)[3:5] == ["● left breast", "◆ right breast"]


@pytest.mark.parametrize(("before", "now"), [(0.0002, 0.0003), (0.012, 0.012), (0.001, 0.97), (0.5, 0.02)])
def test_the_axis_is_marked_with_few_risks_whatever_the_move(before: float, now: float) -> None:
    from core.records import Moved

    parts = dict.fromkeys(movement.WORDS, (logit(now) - logit(before)) / 4)
    axis = go.Figure(movement.waterfall(Moved("1", before, now, parts), "then", "now")).layout.xaxis
    within = [value for value in axis.tickvals if axis.range[0] < value < axis.range[1]]
    assert len(within) <= 5
    assert axis.range[0] < min(logit(before), logit(now))
    assert axis.range[1] > max(logit(before), logit(now))


@pytest.mark.parametrize(
    "changed", [{"weights_sha256": "0" * 64}, {"trust_level": "withheld"}, {"risk_5y": 0.5}], ids=str
)
def test_nothing_is_told_of_a_move_from_a_score_that_does_not_stand_today(
    here: Installation, pages: OpenPage, changed: dict[str, object]
) -> None:
    found = record(here)
    assert found.moved_from(found.visits[-1]) is found.visits[-2]
    with here.database.write() as session:
        prior = select(Score.id).order_by(Score.id).offset(1).limit(1).scalar_subquery()
        session.execute(update(Score).where(Score.id == prior).values(changed))
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    assert no_error(app)
    assert "The prior has no score that this one can be set beside." in words(app)
    assert "odds ×" not in words(app)


def test_the_two_crops_of_a_breast_stand_beside_each_other(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "00017", COURSE[:1] + COURSE[2:])
    see(here, {(0, "L-CC"): FAINT, (1, "L-CC"): HOT, (0, "R-MLO"): HOT, (1, "R-MLO"): FAINT})
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    assert no_error(app)
    shown = words(app)
    assert "<b>L CC</b> heat map risen" in shown, "her left breast raised the score"
    assert "R MLO</b> heat map" not in shown, "what fell in the right one does not say why that raised it"
    assert re.findall(r"/crop/2\.25\.1\.(\d)", shown) == ["1", "2"]
    assert "45 mm wide" in shown
    until = time.monotonic() + 20
    while "being aligned" in shown and time.monotonic() < until:
        time.sleep(0.1)
        shown = words(app.run())
    assert "registered: the same place" in shown


def test_a_first_visit_and_a_withheld_score_tell_of_no_move(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "00017", COURSE)
    first = pages(Role.ONCOLOGIST, "patient", mrn="00017", visit="2.25.1.1")
    assert "Why it moved" not in words(first)
    with here.database.write() as session:
        session.execute(update(Score).values(trust_level="withheld", trust_doubt="unlike_pictures"))
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    assert no_error(app)
    assert "Why it moved" not in words(app)
    assert "×" not in words(app)


def test_a_first_visit_is_set_beside_women_of_her_age_where_the_card_tells_of_them(
    here: Installation, pages: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.woman(here, "00017", COURSE[:1], birth_date=date(1968, 3, 2))
    assert "women of her age" not in words(pages(Role.ONCOLOGIST, "patient", mrn="00017"))
    women = {"age": 50, "around": 5.0, "n": 40, "median_5y": 0.011, "quantiles_5y": [0.008, 0.012, 0.03]}
    card = cards.card_of(here, "longitudinal-sim")
    assert card is not None
    card = replace(
        card,
        weights_sha256=factories.WEIGHTS_SHA256,
        calibration="none",
        settings={"reference_by_age": {"women": "women who did not teach it", "bins": [women]}},
    )
    monkeypatch.setattr(cards, "card_of", lambda *_: card)
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    assert no_error(app)
    assert "higher than that of <b>50 of 100</b> reference women aged 45 to 55" in words(app)
    assert f"whose median is {look.percent(0.011)}" in words(app)
    monkeypatch.setattr(cards, "card_of", lambda *_: replace(card, calibration="another"))
    assert "women of her age" not in words(pages(Role.ONCOLOGIST, "patient", mrn="00017"))


def test_a_score_of_before_this_was_kept_still_shows_its_visits(here: Installation, pages: OpenPage) -> None:
    factories.woman(here, "00017", COURSE)
    with here.database.write() as session:
        session.execute(update(Score).values(moved=None))
    app = pages(Role.ONCOLOGIST, "patient", mrn="00017")
    assert no_error(app)
    assert "The prior has no score that this one can be set beside." in words(app)
    assert [expander.label for expander in app.expander if expander.label == "What each visit told"]


@pytest.mark.browser
@in_browser[1]
def test_a_reader_sees_from_what_to_what_and_opens_what_each_visit_told(page: Page, served: Served) -> None:
    with served.here.database.read() as session:
        score = session.scalars(select(Score).order_by(Score.id.desc())).all()
        moved = next(one for one in score if one.moved is not None and one.study.patient.mrn == "00001")
        before, now = moved.moved["from"], moved.moved["to"]
    sign_in(page, served, "oncologist")
    page.wait_for_url(lambda url: "sign-in" not in url)
    page.goto(f"{served.url}/patient?patient={served.key('00001')}")
    figure = page.locator(".stPlotlyChart", has_text="● left breast")
    expect(figure).to_contain_text(look.percent(before))
    expect(figure).to_contain_text(look.percent(now))
    expect(figure).to_contain_text("×")
    page.get_by_text("What each visit told").click()
    expect(page.get_by_text("of a woman of whom nothing is seen")).to_be_visible()
