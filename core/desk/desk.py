"""The desk: images that people have opened to be read, and the warm process that says what it sees in them.

The web process holds no network and decodes no file. It hands the bytes to `core.desk.process`, which is started
when somebody first needs it and stopped when nobody has asked for a while. Here stays only who opened what, and an
image's bytes in a file without a name, so that they are gone with this process.
"""

from __future__ import annotations

import hashlib
import secrets
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from sqlalchemy import select

from core.desk.other_breast import OtherBreast, kept_other_breast, other_breast_of
from core.images import Child, ChildDied, ReadImage, image_from_json
from core.installation import Installation
from core.logs import log_of
from core.outages import outage
from core.people import Permission, Person, require
from core.refusals import Refusal
from core.settings import Settings
from db.tables import Image

__all__ = ["BoxRefused", "Desk", "DeskClosed", "OpenedImage", "Said"]

log = log_of(__name__)

IDLE_SECONDS = 600.0
"""A process that nobody asked anything for so long is stopped: it holds a gigabyte."""
START_SECONDS = 300.0
ANSWER_SECONDS = 60.0
MOST_OPEN = 32
_GONE = "This image is not open any more. Open it again."
MOST_OPEN_A_PERSON = 6
_LIMITS = ("model", "max_file_mb", "max_pixels", "reader_memory_mb", "reader_seconds")


class DeskClosed(Exception):
    """The process that reads images stopped or cannot be started; the sentence says what to do."""


class BoxRefused(ValueError):
    """A box lies outside the image, or shows no breast."""


@dataclass(frozen=True)
class OpenedImage:
    """An image on the desk; `sha256` is the key of its bytes in the image store, if they are stored.

    `shows` is what answers call it, where that is said.
    """

    token: str
    user_id: int
    name: str
    sha256: str
    image: ReadImage
    modality: str
    source: IO[bytes] = field(repr=False, compare=False)
    other: OtherBreast | None = None
    shows: str = ""
    shown_anyway: threading.Event = field(
        default_factory=threading.Event, init=False, repr=False, compare=False
    )
    """Set when it is in the audit trail that withheld numbers of it were shown."""
    _reading: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def bytes(self) -> bytes:
        """Return the file's bytes, whole whichever threads ask at once; `LookupError` if it has left the desk."""
        with self._reading:
            if self.source.closed:
                raise LookupError(_GONE)
            self.source.seek(0)
            return self.source.read()

    def close(self) -> None:
        """Let the bytes go, when nobody is in the middle of reading them."""
        with self._reading:
            self.source.close()


@dataclass(frozen=True)
class Said:
    """What was said of an image or of a box in it.

    `answer` is `core.desk.answers.Classified.to_json`; `heat` is (h, w) values 0..255 row by row, `heat_shape` its h
    and w, `heat_corners` x0, y0, x1, y1 of the picture it covers, in pixels of the image (x0 > x1: mirrored).
    """

    answer: Mapping[str, Any]
    heat: bytes = b""
    heat_shape: tuple[int, int] | None = None
    heat_corners: tuple[float, float, float, float] | None = None


class Desk:
    """Opens images for people and asks the warm process about them; safe to use from several threads.

    >>> desk = Desk(here.settings)
    >>> opened = desk.open_file(person, data, "view.png")
    >>> desk.whole(opened).answer["tumour"]
    """

    def __init__(self, settings: Settings) -> None:
        self._child = Child(
            ["-m", "core.desk.process", settings.model_dump_json(include=set(_LIMITS))],
            most_bytes=64_000_000,
        )
        self._max_file_bytes = settings.max_file_mb * 1_000_000
        self._opened: OrderedDict[str, OpenedImage] = OrderedDict()
        self._asking = threading.Lock()
        self._listing = threading.Lock()
        self._used_at = time.monotonic()
        self._starting: threading.Thread | None = None
        self._watch: threading.Timer | None = None

    # -- the process ---------------------------------------------------------------------------------------------

    @property
    def is_warm(self) -> bool:
        """Whether an answer would come without the process being started first."""
        return self._child.runs and not (self._starting and self._starting.is_alive())

    def warm_up(self) -> None:
        """Start the process in the background, so that the first image does not wait for it."""
        with self._listing:
            if self._child.runs or (self._starting and self._starting.is_alive()):
                return
            self._starting = threading.Thread(target=self._start_quietly, name="desk", daemon=True)
            self._starting.start()

    def close(self) -> None:
        """Stop the process and forget what was opened."""
        with self._listing:
            if self._watch is not None:
                self._watch.cancel()
            for opened in self._opened.values():
                opened.close()
            self._opened.clear()
        # Not after it has answered or started: that may take minutes, and this process wants to end now.
        self._child.kill()
        with self._asking:
            self._child.close()

    def _start_quietly(self) -> None:
        try:
            with self._asking:
                self._ensure_started()
        except DeskClosed as closed:
            log.warning("the process that reads images does not start", detail=str(closed))

    def _ensure_started(self) -> None:
        self._used_at = time.monotonic()
        if self._child.runs:
            return
        started = time.monotonic()
        try:
            self._child.start(START_SECONDS)
        except RuntimeError as error:
            log.error("the process that reads images does not start", detail=str(error))
            raise DeskClosed(
                "Reading images cannot be started here. Try again; if it stays like this, tell your admin."
            ) from None
        log.info("the process that reads images is ready", seconds=round(time.monotonic() - started, 1))
        self._watch_idle()

    def _watch_idle(self) -> None:
        rest = self._used_at + IDLE_SECONDS - time.monotonic()
        if rest <= 0:
            # A process in the middle of an answer is in use.
            if self._asking.acquire(blocking=False):
                try:
                    self._child.close()
                finally:
                    self._asking.release()
                log.info("the process that reads images was idle and is stopped")
                return
            rest = 30.0
        self._watch = threading.Timer(rest, self._watch_idle)
        self._watch.daemon = True
        self._watch.start()

    def _ask(self, question: dict[str, Any], data: bytes = b"") -> tuple[dict[str, Any], list[bytearray]]:
        with self._asking:
            self._ensure_started()
            try:
                answer, parts = self._child.ask(question, data, ANSWER_SECONDS)
            except (ChildDied, TimeoutError) as error:
                log.error(
                    "the process that reads images failed",
                    kind=type(error).__name__,
                    said=self._child.last_word(),
                )
                self._child.close()
                raise DeskClosed("Reading this image did not come to an end. Try it once more.") from None
            self._used_at = time.monotonic()
        if "refusal" in answer:
            raise Refusal(answer["refusal"], answer["detail"])
        if "box_error" in answer:
            raise BoxRefused(answer["box_error"])
        return answer, parts

    # -- opening -------------------------------------------------------------------------------------------------

    def open_file(self, person: Person, data: bytes, name: str) -> OpenedImage:
        """Open a file that a person chose.

        Raises
        ------
        AccessDenied
            If the person may not see patients' images.
        Refusal
            If it cannot be read, or is neither a mammogram nor a breast ultrasound image.
        DeskClosed
            If the process does not answer.
        """
        data = self._admitted(person, data)
        return self._open(person, data, name, hashlib.sha256(data).hexdigest())

    @staticmethod
    def key_of(data: bytes) -> str:
        """Return under which key a file's bytes are stored, if they are."""
        from core.images import storable

        return hashlib.sha256(storable(data)).hexdigest()

    def _admitted(self, person: Person, data: bytes) -> bytes:
        """Return a file's bytes as they may be kept; raises `AccessDenied` or `Refusal`."""
        from core.images import storable

        require(person, Permission.SEE_PATIENTS)
        if not data:
            raise Refusal("empty_file")
        if len(data) > self._max_file_bytes:
            raise Refusal("too_large", f"It has {len(data) / 1e6:.0f} MB.")
        return storable(data)

    def open_stored(self, here: Installation, person: Person, sop_uid: str) -> OpenedImage:
        """Open an image of a patient's study; as `open_file`, and `KeyError` if there is no such image."""
        require(person, Permission.SEE_PATIENTS)
        with here.database.read() as session:
            image = session.scalar(select(Image).where(Image.sop_uid == sop_uid))
            if image is None:
                raise KeyError(sop_uid)
            other = kept_other_breast(session, image)
        try:
            data = here.images.get_kept(image.sha256)
        except FileNotFoundError:
            raise Refusal("image_unreadable") from None
        except OSError as error:
            said = outage(error)
            if said is None:
                raise
            raise DeskClosed(said) from error
        beside = None if other is None else other_breast_of(here, other)
        return self._open(person, data, f"{image.laterality.value} {image.view}", image.sha256, beside)

    def _open(
        self, person: Person, data: bytes, name: str, sha256: str, other: OtherBreast | None = None
    ) -> OpenedImage:
        opened = self._shown(person, data, name, sha256=sha256, other=other)
        with self._listing:
            self._opened[opened.token] = opened
            own = [one for one in self._opened.values() if one.user_id == person.user_id]
            for old in own[:-MOST_OPEN_A_PERSON]:
                self._opened.pop(old.token).close()
            while len(self._opened) > MOST_OPEN:
                self._opened.popitem(last=False)[1].close()
        return opened

    def show(self, person: Person, data: bytes, name: str) -> OpenedImage:
        """Open a file for the caller alone, who closes it; what is said of it calls it by its name. Raises as `open_file`."""
        return self._shown(person, self._admitted(person, data), name, shows=name)

    def _shown(
        self,
        person: Person,
        data: bytes,
        name: str,
        *,
        sha256: str = "",
        other: OtherBreast | None = None,
        shows: str = "",
    ) -> OpenedImage:
        token = secrets.token_urlsafe(18)
        answer, _ = self._ask({"wanted": "open", "token": token, "name": name, "shows": shows}, data)
        source = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the image leaves the desk
        source.write(data)
        return OpenedImage(
            token,
            person.user_id,
            name,
            sha256,
            image_from_json(answer["image"]),
            answer["modality"],
            source,
            other,
            shows,
        )

    def find(self, person: Person, token: str) -> OpenedImage:
        """Return an image that this person has opened; raises `LookupError` if it is not on the desk any more."""
        with self._listing:
            opened = self._opened.get(token)
            if opened is None or opened.user_id != person.user_id:
                raise LookupError(_GONE)
            self._opened.move_to_end(token)
            return opened

    def classify(
        self,
        person: Person,
        data: bytes,
        name: str,
        box: Sequence[float] | None = None,
        model: str | None = None,
    ) -> Said:
        """Return what is said of a file that is not kept on the desk, or of a box in it, by all models or by one alone.

        Raises as `open_file` does, and `BoxRefused`; `Refusal` (``no_model``) too where the model is not installed.
        """
        data = self._admitted(person, data)
        question = {"wanted": "classify", "name": name, "box": list(box) if box else None, "model": model}
        return _said(*self._ask(question, data))

    # -- asking --------------------------------------------------------------------------------------------------

    def whole(self, opened: OpenedImage, model: str | None = None) -> Said:
        """Return what is said of the whole image; raises `Refusal` or `DeskClosed`."""
        question = {"wanted": "whole", "model": model}
        other = opened.other
        if other is None:
            return _said(*self._about(opened, question))
        return self._beside(opened, question, other.token, other.shows, lambda: other.data)

    def _beside(
        self,
        opened: OpenedImage,
        question: dict[str, Any],
        other: str,
        shows: str,
        bytes_of_other: Callable[[], bytes],
    ) -> Said:
        """Ask about an image beside another one, by its token and what answers call it."""
        answer, parts = self._about(opened, question | {"other": other})
        if "other_unknown" in answer:
            again = {"wanted": "open", "token": other, "name": shows, "shows": shows}
            try:
                self._ask(again, bytes_of_other())
                answer, parts = self._about(opened, question | {"other": other})
            except Refusal:
                pass  # no picture that a model reads: she is read by this one alone
        if "other_unknown" in answer:
            answer, parts = self._about(opened, question)
        return _said(answer, parts)

    def together(self, opened: OpenedImage, other: OpenedImage | None, model: str | None = None) -> Said:
        """Return what is said of a whole image that was shown, beside one of the other breast, by all models or one alone.

        Raises as `whole`.
        """
        question = {"wanted": "whole", "alone": model}
        if other is None:
            return _said(*self._about(opened, question))
        return self._beside(opened, question, other.token, other.shows, other.bytes)

    def region(self, opened: OpenedImage, box: Sequence[float], model: str | None = None) -> Said:
        """Return what is said of a box (x0, y0, x1, y1 in pixels); as `whole`, and `BoxRefused`."""
        return _said(*self._about(opened, {"wanted": "region", "box": list(box), "model": model}))

    def picture(self, opened: OpenedImage, steps: Sequence[str] = ()) -> bytes:
        """Return the rendition (see `core.images.drawing`) after preprocessing steps; as `whole`."""
        _, (made,) = self._about(opened, {"wanted": "picture", "steps": list(steps)})
        return bytes(made)

    def _about(self, opened: OpenedImage, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytearray]]:
        question |= {"token": opened.token}
        answer, parts = self._ask(question)
        if "unknown" in answer:
            # The process is a new one, or let go of the image for others.
            again = {"wanted": "open", "token": opened.token, "name": opened.name, "shows": opened.shows}
            self._ask(again, opened.bytes())
            answer, parts = self._ask(question)
        return answer, parts


def _said(answer: dict[str, Any], parts: list[bytearray]) -> Said:
    if not parts:
        return Said(answer["said"])
    heat = answer["heat"]
    rows, columns = heat["shape"]
    x0, y0, x1, y1 = heat["corners"]
    return Said(answer["said"], bytes(parts[0]), (rows, columns), (x0, y0, x1, y1))
