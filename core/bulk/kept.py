"""What a person said of her batch, and what became of its files, kept beside its arrivals: a restart loses neither.

Two files in her folder of arrivals: ``batch.json`` with what she answered, what she chose, and which groups are being taken
in; ``answered.jsonl`` with a line a file that was taken in or refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from core.bulk.groups import Answer
from core.files import private_folder, write_whole
from core.incoming import ItemReport
from core.logs import log_of

__all__ = ["Kept", "KeptBatch"]

log = log_of(__name__)

SAID, ANSWERED = "batch.json", "answered.jsonl"
FILES = (SAID, ANSWERED)


@dataclass
class KeptBatch:
    """What was kept of a batch: what she answered and chose, what was under way, and what became of files.

    `taking` are the groups that were being taken in; `reports` are by the key of each file, and `done` are the arrivals of
    which every file was answered.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    chosen: dict[str, bool] = field(default_factory=dict)
    taking: tuple[str, ...] = ()
    reports: dict[str, ItemReport] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)


class Kept:
    """The two files of one person's batch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: str | None = None

    def load(self) -> KeptBatch:
        """Return what was kept; what is damaged counts as not there, and is asked again."""
        kept = KeptBatch()
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            said = json.loads((self._folder / SAID).read_text(encoding="utf-8"))
            kept.answers = {key: _answer(one) for key, one in said["answers"].items()}
            kept.chosen = {key: bool(one) for key, one in said["chosen"].items()}
            kept.taking = tuple(map(str, said["taking"]))
        lines: list[str] = []
        with suppress(OSError, ValueError):
            lines = (self._folder / ANSWERED).read_text(encoding="utf-8").splitlines()
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):  # the last one may have been cut off
                one = json.loads(line)
                if "done" in one:
                    kept.done.add(str(one["done"]))
                    continue
                kept.reports[one["key"]] = ItemReport(**one["report"])
        return kept

    def say(self, answers: Mapping[str, Answer], chosen: Mapping[str, bool], taking: Sequence[str]) -> None:
        """Keep what she said, if it is another than before."""
        text = json.dumps(
            {
                "answers": {key: _plain(one) for key, one in answers.items() if one != Answer()},
                "chosen": dict(chosen),
                "taking": list(taking),
            }
        )
        if text == self._written:
            return
        self._written = text
        with _going_on():
            private_folder(self._folder)
            write_whole(self._folder / SAID, text, durable=False)

    def answered(self, key: str, report: ItemReport) -> None:
        """Keep what became of a file."""
        self._add({"key": key, "report": asdict(report)})

    def done(self, arrival: str) -> None:
        """Keep that every file of an arrival was answered."""
        self._add({"done": arrival})

    def _add(self, line: dict[str, Any]) -> None:
        with _going_on():
            private_folder(self._folder)
            path = self._folder / ANSWERED
            path.touch(mode=0o600)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def forget(self) -> None:
        """Forget what became of the files."""
        with suppress(OSError):
            (self._folder / ANSWERED).unlink(missing_ok=True)


@contextmanager
def _going_on() -> Iterator[None]:
    """Go on where the disk fails, and say so in the log: it is a help, and no reason to stop her work."""
    try:
        yield
    except OSError as error:
        log.warning("what was said of a batch is not kept", kind=type(error).__name__)


def _plain(answer: Answer) -> dict[str, Any]:
    return {
        "mrn": answer.mrn,
        "on": answer.on.isoformat() if answer.on else None,
        "views": {key: list(view) for key, view in answer.views.items()},
        "checked": answer.checked,
    }


def _answer(said: Mapping[str, Any]) -> Answer:
    views = {str(key): (view[0], view[1]) for key, view in said["views"].items()}
    on = date.fromisoformat(said["on"]) if said["on"] else None
    return Answer(said["mrn"], on, views, checked=bool(said["checked"]))
