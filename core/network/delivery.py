"""A delivery: files that come one at a time from elsewhere, taken in as one batch, each answered before the next comes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from core.incoming import IncomingFile, ItemReport, take_in
from core.incoming.batches import Source
from core.installation import Installation
from core.outages import MachineFailed
from core.people import Person, asking

__all__ = ["Delivery"]


class Delivery:
    """Takes in what a sender delivers; the batch begins with its first file and ends with `close`.

    Between two files the intake waits in a thread of its own, so that one decoder is kept for all of them and the audit
    trail tells of the delivery as a whole. For one thread at a time.

    >>> with Delivery(here, source="dicom", sender="MAMMO1@10.0.4.17") as delivery:
    ...     report = delivery.deliver(IncomingFile(name, data))
    """

    def __init__(
        self, here: Installation, *, source: Source, sender: str | None = None, person: Person | None = None
    ) -> None:
        self._here, self._source, self._sender, self._person = here, source, sender, person
        self._thread: threading.Thread | None = None
        self._files: queue.SimpleQueue[IncomingFile | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[ItemReport | Exception] = queue.SimpleQueue()

    def __enter__(self) -> Delivery:
        return self

    def __exit__(self, *_about: object) -> None:
        self.close()

    def deliver(self, file: IncomingFile) -> ItemReport:
        """Take one file in and return how it ended, which is durable by then.

        Raises `core.outages.MachineFailed` where the machine cannot take it now, and `core.people.OwnAdminNeeded`. After
        either the next file begins another batch.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=asking.on_behalf(self._run), name="delivery", daemon=True)
            self._thread.start()
        self._files.put(file)
        answer = self._answers.get()
        if isinstance(answer, Exception):
            self._thread.join()
            self._thread = None
            raise answer
        return answer

    def close(self) -> None:
        """End the batch; what was answered is durable with or without it."""
        if self._thread is not None:
            self._files.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        try:
            report = take_in(
                self._here,
                self._coming(),
                statement=None,
                source=self._source,
                person=self._person,
                sender=self._sender,
                on_item=self._answers.put,
            )
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits for the answer
            self._answers.put(error)
            return
        if report.cut_short is not None:
            # Put also where the batch's last line failed after its last answer: nobody reads it then, nor the queue.
            self._answers.put(MachineFailed(report.cut_short))

    def _coming(self) -> Iterator[IncomingFile]:
        while (file := self._files.get()) is not None:
            yield file
