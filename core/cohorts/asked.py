"""What each person was shown before: two cohorts that differ by a few women are not both shown to one of them.

Bands, rounding and the neighbours of a definition (`core.cohorts.selection`) leave pairs that differ in several choices at
once. Of these the second is refused, as long as the process lives and the rows behind them are the same.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.cohorts.disclosure import few, is_small
from core.cohorts.frame import Frame
from core.cohorts.selection import Selection

__all__ = ["Asked"]

MOST = 200


@dataclass
class _Shown:
    read: tuple[str, object]
    packed: OrderedDict[bytes, None] = field(default_factory=OrderedDict)


class Asked:
    """The cohorts that people were shown of the rows as they are, by person; the last `MOST` of each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[int, _Shown] = {}

    def why_not(self, person_id: int, selection: Selection) -> str:
        """Say why a cohort is not shown to a person beside those that she saw; empty where it may, and is remembered."""
        packed = np.packbits(selection.marks)
        with self._lock:
            shown = self._shown(person_id, selection.frame)
            key = packed.tobytes()
            if key in shown.packed:
                shown.packed.move_to_end(key)
                return ""
            for before in shown.packed:
                if is_small(_apart(packed, np.frombuffer(before, dtype=np.uint8))):
                    return (
                        f"This cohort differs by {few()} women from one that you have seen. Figures of both would tell of "
                        "these few: go back to that one, or define this one further from it."
                    )
            shown.packed[key] = None
            while len(shown.packed) > MOST:
                shown.packed.popitem(last=False)
        return ""

    def _shown(self, person_id: int, frame: Frame) -> _Shown:
        read = (frame.basis, frame.read_at)
        shown = self._of.get(person_id)
        if shown is None or shown.read != read:
            shown = self._of[person_id] = _Shown(read)
        return shown


def _apart(ones: NDArray[np.uint8], others: NDArray[np.uint8]) -> int:
    return int(np.bitwise_count(ones ^ others).sum()) if len(ones) == len(others) else 0
