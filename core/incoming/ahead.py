"""Reading files ahead of their turn: while one is stored the next ones are decoded, on another core each.

What is written stays in the order of the files, one after another; only the decoding, which writes nothing, runs ahead.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import takewhile
from types import TracebackType
from typing import Self

from core.images import GuardedReader, Header, Prepared, lend_reader, storable
from core.incoming import asked
from core.incoming.items import IncomingFile
from core.installation import Installation
from core.refusals import Refusal
from db.images import Staged

__all__ = ["Ahead", "Turn"]

_LARGE_BYTES = 1_000_000
"""From here on a file is written to the disk while it is read."""
_MOST_AHEAD = 24
"""Small files in memory that are read, or being read, before their turn."""
_MOST_TOGETHER = 8
"""Small files that are written in one transaction."""
_WAIT_FOR_OTHERS = 0.25
"""Seconds that a file waits at most for those which are to be written with it."""
_WRITE_AT_ONCE = 6
"""Files that are brought to the disk at once: it is waited for, and one flush of it does for several."""
AT_ONCE = 2
"""Child processes that decode at once. A third one gains nothing on two cores, and each may take its share of memory."""


@dataclass
class Turn:
    """A file whose turn it is; `prepare` is asked as a `GuardedReader` is, and has mostly been answered before."""

    file: IncomingFile
    _ahead: Ahead
    _looked: Future[_Looked]

    @property
    def data(self) -> bytes:
        """Return the file's bytes as they are stored."""
        return self._looked.result().data

    @property
    def sha256(self) -> str:
        """Return the sha256 of what is stored."""
        return self._looked.result().sha256

    @property
    def may_be_stored(self) -> bool:
        """Tell whether these bytes were stored when it was read ahead; those of a file that came just before may be since."""
        return self._looked.result().stored

    @property
    def header(self) -> Header | None:
        """Return what the file says, where it was read ahead."""
        prepared = self._looked.result().prepared
        return prepared.image.header if prepared is not None else None

    @property
    def is_small(self) -> bool:
        """Tell whether it may be taken in together with others."""
        return len(self.file.data) < _LARGE_BYTES

    @property
    def is_ready(self) -> bool:
        """Tell whether its reading has come to an end, whatever that is."""
        return self._looked.done()

    @staticmethod
    def keep_all(here: Installation, turns: Sequence[Turn]) -> None:
        """Put the bytes of files and their pictures into the image store; they were mostly written while others were read."""
        staged = [one for turn in turns for one in turn._looked.result().staged]
        wait(staged)
        whole = [one.result() for one in staged if one.exception() is None]
        here.images.keep_all(whole)
        written = {one.sha256 for one in whole}
        for turn in turns:
            for data, sha256 in turn._objects():
                if sha256 not in written:
                    here.images.put(data)  # where it could not be written before, this says why

    def drop(self) -> None:
        """Leave nothing in the image store of a file that was not kept."""
        if self._looked.done() and not self._looked.cancelled() and self._looked.exception() is None:
            _drop(self._looked.result().staged)

    def prepare(self, data: bytes, name: str) -> Prepared:
        """Return what `GuardedReader.prepare` says of the file, the caller's to change; raises `Refusal`."""
        looked = self._looked.result()
        if looked.refusal is not None:
            raise looked.refusal
        if looked.prepared is None:
            looked.prepared = self._ahead.prepare(data, name)
        return looked.prepared.to_change()

    def _objects(self) -> Iterator[tuple[bytes, str]]:
        looked = self._looked.result()
        yield looked.data, looked.sha256
        yield from _pictures(looked.prepared)


@dataclass
class _Looked:
    """A file that was read ahead: its bytes as they are stored, whether they are, and what was read or why it was not."""

    data: bytes
    sha256: str
    stored: bool = False
    prepared: Prepared | None = None
    refusal: Refusal | None = None
    staged: tuple[Future[Staged], ...] = ()


def _pictures(prepared: Prepared | None) -> Iterator[tuple[bytes, str]]:
    """Yield the pictures of a file that was read, and their keys in the image store."""
    if prepared is not None:
        yield prepared.rendition, prepared.rendition_sha256
        yield prepared.thumbnail_png, prepared.thumbnail_sha256


def _drop(staged: Iterable[Future[Staged]]) -> None:
    for one in staged:
        if one.exception() is None:
            with suppress(OSError):  # the sweep finds it (`core.care.left_overs`)
                one.result().drop()


@dataclass
class _Readers:
    """Readers that are lent while they are needed, the second one when two files are read at once."""

    here: Installation
    stack: ExitStack = field(default_factory=ExitStack)
    idle: list[GuardedReader] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def prepare(self, data: bytes, name: str) -> Prepared:
        with self.lock:
            reader = (
                self.idle.pop() if self.idle else self.stack.enter_context(lend_reader(self.here.settings))
            )
        try:
            return reader.prepare(data, name)
        finally:
            with self.lock:
                self.idle.append(reader)


class Ahead:
    """Files in their order, the next of them being read meanwhile.

    At most `at_once` + 1 large ones are in memory, and where several are read at once at most `_MOST_AHEAD` small ones.

    >>> with Ahead(here) as ahead:
    ...     for turns in ahead.groups(files):
    ...         for turn in turns:
    ...             turn.prepare(turn.file.data, turn.file.name)
    """

    def __init__(self, here: Installation, at_once: int = AT_ONCE) -> None:
        self.here, self._readers, self._at_once = here, _Readers(here), at_once
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="reading-ahead")
        self._writing = ThreadPoolExecutor(_WRITE_AT_ONCE, thread_name_prefix="writing-ahead")
        self._waiting: deque[Turn] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is being read is waited for: a reader whose answer is on its way is of no use to the next borrower.
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._writing.shutdown(wait=True)
        for turn in self._waiting:
            turn.drop()
        self._readers.stack.__exit__(kind, error, trace)

    def groups(self, files: Iterable[IncomingFile]) -> Iterator[list[Turn]]:
        """Yield the files in their order, and together what small ones are read soon.

        What loading one of them raises is raised when its turn comes.
        """
        waiting = self._waiting
        coming = iter(files)
        failed: Exception | None = None
        while True:
            while failed is None and self._has_room():
                try:
                    waiting.append(self._begun(next(coming)))
                except StopIteration as end:
                    failed = end
                except Exception as error:  # noqa: BLE001 - raised below, after the files before it
                    failed = error
            if not waiting:
                break
            yield self._next_group()
        if failed is not None and not isinstance(failed, StopIteration):
            raise failed

    def _has_room(self) -> bool:
        waiting = self._waiting
        if self._at_once == 1 or len(waiting) < self._at_once:
            return len(waiting) < self._at_once
        return len(waiting) < _MOST_AHEAD and all(turn.is_small for turn in waiting)

    def _next_group(self) -> list[Turn]:
        waiting = self._waiting
        group = [waiting.popleft()]
        if self._at_once > 1 and group[0].is_small:
            following = list(takewhile(lambda turn: turn.is_small, waiting))[: _MOST_TOGETHER - 1]
            wait([turn._looked for turn in (*group, *following)], _WAIT_FOR_OTHERS)
            while waiting and len(group) < _MOST_TOGETHER and waiting[0].is_small and waiting[0].is_ready:
                group.append(waiting.popleft())
        return group

    def prepare(self, data: bytes, name: str) -> Prepared:
        """Read a file now."""
        return self._readers.prepare(data, name)

    def _begun(self, file: IncomingFile) -> Turn:
        return Turn(file, self, self._threads.submit(self._read, file))

    def _read(self, file: IncomingFile) -> _Looked:
        """Read a file that will be asked about; one that is refused already, or is stored, mostly is not."""
        data = storable(file.data)
        sha256 = hashlib.sha256(data).hexdigest()
        if file.refusal is not None:
            return _Looked(data, sha256)
        with self.here.database.ask() as connection:
            if connection.scalar(asked.IMAGE_OF_BYTES, {"sha256": sha256}) is not None:
                return _Looked(data, sha256, stored=True)
        # A large one is written while it is read, a small one when it is known to be readable.
        staged = [self._stage(data, sha256)] if len(data) >= _LARGE_BYTES else []
        try:
            prepared = self._readers.prepare(data, file.name)
        except Refusal as refusal:
            return _Looked(data, sha256, refusal=refusal, staged=tuple(staged))
        except BaseException:
            _drop(staged)
            raise
        staged += [self._stage(*one) for one in _pictures(prepared)]
        if len(data) < _LARGE_BYTES:
            staged.append(self._stage(data, sha256))
        return _Looked(data, sha256, prepared=prepared, staged=tuple(staged))

    def _stage(self, data: bytes, sha256: str) -> Future[Staged]:
        return self._writing.submit(self.here.images.stage, data, sha256)
