"""A person's batch: her arrivals looked at in the background, and what she chose of them taken in, with pause and stop.

One thread a batch works at a time; what it has done so far is asked by pages, which never wait for it. All of it can be
made anew from the arrivals: a restart looks at them again and loses nothing.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from core.bulk.arrivals import Arrival, Arrivals
from core.bulk.groups import Answer, Group, Need, grouped
from core.bulk.kept import Kept
from core.bulk.looked import Looked
from core.files import write_whole
from core.incoming import (
    Gathered,
    IncomingFile,
    ItemReport,
    Statement,
    examine,
    foresee,
    gather_one,
    take_in,
)
from core.installation import Installation
from core.logs import log_of
from core.outages import outage
from core.people import Closed, NewAccount, Permission, Person, asking, require
from core.people.needing import needs
from core.rules.vocabulary import OTHER_KIND_WORDS

log = log_of(__name__)


class Stage(enum.Enum):
    """What a batch does now."""

    WAITING = "waiting"
    LOOKING = "looking"
    TAKING = "taking"


@dataclass(frozen=True)
class Progress:
    """How far a batch is: `done` of `total` files of what it does now; `lacking` is why it had to end."""

    stage: Stage
    done: int = 0
    total: int = 0
    paused: bool = False
    lacking: str | None = None


class Batch:
    """What one person brought: looked at, grouped, answered by her, taken in."""

    @needs(Permission.ADD_STUDY)
    def __init__(self, here: Installation, arrivals: Arrivals, user_id: int) -> None:
        self.here, self.arrivals, self.user_id = here, arrivals, user_id
        # Where the server stopped in the middle of it, what she said and what became of the files is found again.
        self._kept = Kept(arrivals.root / str(user_id))
        kept = self._kept.load()
        self.answers: dict[str, Answer] = kept.answers
        self.chosen: dict[str, bool] = kept.chosen
        self.reports: dict[str, ItemReport] = kept.reports
        self.cut_off: tuple[str, ...] = kept.taking
        """The groups that were being taken in when the server stopped."""
        self._taking: tuple[str, ...] = ()
        self.closed: Closed | None = None
        self._looked: dict[str, Looked] = {}
        self._seen: set[str] = set()
        self._done = kept.done
        """The arrivals that were answered whole and let go of: one that is there again has come anew."""
        self._progress = Progress(Stage.WAITING)
        self._lock = threading.RLock()
        self._goes = threading.Event()
        self._goes.set()
        self._stops = False
        self._thread: threading.Thread | None = None

    @property
    def progress(self) -> Progress:
        """Return how far it is."""
        with self._lock:
            return replace(self._progress, paused=not self._goes.is_set())

    @property
    def is_busy(self) -> bool:
        """Return whether it looks at files or takes some in."""
        return self.progress.stage is not Stage.WAITING

    def groups(self) -> list[Group]:
        """Return the files that were looked at and not answered yet, in groups, problems first."""
        with self._lock:
            return grouped(one for one in self._looked.values() if one.key not in self.reports)

    def looked(self) -> list[Looked]:
        """Return all files that were looked at, by name."""
        with self._lock:
            return sorted(self._looked.values(), key=lambda one: one.name)

    def say(self, key: str, answer: Answer | None = None, *, chosen: bool | None = None) -> None:
        """Note what a person says of a group, or whether she chooses it; it is kept over restarts."""
        if answer is not None:
            self.answers[key] = answer
        if chosen is not None:
            self.chosen[key] = chosen
        self._keep()

    def _keep(self) -> None:
        self._kept.say(self.answers, self.chosen, self._taking or self.cut_off)

    def cut_off_groups(self) -> list[Group]:
        """Return what is left of the groups that were being taken in when the server stopped."""
        left = [one for one in self.groups() if one.key in self.cut_off and one.need is not Need.HERE]
        if not left and not self.is_busy:
            self.cut_off = ()
            self._keep()
        return left

    def moves_to(self, user_id: int) -> None:
        """Make it another person's, whose arrivals hers have become."""
        self.user_id = user_id
        self._kept = Kept(self.arrivals.root / str(user_id))

    def look_on(self) -> None:
        """Look in the background at what has arrived since; nothing where it is at work already."""
        with self._lock:
            there = {one.key for one in self.arrivals.of(self.user_id)}
            # What was discarded, or dropped for its age, is not here any more.
            gone = [one.key for one in self._looked.values() if one.arrival not in there]
            if self._progress.stage is Stage.WAITING:
                for key in gone:
                    if key not in self.reports:
                        del self._looked[key]
            new = [
                one for one in self.arrivals.of(self.user_id) if one.is_whole and one.key not in self._seen
            ]
            if new:
                self._start(Stage.LOOKING, 0, self._look)

    def discard(self, person: Person, arrivals: Sequence[str] | None = None) -> None:
        """Forget files, all that are not answered where none are named."""
        require(person, Permission.ADD_STUDY)
        with self._lock:
            self.stop()
            for one in self.arrivals.of(self.user_id):
                if arrivals is None or one.key in arrivals:
                    self.arrivals.drop(one)
                    self._looked = {
                        k: v for k, v in self._looked.items() if v.arrival != one.key or k in self.reports
                    }
            if arrivals is None:
                self.answers, self.chosen, self.cut_off = {}, {}, ()
                self._keep()

    def forget_reports(self) -> None:
        """Forget what became of the files that were answered, to begin anew."""
        with self._lock:
            for key in self.reports:
                self._looked.pop(key, None)
            self.reports = {}
            self._kept.forget()
            self._progress = Progress(Stage.WAITING)

    def pause(self) -> None:
        """Wait before the next file until `go_on`."""
        self._goes.clear()

    def go_on(self) -> None:
        """Go on after a pause."""
        self._goes.set()

    def stop(self) -> None:
        """End before the next file; what is in by then stays, the others wait here."""
        self._stops = True
        self._goes.set()

    def wait(self, seconds: float = 60.0) -> None:
        """Wait until what it does now is done."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def take_in(
        self,
        person: Person,
        groups: Sequence[Group],
        *,
        own_admin: Callable[[], NewAccount | None] | None = None,
        in_background: bool = True,
    ) -> None:
        """Take in the files of some groups, each as its file, its manifest or the person says, in her name.

        Raises `ValueError` where what was said of a group cannot be meant, and then takes in nothing.
        """
        require(person, Permission.ADD_STUDY)
        said: list[tuple[Looked, Statement | None]] = []
        for group in groups:
            answer = self.answers.get(group.key)
            lacking = group.lacks(answer)
            if lacking:
                raise ValueError(f"Say {', '.join(lacking)} of {group.files[0].name} first.")
            said += [(one, group.statement(answer, one)) for one in group.files]
        with self._lock:
            if self.is_busy:
                raise ValueError("The last files are not done yet. Wait, or stop them.")

            self.cut_off, self._taking = (), tuple(group.key for group in groups)
            self._keep()

            def work() -> None:
                try:
                    self._take(person, said, own_admin)
                finally:
                    # Not where the process is killed: then it is found to have been in the middle of it.
                    self._taking = ()
                    self._keep()

            if in_background:
                self._start(Stage.TAKING, len(said), work)
                return
            self._progress, self._stops = Progress(Stage.TAKING, 0, len(said)), False
        try:
            work()
        finally:
            with self._lock:
                self._progress = replace(self._progress, stage=Stage.WAITING)

    def _start(self, stage: Stage, total: int, work: Callable[[], None]) -> None:
        if self._progress.stage is not Stage.WAITING:
            return
        self._progress, self._stops = Progress(stage, 0, total), False
        self._goes.set()

        def run() -> None:
            lacking = None
            try:
                work()
            except Exception as error:
                lacking = outage(error)
                if lacking is None:
                    log.exception("a batch failed", stage=stage.value)
                    lacking = "This failed unexpectedly. Try it again; if it fails again, tell your admin."
            with self._lock:
                self._progress = replace(
                    self._progress, stage=Stage.WAITING, lacking=lacking or self._progress.lacking
                )
            if stage is Stage.LOOKING and lacking is None and not self._stops:
                self.look_on()

        self._thread = threading.Thread(
            target=asking.on_behalf(run), name=f"batch-{stage.value}", daemon=True
        )
        self._thread.start()

    def _look(self) -> None:
        for arrival in self.arrivals.of(self.user_id):
            if self._stops:
                return
            if not arrival.is_whole or arrival.key in self._seen:
                continue
            files = self._inside(arrival)
            with self._lock:
                if arrival.key in self._done:
                    self._done.discard(arrival.key)
                    self._forget(arrival.key)
                total = self._progress.total + len(files)
                self._progress = replace(self._progress, total=total)
            for number, load in enumerate(files.files):
                self._goes.wait()
                if self._stops:
                    return
                if f"{arrival.key}/{number}" not in self.reports:
                    looked = self._look_at(arrival, number, load())
                    with self._lock:
                        self._looked[looked.key] = looked
                with self._lock:
                    self._progress = replace(self._progress, done=self._progress.done + 1)
            with self._lock:
                self._seen.add(arrival.key)
                answered = [f"{arrival.key}/{number}" in self.reports for number in range(len(files))]
            if answered and all(answered):
                self._drop_answered(arrival.key)

    def _inside(self, arrival: Arrival) -> Gathered:
        return gather_one(arrival.data, arrival.name, max_file_mb=self.here.settings.max_file_mb)

    def _look_at(self, arrival: Arrival, number: int, file: IncomingFile) -> Looked:
        (examined,) = examine(self.here, [file])
        thumbnail, examined.thumbnail_png = examined.thumbnail_png, None
        if thumbnail:
            with suppress(OSError):
                write_whole(arrival.picture(number), thumbnail, durable=False)
        looked = Looked(arrival.key, number, examined, file.said, has_picture=bool(thumbnail))
        return self._foreseen(looked)

    def _foreseen(self, looked: Looked) -> Looked:
        if looked.examined.refusal is not None or looked.examined.header is None:
            return looked
        kind = looked.examined.view if looked.examined.view in OTHER_KIND_WORDS else None
        refusal = foresee(self.here, looked.header, looked.name, looked.examined.sha256, looked.said, kind)
        return replace(looked, foreseen=refusal, may_insist=self._may_insist(looked, refusal))

    def _may_insist(self, looked: Looked, refusal: object) -> bool:
        """Tell whether the file would go in if a person said that it is hers, of that day."""
        if getattr(refusal, "reason", None) != "identity_conflict" or not (looked.mrn and looked.on):
            return False
        side, view = looked.view
        views = {looked.name: (side, view)} if side and view else {}
        insisted = Statement(looked.mrn, looked.on, views=views)
        return foresee(self.here, looked.header, looked.name, looked.examined.sha256, insisted) is None

    def _take(
        self,
        person: Person,
        said: Sequence[tuple[Looked, Statement | None]],
        own_admin: Callable[[], NewAccount | None] | None,
    ) -> None:
        handed: list[Looked] = []

        def on_item(item: ItemReport) -> None:
            with self._lock:
                self.reports[handed[-1].key] = item
                self._kept.answered(handed[-1].key, item)
                self._progress = replace(self._progress, done=self._progress.done + 1)
            self._drop_answered(handed[-1].arrival)

        def on_closed(closed: Closed) -> None:
            self.closed = closed

        report = take_in(
            self.here,
            self._in_turn(said, handed),
            statement=None,
            source="web",
            person=person,
            on_item=on_item,
            own_admin=own_admin,
            on_closed=on_closed,
        )
        with self._lock:
            self._progress = replace(self._progress, lacking=report.cut_short)
        self._foresee_again()

    def _foresee_again(self) -> None:
        """Say anew of the files that wait what would become of them: there is more to compare them with now."""
        with self._lock:
            waiting = [one for one in self._looked.values() if one.key not in self.reports]
        for one in waiting:
            anew = self._foreseen(one)
            with self._lock:
                if one.key in self._looked:
                    self._looked[one.key] = anew

    def _in_turn(
        self, said: Sequence[tuple[Looked, Statement | None]], handed: list[Looked]
    ) -> Iterator[IncomingFile]:
        opened: tuple[str, Gathered] | None = None
        for looked, statement in said:
            self._goes.wait()
            if self._stops:
                return
            arrival = self.arrivals.find(self.user_id, looked.arrival)
            if arrival is None:
                continue
            if opened is None or opened[0] != arrival.key:
                opened = arrival.key, self._inside(arrival)
            file = opened[1].files[looked.number]()
            handed.append(looked)
            yield replace(file, said=statement or file.said)
            del file  # or its bytes would stay while the next one's are read

    def _drop_answered(self, key: str) -> None:
        """Let go of a file once all that is in it is answered."""
        with self._lock:
            inside = [one.key for one in self._looked.values() if one.arrival == key]
            whole = all(one in self.reports for one in inside)
        arrival = self.arrivals.find(self.user_id, key) if whole else None
        if arrival is not None:
            # Noted first: where this is cut off it comes to be looked at once more, and is here already.
            self._kept.done(key)
            with self._lock:
                self._seen.discard(key)
                self._done.add(key)
            arrival.data.unlink(missing_ok=True)
            self.arrivals.drop(arrival)

    def _forget(self, arrival: str) -> None:
        for key in [one for one in self.reports if one.startswith(f"{arrival}/")]:
            del self.reports[key]
            self._looked.pop(key, None)

    def told(self) -> Mapping[str, ItemReport]:
        """Return what became of the files that were answered, by the key of each."""
        with self._lock:
            return dict(self.reports)
