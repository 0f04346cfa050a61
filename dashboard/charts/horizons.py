"""Figure of one score: how likely cancer is within 1 to 5 years."""

from __future__ import annotations

from core.records import VisitScore
from dashboard import look
from dashboard.charts import template
from dashboard.charts.template import Figure


def curve(score: VisitScore) -> Figure:
    """Draw the probability of cancer within 1 to 5 years, with its intervals; it never falls with the years."""
    years = sorted(score.risk)
    told = [score.risk[year] for year in years]
    low, high = [one.low for one in told], [one.high for one in told]
    figure = Figure()
    figure.add_band(years, low, high, look.RISK_BAND, name="interval")
    figure.add(
        "scatter",
        x=years,
        y=[one.value for one in told],
        mode="lines+markers+text",
        line={"color": look.RISK, "width": 2.5},
        marker={"color": look.RISK, "size": 8},
        text=[look.percent(one.value) for one in told],
        textposition="top center",
        textfont={"size": 12, "color": look.INK},
        cliponaxis=False,
        hovertext=[
            f"cancer within {year} year{'s' if year > 1 else ''} {look.percent(one.value)} {look.interval(one.low, one.high)}"
            for year, one in zip(years, told, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        name="cancer within",
    )
    top = 1.15 * max(high)
    figure.lay_out(
        template.layout(
            height=190,
            margin={"l": 56, "r": 16, "t": 16, "b": 40},
            xaxis=template.axis("years from the study", range=[0.6, 5.4], tickvals=years, showgrid=False),
            yaxis=template.shares("probability", 0, top),
        )
    )
    return figure


def said(score: VisitScore) -> str:
    """Say the figure in a sentence, for who cannot see it."""
    told = ", ".join(f"{year}: {look.percent(one.value)}" for year, one in sorted(score.risk.items()))
    return f"Probability of cancer within years {told}"
