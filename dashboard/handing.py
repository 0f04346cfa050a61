"""Buttons that hand out a file, made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.people import asking

__all__ = ["download_button"]


def download_button(label: str, data: str | bytes | Callable[[], str | bytes], **options: Any) -> None:
    """Show Streamlit's button; what `data` makes it makes on behalf of whoever the page is shown to.

    Streamlit calls it in a thread of its own, where nobody asks.
    """
    st.download_button(label, asking.on_behalf(data) if callable(data) else data, **options)
