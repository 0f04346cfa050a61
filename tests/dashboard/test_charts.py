"""What the figures must always show."""

import json
import math
import re
from datetime import date
from pathlib import Path

import plotly.graph_objects as go
import pytest
from plotly.io import to_json
from sqlalchemy import select as sql

from core.cohorts import Definition, Population, Selection, select, who
from core.cohorts.seeing import alerts, courses, density, flow, risks, slopes
from core.installation import Installation
from core.records.patient_record import PatientRecord
from core.records.record import record_of
from core.rules import thresholds
from dashboard import drawing, look
from dashboard.charts import cohort as group
from dashboard.charts import course, movement, seen, template
from dashboard.charts.template import Figure
from db.tables import EventKind, Score
from tests import factories
from tests.cohort_frames import synthetic
from tests.factories import FOUR_VIEWS, VisitPlan


def record(here: Installation, visits: list[VisitPlan], **more: object) -> PatientRecord:
    factories.woman(here, "1", visits, **more)  # type: ignore[arg-type]
    found = record_of(here, "1")
    assert found is not None
    return found


@pytest.fixture
def gappy(here: Installation) -> PatientRecord:
    return record(
        here,
        [
            VisitPlan(date(2015, 1, 1), 0.011),
            VisitPlan(date(2016, 1, 1), 0.012, views=FOUR_VIEWS[:2]),
            VisitPlan(date(2020, 1, 1), 0.035),
        ],
        events=[
            (EventKind.BIOPSY, date(2017, 1, 1), None, "<b>bold</b>"),
            (EventKind.THERAPY, date(2020, 6, 1), None, ""),
        ],
    )


def trace(figure: go.Figure, name: str) -> go.Scatter:
    return next(found for found in figure.data if found.name == name)


def test_risk_stands_on_a_true_time_axis_with_its_interval(gappy: PatientRecord) -> None:
    figure = go.Figure(course.trend(gappy))
    risk = trace(figure, "5-year risk")
    assert list(risk.x) == [visit.on for visit in gappy.visits]
    assert list(risk.y) == [0.011, 0.012, 0.035]
    assert figure.layout.xaxis.type == "date"
    band = trace(figure, "interval")
    assert max(band.y) == pytest.approx(0.035 * 1.45)
    assert figure.layout.yaxis.range[1] >= math.log10(max(band.y))


def test_every_marker_carries_its_study_so_that_a_click_chooses_it(gappy: PatientRecord) -> None:
    risk = trace(go.Figure(course.trend(gappy)), "5-year risk")
    assert [uid for (uid,) in risk.customdata] == [visit.study_uid for visit in gappy.visits]


def test_markers_are_hollow_where_views_were_missing(gappy: PatientRecord) -> None:
    assert list(trace(go.Figure(course.trend(gappy)), "5-year risk").marker.color) == [
        look.RISK,
        "#FFFFFF",
        look.RISK,
    ]


def test_studies_of_one_day_have_one_marker_and_one_density(here: Installation) -> None:
    work_up = VisitPlan(date(2020, 1, 1), 0.05, views=FOUR_VIEWS[:1], density="C")
    found = record(here, [VisitPlan(date(2018, 1, 1), 0.01), VisitPlan(date(2020, 1, 1), 0.04), work_up])
    figure = go.Figure(course.trend(found))
    assert list(trace(figure, "5-year risk").y) == [0.01, 0.05]
    assert list(trace(figure, "density").text) == ["<b>B</b>", "<b>C</b>"]


def test_a_marker_is_hollow_by_what_the_model_saw_of_the_day(here: Installation) -> None:
    work_up = VisitPlan(date(2020, 1, 1), 0.05, views=FOUR_VIEWS[:1])
    factories.woman(here, "1", [VisitPlan(date(2020, 1, 1), 0.04), work_up])
    with here.database.write() as session:
        session.scalars(sql(Score).order_by(Score.id.desc()).limit(1)).one().missing_views = []
    found = record_of(here, "1")
    assert found is not None
    assert list(trace(go.Figure(course.trend(found)), "5-year risk").marker.color) == [look.RISK]


def test_a_line_is_dotted_across_a_gap_of_more_than_three_years(gappy: PatientRecord) -> None:
    dotted = trace(go.Figure(course.trend(gappy)), "over three years without a visit")
    assert dotted.line.dash == "dot"
    assert set(dotted.x) == {date(2016, 1, 1), date(2020, 1, 1), None}


def test_thresholds_are_drawn_and_named_with_their_source(gappy: PatientRecord) -> None:
    figure = go.Figure(course.trend(gappy))
    lines = {shape.y0 for shape in figure.layout.shapes if shape.type == "line" and shape.yref == "y"}
    hovers = {note.hovertext for note in figure.layout.annotations}
    for band in thresholds.risk_bands()[1:]:
        assert band.lower in lines
        assert any(band.source in (words or "") and band.holds_for in words for words in hovers)


def test_left_and_right_differ_in_shape_not_in_colour_alone(gappy: PatientRecord) -> None:
    figure = go.Figure(course.trend(gappy))
    left, right = trace(figure, "malignancy left"), trace(figure, "malignancy right")
    assert (left.marker.line.color, left.marker.symbol) == (look.LEFT, "circle")
    assert (right.marker.line.color, right.marker.symbol) == (look.RIGHT, "diamond")


def test_a_breast_without_image_has_no_point(here: Installation) -> None:
    found = record(here, [VisitPlan(date(2020, 1, 1), views=(("L", "CC"), ("L", "MLO")))])
    assert len(trace(go.Figure(course.trend(found)), "malignancy right").x) == 0


def test_events_stand_in_their_lane_and_their_text_stays_text(gappy: PatientRecord) -> None:
    figure = go.Figure(course.trend(gappy))
    biopsy = trace(figure, "biopsy")
    assert list(biopsy.x) == [date(2017, 1, 1)]
    assert "<b>bold" not in biopsy.hovertemplate
    therapy = trace(figure, "therapy")
    assert therapy.mode.startswith("lines")
    assert list(therapy.marker.symbol) == ["line-ns", "triangle-right"], "without an end it goes on"


@pytest.mark.parametrize(
    "visits", [[], [VisitPlan(date(2020, 1, 1), None)], [VisitPlan(date(2020, 1, 1), 0.6)]]
)
def test_few_or_no_scores_still_make_a_figure(here: Installation, visits: list[VisitPlan]) -> None:
    go.Figure(course.trend(record(here, visits))).to_json()


def test_contributions_show_by_how_much_each_visit_multiplied_the_odds(gappy: PatientRecord) -> None:
    score = gappy.visits[-1].score
    assert score is not None
    bars = go.Figure(movement.contributions(score)).data[0]
    assert list(bars.y) == ["2015-01-01", "2016-01-01", "2020-01-01"]
    assert all((value > 0) == (float(text[1:]) > 1) for value, text in zip(bars.x, bars.text, strict=True))


def test_plotly_takes_every_figure_as_it_is(here: Installation) -> None:
    """Pages send figures without validating them: Plotly does it here, and raises at whatever it does not know."""
    factories.cohort(here, 12)
    for n in range(1, 13):
        found = record_of(here, f"{n:05d}")
        assert found is not None
        figures_of_her = [course.trend(found, chosen=visit.study_uid) for visit in found.visits[-1:]]
        figures_of_her += [course.without_numbers(found)]
        for visit in found.scored[-1:]:
            assert visit.score is not None
            figures_of_her.append(movement.contributions(visit.score))
            if visit.score.moved:
                figures_of_her.append(movement.waterfall(visit.score.moved, "then", "now"))
        for figure in figures_of_her:
            sent = json.loads(to_json(drawing._Drawn(figure).to_dict(), validate=False))
            known = json.loads(go.Figure(figure).to_json())
            known["layout"].pop("template", None)
            assert sent == known


@pytest.fixture(scope="module")
def chosen() -> Selection:
    return select(synthetic(400), Definition(kind=Population.SIMULATED))


def test_cohort_figures_count_every_woman_once(chosen: Selection) -> None:
    table, women = risks.distribution(chosen, risks.When.ENTRY)
    (bars,) = go.Figure(group.risk_histogram(table)).data
    assert sum(many for _, _, many in bars.customdata) == pytest.approx(women, abs=3 * len(table))
    (bars,) = go.Figure(group.counts(who.densities(chosen), "density", x_title="density")).data
    assert sum(bars.y) == pytest.approx(chosen.n, abs=10)


def test_the_area_of_a_bar_of_joined_steps_is_its_women(chosen: Selection) -> None:
    table, _ = risks.distribution(chosen, risks.When.ENTRY)
    assert (table["steps"] > 1).any()
    (bars,) = go.Figure(group.risk_histogram(table)).data
    women = [
        height * width / 0.94 * risks.STEPS_A_DECADE for height, width in zip(bars.y, bars.width, strict=True)
    ]
    assert women == pytest.approx(table["women"].to_list())


def test_no_woman_has_a_mark_of_her_own_in_a_figure_of_a_cohort(chosen: Selection) -> None:
    figure = go.Figure(group.risk_by_density(risks.by_density(chosen, risks.When.ENTRY)))
    box, medians = figure.data
    assert box.y is None
    assert len(medians.x) == len(box.median) <= 4
    assert all(women >= 5 for women, *_ in medians.customdata)


def cohort_figures(chosen: Selection) -> list[Figure]:
    found = courses.courses(chosen, courses.Anchor.ENTRY, same_women=False)
    single = courses.single_courses(chosen, courses.Anchor.ENTRY)
    own, published, _ = slopes.slopes(chosen)
    return [
        group.counts(who.ages(chosen), "age_group", x_title="age"),
        group.risk_histogram(risks.distribution(chosen, risks.When.LAST)[0]),
        group.risk_by_density(risks.by_density(chosen, risks.When.ENTRY)),
        group.median_course(risks.by_year(chosen), "year", x_title="year"),
        seen.courses_by_group(found.table, x_title="years", single=single),
        seen.slopes_beside(own, published),
        seen.density_beside(density.density_by_age(chosen)[0]),
        seen.alert_rates(alerts.alerts_by_year(chosen)),
    ]


def test_figures_of_a_cohort_name_their_axes_and_are_what_plotly_knows(chosen: Selection) -> None:
    bands = [(band.label, band.key) for band in thresholds.risk_bands()]
    sankey = seen.flows(flow.flow(chosen), bands, (flow.DIAGNOSED, flow.NO_MORE))
    assert go.Figure(sankey).data
    for figure in cohort_figures(chosen):
        drawn = go.Figure(figure)
        assert drawn.layout.xaxis.title.text
        assert drawn.layout.yaxis.title.text or drawn.layout.yaxis.type == "category"


def test_figures_of_a_cohort_can_be_drawn_of_nobody() -> None:
    nobody = select(synthetic(400), Definition(kind=Population.REAL))
    assert nobody.withheld
    for figure in cohort_figures(nobody):
        go.Figure(figure)


def noisy(risks: list[float], **more: object) -> list[VisitPlan]:
    plans = zip((2019, 2021, 2023, 2025), risks, strict=False)
    return [VisitPlan(date(year, 1, 1), risk, smallest_change=0.4, **more) for year, risk in plans]  # type: ignore[arg-type]


def test_a_change_within_noise_is_thin_grey_and_said_so(here: Installation) -> None:
    figure = go.Figure(course.trend(record(here, noisy([0.010, 0.011, 0.030]))))
    thin = trace(figure, look.WITHIN_NOISE)
    assert (thin.line.color, thin.line.width) == (look.NOISE, 1)
    assert list(thin.x)[:2] == [date(2019, 1, 1), date(2021, 1, 1)]
    risk = trace(figure, "5-year risk")
    assert look.WITHIN_NOISE in risk.text[1]
    assert "▲ +1.9 points" in risk.text[2]
    strong = [line for line in figure.data if line.mode == "lines" and line.line.color == look.RISK]
    assert [day for line in strong for day in line.x if day] == [date(2021, 1, 1), date(2023, 1, 1)]


def test_no_line_and_no_band_joins_scores_by_other_weights(here: Installation) -> None:
    factories.woman(here, "1", noisy([0.010, 0.020, 0.030, 0.045]))
    with here.database.write() as session:
        for score in session.scalars(sql(Score).order_by(Score.id).limit(2)):
            score.weights_sha256 = "0" * 64
    found = record_of(here, "1")
    assert found is not None
    apart = {date(2021, 1, 1), date(2023, 1, 1)}
    figure = go.Figure(course.trend(found))
    lines = [line for line in figure.data if line.mode == "lines" and line.line.width and len(line.x) > 2]
    assert lines
    for line in lines:
        steps = zip(line.x, list(line.x)[1:], strict=False)
        assert not any({before, after} == apart for before, after in steps), line.name
    bands = [set(band.x) for band in figure.data if band.name == "interval"]
    assert bands == [{date(2019, 1, 1), date(2021, 1, 1)}, {date(2023, 1, 1), date(2025, 1, 1)}]
    assert "since 2021-01-01" not in trace(figure, "5-year risk").text[2]


def test_the_newest_visit_has_whiskers_where_intervals_are_known(here: Installation) -> None:
    figure = go.Figure(course.trend(record(here, noisy([0.010, 0.011, 0.030]))))
    visit = record_of(here, "1").visits[-1]  # type: ignore[union-attr]
    assert visit.score is not None
    left = visit.score.malignancy_interval["L"]
    assert left is not None
    whiskers = trace(figure, "interval of malignancy left")
    assert (list(whiskers.x), list(whiskers.y)) == ([visit.on] * 2, [left.low, left.high])
    assert trace(figure, "interval of growth since prior")
    assert look.interval_of(left) in trace(figure, "malignancy left").text[-1]


def test_older_scores_have_no_whiskers_and_no_empty_brackets(gappy: PatientRecord) -> None:
    figure = go.Figure(course.trend(gappy))
    assert not [one.name for one in figure.data if (one.name or "").startswith("interval of")]
    assert "(" not in trace(figure, "malignancy left").text[-1]


def test_ticks_are_said_in_percent_as_every_percentage_is() -> None:
    whole = template.percent_ticks(0, 1.005)
    assert whole["ticktext"] == [
        "0\N{NO-BREAK SPACE}%",
        *(look.percent(one) for one in (0.2, 0.4, 0.6, 0.8, 1)),
    ]
    for low, high in ((0, 0.004), (0.031, 0.047), (0.098, 0.104), (0, 0.65), (0.93, 1.002)):
        ticks = template.percent_ticks(low, high)
        assert 2 <= len(ticks["tickvals"]) <= 6
        assert all(low <= tick <= high for tick in ticks["tickvals"])
        assert len(set(ticks["ticktext"])) == len(ticks["ticktext"])


def test_a_logarithmic_axis_has_two_ticks_however_close_its_values_lie() -> None:
    for values in ([0.04, 0.046], [0.0101, 0.0102], [0.002, 0.6], [None, 0.03], []):
        axis = template.log_shares("risk", values)
        low, high = (10**end for end in axis["range"])
        assert len([tick for tick in axis["tickvals"] if low <= tick <= high]) >= 2
        assert all(low <= value <= high for value in values if value)


def test_no_figure_leaves_its_percentages_to_plotly() -> None:
    for file in Path(template.__file__).parent.glob("*.py"):
        assert not re.search(r"\.\d?~?%[\"'}]", file.read_text(encoding="utf-8")), file.name
