"""What the viewer fetches: the pictures of an image as they are kept (`core.images.drawing`), made anew where they are gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np
from sqlalchemy import select, update

from core.images.drawing import is_of_this_release, open_rendition
from core.images.reader import lend_reader
from core.logs import log_of
from core.outages import outage
from core.people.needing import needs
from core.people.roles import Permission
from db.sessions import WITH_PUT_AWAY
from db.tables import Image

if TYPE_CHECKING:
    from core.installation import Installation

log = log_of(__name__)

Derived = Literal["rendition_sha256", "thumbnail_sha256"]

READING = 1
"""The number of the way in which pixels are read from files: one more whenever a file may mean other pixels than before,
so that the worker makes what was read otherwise anew (`core.worker.rereading`)."""
CROP_SIDE = 320
CROP_BEYOND = 0.5
"""Share of an image's longest side that a crop may reach beyond it."""

_turns: dict[str, tuple[threading.Lock, int]] = {}
"""For every image whose pictures are being made: the lock, and how many hold it or wait for it."""
_turns_lock = threading.Lock()


@needs(Permission.SEE_PATIENTS)
def rendition(here: Installation, sop_uid: str) -> bytes:
    """Return the viewer's pixels of one image; raises `KeyError` if there is no such image."""
    return _derived(here, sop_uid, "rendition_sha256")


@needs(Permission.SEE_PATIENTS)
def thumbnail_png(here: Installation, sop_uid: str) -> bytes:
    """Return a small PNG of one image, its window applied; raises `KeyError` if there is no such image."""
    return _derived(here, sop_uid, "thumbnail_sha256")


@needs(Permission.SEE_PATIENTS)
def crop_png(here: Installation, sop_uid: str, box: tuple[int, int, int, int]) -> bytes:
    """Return a part of one image as a PNG, window applied, its longest side at least `CROP_SIDE` pixels.

    Parameters
    ----------
    box
        Left, top, right, bottom in the image's own pixels; what reaches beyond the image is black.

    Raises
    ------
    KeyError
        If there is no such image.
    ValueError
        If the box is empty, beside the image or reaches far beyond it.
    """
    import cv2

    header, pixels = open_rendition(rendition(here, sop_uid))
    scale = header["columns"] / header["source_columns"]
    left, top, right, bottom = (round(edge * scale) for edge in box)
    part = pixels[max(0, top) : max(0, bottom), max(0, left) : max(0, right)].astype(np.float32)
    rows, columns = pixels.shape
    beyond = max(0, -top), max(0, bottom - rows), max(0, -left), max(0, right - columns)
    if not part.size:
        raise ValueError("This box shows nothing of the image.")
    if max(beyond) > CROP_BEYOND * max(rows, columns):
        raise ValueError("This box reaches far beyond the image.")
    low = header["window_center"] - header["window_width"] / 2
    shown = np.clip((part - low) / header["window_width"], 0.0, 1.0) * 255.0
    shown = cv2.copyMakeBorder(shown, *beyond, cv2.BORDER_CONSTANT, value=0)
    enlarge = CROP_SIDE / max(shown.shape)
    if enlarge > 1:
        shown = cv2.resize(shown, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_LINEAR)
    _, png = cv2.imencode(".png", shown.round().astype(np.uint8))
    return bytes(png)


def _derived(here: Installation, sop_uid: str, column: Derived) -> bytes:
    kept = _kept(here, sop_uid, column)
    if kept is not None:
        return kept
    # One request makes it, the others that come meanwhile wait and find it: a page asks for all views at once.
    with one_at_a_time(sop_uid):
        kept = _kept(here, sop_uid, column)
        return kept if kept is not None else made_anew(here, sop_uid, column)


def _kept(here: Installation, sop_uid: str, column: Derived) -> bytes | None:
    """Return what is stored, or None if it is gone or of an older release; raises `KeyError` if there is no image."""
    with here.database.read() as session:
        key = session.scalar(
            select(getattr(Image, column)).where(Image.sop_uid == sop_uid), execution_options=WITH_PUT_AWAY
        )
    if key is None:
        raise KeyError(sop_uid)
    try:
        data = here.images.get_kept(key)
    except FileNotFoundError:
        return None
    return data if column == "thumbnail_sha256" or is_of_this_release(data) else None


def made_anew(here: Installation, sop_uid: str, column: Derived) -> bytes:
    """Make both from the image itself and keep them, objects first, then the row that names them; return one.

    What the row named before stays in the store, where `verify` lists it as named by nothing.
    """
    with here.database.read() as session:
        image = session.scalars(
            select(Image).where(Image.sop_uid == sop_uid), execution_options=WITH_PUT_AWAY
        ).one()
    with lend_reader(here.settings) as reader:
        made = reader.prepare(here.images.get_kept(image.sha256), image.source_name)
    try:
        keys = {
            "rendition_sha256": here.images.put(made.rendition),
            "thumbnail_sha256": here.images.put(made.thumbnail_png),
        }
        if keys != {name: getattr(image, name) for name in keys}:
            with here.database.write() as session:
                session.execute(update(Image).where(Image.id == image.id).values(keys))
    except Exception as error:
        # The picture is there to be looked at; it can be kept, and written down, the next time.
        if (said := outage(error)) is None:
            raise
        log.warning("a picture was made anew, but could not be kept", lacks=said)
    return made.rendition if column == "rendition_sha256" else made.thumbnail_png


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Let one thread at a time make something: the pictures of an image, by its SOP UID."""
    with _turns_lock:
        turn, waiting = _turns.get(what, (threading.Lock(), 0))
        _turns[what] = turn, waiting + 1
    try:
        with turn:
            yield
    finally:
        with _turns_lock:
            turn, waiting = _turns.pop(what)
            if waiting > 1:
                _turns[what] = turn, waiting - 1
