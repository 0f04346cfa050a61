"""What all figures share: layout, axes, what a person may do with them, the bands of risk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.rules import thresholds
from core.rules.thresholds import RiskBand
from dashboard import look

BAND_FILL = {"average": None, "raised": look.PALE_AMBER, "high": look.PALE_RED}
"""The colour under a band of risk, by its key; none where nobody acts."""
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
        "zeroline": False,
        "fixedrange": True,
        **more,
    }


CONFIG = {"displayModeBar": False, "responsive": True, "showTips": False}
"""What Plotly shows beside a figure: nothing that draws, saves or zooms."""


def bands() -> Iterator[tuple[RiskBand, RiskBand | None, str | None]]:
    """Yield each band of 5-year risk, lowest first, with the band above it and its colour."""
    found = thresholds.risk_bands()
    for band, above in zip(found, [*found[1:], None], strict=True):
        yield band, above, BAND_FILL.get(band.key)
