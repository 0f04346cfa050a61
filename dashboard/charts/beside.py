"""What stands behind a woman's course: the thresholds of screening, and how risk ran in other women by the same model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from core.rules import (
    QuantilesAtAge,
    ReferenceCourses,
    ReferencePoint,
    exact_age_years,
    quantiles_by_age,
    reference_courses,
)
from dashboard import look
from dashboard.charts import template
from dashboard.charts.scale import Scale
from dashboard.charts.template import Figure

CANCER, NO_CANCER = "#E0A58F", "#A9B4C0"
"""Pale lines of the women in whom cancer was found, and of the others."""
AGE_BAND = "rgba(11, 92, 138, 0.10)"
_AGE_AROUND = 5.0
_LEAST_PX = 17
_NAME_SHARE = 0.2
"""How much of a course's width the name of a threshold takes."""
_LEAST_DAYS = 360
"""A course shorter than that says nothing."""


@dataclass(frozen=True)
class OtherWomen:
    """What the card of the model that spoke says of reference women: their risks by age, and their courses."""

    by_age: Sequence[QuantilesAtAge] = ()
    courses: ReferenceCourses | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> OtherWomen:
        """Read them from a card's settings."""
        return cls(quantiles_by_age(settings), reference_courses(settings))


def draw_thresholds(
    figure: Figure,
    scale: Scale,
    span: tuple[date, date],
    *,
    birth_date: date | None,
    diagnosed_on: date | None,
    last_told: date,
) -> None:
    """Draw the thresholds as long as they hold for her: within their ages and before a diagnosis."""
    lowest = next((band for band, _, fill in template.bands() if fill), None)
    for band, above, fill in template.bands():
        begins, ends = band.days(birth_date)
        since, until = max(span[0], begins), min(span[1], ends, diagnosed_on or date.max)
        if band.lower >= scale.high or fill is None or until <= since:
            continue
        figure.add_shape(
            type="rect",
            x0=since,
            x1=until,
            yref="y",
            y0=band.lower,
            y1=min(scale.high, above.lower) if above else scale.high,
            fillcolor=fill,
            line={"width": 0},
            layer="below",
        )
        figure.add_shape(
            type="line",
            x0=since,
            x1=until,
            yref="y",
            y0=band.lower,
            y1=band.lower,
            line={"color": template.BAND_LINE[band.key], "width": 1, "dash": "dash"},
            layer="between",
        )
        if band is lowest and scale.height(band.lower) < _LEAST_PX:
            continue  # no room for its name below it: on a linear axis all lies at the bottom
        # Named where they end, if there is room after it: her own marks lie before, and their names beside the last.
        width = span[1] - span[0]
        after = span[1] - until > width * _NAME_SHARE and until - last_told > width * _NAME_SHARE / 2
        figure.add_annotation(
            x=until if after else since,
            xshift=4,
            yref="y",
            y=scale.words(band.lower),
            text=f"{look.percent(band.lower)} {band.source.split()[0]}, ages {band.from_age}–{band.to_age}",
            hovertext=f"{band.source}. For {band.holds_for}",
            captureevents=False,  # what lies beneath is clicked, and says its own
            showarrow=False,
            xanchor="left",
            # The lowest line is named from below, so that two lines that lie close keep their names apart.
            yanchor="top" if band is lowest else "bottom",
            font={"size": 11, "color": look.MUTED},
        )


def draw_women_of_her_age(
    figure: Figure,
    scale: Scale,
    span: tuple[date, date],
    by_age: Sequence[QuantilesAtAge],
    birth_date: date | None,
) -> None:
    """Draw where the middle half of the reference women of her age lies, and their median."""
    if birth_date is None or not by_age:
        return
    days = [span[0] + (span[1] - span[0]) * n / 24 for n in range(25)]
    ages = [(day, exact_age_years(birth_date, day) or 0.0) for day in days]
    known = [one for one in ages if by_age[0].age - _AGE_AROUND <= one[1] <= by_age[-1].age + _AGE_AROUND]
    if len(known) < 2:
        return
    at, centres = [age for _, age in known], [one.age for one in by_age]

    def along(risks: list[float]) -> list[float]:
        return [scale.drawn(float(risk)) for risk in np.interp(at, centres, risks)]

    low, high = along([one.low for one in by_age]), along([one.high for one in by_age])
    on = [day for day, _ in known]
    figure.add_band(on, low, high, AGE_BAND, name="women of her age, middle half")
    figure.add(
        "scatter",
        x=on,
        y=along([one.median for one in by_age]),
        mode="lines",
        line={"color": "rgba(11, 92, 138, 0.35)", "width": 1},
        hoverinfo="skip",
        name="women of her age, median",
    )


def draw_courses(
    figure: Figure,
    scale: Scale,
    span: tuple[date, date],
    courses: ReferenceCourses | None,
    ends: date,
    *,
    named: bool,
) -> None:
    """Draw the median courses of women with and without a cancer, so that their ends lie on the day `ends`.

    Where they are not `named` in the figure, their words stand on hover alone.
    """
    if courses is None or (ends - span[0]).days < _LEAST_DAYS:
        return
    for points, colour, name, end, beside in (
        (courses.cancer, CANCER, "cancer found", "the diagnosis", "bottom"),
        (courses.none, NO_CANCER, "none found", "the last visit", "top"),
    ):
        drawn = _within(points, span[0], ends)
        figure.add(
            "scatter",
            x=[day for day, _ in drawn],
            y=[scale.drawn(point.median) for _, point in drawn],
            mode="lines",
            line={"color": colour, "width": 2},
            hovertext=[
                f"{point.n} women, {name}, {point.years:g} years before {end}: median {look.percent(point.median)}"
                for _, point in drawn
            ],
            hovertemplate="%{hovertext}<extra></extra>",
            name=f"median of women, {name}",
        )
        if named and drawn:
            day, point = drawn[0]
            has_room = (day - span[0]) > (span[1] - span[0]) * 0.2
            figure.add_annotation(
                x=day,
                xshift=-4 if has_room else 0,
                yref="y",
                y=scale.words(point.median),
                text=f"median, {name}",
                showarrow=False,
                xanchor="right" if has_room else "left",
                yanchor="middle" if has_room else beside,
                font={"size": 11, "color": look.MUTED},
            )


def _within(points: Sequence[ReferencePoint], since: date, ends: date) -> list[tuple[date, ReferencePoint]]:
    dated = [(ends - timedelta(days=365.25 * point.years), point) for point in points]
    return [(day, point) for day, point in dated if day >= since]
