"""What the web process is set to, so that a page that is asked for comes at once."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import socket
import sys
from contextlib import suppress
from typing import Any

import psutil  # type: ignore[import-untyped]
from streamlit import config

import dashboard.adding
import dashboard.charts
import dashboard.patient


def send_at_once() -> None:
    """Let what is written to a connection be sent at once, without waiting for the answer to what was sent before.

    Connections take this from the socket that they came in by. Streamlit makes it so that asyncio does not know it for
    TCP, and does not do by itself what it does for every other one; each message of a page then waits up to 44 ms.
    """
    listening_at: list[Any] = []
    with suppress(psutil.Error):  # where a process may not look at itself, pages come later, but they come
        listening_at = psutil.Process().net_connections("tcp")
    for connection in listening_at:
        if connection.status != psutil.CONN_LISTEN or connection.fd < 0:
            continue
        # The same socket by another name: closing it closes the name.
        with socket.fromfd(connection.fd, connection.family, connection.type) as listening:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def switch_often() -> None:
    """Let threads that run pages make way for the one that answers everybody after 1 ms, not after 5.

    With many pages at once it waits for its turn behind each of them.
    """
    sys.setswitchinterval(0.001)


def read_options_without_waiting() -> None:
    """Let Streamlit's options be read without its lock, which a page takes for each message: they do not change here.

    A thread that is stopped while it holds the lock keeps all others from going on, until it is its turn again: with many
    pages at once they stand in line for it.
    """
    locked = config.get_option

    def get_option(key: str) -> Any:
        found = config._config_options
        return found[key].value if found and key in found else locked(key)

    config.get_option = get_option


def load_pages() -> None:
    """Load what pages need, before the first one is asked for, and leave it out of all later collection of garbage.

    It stays for as long as the process lives. To go through it again and again, under the lock that all pages share,
    takes 60 ms and more; the rest is collected as Python does it by itself.
    """
    for package in (dashboard.adding, dashboard.charts, dashboard.patient):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for name in (
        "core.worker",
        "pandas",
        "polars",
        "plotly.tools",
        "pyarrow.pandas_compat",
        "streamlit.emojis",
    ):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
