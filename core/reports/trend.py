"""The figure of a report: her course as lines, areas, marks and words in millimetres, for paper and screen alike.

On top 5-year risk on a logarithmic axis with its interval and the thresholds of screening; below it events, then the
reader's BI-RADS and the density of each visit, over one axis of time. A visit without a number is a grey crossed circle.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from core.palette import GRID, INK, MUTED, RULE
from core.records import EventKind, Interval
from core.reports.content import CoursePoint, Report
from core.rules import thresholds, trends, years_between
from core.rules.trends import add_months
from core.rules.vocabulary import density_mark
from core.wording import percent

__all__ = ["Area", "Drawing", "Line", "Mark", "Words", "draw_course", "said"]

PALE, THRESHOLD = "#DDDFE2", "#B7791F"
WIDTH, LEFT_EDGE, RIGHT_EDGE = 178.0, 15.0, 152.0
RISK_TOP, RISK_HEIGHT, LEAST_RISK_HEIGHT = 5.0, 46.0, 28.0
EVENT_ROW, EVENT_ROWS = 4.2, 6
SMALL, TINY = 7.0, 6.5
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Line:
    """A straight line, its width in mm."""

    start: tuple[float, float]
    end: tuple[float, float]
    colour: str
    width: float
    dashed: bool = False


@dataclass(frozen=True)
class Area:
    """A filled polygon without an edge."""

    points: tuple[tuple[float, float], ...]
    colour: str


@dataclass(frozen=True)
class Mark:
    """A disc, a ring (hollow), or a crossed ring; its radius in mm."""

    at: tuple[float, float]
    radius: float
    colour: str
    hollow: bool = False
    crossed: bool = False


@dataclass(frozen=True)
class Words:
    """Words on a base line, their size in points; `anchor` is start, middle or end."""

    at: tuple[float, float]
    text: str
    points: float
    colour: str = MUTED
    anchor: str = "start"

    @property
    def width(self) -> float:
        """Return about how wide it is, in mm."""
        return 0.55 * self.points * 0.3528 * len(self.text)


@dataclass
class Drawing:
    """A figure, `height` mm high: areas first, then lines, marks and words above them."""

    height: float
    areas: list[Area] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)

    @property
    def width(self) -> float:
        """Return its width in mm."""
        return WIDTH


def said(report: Report) -> str:
    """Say the figure in words, for who does not see it."""
    told = [point for point in report.course if point.risk_5y is not None]
    if not told:
        return f"Course: {len(report.course)} visits without a number, with events, BI-RADS and density."
    values = ", ".join(f"{point.on} {percent(point.risk_5y.value)}" for point in told if point.risk_5y)
    return f"Course of 5-year risk over {len(told)} visits: {values}."


@dataclass(frozen=True)
class _Time:
    first: date
    last: date

    def x(self, day: date) -> float:
        share = (day - self.first).days / max(1, (self.last - self.first).days)
        return LEFT_EDGE + share * (RIGHT_EDGE - LEFT_EDGE)


@dataclass(frozen=True)
class _Scale:
    """A logarithmic axis of probabilities, from its lower end at the bottom to its upper end."""

    low: float
    high: float
    height: float

    def y(self, value: float) -> float:
        share = math.log(min(max(value, self.low), self.high) / self.low) / math.log(self.high / self.low)
        return RISK_TOP + self.height * (1 - share)


def draw_course(report: Report, lower_by: float = 0.0) -> Drawing:
    """Draw the course of a report's woman; none of what may not be told is in it.

    `lower_by` mm the axis of risk is lower than it is by itself, where a page has no more room: `LEAST_RISK_HEIGHT` at least.
    """
    height = max(LEAST_RISK_HEIGHT, RISK_HEIGHT - lower_by)
    time = _time_of(report)
    told = [(point, point.risk_5y) for point in report.course if point.risk_5y is not None]
    drawing = Drawing(0.0)
    below = RISK_TOP
    if told:
        _risk(drawing, report, told, time, height)
        below += height + 6
    _untold(drawing, report.course, time, below - 3 if told else below)
    below += 0.0 if told else 5.0
    below = _events(drawing, report, time, below)
    below = _visits(drawing, report.course, time, below)
    _years(drawing, time, below)
    drawing.height = below + 6
    return drawing


def _time_of(report: Report) -> _Time:
    days = [point.on for point in report.course] + [event.on for event in report.events]
    days += [event.end for event in report.events if event.end and event.end <= report.made_at.date()]
    first, last = min(days, default=report.on), max(days, default=report.on)
    room = timedelta(days=max(120, (last - first).days // 25))
    return _Time(first - room, last + room)


def _risk(
    drawing: Drawing, report: Report, told: Sequence[tuple[CoursePoint, Interval]], time: _Time, height: float
) -> None:
    least, most = min(risk.low for _, risk in told), max(risk.high for _, risk in told)
    low = max((tick for tick in TICKS if tick <= min(least, 0.005)), default=TICKS[0])
    high = min(tick for tick in TICKS if tick >= min(1.0, max(most, 0.05)))
    scale = _Scale(low, high, height)
    for tick in TICKS:
        if low <= tick <= high:
            y = scale.y(tick)
            drawing.lines.append(Line((LEFT_EDGE, y), (RIGHT_EDGE, y), GRID, 0.2))
            drawing.words.append(Words((LEFT_EDGE - 1.5, y + 0.9), percent(tick), TINY, anchor="end"))
    drawing.words.append(Words((0, RISK_TOP - 1.8), "5-year risk, logarithmic axis", SMALL))
    _thresholds(drawing, report, time, scale)
    for run in _runs(told):
        _band(drawing, run, time, scale)
    for before, after in itertools.pairwise(told):
        if before[0].scored_by == after[0].scored_by:
            (long_gap,) = trends.long_gaps([before[0].on, after[0].on])
            start, end = ((time.x(point.on), scale.y(risk.value)) for point, risk in (before, after))
            drawing.lines.append(Line(start, end, INK, 0.5, dashed=long_gap))
    for point, risk in told:
        at = time.x(point.on), scale.y(risk.value)
        drawing.marks.append(Mark(at, 1.1, INK, hollow=point.views_missing))
    point, risk = told[-1]
    x, y = time.x(point.on), scale.y(risk.value)
    if y - RISK_TOP > 5:
        drawing.words.append(Words((x, y - 2.2), percent(risk.value), 8.5, INK, anchor="middle"))
    else:
        drawing.words.append(Words((x + 2.4, y + 1.2), percent(risk.value), 8.5, INK))


def _thresholds(drawing: Drawing, report: Report, time: _Time, scale: _Scale) -> None:
    """Draw the thresholds of screening for as long as they hold: within the screening ages, up to a diagnosis."""
    until = min(time.last, report.diagnosed_on or time.last)
    if report.birth_date is not None:
        oldest = thresholds.screening_interval().to_age
        until = min(until, add_months(report.birth_date, 12 * (oldest + 1)))
    if until <= time.first:
        return
    for band in thresholds.risk_bands():
        if band.lower > 0 and scale.low <= band.lower <= scale.high:
            y = scale.y(band.lower)
            drawing.lines.append(Line((LEFT_EDGE, y), (time.x(until), y), THRESHOLD, 0.25, dashed=True))
            words = f"{percent(band.lower)} {band.source.split()[0]}"
            drawing.words.append(Words((RIGHT_EDGE + 1.5, y + 0.9), words, TINY, THRESHOLD))


def _runs(told: Sequence[tuple[CoursePoint, Interval]]) -> list[list[tuple[CoursePoint, Interval]]]:
    """Return the visits in runs that were scored alike."""
    runs: list[list[tuple[CoursePoint, Interval]]] = []
    for one in told:
        if runs and runs[-1][-1][0].scored_by == one[0].scored_by:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _band(drawing: Drawing, run: Sequence[tuple[CoursePoint, Interval]], time: _Time, scale: _Scale) -> None:
    if len(run) == 1:
        (point, risk) = run[0]
        x = time.x(point.on)
        corners = ((x - 0.8, risk.low), (x + 0.8, risk.low), (x + 0.8, risk.high), (x - 0.8, risk.high))
        drawing.areas.append(Area(tuple((x, scale.y(value)) for x, value in corners), PALE))
        return
    above = [(time.x(point.on), scale.y(risk.high)) for point, risk in run]
    under = [(time.x(point.on), scale.y(risk.low)) for point, risk in run]
    drawing.areas.append(Area((*above, *reversed(under)), PALE))


def _untold(drawing: Drawing, course: Sequence[CoursePoint], time: _Time, y: float) -> None:
    for point in course:
        if point.risk_5y is None:
            drawing.marks.append(Mark((time.x(point.on), y), 1.2, "#7C8794", hollow=True, crossed=True))
    if any(point.risk_5y is None for point in course):
        drawing.words.append(Words((RIGHT_EDGE + 1.5, y + 0.9), "no number", TINY))


def _events(drawing: Drawing, report: Report, time: _Time, top: float) -> float:
    """Draw events with their words, none over another; return where the next lane begins."""
    free = [LEFT_EDGE - 1.0] * EVENT_ROWS
    used = 0
    for number, event in enumerate(report.events, 1):
        x = time.x(event.on)
        end = time.x(min(event.end or report.made_at.date(), time.last))
        is_bar = event.kind is EventKind.THERAPY and end > x
        side = f" {event.side_words}" if event.side_words else ""
        words = Words((x + 1.8, 0), f"{number} {event.kind.value}{side}", TINY, INK)
        row = next((row for row, taken in enumerate(free) if x - 1.2 > taken), None)
        if row is None:
            # No room for words: the list of events has it.
            row, words = number % EVENT_ROWS, Words((x + 1.8, 0), "", TINY, INK)
        y = top + EVENT_ROW * (row + 0.5)
        used = max(used, row + 1)
        if is_bar:
            drawing.lines.append(Line((x, y + 1.6), (end, y + 1.6), MUTED, 0.6))
        drawing.marks.append(Mark((x, y), 0.9, MUTED))
        drawing.words.append(Words((x + 1.8, y + 0.9), words.text, TINY, INK))
        free[row] = max(free[row], x + 1.8 + words.width)
    if not report.events:
        return top
    drawing.words.append(Words((0, top + EVENT_ROW * 0.5 + 0.9), "events", TINY))
    return top + EVENT_ROW * used + 1.5


def _visits(drawing: Drawing, course: Sequence[CoursePoint], time: _Time, top: float) -> float:
    """Draw each visit's BI-RADS and density; where visits stand too close, the later one is told."""
    kept: list[CoursePoint] = []
    for point in course:
        if kept and time.x(point.on) - time.x(kept[-1].on) < 4.2:
            kept.pop()
        kept.append(point)
    for row, (what, of) in enumerate((("BI-RADS", "bi_rads"), ("density", "density"))):
        y = top + 2.6 + 3.6 * row
        drawing.words.append(Words((0, y), what, TINY))
        for point in kept:
            said = density_mark(getattr(point, of) or "–")
            drawing.words.append(Words((time.x(point.on), y), said, TINY, INK, anchor="middle"))
    return top + 8.0


def _years(drawing: Drawing, time: _Time, y: float) -> None:
    drawing.lines.append(Line((LEFT_EDGE, y), (RIGHT_EDGE, y), RULE, 0.25))
    step = max(1, math.ceil(years_between(time.first, time.last) / 14))
    years = range(time.first.year + 1, time.last.year + 1, step)
    days = [date(year, 1, 1) for year in years]
    if len(days) < 2:
        # A single visit: its months tell more than one year's line.
        days = [add_months(time.first.replace(day=1), months) for months in (3, 6)]
    for day in days:
        x = time.x(day)
        if LEFT_EDGE <= x <= RIGHT_EDGE:
            drawing.lines.append(Line((x, y), (x, y + 1.2), RULE, 0.25))
            text = f"{day.year}" if len(years) >= 2 else f"{day:%Y-%m}"
            drawing.words.append(Words((x, y + 4.2), text, TINY, anchor="middle"))
