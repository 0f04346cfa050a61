"""One open page, without a browser: what its WebSocket sends and receives."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from dashboard.web.gate import COOKIE

PATIENCE_SECONDS = 60.0
WIDGETS = ("text_input", "button_group", "radio", "selectbox", "checkbox", "multiselect", "button", "slider")
"""Kinds of widgets that are remembered while a page is drawn."""
_EVENTS_OF = "$$STREAMLIT_INTERNAL_KEY_{}__events"
"""The widget by which a component of the second kind says what happened in it."""


class NoAnswer(Exception):
    """The dashboard did not answer as it should; the message says what was asked."""


@dataclass(frozen=True)
class Widget:
    """A widget on the page: its kind, its id, its label and the words of its options, where it has any."""

    kind: str
    id: str
    label: str
    options: tuple[str, ...] = ()

    def is_of(self, key: str) -> bool:
        """Say whether it is the one with that key."""
        return self.id.endswith(f"-{key}")


@dataclass(frozen=True)
class Answer:
    """What came of a click: seconds until the page stood and until its first figure came, and what was sent for it.

    `runs` says how often a page was begun, `parts` which components of ours were drawn in any of them.
    """

    seconds: float
    to_figure: float | None
    runs: int
    parts: frozenset[str]
    bytes: int


class Client:
    """A page that somebody has opened. Messages that a browser keeps are kept here too, so that they come once."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = websockets.connect(
            url.replace("http", "ws", 1) + "/_stcore/stream",
            additional_headers={"cookie": f"{COOKIE}={token}"},
            proxy=None,
            max_size=None,
            ping_interval=None,
        )
        self._kept: dict[str, ForwardMsg] = {}
        self._components: dict[str, str] = {}
        self.widgets: dict[str, Widget] = {}
        self._page_hash = ""
        self.query: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        """Connect."""
        self._socket = await self._connection.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the page."""
        await self._connection.__aexit__(kind, error, trace)

    async def go(self, page: str, query: Mapping[str, str] | None = None) -> Answer:
        """Go to a page by its address."""
        self.query = dict(query or {})
        return await self._ask(page_name=page)

    async def rerun(self) -> Answer:
        """Let the page run again, as after any click on it."""
        return await self._ask(page_script_hash=self._page_hash)

    def has(self, component: str) -> bool:
        """Say whether a component is on the page."""
        return component in self._components

    async def click(self, component: str, event: str, value: Any) -> Answer:
        """Let a component of ours say that something happened in it."""
        message = BackMsg()
        widget = message.rerun_script.widget_states.widgets.add()
        widget.id = _EVENTS_OF.format(self._components[component])
        widget.json_trigger_value = json.dumps([{"event": event, "value": value}])
        return await self._ask(message, page_script_hash=self._page_hash)

    def widget(self, key: str) -> Widget | None:
        """Return the widget with a key; None where there is none on the page."""
        return next((one for one in self.widgets.values() if one.is_of(key)), None)

    async def set(self, widget: Widget, value: str | bool | Sequence[str]) -> Answer:
        """Set a widget to a text, a tick, or the words of its options; press it where it is a button."""
        message = BackMsg()
        state = message.rerun_script.widget_states.widgets.add()
        state.id = widget.id
        if widget.kind == "button":
            state.trigger_value = True
        elif isinstance(value, bool):
            state.bool_value = value
        elif isinstance(value, str):
            state.string_value = value
        else:
            state.string_array_value.data.extend(value)
        return await self._ask(message, page_script_hash=self._page_hash)

    async def _ask(
        self, message: BackMsg | None = None, *, page_name: str = "", page_script_hash: str = ""
    ) -> Answer:
        message = message or BackMsg()
        asked = message.rerun_script
        asked.page_name, asked.page_script_hash = page_name, page_script_hash
        asked.query_string = urlencode(self.query)
        asked.cached_message_hashes.extend(self._kept)
        begun = time.perf_counter()
        await self._socket.send(message.SerializeToString())
        to_figure, runs, size = None, 0, 0
        parts: set[str] = set()
        while True:
            try:
                data = await asyncio.wait_for(self._socket.recv(), PATIENCE_SECONDS)
            except TimeoutError:
                raise NoAnswer(
                    f"{page_name or 'The page'} was not drawn in {PATIENCE_SECONDS:g} s."
                ) from None
            assert isinstance(data, bytes)
            size += len(data)
            got = self._whole(ForwardMsg.FromString(data))
            kind = got.WhichOneof("type")
            if kind == "new_session":
                runs += 1
                self._components.clear()
                self.widgets.clear()
                to_figure = None
            elif kind == "navigation":
                self._page_hash = got.navigation.page_script_hash
            elif kind == "page_info_changed":
                self.query = {
                    key: one[0] for key, one in parse_qs(got.page_info_changed.query_string).items()
                }
            elif kind == "delta":
                element = got.delta.new_element
                what = element.WhichOneof("type")
                if what == "bidi_component":
                    name = element.bidi_component.component_name.split(".")[-1]
                    self._components[name] = element.bidi_component.id
                    parts.add(name)
                elif what in WIDGETS:
                    self._remember(what, getattr(element, what))
                elif what == "plotly_chart" and to_figure is None:
                    to_figure = time.perf_counter() - begun
            elif kind == "script_finished" and got.script_finished in (
                ForwardMsg.FINISHED_SUCCESSFULLY,
                ForwardMsg.FINISHED_WITH_COMPILE_ERROR,
            ):
                return Answer(time.perf_counter() - begun, to_figure, runs, frozenset(parts), size)

    def _remember(self, kind: str, drawn: Any) -> None:
        options = getattr(drawn, "options", ())
        words = tuple(getattr(one, "content", one) for one in options)
        self.widgets[drawn.id] = Widget(kind, drawn.id, drawn.label, words)

    def _whole(self, message: ForwardMsg) -> ForwardMsg:
        """Return a message, or the kept one that it stands for."""
        if message.WhichOneof("type") == "ref_hash":
            kept = ForwardMsg()
            kept.CopyFrom(self._kept[message.ref_hash])
            kept.metadata.CopyFrom(message.metadata)
            return kept
        if message.metadata.cacheable:
            self._kept[message.hash] = message
        return message
