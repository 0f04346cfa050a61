"""Watching a folder: what has stood still for a while is read, answered, remembered, and moved away if that is asked.

Killed at any moment, a watch that begins again asks no file twice: what was answered is remembered in the database, and
what was answered just before it could be remembered is found by its bytes among the items of earlier batches.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.files import private_folder
from core.incoming import BatchReport, IncomingFile, ItemReport, gather_one, take_in
from core.installation import Installation
from core.logs import log_of
from core.people.needing import SYSTEM_ONLY, needs
from core.watching import ledger
from core.watching.ledger import Seen
from db.tables import Outcome

log = log_of(__name__)

MANIFEST = "manifest.csv"
_WORST = (Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.QUARANTINED)


class WatchedTwice(Exception):
    """Another process watches this folder already."""


class Watch:
    """A folder whose files are taken in as they appear.

    `settle_seconds` is how long a file has to stand still before it is read. `done`, if given, is where files go that are
    stored; what was refused stays where it is. `on_item` is told of every answer when it is durable.
    """

    @needs(SYSTEM_ONLY)
    def __init__(
        self,
        here: Installation,
        folder: Path,
        *,
        done: Path | None = None,
        settle_seconds: float = 5.0,
        on_item: Callable[[ItemReport], None] | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self.here, self.folder = here, folder.absolute()
        self.done = done.absolute() if done else None
        self.settle_seconds = settle_seconds
        self._on_item = on_item or (lambda _item: None)
        self._on_trouble = on_trouble or log.warning
        self._stops = threading.Event()
        self._still_since: dict[Path, tuple[Seen, float]] = {}

    def stop(self) -> None:
        """End before the next file; may be called from a handler of signals."""
        self._stops.set()

    @property
    def is_stopped(self) -> bool:
        """Return whether it is to end."""
        return self._stops.is_set()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder for this process; raises `WatchedTwice` where another one watches it."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                # Some network folders have no locks; there nobody is kept out.
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    raise WatchedTwice(f"{self.folder} is watched already by another process.") from error
            yield
        finally:
            os.close(descriptor)

    def waits(self) -> bool:
        """Return whether a file is there that has not stood still for long enough yet."""
        return bool(self._still_since)

    def once(self) -> BatchReport:
        """Take in what is new and stands still, and return how it was answered; a batch only if there is anything."""
        ready = [seen for seen in self._files() if self._is_ready(seen)]
        if not ready:
            return BatchReport()
        items: list[ItemReport] = []

        def told(item: ItemReport) -> None:
            items.append(item)
            self._on_item(item)

        return take_in(
            self.here, self._in_turn(ready, items), statement=None, source=ledger.SOURCE, on_item=told
        )

    def _files(self) -> Iterator[Seen]:
        """Yield the files that are there and were not answered as they stand."""
        there = set()
        for parent, folders, names in os.walk(self.folder):
            folders[:] = sorted(
                name
                for name in folders
                if not name.startswith(".") and Path(parent, name).absolute() != self.done
            )
            for name in sorted(names):
                seen = self._seen(Path(parent, name))
                if seen is None or name.startswith("."):
                    continue
                if name == MANIFEST:
                    continue
                outcome = ledger.answered(self.here, seen)
                if outcome is None:
                    there.add(seen.path)
                    yield seen
                else:
                    self._move(seen.path, outcome)
        self._still_since = {path: one for path, one in self._still_since.items() if path in there}

    def _seen(self, path: Path) -> Seen | None:
        try:
            known = path.lstat()
        except OSError:
            return None  # gone again
        return Seen(path, known.st_size, known.st_mtime_ns) if stat.S_ISREG(known.st_mode) else None

    def _is_ready(self, seen: Seen) -> bool:
        """Tell whether a file has stood still: by what was seen of it before, and by its own time."""
        now = time.time()
        before = self._still_since.get(seen.path)
        since = before[1] if before and before[0] == seen else max(0.0, min(now, seen.changed_ns / 1e9))
        if before and before[0] != seen:
            since = now
        if now - since >= self.settle_seconds:
            self._still_since.pop(seen.path, None)
            return True
        self._still_since[seen.path] = seen, since
        return False

    def _in_turn(self, ready: list[Seen], items: list[ItemReport]) -> Iterator[IncomingFile]:
        """Yield the files one after the other; when the next is asked for, the one before is durable and is noted."""
        limit = self.here.settings.max_file_mb
        for seen in ready:
            if self.is_stopped:
                return
            if self._seen(seen.path) != seen:
                continue  # changed or gone since; the next round sees it
            name = str(seen.path)
            before = len(items)
            found = gather_one(seen.path, name, max_file_mb=limit)
            noted = None
            for load in found.files:
                file = load()
                if len(found) == 1 and file.data:
                    noted = ledger.answered_before_a_cut(self.here, name, file.data)
                if noted is None:
                    yield file
                del file  # or its bytes would stay while the next one's are read
            outcomes = [Outcome(item.outcome) for item in items[before:]]
            outcome = noted or max(outcomes, key=_WORST.index, default=Outcome.QUARANTINED)
            ledger.note(self.here, seen, outcome)
            self._move(seen.path, outcome)

    def _move(self, path: Path, outcome: Outcome) -> None:
        """Move a file that is stored to where such files go, if they go anywhere; never over another one."""
        if self.done is None or outcome is Outcome.QUARANTINED:
            return
        target = self.done / path.relative_to(self.folder)
        numbered = (target.with_name(f"{target.stem} ({n}){target.suffix}") for n in itertools.count(2))
        try:
            private_folder(target.parent)
            free = next(one for one in itertools.chain([target], numbered) if not os.path.lexists(one))
            shutil.move(path, free)
        except OSError as error:
            self._on_trouble(f"{path.name} is stored, and could not be moved: {error.strerror}.")

    def forever(self, *, every_seconds: float = 2.0, after_failure_seconds: float = 30.0) -> None:
        """Take in what appears until `stop`; where the machine fails it says so, waits, and goes on by itself."""
        with _told_of_changes(self.folder) as changed:
            while not self.is_stopped:
                report = self.once()
                if report.cut_short is not None:
                    self._on_trouble(
                        f"{report.cut_short} It is tried again in {after_failure_seconds:.0f} seconds."
                    )
                    self._stops.wait(after_failure_seconds)
                    continue
                # What stands still makes no sign of it: the folder is looked at now and then all the same.
                changed.wait(every_seconds)
                changed.clear()
                self._stops.wait(min(0.2, every_seconds))


@contextmanager
def _told_of_changes(folder: Path) -> Iterator[threading.Event]:
    """Lend an event that is set when something changes in a folder; where the system cannot tell, it never is."""
    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers import Observer

    changed = threading.Event()

    class Told(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            changed.set()

    observer = Observer()
    try:
        observer.schedule(Told(), str(folder), recursive=True)
        observer.start()
    except OSError as error:
        log.warning(
            "changes in the folder are not told; it is looked at every few seconds", errno=error.errno
        )
        yield changed
        return
    try:
        yield changed
    finally:
        observer.stop()
        observer.join(5)
