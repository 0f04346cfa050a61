"""Parts of pages that Streamlit does not have: each a JavaScript file beside this one, called by a function here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).parent


@cache
def _component(name: str, *before: str) -> Callable[..., Any]:
    """Return the component of a JavaScript file; files named after it stand before it in the same module."""
    css, js = (
        [
            file.read_text(encoding="utf-8")
            for part in (*before, name)
            if (file := _FOLDER / f"{part}{kind}").exists()
        ]
        for kind in (".css", ".js")
    )
    return st.components.v2.component(f"longview_{name}", css="".join(css), js="".join(js))


def account(who: str, role: str, *, user_id: int) -> None:
    """Show who is signed in and the way out; covers the page when its sign-in has ended, or somebody else signed in."""
    with st.container(key="account"):
        _component("account")(
            key="account_part", data={"who": who, "role": role, "user": user_id}, width="content"
        )


@dataclass(frozen=True)
class WorklistAsks:
    """What a person asked of the worklist in this run: a row to open, by its MRN, or another order.

    `order` is a column's key and whether its largest value stands first; an empty key is the page's own order.
    """

    open: str | None
    order: tuple[str, bool] | None


def worklist_table(
    rows: Sequence[Mapping[str, Any]], *, focus: str | None, order: tuple[str, bool]
) -> WorklistAsks:
    """Show the worklist's rows in the order in which they come; `order` is as in `WorklistAsks`."""
    column, descending = order
    result = _component("worklist", "keys")(
        key="worklist_table",
        data={"rows": list(rows), "focus": focus, "order": {"column": column, "descending": descending}},
        on_open_change=_nothing,
        on_order_change=_nothing,
    )
    asked = (str(result.order["column"]), bool(result.order["descending"])) if result.order else None
    return WorklistAsks(result.open, asked)


def visit_strip(visits: Sequence[Mapping[str, Any]], *, chosen: str) -> str | None:
    """Show a woman's visits with thumbnails and return the UID of the one that was chosen in this run."""
    result = _component("strip")(
        key="visit_strip", data={"visits": list(visits), "chosen": chosen}, on_choose_change=_nothing
    )
    return result.choose


def viewer(panes: Sequence[Mapping[str, Any]], *, title: str, height: int) -> str | None:
    """Show views hung in two columns, dark, with zoom, pan and window/level linked over the panes.

    Returns the SOP UID of a view that is to be read by itself, None where none was asked for in this run.
    """
    result = _component("viewer", "pixels", "keys")(
        key="viewer",
        data={"panes": list(panes), "title": title, "height": height},
        height=height,
        on_read_change=_nothing,
    )
    return result.read


@dataclass(frozen=True)
class ReadingAsks:
    """What a person asked for on an open image in this run: a box to keep, or a finding to take back."""

    keep: tuple[float, float, float, float] | None
    take_back: int | None


def reading(image: Mapping[str, Any]) -> ReadingAsks:
    """Show an open image with boxes to draw, and what a model says of it and of each box.

    `image` says token, name, size and pixel spacing, which model is asked, the findings on it, and what the person
    may do; the component fetches pixels and answers from ``/reading``.
    """
    result = _component("reading", "pixels", "keys")(
        key="reading", data=dict(image), on_keep_change=_nothing, on_take_back_change=_nothing
    )
    keep = None
    if result.keep:
        x0, y0, x1, y1 = (float(value) for value in result.keep["box"])
        keep = x0, y0, x1, y1
    return ReadingAsks(keep, result.take_back)


def _nothing() -> None:
    """Make Streamlit listen to an event whose value the page reads itself."""
