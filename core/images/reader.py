"""Reading images from bytes that are not trusted, in a child process with a memory and a time limit.

Decoders crash, hang and swell on hostile files; so the web process and the worker never decode. They hand the
bytes to `core.images.process` over a pipe and get back plain numbers and raw bytes, never pickles.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from core.images.child import Child, ChildDied
from core.images.read_image import ReadImage, image_from_json
from core.refusals import Refusal
from core.settings import Settings

if TYPE_CHECKING:
    import subprocess

# Half a second as a rule; on a machine that trains on every core it has taken more than half a minute.
_START_SECONDS = 120.0
_IDLE_READERS = 2
# Decoders gain nothing from threads on one image, and every thread costs address space under the limit. What one image
# needed is kept for the next: to be given each page anew takes the kernel a tenth of the time that a small image takes.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # Of one decoder it is otherwise: JPEG 2000 takes a second of a core for ten megabytes.
    "OPJ_NUM_THREADS": str(min(4, os.cpu_count() or 1)),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
}


@dataclass
class Prepared:
    """An image read for storing: its facts (without pixels), the viewer's rendition and a thumbnail."""

    image: ReadImage
    rendition: bytes
    thumbnail_png: bytes

    @cached_property
    def rendition_sha256(self) -> str:
        """The key of the rendition in the image store."""
        return hashlib.sha256(self.rendition).hexdigest()

    @cached_property
    def thumbnail_sha256(self) -> str:
        """The key of the thumbnail in the image store."""
        return hashlib.sha256(self.thumbnail_png).hexdigest()

    def to_change(self) -> Prepared:
        """Return what may be changed without changing this."""
        image = self.image
        header = replace(
            image.header, other_names=[*image.header.other_names], unusable={**image.header.unusable}
        )
        own = replace(
            image,
            header=header,
            measured={**image.measured},
            quality_flags=[*image.quality_flags],
            contradictions=[*image.contradictions],
        )
        mine = replace(self, image=own)
        mine.rendition_sha256, mine.thumbnail_sha256 = self.rendition_sha256, self.thumbnail_sha256
        return mine


class GuardedReader:
    """A child process that decodes one file after another, replaced when it dies or takes too long.

    >>> with GuardedReader(settings) as reader:
    ...     image = reader.read(path.read_bytes(), path.name)
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._child = Child(
            ["-m", "core.images.process", str(settings.reader_memory_mb)],
            environment=_ENVIRONMENT,
            most_bytes=8 * settings.max_pixels,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()

    def read(self, data: bytes, name: str) -> ReadImage:
        """Decode one file and return it with its pixels; raises `Refusal`."""
        facts, (pixels,) = self._ask("pixels", data, name)
        image = image_from_json(facts)
        image.pixels = np.frombuffer(pixels, dtype="<u2").reshape(image.rows, image.columns)
        return image

    def prepare(self, data: bytes, name: str) -> Prepared:
        """Decode one file and return what intake stores of it, without its pixels; raises `Refusal`."""
        facts, (rendition, thumbnail) = self._ask("prepared", data, name)
        return Prepared(image_from_json(facts), bytes(rendition), bytes(thumbnail))

    def frame(self, data: bytes, name: str, number: int) -> bytes:
        """Return the rendition of one frame of a file, from 1; raises `Refusal`."""
        _, (rendition,) = self._ask("frame", data, name, frame=number)
        return bytes(rendition)

    def count_frames(self, data: bytes, name: str) -> int:
        """Return how many frames a DICOM file says to have, without decoding any; raises `Refusal`."""
        facts, _ = self._ask("count", data, name)
        return int(facts["frames"])

    def start(self) -> None:
        """Start the child if it does not run: it takes half a second, which the first file waits for otherwise."""
        if not self._child.runs:
            self._child.start(_START_SECONDS)

    def close(self) -> None:
        """End the child; the reader may be used again and starts another."""
        self._child.close()

    @property
    def _process(self) -> subprocess.Popen[bytes] | None:
        return self._child.process

    def _ask(
        self, wanted: Literal["pixels", "prepared", "frame", "count"], data: bytes, name: str, **more: int
    ) -> tuple[dict[str, Any], list[bytearray]]:
        if not data:
            raise Refusal("empty_file")
        if len(data) > self.settings.max_file_mb * 1_000_000:
            raise Refusal(
                "too_large",
                f"It has {len(data) / 1e6:.0f} MB; at most {self.settings.max_file_mb} MB are read.",
            )
        question = {
            "wanted": wanted,
            "max_pixels": self.settings.max_pixels,
            "cpu_seconds": self.settings.reader_seconds,
            **more,
        }
        self.start()
        try:
            answer, parts = self._child.ask(question, data, self.settings.reader_seconds)
        except TimeoutError:
            self.close()
            raise Refusal("timeout", f"It took more than {self.settings.reader_seconds:.0f} s.") from None
        except ChildDied as death:
            self.close()
            if death.code == -24:  # SIGXCPU: the processor time ran out before the clock did
                raise Refusal("timeout", "It used up its processor time.") from None
            raise Refusal("unreadable", "The decoder stopped while reading it.") from death
        except BaseException:
            # An answer may still be on its way through the pipe.
            self.close()
            raise
        spent = answer.pop("spent", False)
        if spent:
            self.close()
        if "refusal" in answer:
            # The cause tells who has read the file before that it is the machine's memory that is short today.
            raise Refusal(answer["refusal"], answer["detail"]) from (MemoryError() if spent else None)
        return answer, parts


_idle: list[GuardedReader] = []
_idle_lock = threading.Lock()


@contextlib.contextmanager
def lend_reader(settings: Settings) -> Iterator[GuardedReader]:
    """Lend a reader whose child is warm if there is one, and keep it for the next borrower.

    Starting a child takes half a second: pages and the demo import study after study.
    """
    wanted = (settings.reader_memory_mb, settings.reader_seconds, settings.max_pixels, settings.max_file_mb)
    with _idle_lock:
        fitting = [reader for reader in _idle if _limits(reader.settings) == wanted]
        reader = fitting[-1] if fitting else GuardedReader(settings)
        if fitting:
            _idle.remove(reader)
    try:
        yield reader
    except BaseException:
        # An answer may still be on its way through the pipe.
        reader.close()
        raise
    with _idle_lock:
        if len(_idle) < _IDLE_READERS:
            _idle.append(reader)
            return
    reader.close()


def _limits(settings: Settings) -> tuple[int, float, int, int]:
    return settings.reader_memory_mb, settings.reader_seconds, settings.max_pixels, settings.max_file_mb


@atexit.register
def close_idle_readers() -> None:
    """End the children that nobody borrows."""
    with _idle_lock:
        while _idle:
            _idle.pop().close()
