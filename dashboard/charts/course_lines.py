"""The lines of a woman's course: what the model said at each visit, joined where that may be."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from core.records import Interval, PatientRecord, Visit, VisitScore
from core.rules import is_within_noise, said_alike, trends
from core.rules.vocabulary import SIDE_WORDS
from dashboard import look
from dashboard.charts.beside import OtherWomen
from dashboard.charts.scale import Scale
from dashboard.charts.template import Figure

_LABEL_PX = 15

_SIDES = (("L", look.LEFT, "circle", "● left, 1 year"), ("R", look.RIGHT, "diamond", "◆ right, 1 year"))


@dataclass(frozen=True)
class Drawing:
    """How a course is drawn: what stands behind it, on which axis, and whether in short, as a ribbon over the pictures."""

    others: OtherWomen = field(default_factory=OtherWomen)
    linear: bool = False
    short: bool = False
    place: str = ""
    """Where the chosen visit stands among women of her age, in words."""


@dataclass(frozen=True)
class Course:
    """A course being drawn: the woman, the days it is drawn over, and how."""

    figure: Figure
    record: PatientRecord
    span: tuple[date, date]
    scale: Scale
    drawing: Drawing

    def joined(self, before: Visit, after: Visit) -> bool:
        """Say whether a line may join two visits: by the same weights and calibration, no treatment begun between them."""
        if any(before.on <= day < after.on for day in self.record.treated_on):
            return False
        said = [visit.score or visit.untrusted for visit in (before, after)]
        return said_alike(score for score in said if score is not None)


@dataclass(frozen=True)
class _Look:
    """How a line of a course looks, and what it is called."""

    name: str
    colour: str
    symbol: str
    size: int
    width: float


_RISK = _Look("5-year risk", look.RISK, "circle", 10, 2.5)
_GROWTH = _Look("growth since prior", look.PROGRESSION, "triangle-up", 8, 1.5)


def draw_risk(course: Course) -> list[Label]:
    """Draw 5-year risk from visit to visit."""
    scored = course.record.scored
    values = [score_of(visit).risk_5y.value for visit in scored]
    _line(course, scored, values, _RISK)
    texts = [_risk_hover(visit, prior) for visit, prior in zip(scored, [None, *scored], strict=False)]
    _markers(course, scored, values, _RISK, texts=texts)
    return _label_of(scored, values, _RISK.name, _RISK.colour)


def draw_breasts(course: Course) -> list[Label]:
    """Draw malignancy per breast."""
    labels = []
    for laterality, colour, symbol, word in _SIDES:
        with_side = [v for v in course.record.scored if score_of(v).malignancy[laterality] is not None]
        values = [float(score_of(v).malignancy[laterality] or 0.0) for v in with_side]
        drawn = _Look(f"malignancy {SIDE_WORDS[laterality]}", colour, symbol, 7, 1.0)
        _line(course, with_side, values, drawn)
        intervals = [score_of(v).malignancy_interval[laterality] for v in with_side]
        _markers(course, with_side, values, drawn, intervals=intervals)
        labels += _label_of(with_side, values, word, colour)
    return labels


def draw_growth(course: Course) -> list[Label]:
    """Draw growth since the prior; before a diagnosis and after it another question is asked, and no line joins the two."""
    labels: list[Label] = []
    told = grown(course.record, course.drawing)
    for part in ([v for v in told if v.score], [v for v in told if not v.score]):
        values = [float(v.progression or 0.0) for v in part]
        _line(course, part, values, _GROWTH)
        _markers(course, part, values, _GROWTH, intervals=[v.progression_interval for v in part])
        labels = _label_of(part, values, "▲ grown", look.PROGRESSION) or labels
    return labels


def grown(record: PatientRecord, drawing: Drawing) -> list[Visit]:
    """Return the visits whose growth since the prior is drawn."""
    told = [visit for visit in record.standing.read if visit.progression is not None]
    return [visit for visit in told if visit.score is None] if drawing.short else told


def score_of(visit: Visit) -> VisitScore:
    """Return what the model said of a visit of which a number is shown."""
    assert visit.score is not None
    return visit.score


def draw_interval_band(course: Course) -> None:
    """Draw the intervals of 5-year risk, one band for each run of visits that may be joined."""
    runs: list[list[Visit]] = []
    for visit in course.record.scored:
        if runs and course.joined(runs[-1][-1], visit):
            runs[-1].append(visit)
        else:
            runs.append([visit])
    for run in runs:
        _band(course, run)


def _band(course: Course, scored: Sequence[Visit]) -> None:
    drawn = course.scale.drawn
    low = [drawn(score_of(visit).risk_5y.low) for visit in scored]
    high = [drawn(score_of(visit).risk_5y.high) for visit in scored]
    if len(scored) < 2:
        for visit in scored:
            course.figure.add_shape(
                type="line",
                x0=visit.on,
                x1=visit.on,
                yref="y",
                y0=low[0],
                y1=high[0],
                line={"color": look.RISK_BAND, "width": 8},
            )
        return
    days = [visit.on for visit in scored]
    course.figure.add_band(days, low, high, look.RISK_BAND, name="interval")


def _line(course: Course, visits: Sequence[Visit], values: Sequence[float], drawn: _Look) -> None:
    """Draw the steps between visits that may be joined: dotted over a long gap, of risk thin within noise."""
    gaps = trends.long_gaps([visit.on for visit in visits])
    steps: dict[tuple[bool, bool], list[int]] = {}
    for step, (before, after) in enumerate(itertools.pairwise(visits)):
        if course.joined(before, after):
            noise = drawn is _RISK and is_within_noise(score_of(before), score_of(after)) is True
            steps.setdefault((gaps[step], noise), []).append(step)
    at = [course.scale.drawn(value) for value in values]
    for (dotted, noise), which in steps.items():
        names = ["over three years without a visit"] * dotted + [look.WITHIN_NOISE] * noise
        course.figure.add(
            "scatter",
            x=[day for step in which for day in (visits[step].on, visits[step + 1].on, None)],
            y=[value for step in which for value in (at[step], at[step + 1], None)],
            yaxis="y",
            mode="lines",
            line={
                "color": look.NOISE if noise else drawn.colour,
                "width": 1 if noise else drawn.width,
                "dash": "dot" if dotted else "solid",
            },
            hoverinfo="skip",
            name=", ".join(names),
        )


def _markers(
    course: Course,
    visits: Sequence[Visit],
    values: Sequence[float],
    drawn: _Look,
    *,
    texts: Sequence[str] | None = None,
    intervals: Sequence[Interval | None] = (),
) -> None:
    """Draw visits' marks; of the newest one of `intervals` whiskers, of all of them the words on hover."""
    intervals = intervals or [None] * len(visits)
    texts = texts or [
        f"{visit.on}<br>{drawn.name} {look.percent(value)} {look.interval_of(interval)}".rstrip()
        for visit, value, interval in zip(visits, values, intervals, strict=True)
    ]
    if intervals and intervals[-1] is not None and not course.drawing.short:
        _whiskers(course, visits[-1].on, intervals[-1], drawn)
    style = {"opacity": 1.0}
    course.figure.add(
        "scatter",
        x=[visit.on for visit in visits],
        y=[course.scale.drawn(value) for value in values],
        yaxis="y",
        mode="markers",
        cliponaxis=False,
        marker={
            "color": ["#FFFFFF" if _views_missing(visit) else drawn.colour for visit in visits],
            "symbol": drawn.symbol,
            "size": drawn.size - 2 if course.drawing.short else drawn.size,
            "line": {"color": drawn.colour, "width": 2},
        },
        selected={"marker": style},
        unselected={"marker": style},
        customdata=[[visit.study_uid] for visit in visits],
        text=list(texts),
        hovertemplate="%{text}<extra></extra>",
        name=drawn.name,
    )


def _whiskers(course: Course, on: date, known: Interval, drawn: _Look) -> None:
    """Draw the interval of a visit's probability, behind its mark."""
    course.figure.add(
        "scatter",
        x=[on, on],
        y=[course.scale.drawn(known.low), course.scale.drawn(known.high)],
        yaxis="y",
        mode="lines+markers",
        line={"color": drawn.colour, "width": 2},
        marker={"color": drawn.colour, "symbol": "line-ew-open", "size": 10, "line": {"width": 2}},
        hoverinfo="skip",
        name=f"interval of {drawn.name}",
    )


def _views_missing(visit: Visit) -> bool:
    said = visit.score or visit.untrusted
    return said is not None and bool(said.missing_views)


def _risk_hover(visit: Visit, prior: Visit | None) -> str:
    score = score_of(visit)
    risk = score.risk_5y
    lines = [
        f"{visit.on}",
        f"cancer within 5 years {look.percent(risk.value)} {look.interval(risk.low, risk.high)}",
    ]
    if prior is not None and said_alike((score_of(prior), score)):
        change = risk.value - score_of(prior).risk_5y.value
        noise = is_within_noise(score_of(prior), score)
        words = look.WITHIN_NOISE if noise else f"{look.points(change)} points"
        lines.append(f"since {prior.on}: {words}")
    if visit.bi_rads:
        lines.append(look.safe(f"{visit.assessment.words}, by the reader"))
    if score.missing_views:
        lines.append("not seen by the model: " + ", ".join(view.words for view in score.missing_views))
    return "<br>".join(lines)


@dataclass(frozen=True)
class Label:
    """What a line is called at its end, on the day `on`."""

    value: float
    name: str
    colour: str
    on: date

    def text(self, *, short: bool) -> str:
        """Return its words: with the value where there is room."""
        return self.name.split(",")[0] if short else f"{self.name} {look.percent(self.value)}"


def _label_of(visits: Sequence[Visit], values: Sequence[float], name: str, colour: str) -> list[Label]:
    if not visits:
        return []
    return [Label(values[-1], name, colour, visits[-1].on)]


def draw_end_labels(course: Course, labels: Sequence[Label]) -> None:
    """Name the lines at their ends, moved apart where they would lie on one another.

    Those that reach the end of the course are named beside it, the others where they end.
    """
    first, last = course.span
    near = [label for label in labels if (last - label.on) < (last - first) * 0.12]
    for group, at_the_edge in ((near, True), ([label for label in labels if label not in near], False)):
        previous = -float(_LABEL_PX)
        places = []
        for label in sorted(group, key=lambda label: label.value):
            previous = max(course.scale.height(label.value), previous + _LABEL_PX)
            places.append((previous, label))
        over = max(0.0, places[-1][0] - course.scale.px + 6) if places else 0.0
        for place, label in places:
            course.figure.add_annotation(
                x=1 if at_the_edge else label.on,
                xref="paper" if at_the_edge else "x",
                y=course.scale.words(course.scale.value(max(0.0, place - over))),
                yref="y",
                text=label.text(short=not at_the_edge and course.record.standing.read[-1].on > label.on),
                showarrow=False,
                xanchor="left",
                xshift=4 if at_the_edge else 10,
                font={"size": 12, "color": label.colour},
            )
