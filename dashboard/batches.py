"""The batches of this process: one a person, whatever page of hers asks, and where their files arrive."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

from core.bulk import Arrivals, Batch
from dashboard.house import here

_batches: dict[int, Batch] = {}
_changing = threading.Lock()


def arrivals() -> Arrivals:
    """Return the folder where files of this process's installation arrive."""
    return _at(here().home / "arrivals")


@cache
def _at(root: Path) -> Arrivals:
    return Arrivals(root)


def batch_of(user_id: int) -> Batch:
    """Return a person's batch; it goes on while none of her pages is open, and a reload finds it again."""
    with _changing:
        if user_id not in _batches or _batches[user_id].here is not here():
            _batches[user_id] = Batch(here(), arrivals(), user_id)
        return _batches[user_id]


def hand_over(user_id: int, to_user_id: int) -> None:
    """Make a person's batch another's, who goes on with her page: what has arrived goes with it."""
    if user_id == to_user_id:
        return
    with _changing:
        batch = _batches.pop(user_id, None)
        if arrivals().hand_over(user_id, to_user_id) and batch is not None:
            batch.moves_to(to_user_id)
            _batches[to_user_id] = batch
