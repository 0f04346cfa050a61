"""Visits of a woman's course that have no number, and studies that no model reads."""

from __future__ import annotations

from collections.abc import Sequence

from core.records import COVERED, Visit
from dashboard import look
from dashboard.charts.template import Figure


def draw_untold(figure: Figure, visits: Sequence[Visit], height: float, *, assessed: bool = False) -> None:
    """Mark visits whose numbers are not said, with the reader's assessment beside them where that is asked for."""
    to_read = [visit for visit in visits if visit.covered]
    withheld = [visit for visit in visits if not visit.covered]
    for hers, symbol, colour, name in (
        (to_read, "square-open", look.ACCENT, "to read"),
        (withheld, "circle-x-open", "#9AA5B1", "no number"),
    ):
        if not hers:
            continue
        texts = [_beside_untold(visit, assessed=assessed) for visit in hers]
        figure.add(
            "scatter",
            x=[visit.on for visit in hers],
            y=[height] * len(hers),
            yaxis="y",
            mode="markers+text" if any(texts) else "markers",
            cliponaxis=False,
            marker={"color": colour, "symbol": symbol, "size": 11, "line": {"width": 1.5}},
            selected={"marker": {"opacity": 1.0}},
            unselected={"marker": {"opacity": 1.0}},
            text=texts,
            textposition="top center" if assessed else "middle right",
            textfont={"size": 12, "color": look.INK},
            customdata=[[visit.study_uid] for visit in hers],
            hovertext=[_untold_hover(visit) for visit in hers],
            hovertemplate="%{hovertext}<extra></extra>",
            name=name,
        )


def draw_other_kinds(figure: Figure, visits: Sequence[Visit], height: float) -> None:
    """Mark the studies by ultrasound and MR, which no model reads, so that her course is whole."""
    hers = [visit for visit in visits if visit.other_kind is not None]
    if not hers:
        return
    figure.add(
        "scatter",
        x=[visit.on for visit in hers],
        y=[height] * len(hers),
        yaxis="y",
        mode="markers+text",
        cliponaxis=False,
        marker={"color": look.MUTED, "symbol": "hexagon-open", "size": 10, "line": {"width": 1.5}},
        selected={"marker": {"opacity": 1.0}},
        unselected={"marker": {"opacity": 1.0}},
        text=[f"{visit.modality} {visit.bi_rads or ''}".strip() for visit in hers],
        textposition="top center",
        textfont={"size": 11, "color": look.MUTED},
        customdata=[[visit.study_uid] for visit in hers],
        hovertext=[
            f"{visit.on}<br>{visit.other_kind}, read by no model"
            + (f"<br>{look.safe(visit.assessment.words)}, by the reader" if visit.bi_rads else "")
            for visit in hers
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        name="ultrasound and MR",
    )


def _beside_untold(visit: Visit, *, assessed: bool) -> str:
    if visit.covered:
        return "to read"
    return visit.bi_rads or "" if assessed else ""


def _untold_hover(visit: Visit) -> str:
    lines = [f"{visit.on}"]
    if visit.covered:
        lines.append(COVERED)
    elif visit.rank is not None:
        lines.append(f"{visit.rank.words}: {visit.rank.women}")
    elif visit.doubt is not None:
        lines.append(f"no number: {visit.doubt.sentence}")
    if visit.bi_rads:
        lines.append(f"{visit.assessment.words}, by the reader")
    return "<br>".join(look.safe(line) for line in lines)
