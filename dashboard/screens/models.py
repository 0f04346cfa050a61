"""The models: which one speaks, what each learned from, how well it did."""

from collections.abc import Mapping

import streamlit as st

from core import cards
from core.access import Permission
from core.cards import Card
from dashboard import look, session
from dashboard.house import here


def lines(metrics: Mapping[str, object], before: str = "") -> list[tuple[str, str]]:
    """Flatten a card's metrics into rows: what was measured, and the figure."""
    rows: list[tuple[str, str]] = []
    for name, value in metrics.items():
        what = f"{before} {name}".strip().replace("_", " ")
        if isinstance(value, Mapping):
            rows += lines(value, what)
        elif isinstance(value, bool | str | int) or value is None:
            rows.append((what, look.UNKNOWN if value is None else str(value)))
        elif isinstance(value, float):
            rows.append((what, f"{value:.3f}"))
        elif (
            isinstance(value, list | tuple)
            and all(isinstance(v, int | float) for v in value)
            and len(value) <= 8
        ):
            rows.append((what, " – ".join(f"{v:.3f}" for v in value)))
    return rows


def card(shown: Card) -> None:
    """Show one model's card."""
    with st.container(border=True):
        speaks = (
            '<span class="lv-badge" title="Its scores are on the pages">speaks</span>' if shown.speaks else ""
        )
        learned = look.badge(True).replace("simulated<", "learned from simulated women<")
        look.show(
            f'<h2 class="lv-heading">{look.safe(shown.title)}{speaks}{learned if shown.simulated_training else ""}</h2>'
        )
        facts, measured = st.columns([1, 1], gap="large")
        with facts:
            look.show(
                table(
                    [
                        ("learned from", shown.learned_from),
                        ("meant for", shown.intended_use),
                        ("limits", shown.limits),
                        ("calibration", shown.calibration),
                        ("licence", shown.licence),
                        ("made", shown.created),
                        ("name", shown.name),
                        ("weights, sha256", shown.weights_sha256),
                    ]
                )
            )
        with measured:
            found = lines(shown.metrics)
            look.show(
                table(found, head=("measured on women it never saw", ""), numbers=True)
                if found
                else '<p class="lv-muted">No measured performance is on this card.</p>'
            )


def table(rows: list[tuple[str, str]], *, head: tuple[str, str] | None = None, numbers: bool = False) -> str:
    """Return two columns as HTML."""
    top = f"<tr><th>{head[0]}</th><th>{head[1]}</th></tr>" if head else ""
    cls = ' class="n"' if numbers else ""
    body = "".join(f"<tr><td>{look.safe(a)}</td><td{cls}>{look.safe(b)}</td></tr>" for a, b in rows)
    return f'<table class="lv-table">{top}{body}</table>'


session.require(Permission.SEE_MODELS)
look.title("Models")
found = cards.cards(here())
if not found:
    look.show(
        '<div class="lv-empty"><b>No model is installed</b>Studies wait until one is. '
        "Train one from a terminal: <code>python -m core train longitudinal</code></div>"
    )
for each in found:
    card(each)
if found:
    look.footer(
        "Research software. Not for diagnosis. A figure on a card holds for women like those it was measured on."
    )
