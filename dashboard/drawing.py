"""Figures on a page, without what Streamlit and Plotly do to each one at every run."""

from __future__ import annotations

from typing import Any

import streamlit as st
from plotly.basedatatypes import BaseFigure

from dashboard.charts import template
from dashboard.charts.template import Figure


class _Drawn(BaseFigure):
    """A figure that Plotly takes for one of its own, and so does not validate again."""

    def __init__(self, figure: Figure) -> None:  # what Plotly's own does is what is left out
        self._figure = figure

    def to_dict(self) -> dict[str, Any]:
        return self._figure


def draw(figure: Figure, *, key: str, alt: str, **more: Any) -> Any:
    """Draw a figure, in its own colours and without Plotly's tools; `more` and what is returned as of `st.plotly_chart`."""
    return st.plotly_chart(_Drawn(figure), key=key, theme=None, config=template.CONFIG, alt=alt, **more)
