"""Reading files ahead of their turn: while one is stored the next ones are decoded, on another core each.

What is written stays in the order of the files, one after another; only the decoding, which writes nothing, runs ahead.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from core.images import GuardedReader, Prepared, lend_reader, storable
from core.incoming import asked
from core.incoming.items import IncomingFile
from core.installation import Installation
from core.refusals import Refusal
from db.images import Staged

__all__ = ["Ahead", "Turn"]

_LARGE_BYTES = 1_000_000
"""From here on a file is written to the disk while it is read."""
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

    def keep(self) -> None:
        """Put the file's bytes into the image store; a large one was written while it was read."""
        staged = self._looked.result().staged
        if staged is None or staged.exception() is not None:
            self._ahead.here.images.put(self.data)  # where it could not be written before, this says why
        else:
            staged.result().keep()

    def drop(self) -> None:
        """Leave nothing in the image store of a file that was not kept."""
        if self._looked.done() and not self._looked.cancelled() and self._looked.exception() is None:
            _drop(self._looked.result().staged)

    def prepare(self, data: bytes, name: str) -> Prepared:
        """Return what `GuardedReader.prepare` says of the file; raises `Refusal`."""
        looked = self._looked.result()
        if looked.refusal is not None:
            raise looked.refusal
        return looked.prepared if looked.prepared is not None else self._ahead.prepare(data, name)


@dataclass(frozen=True)
class _Looked:
    """A file that was read ahead: its bytes as they are stored, whether they are, and what was read or why it was not."""

    data: bytes
    sha256: str
    stored: bool = False
    prepared: Prepared | None = None
    refusal: Refusal | None = None
    staged: Future[Staged] | None = None


def _drop(staged: Future[Staged] | None) -> None:
    if staged is not None and staged.exception() is None:
        with suppress(OSError):  # the sweep finds it (`core.care.left_overs`)
            staged.result().drop()


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
    """Files in their order, the next of them being read meanwhile; at most `at_once` + 1 of them are in memory.

    >>> with Ahead(here) as ahead:
    ...     for turn in ahead.turns(files):
    ...         turn.prepare(turn.file.data, turn.file.name)
    """

    def __init__(self, here: Installation, at_once: int = AT_ONCE) -> None:
        self.here, self._readers, self._at_once = here, _Readers(here), at_once
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="reading-ahead")
        self._writing = ThreadPoolExecutor(at_once, thread_name_prefix="writing-ahead")
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

    def turns(self, files: Iterable[IncomingFile]) -> Iterator[Turn]:
        """Yield the files in their order; what loading one of them raises is raised when its turn comes."""
        waiting = self._waiting
        coming = iter(files)
        failed: Exception | None = None
        while True:
            while failed is None and len(waiting) < self._at_once:
                try:
                    waiting.append(self._begun(next(coming)))
                except StopIteration as end:
                    failed = end
                except Exception as error:  # noqa: BLE001 - raised below, after the files before it
                    failed = error
            if not waiting:
                break
            yield waiting.popleft()
        if failed is not None and not isinstance(failed, StopIteration):
            raise failed

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
        with self.here.database.read() as session:
            named = {"sha256": sha256}
            if session.scalar(asked.IMAGE_OF_BYTES, named, execution_options=asked.AS_WRITTEN) is not None:
                return _Looked(data, sha256, stored=True)
        staged = self._writing.submit(self.here.images.stage, data) if len(data) >= _LARGE_BYTES else None
        try:
            return _Looked(data, sha256, prepared=self._readers.prepare(data, file.name), staged=staged)
        except Refusal as refusal:
            return _Looked(data, sha256, refusal=refusal, staged=staged)
        except BaseException:
            _drop(staged)
            raise
