"""What an open page remembers: looked up one by one, and let go of once it is of no use.

Streamlit gathers the values of all widgets and keys whenever it draws a widget that has a value, and never forgets what it
knows of a widget that stood on a page once, its callbacks with all they hold included. Both grow with every woman who is
looked at. What is reached here is Streamlit's own: where another release has it no more, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.state import SafeSessionState, SessionState

MOST_GONE = 200
"""So many widgets that stand on no page any more are remembered before they are let go: about what one page holds."""


class _OneByOne(Mapping[str, Any]):
    """A session's values by key, each looked up when it is asked for."""

    def __init__(self, state: SafeSessionState) -> None:
        self._state = state

    def __getitem__(self, key: str) -> Any:
        return self._state[key]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self._state

    def __iter__(self) -> Iterator[str]:
        return iter(self._state._state.filtered_state)

    def __len__(self) -> int:
        return len(self._state._state.filtered_state)


def look_up_one_by_one() -> None:
    """Let a widget that is drawn ask for its own value alone: a fifth of what a page took, more with each woman seen."""
    if isinstance(getattr(SafeSessionState, "filtered_state", None), property):
        SafeSessionState.filtered_state = property(_OneByOne)  # type: ignore[assignment, method-assign]


def forget_gone_widgets() -> None:
    """Forget what Streamlit knows of widgets that stand on no page any more; to be called before a page is drawn."""
    context = get_script_run_ctx()
    state = getattr(context.session_state, "_state", None) if context is not None else None
    if isinstance(state, SessionState):
        forget_gone(state)


def forget_gone(state: SessionState) -> None:
    """Forget the widgets of a session that have no value and whose key has none, where there are many of them.

    What a person put in is a value, also where it is kept beyond its widget.
    """
    widgets, keys = getattr(state, "_new_widget_state", None), getattr(state, "_key_id_mapper", None)
    known = getattr(widgets, "widget_metadata", None)
    values = getattr(state, "_old_state", None)
    if widgets is None or keys is None or known is None or values is None:
        return
    if len(known) <= len(widgets.states) + MOST_GONE:
        return
    for widget in [one for one in known if one not in widgets.states and one not in values]:
        del known[widget]
        key = keys.id_key_mapping.get(widget)
        if key is not None and key not in values and keys.get_id_from_key(key) == widget:
            keys.delete(key)
