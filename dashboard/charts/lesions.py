"""Figure of a woman's lesions: their diameters over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from core.records import EventEntry, EventKind, FollowedLesion, LesionStatus
from core.rules import measurement_sd_mm
from dashboard import look
from dashboard.charts import template

COLOURS = {"L": look.LEFT, "R": look.RIGHT}
_SYMBOLS = {"L": "circle", "R": "diamond"}
_DASHES = ("solid", "dash", "dot", "dashdot")
HEIGHT = 250
_APART = 0.09
"""How far apart the names at the ends of lines stand at least, as a share of the axis."""


def diameters(lesions: Sequence[FollowedLesion], events: Sequence[EventEntry]) -> dict[str, Any]:
    """Draw the diameter of each lesion by study, with what measuring errs (one standard deviation), and when therapy ran.

    Left breast ● blue, right ◆ orange; known benign grey. Names stand at the ends of the lines.
    """
    drawn = [lesion for lesion in lesions if lesion.diameters]
    days = sorted({on for lesion in drawn for on, _ in lesion.diameters})
    top = max(mm for lesion in drawn for _, mm in lesion.diameters) * 1.18 + 2
    traces = [_trace(lesion, number) for number, lesion in enumerate(drawn)]
    therapies = [event for event in events if event.kind is EventKind.THERAPY and event.on <= days[-1]]
    return {
        "data": traces,
        "layout": template.layout(
            height=HEIGHT,
            margin={"l": 48, "r": 110, "t": 20, "b": 28},
            xaxis=template.axis(type="date", showgrid=False, hoverformat="%Y-%m-%d", range=_span(days)),
            yaxis=template.axis("diameter (mm)", range=[0, top]),
            shapes=[_therapy(event, days[-1]) for event in therapies],
            annotations=[*_names(drawn, top), *(_therapy_name(event, days[0]) for event in therapies)],
        ),
    }


def _span(days: Sequence[date]) -> list[str]:
    """Return where the axis begins and ends: half a year about a single day, a little about several."""
    margin = max((days[-1] - days[0]) * 0.03, timedelta(days=180 if len(days) == 1 else 10))
    return [look.iso(days[0] - margin), look.iso(days[-1] + margin)]


def _colour(lesion: FollowedLesion) -> str:
    return look.NOISE if lesion.status is LesionStatus.KNOWN_BENIGN else COLOURS[lesion.laterality]


def _trace(lesion: FollowedLesion, number: int) -> dict[str, Any]:
    days, lengths = zip(*lesion.diameters, strict=True)
    colour = _colour(lesion)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": look.safe(lesion.label),
        "x": [look.iso(on) for on in days],
        "y": list(lengths),
        "cliponaxis": False,
        "line": {"color": colour, "width": 2, "dash": _DASHES[number % len(_DASHES)]},
        "marker": {"color": colour, "size": 9, "symbol": _SYMBOLS[lesion.laterality]},
        "error_y": {
            "type": "data",
            "array": [measurement_sd_mm(mm) if mm else 0 for mm in lengths],
            "color": colour,
            "thickness": 1,
            "width": 0,
        },
        "hovertemplate": "%{x}: %{y:.1f} mm<extra>%{fullData.name}</extra>",
    }


def _names(lesions: Sequence[FollowedLesion], top: float) -> list[dict[str, Any]]:
    """Return the lesions' names at the ends of their lines, moved apart where they would overlap."""
    ends = [(lesion.diameters[-1][1], lesion.diameters[-1][0], lesion) for lesion in lesions]
    names, least = [], _APART / 2 * top
    for mm, on, lesion in sorted(ends, key=lambda end: end[:2]):
        place = max(mm, least)
        least = place + _APART * top
        names.append(
            {
                "x": look.iso(on), "y": place, "text": look.safe(_short(lesion.label)), "showarrow": False, "xanchor": "left",
                "xshift": 9, "font": {"size": 12, "color": _colour(lesion)},
            }
        )  # fmt: skip
    return names


def _short(label: str) -> str:
    return label if len(label) <= 15 else f"{label[:14]}…"


def _therapy(event: EventEntry, last: date) -> dict[str, Any]:
    return {
        "type": "rect", "xref": "x", "yref": "paper", "x0": look.iso(event.on), "x1": look.iso(event.end or last),
        "y0": 0, "y1": 1, "fillcolor": "rgba(91, 102, 117, 0.08)", "line": {"width": 0}, "layer": "below",
    }  # fmt: skip


def _therapy_name(event: EventEntry, first: date) -> dict[str, Any]:
    return {
        "x": look.iso(max(event.on, first)), "y": 1, "yref": "paper", "yanchor": "bottom", "xanchor": "left",
        "text": look.safe((event.detail or "therapy")[:30]), "showarrow": False, "font": {"size": 12, "color": look.MUTED},
    }  # fmt: skip
