"""Figures as one HTML file that needs nothing else: the drawing library stands in it once, and it asks no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from core import wording
from core.cohorts.away.told import STATEMENT, Told, document_of

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["Made", "Section", "drawing_library", "render"]

SIGNIFICANT = 4
"""Digits of a number that is not whole; what a table as a file holds has them all."""


@dataclass(frozen=True)
class Made:
    """Where a file comes from. `on` is a day; `query` the definition as JSON, for a person to read and a command to take.

    `model` names the weights and their hash; `simulated` is what marks simulated women, empty where there are none.
    """

    on: str
    release: str
    source: str
    model: str
    sentence: str
    query: str = ""
    query_sha256: str = ""
    simulated: str = ""

    def to_json(self) -> Mapping[str, str]:
        """Return it for machines."""
        return {
            "made_on": self.on,
            "release": self.release,
            "source": self.source,
            "model": self.model,
            "sentence": self.sentence,
            "query_sha256": self.query_sha256,
        }


@dataclass(frozen=True)
class Section:
    """A part of the page: its figures, and what it says in their place."""

    title: str
    figures: Sequence[Told] = field(default=())
    notes: Sequence[str] = field(default=())


def render(title: str, made: Made, sections: Sequence[Section]) -> bytes:
    """Return the page as HTML, UTF-8; the same figures give the same bytes. Every word from outside is escaped."""
    from markupsafe import Markup

    drawn = any(told.figure for section in sections for told in section.figures)
    page = _template().render(
        title=title,
        made=made,
        sections=sections,
        statement=STATEMENT,
        # Ours, and the library's own: neither holds what a person wrote.
        library=Markup(drawing_library()) if drawn else "",  # noqa: S704
    )
    return page.encode()


@cache
def drawing_library() -> str:
    """Return Plotly's JavaScript, of the release that draws the pages' figures."""
    return (resources.files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    templates = Environment(
        loader=PackageLoader("core.cohorts.away", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["document"] = lambda figure: Markup(document_of(figure))  # noqa: S704
    templates.filters["cell"] = _cell
    return templates.get_template("page.html.j2")


def _cell(value: Any) -> Any:
    from markupsafe import Markup

    if value is None:
        return Markup("<td>{}</td>").format(wording.UNKNOWN)
    if isinstance(value, float):
        said = f"{value:.{SIGNIFICANT}g}" if value == value else wording.UNKNOWN
        return Markup('<td class="n">{}</td>').format(said.replace("-", "−"))
    if isinstance(value, int) and not isinstance(value, bool):
        return Markup('<td class="n">{}</td>').format(value)
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return Markup("<td>{}</td>").format(value)
