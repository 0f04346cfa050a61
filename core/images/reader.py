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
from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from core.images.child import Child, ChildDied
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


BODY_PART = "body_part"
"""Under this name `Header.unusable` holds that a file of modality US or MR shows another part of the body."""


@dataclass
class Header:
    """What a file says of itself; None where it says nothing, or contradicts itself.

    `patient_name` is her name in the first script that the file has it in, `other_names` the rest. `unusable` says of
    each identifier that is there but cannot be kept as it is, by the name of its field here, what is wrong with it.
    """

    patient_id: str | None = None
    patient_id_issuer: str | None = None
    patient_name: str | None = None
    other_names: list[str] = field(default_factory=list)
    birth_date: date | None = None
    sex: str | None = None
    age_years: float | None = None
    study_uid: str | None = None
    study_date: date | None = None
    study_description: str | None = None
    sop_uid: str | None = None
    series_uid: str | None = None
    sop_class_uid: str | None = None
    modality: str | None = None
    laterality: str | None = None
    view: str | None = None
    simulated: bool = False
    unusable: dict[str, str] = field(default_factory=dict)


@dataclass
class ReadImage:
    """One decoded image and what is known of it.

    `pixels` is uint16 (rows, cols), larger = brighter; empty where they were not asked for. `rows` and
    `columns` are those of the image. The window is in pixel values, as the file gives it, and not applied.
    `doubt` says why this is taken for no mammogram, None if it is one. `contradictions` are sentences on what
    the file says two ways. `measured` is what `core.images.quality.measures` finds, where the image is prepared to be kept.
    `other_kind` is US or MR where the file calls itself such an image of the breast; `looks_like` US where it says nothing
    and is one by its pixels. Both have a doubt too. `frame` is which one this is of the `frames` that the file holds, from 1.
    `bits_left` is what compression with loss left of it (`core.images.lossy`), None where nothing is lost.
    """

    rows: int
    columns: int
    bits_stored: int
    media_type: str
    pixels: NDArray[np.uint16]
    pixel_spacing_mm: float | None = None
    window_center: float | None = None
    window_width: float | None = None
    manufacturer: str | None = None
    header: Header = field(default_factory=Header)
    quality_flags: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    doubt: str | None = None
    measured: dict[str, Any] = field(default_factory=dict)
    other_kind: str | None = None
    frames: int = 1
    frame: int = 1
    bits_left: float | None = None
    looks_like: str | None = None


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


def image_to_json(image: ReadImage) -> dict[str, Any]:
    """Return the facts of an image as plain values; the pixels are not among them."""
    facts = {f.name: getattr(image, f.name) for f in fields(image) if f.name not in ("pixels", "header")}
    facts["header"] = {
        f.name: value.isoformat() if isinstance(value := getattr(image.header, f.name), date) else value
        for f in fields(Header)
    }
    return facts


def image_from_json(facts: dict[str, Any]) -> ReadImage:
    """Return the image that `image_to_json` wrote, without pixels."""
    said = dict(facts["header"])
    for name in ("birth_date", "study_date"):
        said[name] = date.fromisoformat(said[name]) if said[name] else None
    return ReadImage(**{**facts, "header": Header(**said), "pixels": np.zeros((0, 0), np.uint16)})
