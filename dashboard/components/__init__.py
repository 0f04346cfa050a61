"""Parts of pages that Streamlit does not have: each a JavaScript file beside this one, called by a function here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.components.declared import guarded

_FOLDER = Path(__file__).parent
VIEWER = "viewer"
VIEWER_PARTS = ("pixels", "keys", "heat", "pictures", "frames", "registered", "pane")
"""The files that stand before the viewer's own, in this order."""


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
    return guarded(name, st.components.v2.component(f"longview_{name}", css="".join(css), js="".join(js)))


def account(who: str, role: str, *, user_id: int, page: Mapping[str, Any], own: str, chapter: str) -> None:
    """Show who is signed in and the way out; covers the page when its sign-in has ended, or somebody else signed in.

    `page` says for the page that is open its title, its keys with what each does, and the places that links at its top
    lead to, each as words and a CSS selector. `own` is the page of her own account, which her name leads to, `chapter` the chapter of the
    handbook that tells of the page.
    """
    with st.container(key="account"):
        # Not seen: the name presses it, and leads on within the page as the navigation does.
        with st.container(key="own_account"):
            st.page_link(own, label="Your account")
        _component("account", "keys", "page")(
            key="account_part",
            data={"who": who, "role": role, "user": user_id, "page": dict(page), "chapter": chapter},
            width="content",
        )


def _hears(key: str, **does: Callable[[Any], None]) -> dict[str, Callable[[], None]]:
    """Return the callbacks of a component: each hands what happened in it on, before the page runs.

    The page then runs once, as it is to be. What happened can also be read from the component in that run; where it
    changes what stands before it, the page has to run a second time.
    """

    def hear(event: str, do: Callable[[Any], None]) -> Callable[[], None]:
        def heard() -> None:
            value = st.session_state[key].get(event)
            if value is not None:
                do(value)

        return heard

    return {f"on_{event}_change": hear(event, do) for event, do in does.items()}


def drop_zone(
    kept: Sequence[Mapping[str, Any]], *, user_id: int, on_arrived: Callable[[], None] | None = None
) -> None:
    """Take files, folders and archives in the browser and bring them here; the page runs when some have arrived.

    `kept` says what is here of before, whole or not, as name, size, modified, key and arrived: the same files, when they
    are chosen again, go on where they stopped.
    """
    _component("drop", "vendor/tus.min")(
        key="drop_zone",
        data={"user": user_id, "kept": list(kept)},
        on_arrived_change=on_arrived or _nothing,
    )


WorklistOrder = tuple[str, bool]
"""A column's key and whether its largest value stands first; an empty key is the page's own order."""


def worklist_table(
    rows: Sequence[Mapping[str, Any]],
    *,
    focus: str | None,
    order: WorklistOrder,
    on_open: Callable[[str], None],
    on_order: Callable[[WorklistOrder], None],
    says: str,
) -> None:
    """Show the worklist's rows in the order in which they come; `says` is told to those who hear the page when it changes.

    `on_open` is called with the MRN of the row that a person opens, `on_order` with another order that she wants.
    """
    key, (column, descending) = "worklist_table", order
    _component("worklist", "pixels", "keys")(
        key=key,
        data={
            "rows": list(rows),
            "focus": focus,
            "order": {"column": column, "descending": descending},
            "says": says,
            "next": _next_to_the_worklist(),
        },
        **_hears(
            key,
            open=lambda mrn: on_open(str(mrn)),
            order=lambda said: on_order((str(said["column"]), bool(said["descending"]))),
        ),
    )


_DRAWS_A_PATIENT = ("Button", "PageLink", "MenuButton", "Selectbox", "TextArea", "PlotlyChart")


@cache
def _next_to_the_worklist() -> list[str]:
    """Return the files of Streamlit's own that draw a patient's page and not the worklist; as another release names them, none."""
    scripts = Path(st.__file__).parent / "static" / "static" / "js"
    return [file.name for part in _DRAWS_A_PATIENT for file in sorted(scripts.glob(f"{part}.*.js"))[:1]]


@dataclass(frozen=True)
class ViewerAsks:
    """What a person asked of the viewer in this run: an image to read by itself, calipers to keep, the page to compare on, the way back."""

    read: str | None
    measure: Mapping[str, Any] | None
    """Calipers to keep: ``sop_uid``, the ends of ``long`` and ``short`` in pixels of the image, and a token, ``asked``."""
    compare: bool
    leave: bool


def viewer(
    hung: Mapping[str, Any],
    *,
    current: str,
    prior: str | None,
    whole_page: bool,
    can_measure: bool,
    on_choose: Callable[[], None],
) -> ViewerAsks:
    """Show a woman's visits, one with another to compare it with, dark, with zoom, window and tools linked over all views.

    `hung` holds the visits with their views, and the layouts; `current` and `prior` are the UIDs of the studies that the
    page has chosen. Another visit is chosen in the browser; `on_choose` is called a moment later, and asks `chosen_visits`
    which: what it changes, the page then shows. With `can_measure` calipers can be kept; see `keep_heard`.
    """
    result = _component("viewer", *VIEWER_PARTS)(
        key=VIEWER,
        data={
            **hung,
            "current": current,
            "prior": prior,
            "whole": whole_page,
            "can_measure": can_measure,
            "kept": st.session_state.get(f"{VIEWER}_kept"),
            "answered": st.session_state.get(f"{VIEWER}_answered", 0),
        },
        on_choose_change=on_choose,
        on_read_change=_nothing,
        on_measure_change=_nothing,
        on_compare_change=_nothing,
        on_leave_change=_nothing,
    )
    return ViewerAsks(result.read, result.measure, bool(result.compare), bool(result.leave))


def keep_heard(asked: str) -> None:
    """Tell the viewer that the calipers of a wish of its are kept: from then on they are drawn as a lesion's."""
    st.session_state[f"{VIEWER}_kept"] = asked


def chosen_visits() -> tuple[str, str | None]:
    """Return the UIDs of the study chosen in the viewer and of the one it is compared with, the latter None by default."""
    asked = st.session_state[VIEWER].choose
    # The viewer goes on meanwhile: it is told which of its wishes the page has heard.
    st.session_state[f"{VIEWER}_answered"] = asked["number"]
    return str(asked["current"]), str(asked["prior"]) if asked["prior"] else None


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
    result = _component("reading", "pixels", "keys", "heat")(
        key="reading", data=dict(image), on_keep_change=_nothing, on_take_back_change=_nothing
    )
    keep = None
    if result.keep:
        x0, y0, x1, y1 = (float(value) for value in result.keep["box"])
        keep = x0, y0, x1, y1
    return ReadingAsks(keep, result.take_back)


def place(shown: Mapping[str, Any], *, key: str) -> tuple[float, float, float, float] | None:
    """Show a proposed place in a crop of a picture, to be dragged; returns its box once it was moved, else None.

    `shown` says the crop's address, its edges and the box in pixels of the picture, whether it hangs mirrored, and its label.
    """
    before = st.session_state.get(key, {}).get("box")
    moved = {"box": list(before), "moved": True} if before else {"moved": False}
    result = _component("place")(key=key, data={**shown, **moved}, on_box_change=_nothing)
    if not result.box:
        return None
    x0, y0, x1, y1 = (float(value) for value in result.box)
    return x0, y0, x1, y1


def take_picture(*, figure: str, file: str, question: str, counted: str, beneath: str, key: str) -> None:
    """Show the buttons that hand out a figure of the page as PNG and SVG, with words above and beneath it.

    `figure` is the key of the chart, `file` the name of the picture without its ending.
    """
    _component("picture")(
        key=key,
        data={"figure": figure, "file": file, "question": question, "counted": counted, "beneath": beneath},
    )


def _nothing() -> None:
    """Make Streamlit listen to an event whose value the page reads itself."""
