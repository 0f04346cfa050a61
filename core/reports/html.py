"""A report as one HTML file that needs nothing else: no script, no network, printed whole on A4."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from core import wording
from core.reports.content import NOT_ASSESSED, SIMULATED, Report
from core.reports.pictures import Picture
from core.reports.trend import draw_course, said

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["render_html"]


def render_html(report: Report, now: Sequence[Picture], prior: Sequence[Picture]) -> bytes:
    """Return the report as HTML, UTF-8; every word from outside is escaped."""
    page = _template().render(
        report=report,
        drawing=draw_course(report),
        course_said=said(report),
        now=now,
        prior=prior,
        not_assessed=NOT_ASSESSED,
        simulated=SIMULATED,
    )
    return page.encode()


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("core.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["base64"] = lambda data: base64.b64encode(data).decode()
    for name in ("percent", "interval", "moment"):
        templates.filters[name] = getattr(wording, name)
    templates.filters["length_mm"] = wording.length  # "length" counts, in a template
    templates.globals["interval"] = wording.interval
    return templates.get_template("report.html.j2")
