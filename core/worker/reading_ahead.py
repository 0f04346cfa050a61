"""Reading ahead: while the networks are at one study, the images of the next are read and standardised.

Each reading thread has a reading process of its own (`core.images.reader`), so a bulk of studies keeps every core busy. The
database is not touched here: what is read goes back to the scorer, which alone writes.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from core.images import lend_reader
from core.installation import Installation
from core.outages import outage
from core.refusals import Refusal

if TYPE_CHECKING:
    from models.view import StandardView

__all__ = ["ReadingAhead", "WaitingImage"]

MOST_AHEAD = 24
"""Standard views kept ready, under 1 MB each: six studies of four views."""


@dataclass(frozen=True)
class WaitingImage:
    """An image that is to be read: its row's id, the sha256 of its bytes, its name for messages."""

    id: int
    sha256: str
    name: str


class ReadingAhead:
    """Reads waiting images in their order on threads, at most `MOST_AHEAD` before they are asked for.

    `shape`: rows and columns of the views that the model reads.

    >>> with ReadingAhead(here, images, readers=2, shape=model.shape) as ahead:
    ...     view = ahead.take(images[0].id)
    """

    def __init__(
        self, here: Installation, images: Iterable[WaitingImage], readers: int, shape: tuple[int, int]
    ) -> None:
        self._here, self._shape = here, shape
        self._waiting = deque(images)
        self._place = {image.id: place for place, image in enumerate(self._waiting)}
        self._read: dict[int, Future[StandardView]] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="reading-ahead")

    def __enter__(self) -> Self:
        self._top_up()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def take(self, image_id: int) -> StandardView | None:
        """Return the standard view of an image, waiting for it if it is being read; None if it is not among them.

        Whatever reading it raised is raised: `core.refusals.Refusal`, FileNotFoundError, or ValueError if no breast is
        found in it. Where only the machine failed then, None is returned: who asks reads it now. An image is handed
        out once.
        """
        with self._lock:
            future = self._read.pop(image_id, None)
            if future is None and image_id in self._place:
                self._let_go_before(image_id)
        self._top_up()
        if future is None:
            return None
        try:
            return future.result()
        except Exception as error:
            if outage(error) is not None or (isinstance(error, Refusal) and error.reason == "timeout"):
                return None
            raise

    def _let_go_before(self, image_id: int) -> None:
        """Drop what stood before an image whose turn came early: it was passed over, as another worker scored it.

        Otherwise what nobody takes would fill the room for good. Who asks reads the image itself.
        """
        for early in [one for one in self._read if self._place[one] < self._place[image_id]]:
            self._read.pop(early).cancel()
        self._waiting = deque(i for i in self._waiting if self._place[i.id] > self._place[image_id])

    def _top_up(self) -> None:
        with self._lock:
            while self._waiting and len(self._read) < MOST_AHEAD:
                image = self._waiting.popleft()
                self._read[image.id] = self._pool.submit(self._standardised, image)

    def _standardised(self, image: WaitingImage) -> StandardView:
        from models.view import standardise

        data = self._here.images.get(image.sha256)
        with lend_reader(self._here.settings) as reader:
            pixels = reader.read(data, image.name).pixels
        return standardise(pixels, self._shape)
