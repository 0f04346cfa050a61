"""What all figures share: layout, axes, what a person may do with them, the bands of risk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from core.rules import thresholds
from core.rules.thresholds import RiskBand
from dashboard import look

BAND_FILL = {"average": None, "raised": look.PALE_AMBER, "high": look.PALE_RED}
"""The colour under a band of risk, by its key; none where nobody acts."""
LOG_TICKS = (
    0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0,
)  # fmt: skip
BAND_LINE = {"raised": "#C9A227", "high": "#C2694A"}
"""The colour of the line at which a band begins."""


class Figure(dict[str, Any]):
    """A figure as Plotly's JSON has it, `data` and `layout`, put together part by part.

    Nothing is validated here: that takes some fifty times as long as drawing does. The tests validate every figure.
    """

    def __init__(self) -> None:
        super().__init__(data=[], layout={})

    def add(self, kind: str, **trace: Any) -> None:
        """Add a trace: ``scatter``, ``bar``, ``box``."""
        self["data"].append({"type": kind, **trace})

    def add_band(
        self,
        x: Sequence[Any],
        low: Sequence[Any],
        high: Sequence[Any],
        colour: str,
        *,
        name: str | None = None,
        **trace: Any,
    ) -> None:
        """Add what lies between two courses over the same places, as intervals do; without a name it is in no legend."""
        self.add(
            "scatter",
            x=[*x, *reversed(x)],
            y=[*high, *reversed(low)],
            fill="toself",
            fillcolor=colour,
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            **({"showlegend": False} if name is None else {"name": name}),
            **trace,
        )

    def add_shape(self, **shape: Any) -> None:
        """Add a line or a rectangle."""
        self["layout"].setdefault("shapes", []).append(shape)

    def add_annotation(self, **words: Any) -> None:
        """Add words at a place."""
        self["layout"].setdefault("annotations", []).append(words)

    def lay_out(self, layout: dict[str, Any]) -> None:
        """Say size, margins and axes, as `layout` returns them."""
        self["layout"].update(layout)


def layout(**more: Any) -> dict[str, Any]:
    """Return the layout that all figures share."""
    return {
        "font": {"family": look.FONT, "size": 13, "color": look.INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 56, "r": 16, "t": 8, "b": 40},
        "showlegend": False,
        "hoverlabel": {
            "font": {"family": look.FONT, "size": 13},
            "bgcolor": "#FFFFFF",
            "bordercolor": look.LINE,
        },
        "dragmode": False,
        **more,
    }


def axis(title_text: str = "", **more: Any) -> dict[str, Any]:
    """Return an axis as all figures have it."""
    return {
        "title": {"text": title_text, "font": {"size": 13, "color": look.MUTED}, "standoff": 8},
        "tickfont": {"size": 12, "color": look.MUTED},
        "gridcolor": "#EEF1F4",
        "linecolor": look.LINE,
        "separatethousands": True,
        "zeroline": False,
        "fixedrange": True,
        **more,
    }


def shares(title_text: str, low: float, high: float, **more: Any) -> dict[str, Any]:
    """Return an axis of shares or probabilities (0..1) from `low` to `high`, its ticks said as every percentage is said.

    Plotly's own percent format has no space before its sign, and no one decimal below 10 alone.
    """
    return axis(title_text, range=[low, high], **percent_ticks(low, high), **more)


def log_shares(title_text: str, values: Iterable[float | None]) -> dict[str, Any]:
    """Return a logarithmic axis that holds these probabilities (0..1), those that are known, and has two ticks at least."""
    known = [value for value in values if value] or [0.01, 0.1]
    low, high = min(known) / 1.12, max(known) * 1.12
    ticks = [tick for tick in LOG_TICKS if low <= tick <= high]
    named = (
        percent_ticks(low, high)
        if len(ticks) < 2
        else {"tickvals": ticks, "ticktext": [tick_words(tick) for tick in ticks]}
    )
    return axis(title_text, type="log", range=[math.log10(low), math.log10(high)], **named)


def percent_ticks(low: float, high: float, *, most: int = 6) -> dict[str, Any]:
    """Return round ticks (0..1) between two ends, at most so many, with their words, as axes and colour bars have them."""
    span = max(high - low, 1e-6)
    power = 10.0 ** math.floor(math.log10(span / most))
    for step in (power * times for times in (1, 2, 5, 10, 20)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    ticks = [round(place * step, 10) for place in range(first, last + 1)]
    return {"tickvals": ticks, "ticktext": [tick_words(tick) for tick in ticks]}


def tick_words(tick: float) -> str:
    """Return a tick (0..1) in percent: as `look.percent` does, with more decimals where those would say another value.

    Zero is a mark, not a measured value: it has none.
    """
    if not tick:
        return f"0{look.NBSP}%"
    rounded = round(100 * tick, 1 if tick < 0.0995 else 0)
    if not math.isclose(rounded, 100 * tick):
        return f"{100 * tick:.10g}{look.NBSP}%"
    return look.percent(tick)


CONFIG = {"displayModeBar": False, "responsive": True, "showTips": False}
"""What Plotly shows beside a figure: nothing that draws, saves or zooms."""


def bands() -> Iterator[tuple[RiskBand, RiskBand | None, str | None]]:
    """Yield each band of 5-year risk, lowest first, with the band above it and its colour."""
    found = thresholds.risk_bands()
    for band, above in zip(found, [*found[1:], None], strict=True):
        yield band, above, BAND_FILL.get(band.key)
