"""The look: colours, numbers in words, and the few lines of CSS that Streamlit's theme cannot say.

A colour means one thing on every page and in every figure (Okabe and Ito's palette, safe for colour-blind eyes),
and never speaks alone: shape, sign or word say the same.
"""

from __future__ import annotations

import html
import re
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import streamlit as st

from core import palette
from core.records import Card, Interval
from core.wording import NBSP as NBSP
from core.wording import UNKNOWN as UNKNOWN
from core.wording import interval as interval
from core.wording import millimetres as millimetres
from core.wording import percent as percent
from core.wording import signed as signed

INK, MUTED, ACCENT = palette.INK, palette.MUTED, palette.ACCENT
LINE = "#DDE2E8"

RISK = INK
RISK_BAND = "rgba(31, 41, 55, 0.14)"
LEFT, RIGHT = palette.BLUE, palette.ORANGE
PROGRESSION = palette.PINK
DENSITY = palette.GREEN
DENSITY_LETTER = "#00785A"
"""The colour of density where it is a letter, which has to be read: 5.5 to 1 on white, where the other has 3.4."""
ALERT = "#E69F00"
PALE_AMBER = "#FDF6E3"
PALE_RED = "#FCEBE6"

FONT = "Source Sans, Source Sans Pro, sans-serif"

OTHER_WEIGHTS = "scored by other weights"
NOISE = "#9AA5B1"
WITHIN_NOISE = "within what positioning makes"
WITHIN_NOISE_WHY = "No more than positioning and exposure make: of 100 women imaged twice on one day, 95 differ by less than this"
Figure = tuple[str, str, str, str]
"""A key figure: what it is, the number, what stands beside it, more on hover."""


def percent_of(share_of: object) -> str:
    """Return a measured share (0..1) as `percent` does; "–" where it is no number."""
    return percent(float(share_of)) if isinstance(share_of, int | float) else UNKNOWN


def interval_of(known: Interval | None) -> str:
    """Return the interval of a probability as `interval` does; nothing where it is not known, as of older scores."""
    return "" if known is None else interval(known.low, known.high)


def points(change: float | None, *, within_noise: bool | None = None) -> str:
    """Return a change of a probability in percentage points with sign and arrow: ▲ +1.9; without one within noise."""
    if change is None:
        return UNKNOWN
    value = 100 * change
    number = f"{abs(value):.1f}" if abs(value) < 9.95 else f"{abs(value):.0f}"
    if float(number) == 0:
        return number if within_noise else "● 0.0"
    signed_number = f"+{number}" if value > 0 else f"−{number}"
    return signed_number if within_noise else f"{'▲' if value > 0 else '▼'} {signed_number}"


def times(factor: float) -> str:
    """Return a factor with its sign: two decimals below 10, none above: ×1.35, ×17."""
    return f"×{factor:.2f}" if factor < 9.995 else f"×{factor:.0f}"


def month(day: date | None) -> str:
    """Return a date's year and month: 2026-09."""
    return UNKNOWN if day is None else f"{day:%Y-%m}"


def iso(day: date | None) -> str:
    """Return a date as ISO 8601 says."""
    return UNKNOWN if day is None else day.isoformat()


def moment(at: datetime | None) -> str:
    """Return a moment in local time, to the minute."""
    return UNKNOWN if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}"


def ago(at: datetime) -> str:
    """Return how old a moment is, in days, or in months from three on."""
    days = (datetime.now(at.tzinfo) - at).days
    if days < 1:
        return "today"
    if days < 90:
        return f"{days} day{'s' if days > 1 else ''} old"
    return f"{round(days / 30.44)} months old"


def safe(text: object) -> str:
    """Return text from outside as it may stand in HTML."""
    return html.escape(str(text), quote=True)


def plain(text: object) -> str:
    """Return text from outside as it may stand in a Markdown label: nothing in it is a link, picture or icon."""
    flat = re.sub(r"\s+", " ", str(text))
    # A zero-width non-joiner after the colon keeps :material/…: and :smile: from becoming pictures, which
    # Streamlit makes after the backslashes are gone.
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", flat).replace("\\:", "\\:\u200c")


def badge(simulated: bool) -> str:
    """Return the badge that stands beside the name of every simulated woman, as HTML."""
    return (
        '<span class="lv-badge" title="Made by the simulator, no real woman">simulated</span>'
        if simulated
        else ""
    )


def show(markup: str, *, width: Literal["stretch", "content"] = "stretch") -> None:
    """Put HTML of our own on the page; every text from outside in it has gone through `safe`."""
    st.html(markup, width=width)


def card_table(card: Card) -> None:
    """Show what a model's card says of it, a row each."""
    rows = "".join(
        f'<tr><td class="d">{what}</td><td>{safe(text)}</td></tr>'
        for what, text in (
            ("learned from", card.learned_from),
            ("knows", card.knows or "not recorded: what it says is withheld"),
            ("meant for", card.intended_use),
            ("limits", card.limits),
            ("calibration", card.calibration),
            ("weights", f"{card.name}, {card.created}, sha256 {card.weights_sha256[:16]}…"),
            ("licence", card.licence),
        )
    )
    show(f'<table class="lv-table">{rows}</table>')


def title(text: str, *, beside: str = "") -> None:
    """Begin a page."""
    show(f'<h1 class="lv-title">{safe(text)}{f"<small>{safe(beside)}</small>" if beside else ""}</h1>')


def heading(text: str, *, beside: str = "", anchor: str = "") -> None:
    """Begin a part of a page; a link of it may lead to an anchor."""
    place = f' id="{anchor}" tabindex="-1"' if anchor else ""
    show(
        f'<h2 class="lv-heading"{place}>{safe(text)}{f"<small>{safe(beside)}</small>" if beside else ""}</h2>'
    )


def heard_title(text: str) -> None:
    """Begin a page that has no room for a title: it is told, not seen."""
    show(f'<h1 class="lv-heard">{safe(text)}</h1>')


def footer(line: str) -> None:
    """Put the line that stands under every score."""
    show(f'<p class="lv-footer">{safe(line)}</p>')


def figures(entries: list[Figure]) -> None:
    """Put key figures in a row."""
    cells = "".join(
        f'<div title="{safe(more)}"><span>{safe(what)}</span><b>{number}<small>{beside}</small></b></div>'
        for what, number, beside, more in entries
    )
    show(f'<div class="lv-figures">{cells}</div>')


def dress() -> None:
    """Put the CSS on the page."""
    st.html(Path(__file__).with_name("look.css"))
