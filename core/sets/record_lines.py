"""Records that a run writes one after another, a line each, and reads again when it goes on after it was killed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.store import DamagedCache

__all__ = ["RecordLines"]


class RecordLines:
    """A file of JSON lines that grows at its end.

    A process that is killed while it writes leaves half a line at the end: that record was not kept, and is dropped.
    Any other line that cannot be read was not left by us, and is refused.

    Parameters
    ----------
    path
        The file; it need not be there yet.
    most
        How many records it can hold.

    Raises
    ------
    DamagedCache
        If a line but the last is no record, or there are more records than can be.
    """

    def __init__(self, path: Path, most: int) -> None:
        self.path = path
        content = path.read_bytes() if path.is_file() else b""
        self._whole = content.rfind(b"\n") + 1
        """Bytes of whole lines; the next record is written after them."""
        self.records: list[Any] = [
            self._record(number, line)
            for number, line in enumerate(content[: self._whole].split(b"\n")[:-1], start=1)
        ]
        if len(self.records) > most:
            raise DamagedCache(path, f"it holds {len(self.records)} records of {most} images")

    def append(self, records: Sequence[Any]) -> None:
        """Write records after those that are there, in the place of half a line."""
        lines = "".join(json.dumps(record) + "\n" for record in records).encode()
        with self.path.open("r+b" if self.path.is_file() else "wb") as file:
            file.truncate(self._whole)
            file.seek(self._whole)
            file.write(lines)
        self._whole += len(lines)
        self.records += records

    def forget(self) -> None:
        """Drop all records: what they speak of is gone."""
        self.path.unlink(missing_ok=True)
        self._whole, self.records = 0, []

    def _record(self, number: int, line: bytes) -> Any:
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DamagedCache(self.path, f"line {number} is no record: {error}") from error
        # What was left out is its reason in words; all else is said of an image by names.
        if not isinstance(record, str | dict):
            raise DamagedCache(self.path, f"line {number} is no record of an image")
        return record
