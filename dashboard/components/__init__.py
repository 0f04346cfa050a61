"""Parts of pages that Streamlit does not have: each a JavaScript file beside this one, called by a function here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).parent


@cache
def _component(name: str) -> Callable[..., Any]:
    return st.components.v2.component(
        f"longview_{name}",
        css=(_FOLDER / f"{name}.css").read_text(encoding="utf-8"),
        js=(_FOLDER / f"{name}.js").read_text(encoding="utf-8"),
    )


def account(who: str, role: str) -> None:
    """Show who is signed in and the way out; leaves the page when the sign-in has ended elsewhere."""
    with st.container(key="account"):
        _component("account")(key="account_part", data={"who": who, "role": role}, width="content")


def worklist_table(rows: Sequence[Mapping[str, Any]], *, focus: str | None) -> str | None:
    """Show the worklist's rows and return the MRN of the row that was opened in this run."""
    result = _component("worklist")(
        key="worklist_table", data={"rows": list(rows), "focus": focus}, on_open_change=_nothing
    )
    return result.open


def visit_strip(visits: Sequence[Mapping[str, Any]], *, chosen: str) -> str | None:
    """Show a woman's visits with thumbnails and return the UID of the one that was chosen in this run."""
    result = _component("strip")(
        key="visit_strip", data={"visits": list(visits), "chosen": chosen}, on_choose_change=_nothing
    )
    return result.choose


def viewer(panes: Sequence[Mapping[str, Any]], *, title: str, height: int) -> None:
    """Show views hung in two columns, dark, with zoom, pan and window/level linked over the panes."""
    _component("viewer")(
        key="viewer", data={"panes": list(panes), "title": title, "height": height}, height=height
    )


def _nothing() -> None:
    """Make Streamlit listen to an event whose value the page reads itself."""
