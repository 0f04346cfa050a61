"""Files on their way in, kept as far as they have come: a broken upload goes on where it stopped, days later if need be.

A file lies in a folder of its own under ``<home>/arrivals/<user id>``: what is known of it (``about.json``), its bytes
(``data``), and pictures of what is in it. How far it has come is the length of its bytes, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.files import private_folder, write_whole
from core.incoming import printable_name

LARGEST_BYTES = 4_000_000_000
"""Largest file that may arrive: an archive of two hundred studies. Single images are held to `max_file_mb`."""
MOST_BYTES = 40_000_000_000
MOST_FILES = 5_000
"""Most that one person may have waiting."""
FREE_BYTES = 1 << 30
"""What arrivals leave free on the disk, for the studies that are being added."""
KEPT_SECONDS = 7 * 86_400.0
"""How long a file waits that nothing is done with."""
LONGEST_NAME = 1024
COUNTED_SECONDS = 10.0

_KEY = re.compile(r"[0-9a-f]{32}")


class ArrivalRefused(Exception):
    """A file, or a part of it, cannot be kept; the sentence says why. `status` is the answer in HTTP."""

    def __init__(self, sentence: str, status: int) -> None:
        self.status = status
        super().__init__(sentence)


@dataclass(frozen=True)
class Arrival:
    """A file that arrives: its key, its name where it came from, its size and how many bytes are here.

    `modified` is when it was changed last where it came from, in milliseconds since 1970: with name and size it tells
    the same file again.
    """

    key: str
    name: str
    size: int
    modified: int
    arrived: int
    folder: Path

    @property
    def is_whole(self) -> bool:
        """Return whether all of it is here."""
        return self.arrived == self.size

    @property
    def data(self) -> Path:
        """Return where its bytes lie."""
        return self.folder / "data"

    def picture(self, number: int) -> Path:
        """Return where the thumbnail of the image with this number in it lies."""
        return self.folder / f"{number:d}.png"


@dataclass
class _Taken:
    """How much a person had waiting when it was counted last, and what has begun since."""

    counted_at: float
    files: int
    bytes: int
    missing: int


class Arrivals:
    """The folder of what arrives, a folder a person in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._busy: set[str] = set()
        # It never changes: with thousands waiting it is not read anew for each that comes.
        self._about: dict[str, dict[str, Any]] = {}
        self._counted: dict[int, _Taken] = {}
        self._changing = threading.Lock()

    def of(self, user_id: int) -> list[Arrival]:
        """Return what a person has waiting, in the order of names."""
        found = (self.find(user_id, folder.name) for folder in (self.root / str(user_id)).glob("*/"))
        return sorted((one for one in found if one), key=lambda one: (one.name, one.key))

    def find(self, user_id: int, key: str) -> Arrival | None:
        """Return a person's file by its key; None if she has no such file."""
        if not _KEY.fullmatch(key):
            return None
        folder = self.root / str(user_id) / key
        try:
            about = self._about.get(key) or json.loads((folder / "about.json").read_text(encoding="utf-8"))
            arrived = (folder / "data").stat().st_size
            found = Arrival(key, about["name"], about["size"], about["modified"], arrived, folder)
        except (OSError, ValueError, KeyError):
            return None
        self._about[key] = about
        return found

    def begin(self, user_id: int, name: str, size: int, modified: int = 0) -> Arrival:
        """Make room for a file and return it, as far as it has come if it had begun before.

        Raises `ArrivalRefused` where it is too large, or too much is waiting.
        """
        name = printable_name(name)[-LONGEST_NAME:] or "file"
        # The same file has the same key: it is found without a look at all others.
        key = hashlib.sha256(f"{size}/{modified}/{name}".encode()).hexdigest()[:32]
        begun = self.find(user_id, key)
        if begun is not None:
            return begun
        self._check_room(user_id, size)
        folder = self.root / str(user_id) / key
        for each in (self.root, folder.parent, folder):
            private_folder(each)
        (folder / "data").touch(mode=0o600)
        about = {"name": name, "size": size, "modified": modified}
        # The last thing: a folder without it is no arrival.
        write_whole(folder / "about.json", json.dumps(about), durable=False)
        return Arrival(key, name, size, modified, 0, folder)

    def _check_room(self, user_id: int, size: int) -> None:
        if size > LARGEST_BYTES:
            raise ArrivalRefused(
                f"It has {size / 1e9:.1f} GB; at most {LARGEST_BYTES / 1e9:.0f} GB arrive in one file. "
                "python -m core import takes larger ones.",
                413,
            )
        with self._changing:
            taken = self._taken(user_id)
            if taken.files >= MOST_FILES or taken.bytes + size > MOST_BYTES:
                raise ArrivalRefused(
                    f"At most {MOST_FILES:,} files and {MOST_BYTES / 1e9:.0f} GB wait at once. Take in or discard what "
                    "is here first.",
                    413,
                )
            private_folder(self.root)
            if shutil.disk_usage(self.root).free < taken.missing + size + FREE_BYTES:
                raise ArrivalRefused("The disk here is too full for it. Tell your admin.", 507)
            taken.files, taken.bytes, taken.missing = (
                taken.files + 1,
                taken.bytes + size,
                taken.missing + size,
            )

    def _taken(self, user_id: int) -> _Taken:
        """Return what a person has waiting, counted anew now and then: thousands may come, one after the other."""
        known = self._counted.get(user_id)
        if known is None or time.monotonic() - known.counted_at > COUNTED_SECONDS:
            waiting = self.of(user_id)
            size = sum(one.size for one in waiting)
            missing = size - sum(one.arrived for one in waiting)
            known = self._counted[user_id] = _Taken(time.monotonic(), len(waiting), size, missing)
        return known

    def append(self, arrival: Arrival, offset: int, parts: Iterable[bytes]) -> int:
        """Add bytes behind those that are here and return how many are here then, also where the parts break off.

        Raises `ArrivalRefused` for another place than the end, for more bytes than the file has, and while another
        connection brings bytes of the same file; `OSError` where the disk fails.
        """
        with self.appending(arrival, offset) as add:
            for part in parts:
                add(part)
        self.settle(arrival)
        return arrival.data.stat().st_size

    def settle(self, arrival: Arrival) -> None:
        """Bring the bytes that are here to the disk."""
        with arrival.data.open("rb") as file:
            os.fsync(file.fileno())

    @contextmanager
    def appending(self, arrival: Arrival, offset: int) -> Iterator[Appender]:
        """Lend what adds bytes behind those that are here, to one connection at a time."""
        with self._changing:
            if arrival.key in self._busy:
                raise ArrivalRefused("Another connection still brings this file.", 423)
            self._busy.add(arrival.key)
        try:
            with arrival.data.open("ab") as file:
                if file.tell() != offset:
                    raise ArrivalRefused(f"It goes on at {file.tell()}, not at {offset}.", 409)
                yield Appender(file.fileno(), arrival.size - offset)
        finally:
            with self._changing:
                self._busy.discard(arrival.key)

    def drop(self, arrival: Arrival) -> None:
        """Forget a file."""
        self._about.pop(arrival.key, None)
        self._counted.clear()
        shutil.rmtree(arrival.folder, ignore_errors=True)

    def hand_over(self, user_id: int, to_user_id: int) -> bool:
        """Make what a person has waiting another's who has nothing waiting; return whether it was done."""
        try:
            (self.root / str(user_id)).rename(self.root / str(to_user_id))
        except OSError:
            return False
        return True

    def sweep(self, now: float | None = None) -> None:
        """Drop what nobody did anything with for `KEPT_SECONDS`; `now` is Unix time."""
        now = now or time.time()
        for folder in self.root.glob("*/*/"):
            try:
                touched = max((folder / "data").stat().st_mtime, folder.stat().st_mtime)
            except OSError:
                touched = folder.stat().st_mtime if folder.exists() else now
            if now - touched > KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
        for said in self.root.glob("*/*.json*"):
            with suppress(OSError):
                if now - said.stat().st_mtime > KEPT_SECONDS:
                    said.unlink()


class Appender:
    """Adds bytes to a file, never more than it has."""

    def __init__(self, descriptor: int, room: int) -> None:
        self._descriptor, self._room = descriptor, room

    def __call__(self, part: bytes) -> None:
        """Write all of a part; raises `ArrivalRefused` where it is more than the file has."""
        if len(part) > self._room:
            raise ArrivalRefused("It brings more bytes than the file was said to have.", 413)
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._room -= len(part)
