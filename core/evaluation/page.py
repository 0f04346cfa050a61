"""Pages of reports: Jinja templates beside this module, in which every word from outside is escaped; figures drawn in."""

from __future__ import annotations

import html
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["drawn", "filled", "plain"]


def filled(template: str, **content: Any) -> str:
    """Return a page: the template of this name with its blanks filled in.

    Text is escaped wherever it stands; only what `drawn` gives is taken as HTML. A blank that nothing fills is an
    error (`jinja2.UndefinedError`), never an empty place.
    """
    return _templates().get_template(template).render(**content)


def drawn(figures: Iterable[go.Figure | None], config: dict[str, Any] | None = None) -> list[Markup | None]:
    """Turn Plotly figures to HTML that needs no network: the first one drawn brings the drawing library along.

    None, a figure for which there is nothing to draw, stays None. `config` is Plotly's, for all of them.
    """
    from markupsafe import Markup

    pieces: list[Markup | None] = []
    for figure in figures:
        if figure is None:
            pieces.append(None)
            continue
        alone = not any(pieces)
        piece = figure.to_html(full_html=False, include_plotlyjs="inline" if alone else False, config=config)
        # Plotly writes what the figure says as JSON in which <, > and / are escaped.
        pieces.append(Markup(piece))  # noqa: S704
    return pieces


def plain(name: str) -> str:
    """Return a name from outside as a figure shows it letter by letter: Plotly takes ``<b>`` or a link for markup."""
    return html.escape(name, quote=False)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("core.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
