"""Whose each open page of this process is: the person who opened it, for as long as a sign-in can last.

A page is one session of Streamlit's, and a browser may come back to one with another person's cookie. Pages say here
whose they are (`dashboard.session`); the gate and the uploads, which stand before the pages, ask.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

MOST_PAGES = 20_000
"""So many of the pages that ran last are remembered; one takes about 200 bytes."""

_owners: OrderedDict[str, int] = OrderedDict()
_changing = threading.Lock()


def claim(page: str, user_id: int) -> None:
    """Say that a page, by its session's id, is a person's; the first who says so keeps it."""
    with _changing:
        _owners.setdefault(page, user_id)
        _owners.move_to_end(page)
        while len(_owners) > MOST_PAGES:
            _owners.popitem(last=False)


def hand_over(page: str, user_id: int) -> None:
    """Say that a page has become another person's, with the sign-in that it was opened with."""
    with _changing:
        _owners[page] = user_id


def owner_of(page: str) -> int | None:
    """Return the user id of whose page this is; None if nobody has opened it here."""
    with _changing:
        return _owners.get(page)
